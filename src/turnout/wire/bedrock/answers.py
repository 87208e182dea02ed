"""A whole Converse reply as events.

Text, reasoning and the caller's tools have canonical meaning. Blocks that the provider made for itself (its own tools and their
results, images) are opaque. A cited text is a text, followed by its citations as opaque blocks of kind `citation`. A guardrail's
trace is not passed on: it repeats what the guardrail hid.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import (
    Event,
    Failed,
    Finished,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    Started,
    TextDelta,
    ToolDelta,
    ToolStart,
)
from turnout.wire.bedrock.failures import decode_stream_failure
from turnout.wire.bedrock.meanings import (
    CITATION_KIND,
    DIALECT,
    SERVER_TOOL,
    UNREADABLE,
    WireUsage,
    canonical,
    decode_stop,
    given,
    opaque,
)
from turnout.wire.body import malformed


class _ToolUse(Struct, rename="camel"):
    tool_use_id: str
    name: str
    input: Raw = Raw()
    type: str | None = None


class _ReasoningText(Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None


class _Reasoning(Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _Piece(Struct, rename="camel"):
    text: str | None = None


class _Cited(Struct, rename="camel"):
    content: list[_Piece] | None = None
    citations: list[Raw] | None = None


class _Block(Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citations_content: _Cited | None = None


class _Message(Struct, rename="camel"):
    content: list[Raw] | None = None


class _Output(Struct, rename="camel"):
    message: _Message | None = None


class _Reply(Struct, rename="camel"):
    output: _Output | None = None
    stop_reason: str | None = None
    usage: WireUsage | None = None
    additional_model_response_fields: Raw = Raw()
    message: Raw = Raw()
    kind: Raw = msgspec.field(name="__type", default=Raw())


_reply = msgspec.json.Decoder(_Reply)
_block = msgspec.json.Decoder(_Block)
_members = msgspec.json.Decoder(dict[str, Raw])


def decode_answer(body: bytes) -> tuple[Event, ...]:
    """Events of a whole reply, terminal event included."""
    try:
        reply = _reply.decode(body)
        if reply.output is None and (given(reply.message) or given(reply.kind)):
            return (Failed(decode_stream_failure("", body)),)
        if reply.output is None or reply.output.message is None or reply.output.message.content is None:
            return (Failed(malformed("The provider's reply is not a message.")),)
        return tuple(_events(reply, reply.output.message.content))
    except UNREADABLE:
        return (Failed(malformed("The provider's reply cannot be read.")),)


def _events(reply: _Reply, content: list[Raw]) -> list[Event]:
    events: list[Event] = [Started()]
    for index, raw in enumerate(content):
        events += _block_events(raw, index)
    if reply.usage is not None:
        events.append(canonical(reply.usage))
    if reply.stop_reason:
        events.append(decode_stop(reply.stop_reason, reply.additional_model_response_fields))
    events.append(Finished())
    return events


def _block_events(raw: Raw, index: int) -> list[Event]:
    block = _block.decode(raw)
    if block.text is not None:
        return [TextDelta(block.text, index)] if block.text else []
    if block.tool_use is not None and block.tool_use.type != SERVER_TOOL:
        call = block.tool_use
        arguments = bytes(call.input).decode() if given(call.input) else "{}"
        return [ToolStart(index, call.tool_use_id, call.name), ToolDelta(index, arguments)]
    if block.reasoning_content is not None:
        return _reasoning_events(block.reasoning_content, index)
    if block.citations_content is not None:
        return _cited_events(block.citations_content, index)
    return [opaque(next(iter(_members.decode(raw)), "unknown"), raw, index)]


def _reasoning_events(block: _Reasoning, index: int) -> list[Event]:
    events: list[Event] = []
    if (shown := block.reasoning_text) is not None:
        if shown.text:
            events.append(ReasoningDelta(shown.text, index))
        if shown.signature:
            events.append(ReasoningSignature(shown.signature, DIALECT, index))
    if block.redacted_content:
        events.append(ReasoningRedacted(block.redacted_content, DIALECT, index))
    return events


def _cited_events(block: _Cited, index: int) -> list[Event]:
    text = "".join(piece.text or "" for piece in block.content or ())
    events: list[Event] = [TextDelta(text, index)] if text else []
    return events + [opaque(CITATION_KIND, raw, index) for raw in block.citations or ()]
