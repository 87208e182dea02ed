"""A whole Cohere reply as events.

Content comes first (thinking, text), then the plan, then the calls that it announces, then citations and log-probabilities as opaque
blocks. A reply that ended by an error is a failure, whatever it holds.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import (
    Event,
    Failed,
    Finished,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolDelta,
    ToolStart,
)
from turnout.wire.body import malformed
from turnout.wire.cohere.failures import decode_reply_failure
from turnout.wire.cohere.meanings import (
    CITATION_KIND,
    LOGPROBS_KIND,
    UNREADABLE,
    WireUsage,
    canonical,
    decode_stop,
    given,
    is_failure,
    opaque,
    spoken_arguments,
)


class Piece(Struct):
    """A part of the content, whole or in pieces."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class Function(Struct):
    name: str | None = None
    arguments: str | None = None


class Call(Struct):
    id: str | None = None
    function: Function | None = None


class CitedAt(Struct):
    content_index: int | None = None


class _Message(Struct):
    content: list[Piece] | str | None = None
    tool_plan: str | None = None
    tool_calls: list[Call] | None = None
    citations: list[Raw] | None = None


class _Reply(Struct):
    id: str | None = None
    message: _Message | str | None = None
    finish_reason: str | None = None
    usage: WireUsage | None = None
    logprobs: Raw = Raw()


_reply = msgspec.json.Decoder(_Reply)
_cited_at = msgspec.json.Decoder(CitedAt)


def decode_answer(body: bytes) -> tuple[Event, ...]:
    """Events of a whole reply, terminal event included."""
    try:
        reply = _reply.decode(body)
        if isinstance(reply.message, str):
            return (Failed(decode_reply_failure("", reply.message)),)
        if reply.message is None and not (reply.finish_reason and is_failure(reply.finish_reason)):
            return (Failed(malformed("The provider's reply is not a message.")),)
        return tuple(_events(reply, reply.message or _Message()))
    except UNREADABLE:
        return (Failed(malformed("The provider's reply cannot be read.")),)


def _events(reply: _Reply, message: _Message) -> list[Event]:
    events: list[Event] = [Started(reply.id or ""), *_message_events(message)]
    if given(reply.logprobs):
        events.append(opaque(LOGPROBS_KIND, reply.logprobs, 0))
    usage = None if reply.usage is None else canonical(reply.usage)
    if usage is not None:
        events.append(usage)
    if reply.finish_reason and is_failure(reply.finish_reason):
        return [*events, Failed(decode_reply_failure(reply.finish_reason, None))]
    return [*events, decode_stop(reply.finish_reason, called_tools=bool(message.tool_calls)), Finished()]


def _message_events(message: _Message) -> list[Event]:
    content = message.content
    pieces = [Piece("text", content)] if isinstance(content, str) else content or []
    events: list[Event] = []
    for index, piece in enumerate(pieces):
        if piece.thinking:
            events.append(ReasoningDelta(piece.thinking, index))
        if piece.text:
            events.append(TextDelta(piece.text, index))
    index = len(pieces)
    if message.tool_plan:
        events.append(TextDelta(message.tool_plan, index))
        index += 1
    for call in message.tool_calls or ():
        events += call_events(call, index)
        index += 1
    return events + [opaque(CITATION_KIND, raw, cited_block(raw)) for raw in message.citations or ()]


def call_events(call: Call, index: int) -> list[Event]:
    function = call.function or Function()
    events: list[Event] = [ToolStart(index, call.id or "", function.name or "")]
    arguments = spoken_arguments(function.arguments)
    return [*events, ToolDelta(index, arguments)] if arguments else events


def cited_block(raw: Raw) -> int:
    """Index of the content block that a citation belongs to; 0 where none is named."""
    return max(0, _cited_at.decode(raw).content_index or 0)
