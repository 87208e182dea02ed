"""The provider's own frames for a client of the same dialect.

Every byte passes as it came, but for three things: the `turnout` member is put into the first `message_start` and into the
`message_delta` that has the stop reason (or `message_stop`, when none had), and a stream that was cut gets an `error` event instead of
its unfinished last event, so that nobody reads it as complete. A provider's own `error` event is relayed as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from turnout.core.errors import Kind
from turnout.core.events import Failed, Finished, Frame, Started, Stop, TextDelta
from turnout.wire.annotating import annotate, annotate_last
from turnout.wire.anthropic.errors import encode_stream_error
from turnout.wire.codec import Meta
from turnout.wire.sse import parse_event

_SPECIAL = frozenset({Started, Stop, Finished, Failed})
_BLANK = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Relay:
    """See `wire.codec.Relay`."""

    __slots__ = ("_annotated", "_lacks", "_meta")

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._lacks = b""  # what the last frame lacks to its blank line
        self._annotated = False

    def relay(self, frames: Sequence[Frame]) -> bytes:
        out = []
        for frame in frames:
            events, raw = frame.events, frame.raw
            if events and type(events[0]) is not TextDelta and not _SPECIAL.isdisjoint(map(type, events)):
                raw = self._special(frame)
            if raw:
                self._lacks = b"" if raw.endswith(_BLANK) else b"\n" if raw.endswith(b"\n") else b"\n\n"
                out.append(raw)
        return out[0] if len(out) == 1 else b"".join(out)

    def _special(self, frame: Frame) -> bytes:
        raw = frame.raw
        for event in frame.events:
            if isinstance(event, Failed):
                return self._failed(frame, event)
            if isinstance(event, Started):
                raw = annotate(raw, self._meta.first)
            elif isinstance(event, Stop | Finished) and not self._annotated:
                self._annotated = True
                raw = annotate_last(raw, self._meta.first, self._meta.last())
        return raw

    def _failed(self, frame: Frame, failed: Failed) -> bytes:
        own_error = failed.failure.kind is not Kind.MALFORMED and parse_event(frame.raw).event == b"error"
        if own_error and frame.raw.endswith(_BLANK):
            return frame.raw
        return self._lacks + encode_stream_error(failed.failure, self._meta.id)
