"""Events as a Gemini stream, framed as server-sent events or as one JSON array.

A function call is written when its arguments are whole. What ends a candidate is held until the reply has really ended, so that a cut
stream never shows a `finishReason`; the last chunk has it, with the usage. A cut reply ends in an error object; an array is closed in
either case, so that it can be parsed.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from turnout.core.errors import Failure
from turnout.core.events import (
    AudioDelta,
    Event,
    Failed,
    Finished,
    OpaqueBlock,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    RefusalDelta,
    Started,
    Stop,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from turnout.wire.anthropic.marks import is_object
from turnout.wire.codec import Meta
from turnout.wire.gemini.errors import encode_error
from turnout.wire.gemini.marks import DIALECT
from turnout.wire.gemini.reasons import stop_word
from turnout.wire.gemini.replies import (
    Part,
    WirePart,
    add_signature,
    audio_part,
    call_part,
    candidate,
    response,
    response_id,
    said_beside,
    tail,
)
from turnout.wire.gemini.usage import usage_json

_json = msgspec.json.Encoder().encode
SSE_HEAD, SSE_END = b"data: ", b"\r\n\r\n"
ARRAY_BEGIN, ARRAY_BETWEEN, ARRAY_END = b"[", b",\r\n", b"\n]"


def one_line(data: bytes) -> bytes:
    """JSON text without the line breaks that would end an event's data: verbatim pieces may come from an indented body."""
    return msgspec.json.format(data, indent=-1) if b"\n" in data or b"\r" in data else data


class _Call:
    """A function call whose arguments are still coming."""

    __slots__ = ("parts", "start")

    def __init__(self, start: ToolStart) -> None:
        self.start = start
        self.parts: list[str] = []

    def part(self) -> WirePart:
        start = self.start
        text = "".join(self.parts)
        return call_part(start.id, start.name, text, start.custom, start.signature, start.origin)

    def whole(self) -> bool:
        return not self.start.custom and is_object("".join(self.parts))


class _Choice:
    __slots__ = ("beside", "calls", "parts", "stop")

    def __init__(self) -> None:
        self.parts: list[Part] = []  # of the chunk that is being put together
        self.calls: dict[int, _Call] = {}
        self.beside: dict[str, Raw] = {}
        self.stop: Stop | None = None


class Encoder:
    """See `wire.codec.StreamEncoder`."""

    __slots__ = (
        "_between",
        "_choices",
        "_end",
        "_ended",
        "_first",
        "_head",
        "_members",
        "_meta",
        "_tail",
        "_usage",
    )

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        array = meta.framing == "array"
        self._head = ARRAY_BEGIN if array else SSE_HEAD
        self._between = ARRAY_BETWEEN if array else SSE_HEAD
        self._end = b"" if array else SSE_END
        self._tail = b""
        self._first: bytes | None = meta.first
        self._choices: dict[int, _Choice] = {}
        self._members: dict[str, Raw] = {}
        self._usage: Usage | None = None
        self._ended = False

    def encode(self, events: Sequence[Event]) -> bytes:
        if len(events) == 1 and type(event := events[0]) is TextDelta and event.text and self._plain(event):
            head, self._head = self._head, self._between
            return b'%b{"candidates":[{"content":{"parts":[{"text":%b}],"role":"model"},"index":%d}]%b}%b' % (
                head,
                _json(event.text),
                event.choice,
                self._tail,
                self._end,
            )
        out = b""
        for event in events:
            match event:
                case Started():
                    self._begin(event)
                case Usage():
                    self._usage = event
                case Failed(failure):
                    out += self._flush() + self._failed(failure)
                case Finished():
                    out += self._finish()
                case _:
                    self._content(event, self._choices.setdefault(event.choice, _Choice()))
        return out if self._ended else out + self._flush()

    def _plain(self, event: TextDelta) -> bool:
        """May this text be a chunk of its own, with nothing to be said before it?"""
        choice = self._choices.get(event.choice)
        return bool(self._tail) and self._first is None and choice is not None and not choice.calls

    def _begin(self, started: Started) -> None:
        if not self._tail:
            meta = self._meta
            self._tail = tail(started.model or meta.model, response_id(started.id, meta))
            self._choices.setdefault(0, _Choice())

    def _content(self, event: Event, choice: _Choice) -> None:
        parts = choice.parts
        if (
            choice.calls
            and not isinstance(event, ToolDelta | Stop)
            and all(call.whole() for call in choice.calls.values())
        ):
            self._end_calls(choice)
        match event:
            case TextDelta(text) | RefusalDelta(text) if text:
                parts.append(WirePart(text))
            case ReasoningDelta(text) if text:
                parts.append(WirePart(text, True))
            case ReasoningSignature(signature, origin):
                add_signature(parts, signature, origin)
            case ReasoningRedacted(data, origin):
                add_signature(parts, data, origin, redacted=True)
            case ToolStart(index):
                choice.calls[index] = _Call(event)
            case ToolDelta(index, arguments):
                if (call := choice.calls.get(index)) is not None:
                    call.parts.append(arguments)
            case AudioDelta(data, transcript, audio_id):
                parts += audio_part(data, transcript, audio_id)
            case OpaqueBlock() if event.dialect == DIALECT:
                if not said_beside(event, choice.beside, self._members):
                    parts.append(event.raw)
            case Stop():
                self._end_calls(choice)
                choice.stop = event

    def _end_calls(self, choice: _Choice) -> None:
        choice.parts += [call.part() for call in choice.calls.values()]
        choice.calls.clear()

    def _flush(self) -> bytes:
        """What has been gathered since the last chunk, if anything."""
        candidates = []
        for number, choice in self._choices.items():
            if choice.parts:
                candidates.append(candidate(number, choice.parts, None, {}))
                choice.parts = []
        return (
            self._chunk(response(candidates, {}, None, self._tail, self._annotation())) if candidates else b""
        )

    def _annotation(self) -> bytes | None:
        first, self._first = self._first, None
        return first

    def _chunk(self, data: bytes) -> bytes:
        data = one_line(data)
        head, self._head = self._head, self._between
        return b"%b%b%b" % (head, data, self._end)

    def _finish(self) -> bytes:
        self._begin(Started())
        out = b""
        if (
            self._first is not None
        ):  # a reply that said nothing: the first annotation needs a chunk of its own
            out = self._flush() or self._chunk(response((), {}, None, self._tail, self._annotation()))
        candidates = []
        for number, choice in sorted(self._choices.items()):
            self._end_calls(choice)
            if choice.parts or "promptFeedback" not in self._members:
                candidates.append(candidate(number, choice.parts, stop_word(choice.stop), choice.beside))
        self._ended = True
        usage = usage_json(self._usage or Usage())
        out += self._chunk(response(candidates, self._members, usage, self._tail, self._meta.last()))
        return out + self._close()

    def _failed(self, failure: Failure) -> bytes:
        self._ended = True
        return self._chunk(encode_error(failure, self._meta.id)) + self._close()

    def _close(self) -> bytes:
        return ARRAY_END if self._meta.framing == "array" else b""
