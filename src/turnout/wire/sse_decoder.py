"""What every decoder of a stream of server-sent events does with bytes; what the events mean is its own.

Promise: the frames' `raw` concatenates to the input; after the terminal event further bytes are frames without events, held back no
longer; half an event at the end goes with the failure, so that no relay passes it on; an event that lacks only its blank line at a
clean end counts if it is whole (seen in the wild). An event that comes alone in a read, as most do, is not cut out of anything.
"""

from __future__ import annotations

from turnout.core.errors import Failure, Kind
from turnout.core.events import Event, Failed, Finished, Frame
from turnout.wire.body import malformed
from turnout.wire.codec import LINE_BYTES_MAX
from turnout.wire.sse import SseOverflow, SseParser, parse_event


class SseDecoder:
    """`wire.codec.StreamDecoder`, but for the meaning. `_done`: the terminal event was given."""

    __slots__ = ("_done", "_held_bytes", "_parser")

    def __init__(self) -> None:
        self._parser = SseParser(LINE_BYTES_MAX)
        self._held_bytes = 0
        self._done = False

    # -- what the events mean
    def _data_events(self, data: bytes | None) -> tuple[Event, ...]:
        """Of one event's data; sets `_done` with the terminal one."""
        raise NotImplementedError

    def _raw_events(self, raw: bytes) -> tuple[Event, ...]:
        """The same of a whole event's bytes, for who has a faster way."""
        return self._data_events(parse_event(raw).data)

    def _is_whole(self, data: bytes) -> bool:
        """Is this the data of a whole event, although its blank line is missing?"""
        raise NotImplementedError

    def _complete(self) -> bool:
        """Does a clean end of the transfer end the stream, too? Of providers that send no end marker."""
        return False

    # -- bytes → frames
    def feed(self, data: bytes) -> list[Frame]:
        if self._done:
            return [Frame(data)] if data else []
        if self._held_bytes or b"\r" in data:
            return self._feed_parser(data)
        if data.endswith(b"\n\n") and data.find(b"\n\n") == len(data) - 2:
            return [Frame(data, self._raw_events(data))]
        pieces = data.split(b"\n\n")
        rest = pieces.pop()
        frames = []
        for piece in pieces:
            raw = piece + b"\n\n"
            frames.append(Frame(raw, self._raw_events(raw)))
        if rest:
            frames += self._feed_parser(rest)
        return frames

    def _feed_parser(self, data: bytes) -> list[Frame]:
        if self._done:
            return [Frame(data)]
        self._held_bytes += len(data)
        try:
            events = self._parser.feed(data)
        except SseOverflow:
            return self._overflow()
        frames = []
        for event in events:
            self._held_bytes -= len(event.raw)
            frames.append(Frame(event.raw, self._data_events(event.data)))
        return frames + self._after_end()

    def _after_end(self) -> list[Frame]:
        """Once the end was seen, nothing is held back any more."""
        rest = self._parser.rest() if self._done else None
        return [] if rest is None else [Frame(rest.raw)]

    def _overflow(self) -> list[Frame]:
        rest = self._parser.rest()
        self._done = True
        failed = Failed(malformed("An event of the provider's stream is too long."))
        return [Frame(b"" if rest is None else rest.raw, (failed,))]

    def eof(self, failure: Failure | None) -> list[Frame]:
        if self._done:
            return self._after_end()
        rest = self._parser.rest()
        frames: list[Frame] = []
        end = failure or Failure(Kind.TRUNCATED, "The provider's stream ended before the reply was complete.")
        if rest is not None:
            whole = failure is None and rest.data is not None and self._is_whole(rest.data)
            events = self._data_events(rest.data) if whole else ()
            blank = failure is None and not rest.raw.strip()
            frames += [Frame(rest.raw, events)] if events or blank else self._end(end, rest.raw)
        if failure is None and not self._done and self._complete():
            self._done = True
            frames.append(Frame(b"", (Finished(),)))
        return frames + self._end(end)

    def _end(self, failure: Failure, raw: bytes = b"") -> list[Frame]:
        """The terminal event that is missing."""
        if self._done:
            return []
        self._done = True
        return [Frame(raw, (Failed(failure),))]
