"""The provider's own frames for a client of the same dialect.

Every byte passes as it came, but for what is ours: the `turnout` member in the first and last chunk, a usage chunk that the client did not ask
for, and an error where the stream was cut. From the first finish reason on, frames wait for the one that follows them: the last chunk
can then be marked, and a stream that is cut right after its finish reason is not shown as finished.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from turnout.core.errors import Kind
from turnout.core.events import Failed, Finished, Frame, Started, Stop, TextDelta, Usage
from turnout.wire.annotating import annotate, annotate_last
from turnout.wire.codec import Meta
from turnout.wire.openai_chat.errors import encode_stream_error

_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_BLANK = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Relay:
    """See `wire.codec.Relay`."""

    __slots__ = ("_ended", "_held", "_holding", "_last", "_meta")

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._held: list[bytes] = []
        self._holding = False
        self._last = b"\n\n"  # what was passed on last
        self._ended = False

    def relay(self, frames: Sequence[Frame]) -> bytes:
        out: list[bytes] = []
        for frame in frames:
            events = frame.events
            if not self._holding and (not events or (len(events) == 1 and type(events[0]) is TextDelta)):
                out.append(frame.raw)
            else:
                out.append(self._special(frame))
        data = out[0] if len(out) == 1 else b"".join(out)
        if data:
            self._last = data
        return data

    def _special(self, frame: Frame) -> bytes:
        raw = frame.raw
        kinds = {type(event) for event in frame.events}
        if Failed in kinds:
            return self._failed(frame)
        if Finished in kinds:
            return self._finished(raw)
        if Started in kinds:
            raw = annotate(raw, self._meta.first)
        if Usage in kinds and not self._meta.include_usage and _NO_CHOICES.search(raw) and not self._ended:
            return b""
        if not self._holding:
            self._holding = Stop in kinds
            if not self._holding:
                return raw
        if not frame.events and not raw.startswith(b"data:"):
            self._held.append(raw)  # a comment or blank lines: they go with the chunk before
            return b""
        return self._release([raw])

    def _release(self, hold: list[bytes]) -> bytes:
        """Let go of what waits, and hold something else."""
        data, self._held = b"".join(self._held), hold
        return data

    def _finished(self, raw: bytes) -> bytes:
        if self._held:
            self._held[0] = annotate_last(self._held[0], self._meta.first, self._meta.last())
        self._holding = False
        self._ended = True
        return self._release([]) + raw

    def _failed(self, frame: Frame) -> bytes:
        """The provider's own error is passed on; for a cut, what waits is dropped and the error is ours."""
        self._holding = False
        failure = next(event.failure for event in frame.events if isinstance(event, Failed))
        own = failure.kind not in (Kind.MALFORMED, Kind.TRUNCATED) and b'"error"' in frame.raw
        if own and frame.raw.endswith(_BLANK):
            return self._release([]) + frame.raw
        self._release([])
        return _lacking(self._last) + encode_stream_error(failure, self._meta.id)


def _lacking(data: bytes) -> bytes:
    """What these bytes lack to a blank line."""
    return b"" if data.endswith(_BLANK) else b"\n" if data.endswith(b"\n") else b"\n\n"
