"""The provider's own frames for a client of the same dialect.

Every byte passes as it came where provider and client use the same framing; for the other one, chunks keep their text and are framed
anew. Ours are the `turnout` member in the first and last chunk, and an error where the stream was cut. From a `finishReason` on, frames
wait until content follows or the stream has ended: the last chunk can then be marked, and a stream that is cut after it is not shown as
complete.
"""

from __future__ import annotations

from collections.abc import Sequence

from turnout.core.errors import Failure, Kind
from turnout.core.events import CONTENT_TYPES, Failed, Finished, Frame, Started, Stop, TextDelta
from turnout.wire.annotating import annotate, annotate_last
from turnout.wire.codec import Meta
from turnout.wire.gemini.encoder import (
    ARRAY_BEGIN,
    ARRAY_BETWEEN,
    ARRAY_END,
    SSE_END,
    SSE_HEAD,
    one_line,
)
from turnout.wire.gemini.errors import encode_error
from turnout.wire.sse import parse_event

_BETWEEN = b" \t\r\n,["
_SPACE = b" \t\r\n"
_BLANK = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Relay:
    """See `wire.codec.Relay`."""

    __slots__ = ("_begun", "_held", "_holding", "_last", "_meta", "_same")

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._held: list[bytes] = []
        self._holding = False
        self._same: bool | None = None  # does the provider frame as the client wants it?
        self._begun = False  # has the client's array been opened?
        self._last = b"\n\n"  # what was passed on last

    def relay(self, frames: Sequence[Frame]) -> bytes:
        out: list[bytes] = []
        for frame in frames:
            events = frame.events
            if self._same and not self._holding and len(events) == 1 and type(events[0]) is TextDelta:
                data = frame.raw
            else:
                data = self._special(frame)
            if data:
                out.append(data)
                self._begun = True
                self._last = data
        return out[0] if len(out) == 1 else b"".join(out)

    def _special(self, frame: Frame) -> bytes:
        raw = frame.raw
        if self._same is None and raw.strip():
            self._same = (raw.lstrip()[:1] == b"[") == (self._meta.framing == "array")
        kinds = {type(event) for event in frame.events}
        if Failed in kinds:
            return self._failed(frame)
        if Finished in kinds:
            return self._finished(frame)
        if Started in kinds:
            raw = annotate(raw, self._meta.first)
        if not self._same:
            raw = self._framed_anew(raw)
        if Stop in kinds:
            self._holding = True
            return self._release([raw])
        if not self._holding:
            return raw
        if not CONTENT_TYPES.isdisjoint(kinds):
            self._holding = False
            return self._release([]) + raw
        self._held.append(raw)
        return b""

    def _release(self, hold: list[bytes]) -> bytes:
        data, self._held = b"".join(self._held), hold
        return data

    def _framed_anew(self, raw: bytes) -> bytes:
        """A chunk's text in the client's framing; a comment has no place in an array, nor brackets among events."""
        data = parse_event(raw).data if self._meta.framing == "array" else raw.lstrip(_BETWEEN).rstrip(_SPACE)
        if not data or data in (b"]", b"[DONE]"):
            return b""
        return self._framed(data)

    def _framed(self, data: bytes) -> bytes:
        if self._meta.framing == "array":
            head, self._begun = (ARRAY_BETWEEN if self._begun else ARRAY_BEGIN), True
            return head + data
        return b"%b%b%b" % (SSE_HEAD, one_line(data), SSE_END)

    def _finished(self, frame: Frame) -> bytes:
        for place in reversed(range(len(self._held))):
            if b"}" in self._held[place]:
                self._held[place] = annotate_last(self._held[place], self._meta.first, self._meta.last())
                break
        self._holding = False
        if self._same or self._meta.framing == "sse":
            return self._release([]) + (frame.raw if self._same else b"")
        return self._release([]) + (ARRAY_END if self._begun else b"[]")

    def _failed(self, frame: Frame) -> bytes:
        """The provider's own error is passed on; for a cut, what waits is dropped and the error is ours."""
        self._holding = False
        failure = next(event.failure for event in frame.events if isinstance(event, Failed))
        own = failure.kind not in (Kind.MALFORMED, Kind.TRUNCATED) and b'"error"' in frame.raw
        if not own:
            self._release([])
            return self._error(failure)
        if not self._same:
            data = self._framed_anew(frame.raw)
            return self._release([]) + data + (ARRAY_END if self._meta.framing == "array" else b"")
        return self._release([]) + frame.raw

    def _error(self, failure: Failure) -> bytes:
        error = encode_error(failure, self._meta.id)
        if self._meta.framing == "sse":
            return (_lacking(self._last) if self._same else b"") + self._framed(error)
        return self._framed(error) + ARRAY_END


def _lacking(data: bytes) -> bytes:
    """What these bytes lack to a blank line."""
    return b"" if data.endswith(_BLANK) else b"\n" if data.endswith(b"\n") else b"\n\n"
