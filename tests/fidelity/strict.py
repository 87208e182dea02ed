"""Do the client's official SDK's own models and accumulators accept what Turnout wrote?

Reading leniently would hide a missing field until some user's program asks for it. So every object that a client of another dialect receives
must pass the SDK's types as they stand, and what the SDK's stream accumulator ends with must be what the chunks said.
"""

from __future__ import annotations

import anthropic
from anthropic.lib.streaming import MessageStream
from anthropic.types import Message, RawMessageStreamEvent
from openai import APIError
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter, ValidationError

from tests.fidelity.recordings import Dialect
from tests.fidelity.views import Said, View, anthropic_events, openai_chunks

_ANTHROPIC_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def complaints(client: Dialect, streamed: bool, body: bytes, read: View) -> list[str]:
    """What the SDK of `client` objects to in a reply that it read as `read`; empty when nothing."""
    if read.failed and not streamed:
        return []
    try:
        if client == "openai_chat":
            return _openai_stream(body, read) if streamed else _valid(ChatCompletion, body)
        return _anthropic_stream(body, read) if streamed else _valid(Message, body)
    except ValidationError as error:
        first = error.errors()[0]
        return [f"the SDK's types refuse it: {first['loc']}: {first['msg']}"]


def _valid(model: type[ChatCompletion] | type[Message], body: bytes) -> list[str]:
    model.model_validate_json(body)
    return []


def _data_lines(body: bytes) -> list[bytes]:
    return [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]


def _openai_stream(body: bytes, read: View) -> list[str]:
    for line in _data_lines(body):
        if not line.startswith(b'{"error"'):
            ChatCompletionChunk.model_validate_json(line)
    if read.failed:
        return []
    state = ChatCompletionStreamState()
    for chunk in openai_chunks(body):
        state.handle_chunk(chunk)
    out = []
    for choice, said in zip(state.current_completion_snapshot.choices, read.choices, strict=True):
        calls = [call.function for call in choice.message.tool_calls or []]
        out += _same(said, choice.message.content or "", choice.finish_reason)
        if [(call.name, call.arguments) for call in calls] != [(t.name, t.arguments) for t in said.tools]:
            out.append(f"the SDK accumulates other tool calls: {calls}")
    return out


def _anthropic_stream(body: bytes, read: View) -> list[str]:
    for line in _data_lines(body):
        if b'"type":"error"' not in line[:16]:
            _ANTHROPIC_EVENT.validate_json(line)
    if read.failed:
        return []
    try:
        final = MessageStream(anthropic_events(body), output_format=anthropic.NOT_GIVEN).get_final_message()
    except APIError as error:
        return [f"the SDK's accumulator fails: {error}"]
    (said,) = read.choices
    text = "".join(block.text for block in final.content if block.type == "text")
    tools = [(block.name, block.input) for block in final.content if block.type == "tool_use"]
    out = _same(said, text, final.stop_reason)
    if [name for name, _ in tools] != [tool.name for tool in said.tools]:
        out.append(f"the SDK accumulates other tool calls: {tools}")
    return out


def _same(said: Said, text: str, finish: str | None) -> list[str]:
    out = [] if text == said.text else [f"the SDK accumulates other text: {text[:80]!r}"]
    return out if finish == said.finish else [*out, f"the SDK accumulates another reason: {finish}"]
