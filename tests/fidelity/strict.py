"""Do the client's official SDK's own models and accumulators accept what Turnout wrote?

Reading leniently would hide a missing field until some user's program asks for it. So every object that a client of another dialect receives
must pass the SDK's types as they stand, and what the SDK's stream accumulator ends with must be what the chunks said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_args

import anthropic
from anthropic.lib.streaming import MessageStream
from anthropic.types import Message, RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai import NOT_GIVEN, APIError
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses import ResponseStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

from tests.fidelity.recordings import Dialect
from tests.fidelity.views import Said, View
from tests.fidelity.views import anthropic as anthropic_view
from tests.fidelity.views import openai_chat as openai_view
from tests.fidelity.views import openai_responses as responses_view

_ANTHROPIC_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def complaints(client: Dialect, streamed: bool, body: bytes, read: View) -> list[str]:
    """What the SDK of `client` objects to in a reply that it read as `read`; empty when nothing."""
    if read.failed and not streamed:
        return []
    try:
        if streamed:
            return _STREAMS[client](body, read)
        _WHOLE[client].model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        return [f"the SDK's types refuse it: {first['loc']}: {first['msg']}"]
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
    for chunk in openai_view.chunks(body):
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
        events = anthropic_view.events(body)
        final = MessageStream(events, output_format=anthropic.NOT_GIVEN).get_final_message()
    except APIError as error:
        return [f"the SDK's accumulator fails: {error}"]
    (said,) = read.choices
    text = "".join(block.text for block in final.content if block.type == "text")
    tools = [(block.name, block.input) for block in final.content if block.type == "tool_use"]
    out = _same(said, text, final.stop_reason)
    if [name for name, _ in tools] != [tool.name for tool in said.tools]:
        out.append(f"the SDK accumulates other tool calls: {tools}")
    return out


@cache
def _response_events() -> Mapping[str, type[BaseModel]]:
    """The event classes by `type`: trying all of a union's members takes most of a run."""
    union = get_args(ResponseStreamEvent)[0]
    return {get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(union)}


def _responses_stream(body: bytes, read: View) -> list[str]:
    kinds = _response_events()
    numbers = []
    for line in _data_lines(body):
        raw: Any = json.loads(line)
        if raw.get("type") not in kinds:
            return [f"the SDK knows no event {raw.get('type')}"]
        if raw["type"] == "response.failed":  # OpenAI itself sends codes that its SDK does not list
            raw["response"]["error"]["code"] = "server_error"
        kinds[raw["type"]].model_validate(raw)
        numbers.append(raw["sequence_number"])
    if numbers != list(range(len(numbers))):
        return [f"sequence numbers: {numbers[:10]}"]
    if read.failed:
        return []
    state = ResponseStreamState(text_format=NOT_GIVEN, input_tools=NOT_GIVEN)  # type: ignore[arg-type]
    final: Any = None
    for event in responses_view.events(body):
        for handled in state.handle_event(event):
            final = handled.response if handled.type == "response.completed" else final
    (said,) = read.choices
    if final is None:
        return [] if said.finish in ("length", "content_filter") else ["the SDK sees no end"]
    refusals = [part for item in final.output if item.type == "message" for part in item.content]
    out = _same(said, final.output_text, said.finish)
    if "".join(part.refusal for part in refusals if part.type == "refusal") != said.refusal:
        out.append("the SDK accumulates another refusal")
    calls = [item.name for item in final.output if item.type in ("function_call", "custom_tool_call")]
    return out if calls == [tool.name for tool in said.tools] else [*out, f"other tool calls: {calls}"]


def _gemini_stream(body: bytes, read: View) -> list[str]:
    for line in _data_lines(body):
        if not line.startswith(b'{"error"'):
            GenerateContentResponse.model_validate_json(line)
    return []


_STREAMS: Mapping[Dialect, Callable[[bytes, View], list[str]]] = {
    "openai_chat": _openai_stream,
    "openai_responses": _responses_stream,
    "anthropic": _anthropic_stream,
    "gemini": _gemini_stream,
}
_WHOLE: Mapping[Dialect, type[BaseModel]] = {
    "openai_chat": ChatCompletion,
    "openai_responses": Response,
    "anthropic": Message,
    "gemini": GenerateContentResponse,
}


def _same(said: Said, text: str, finish: str | None) -> list[str]:
    out = [] if text == said.text else [f"the SDK accumulates other text: {text[:80]!r}"]
    return out if finish == said.finish else [*out, f"the SDK accumulates another reason: {finish}"]
