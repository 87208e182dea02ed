"""A Cohere chat stream as frames.

Promise: any split of the bytes gives the same events; the frames' bytes concatenate to the input; one terminal event. The terminal
marker is `message-end`; the `[DONE]` that mostly follows it means nothing more. A `message-end` whose reason is an error is a failure.

Content, calls and citations are numbered each on its own; here, text, thinking, the plan and every call get one numbering, in order of
appearance. What an event is stands in its data, so that a missing `event:` line harms nothing. Types that nobody knows yet are passed without events.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    Event,
    Failed,
    Finished,
    Frame,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolDelta,
)
from turnout.wire.body import malformed
from turnout.wire.codec import LINE_BYTES_MAX
from turnout.wire.cohere.answers import Call, Piece, call_events, cited_block
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
from turnout.wire.sse import SseEvent, SseOverflow, SseParser, parse_event

TRUNCATED = Failure(Kind.TRUNCATED, "The provider's stream ended before the reply was complete.")
_BLOCKS_MAX = 65_536


class _Message(Struct):
    """What changed: one piece, one call, one citation; `message-start` has empty lists in their places."""

    content: Piece | list[Raw] | None = None
    tool_plan: str | None = None
    tool_calls: Call | list[Raw] | None = None
    citations: Raw = Raw()


class _Delta(Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: WireUsage | None = None
    error: str | None = None


class _Event(Struct):
    type: str = ""
    id: str | None = None
    index: int | None = None
    delta: _Delta | None = None
    logprobs: Raw = Raw()
    message: str | None = None


_event = msgspec.json.Decoder(_Event)


class Decoder:
    """See `wire.codec.StreamDecoder`."""

    __slots__ = ("_blocks", "_done", "_held_bytes", "_next", "_parser", "_plan", "_started", "_tools")

    def __init__(self) -> None:
        self._parser = SseParser(LINE_BYTES_MAX)
        self._held_bytes = 0
        self._started = False
        self._done = False
        self._next = 0
        self._blocks: dict[tuple[int, bool], int] = {}  # (content index, is thinking) → block
        self._plan = -1
        self._tools: dict[int, int] = {}

    # -- bytes → frames
    def feed(self, data: bytes) -> list[Frame]:
        if self._done:
            return [Frame(data)] if data else []
        if self._held_bytes or b"\r" in data:
            return self._feed_parser(data)
        *pieces, rest = data.split(b"\n\n")
        frames = [Frame(raw := piece + b"\n\n", self._data_events(_data_of(raw))) for piece in pieces]
        return frames + self._feed_parser(rest) if rest else frames

    def _feed_parser(self, data: bytes) -> list[Frame]:
        """Whatever is not whole events with the usual line ends."""
        if self._done:
            return [Frame(data)]
        self._held_bytes += len(data)
        try:
            events = self._parser.feed(data)
        except SseOverflow:
            return self._end(malformed("An event of the provider's stream is too long."))
        frames = [Frame(event.raw, self._data_events(event.data)) for event in events]
        self._held_bytes -= sum(len(event.raw) for event in events)
        return frames + self._leftover() if self._done else frames

    def eof(self, failure: Failure | None) -> list[Frame]:
        if self._done:
            return self._leftover()
        rest = self._parser.rest()
        if rest is None:
            return self._end(failure or TRUNCATED)
        if failure is None and (events := self._last_events(rest)):
            return [Frame(rest.raw, events), *([] if self._done else self._end(TRUNCATED))]
        return self._end(failure or TRUNCATED, rest.raw)

    def _last_events(self, rest: SseEvent) -> tuple[Event, ...]:
        """An event without its blank line counts if it is whole; half an event is nothing."""
        try:
            _event.decode(rest.data or b"")
        except UNREADABLE:
            return ()
        return self._data_events(rest.data)

    def _leftover(self) -> list[Frame]:
        """Once the end was seen, nothing is held back any more."""
        rest = self._parser.rest()
        return [] if rest is None else [Frame(rest.raw)]

    def _end(self, failure: Failure, raw: bytes = b"") -> list[Frame]:
        self._done = True
        rest = self._parser.rest()
        return [Frame(raw if rest is None else raw + rest.raw, (Failed(failure),))]

    # -- one event's data → events
    def _data_events(self, data: bytes | None) -> tuple[Event, ...]:
        if not data or self._done or data.strip() == b"[DONE]":
            return ()
        try:
            events = self._events(_event.decode(data))
        except UNREADABLE:
            return self._fail(malformed("The provider's stream holds an event that cannot be read."))
        if self._started or not events:
            return events
        self._started = True
        return (Started(), *events)

    def _events(self, wire: _Event) -> tuple[Event, ...]:
        if wire.type == "content-delta" and wire.delta is not None and wire.delta.message is not None:
            return self._content(wire, wire.delta.message.content)
        delta = wire.delta or _Delta()
        message = delta.message or _Message()
        match wire.type:
            case "content-start":
                return self._content(wire, message.content)
            case "tool-plan-delta":
                return self._said_plan(message.tool_plan)
            case "tool-call-start":
                return self._call_start(wire.index or 0, message.tool_calls)
            case "tool-call-delta":
                return self._call_delta(wire.index or 0, message.tool_calls)
            case "citation-start" if given(message.citations):
                at = self._blocks.get((cited_block(message.citations), False), 0)
                return (opaque(CITATION_KIND, message.citations, at),)
            case "message-start":
                return self._message_start(wire.id or "")
            case "message-end":
                return self._message_end(delta)
            case "" if wire.message:
                return self._fail(decode_reply_failure("", wire.message))
        return ()

    def _message_start(self, reply_id: str) -> tuple[Event, ...]:
        if self._started:
            return ()
        self._started = True
        return (Started(reply_id),)

    def _content(self, wire: _Event, piece: Piece | list[Raw] | None) -> tuple[Event, ...]:
        if not isinstance(piece, Piece):
            return ()
        number = wire.index or 0
        if piece.text and not piece.thinking and not wire.logprobs:
            return (TextDelta(piece.text, self._block(number, False)),)
        events: list[Event] = []
        if piece.thinking:
            events.append(ReasoningDelta(piece.thinking, self._block(number, True)))
        if piece.text:
            events.append(TextDelta(piece.text, self._block(number, False)))
        if given(wire.logprobs):
            events.append(opaque(LOGPROBS_KIND, wire.logprobs, self._block(number, False)))
        return tuple(events)

    def _block(self, number: int, thinking: bool) -> int:
        index = self._blocks.get((number, thinking))
        if index is None:
            index = self._blocks[number, thinking] = self._new()
        return index

    def _new(self) -> int:
        if self._next >= _BLOCKS_MAX:
            raise msgspec.ValidationError("too many blocks")
        self._next += 1
        return self._next - 1

    def _said_plan(self, text: str | None) -> tuple[Event, ...]:
        if not text:
            return ()
        if self._plan < 0:
            self._plan = self._new()
        return (TextDelta(text, self._plan),)

    def _call_start(self, number: int, call: Call | list[Raw] | None) -> tuple[Event, ...]:
        if not isinstance(call, Call):
            return ()
        index = self._tools[number] = self._new()
        return tuple(call_events(call, index))

    def _call_delta(self, number: int, call: Call | list[Raw] | None) -> tuple[Event, ...]:
        if not isinstance(call, Call) or call.function is None:
            return ()
        index = self._tools.get(number)
        if index is None:
            return self._fail(malformed("The provider's stream holds a tool call without a beginning."))
        fragment = spoken_arguments(call.function.arguments)
        return (ToolDelta(index, fragment),) if fragment else ()

    def _message_end(self, delta: _Delta) -> tuple[Event, ...]:
        usage = None if delta.usage is None else canonical(delta.usage)
        counted = () if usage is None else (usage,)
        reason = delta.finish_reason or ""
        self._done = True
        if delta.error or is_failure(reason):
            return (*counted, Failed(decode_reply_failure(reason, delta.error)))
        return (*counted, decode_stop(reason, called_tools=bool(self._tools)), Finished())

    def _fail(self, failure: Failure) -> tuple[Event, ...]:
        self._done = True
        return (Failed(failure),)


def _data_of(raw: bytes) -> bytes | None:
    """The data of one event; nearly all have a name in one line and the data in the next."""
    begin = raw.find(b"\n") + 1
    if (
        raw.startswith(b"event:")
        and raw.startswith(b"data: ", begin)
        and raw.find(b"\n", begin) == len(raw) - 2
    ):
        return raw[begin + 6 : -2]
    return parse_event(raw).data
