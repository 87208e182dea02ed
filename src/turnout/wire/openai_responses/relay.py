"""The provider's own frames for a client of the same dialect.

Every byte passes as it came, but for three things: the `turnout` member is put into the first event and into the last; a stream that was cut
gets `error` and `response.failed` in place of its unfinished event, so that nobody reads it as complete; and where the provider's id of the reply
cannot be told to the client (`Meta.name`), every response object gets the one that can. A provider's own error passes as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from turnout.core.errors import Failure, Kind
from turnout.core.events import Failed, Finished, Frame, Started, TextDelta
from turnout.wire.codec import Meta
from turnout.wire.openai_responses.errors import encode_stream_error
from turnout.wire.openai_responses.naming import renamed_event

_SPECIAL = frozenset({Started, Finished, Failed})
_BLANK = (b"\n\n", b"\r\n\r\n", b"\r\r")
_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d{1,15})')


class Relay:
    """See `wire.codec.Relay`."""

    __slots__ = ("_last", "_meta", "_name", "_renamed", "_started")

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._last = b"\n\n"  # what was passed on last
        self._started = Started()
        self._name = ""  # what the client is told, where that matters
        self._renamed = False

    def relay(self, frames: Sequence[Frame]) -> bytes:
        out = []
        for frame in frames:
            events, raw = frame.events, frame.raw
            if events and type(events[0]) is not TextDelta and not _SPECIAL.isdisjoint(map(type, events)):
                raw = self._special(frame)
            elif self._renamed and not events:
                raw = renamed_event(raw, self._name)
            if raw:
                self._last = raw
                out.append(raw)
        return out[0] if len(out) == 1 else b"".join(out)

    def _special(self, frame: Frame) -> bytes:
        raw = frame.raw
        for event in frame.events:
            if isinstance(event, Failed):
                return self._failed(self._named(raw), event.failure)
            if isinstance(event, Started):
                self._begin(event)
                raw = _annotate(self._named(raw), self._meta.first)
            elif isinstance(event, Finished):
                if self._name and b'"%b"' % self._name.encode() not in raw:
                    self._renamed = True  # the provider ends under another id than it began
                raw = _annotate(self._named(raw), self._meta.last())
        return raw

    def _begin(self, started: Started) -> None:
        self._started = started
        if self._meta.name is not None:
            self._name = self._meta.name(started.id)
            self._renamed = self._name != started.id

    def _named(self, raw: bytes) -> bytes:
        return renamed_event(raw, self._name) if self._renamed else raw

    def _failed(self, raw: bytes, failure: Failure) -> bytes:
        own = failure.kind not in (Kind.MALFORMED, Kind.TRUNCATED) and b'"error"' in raw
        if own and raw.endswith(_BLANK):
            return raw
        numbers = _NUMBER.findall(self._last)
        told = encode_stream_error(
            failure,
            self._meta.id,
            self._name or self._started.id,
            self._started.created or self._meta.created,
            self._started.model or self._meta.model,
            int(numbers[-1]) + 1 if numbers else 0,
        )
        return _lacking(self._last) + told


def _lacking(data: bytes) -> bytes:
    """What these bytes lack to a blank line."""
    return b"" if data.endswith(_BLANK) else b"\n" if data.endswith(b"\n") else b"\n\n"


def _annotate(raw: bytes, annotation: bytes | None) -> bytes:
    """The member goes before the last brace of the event's data."""
    end = raw.rfind(b"}")
    if annotation is None or end < 0:
        return raw
    return b"".join((raw[:end], b',"turnout":', annotation, raw[end:]))
