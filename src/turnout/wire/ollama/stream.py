"""An Ollama chat stream as frames.

Promise: any split of the bytes gives the same events; the frames' bytes concatenate to the input; one terminal event. The terminal marker is
the line with `done: true`, which mostly has the token counts and the reason and may have neither. A line `{"error": …}` ends a reply
that began with status 200. A tool call comes whole in one line.
"""

from __future__ import annotations

import msgspec

from turnout.core.errors import Failure, Kind
from turnout.core.events import Event, Failed, Frame
from turnout.wire.body import malformed
from turnout.wire.codec import LINE_BYTES_MAX
from turnout.wire.ollama.failures import decode_reply_failure
from turnout.wire.ollama.lines import LineOverflow, LineParser
from turnout.wire.ollama.meanings import UNREADABLE, Blocks, Piece, started

TRUNCATED = Failure(Kind.TRUNCATED, "The provider's stream ended before the reply was complete.")
_piece = msgspec.json.Decoder(Piece)


class Decoder:
    """See `wire.codec.StreamDecoder`."""

    __slots__ = ("_blocks", "_done", "_parser", "_started")

    def __init__(self) -> None:
        self._parser = LineParser(LINE_BYTES_MAX)
        self._blocks = Blocks()
        self._started = False
        self._done = False

    def feed(self, data: bytes) -> list[Frame]:
        if self._done:
            return [Frame(data)] if data else []
        try:
            lines = self._parser.feed(data)
        except LineOverflow:
            return self._end(malformed("A line of the provider's stream is too long."))
        frames = [Frame(line, self._events(line)) for line in lines]
        return frames + self._leftover() if self._done else frames

    def eof(self, failure: Failure | None) -> list[Frame]:
        if self._done:
            return self._leftover()
        if failure is not None:
            return self._end(failure)
        rest = self._parser.rest()
        if not _is_whole(rest):
            return self._end(TRUNCATED, rest)
        frames = [Frame(rest, self._events(rest))]
        return frames if self._done else [*frames, *self._end(TRUNCATED)]

    def _leftover(self) -> list[Frame]:
        """Once the end was seen, nothing is held back any more."""
        rest = self._parser.rest()
        return [Frame(rest)] if rest else []

    def _end(self, failure: Failure, raw: bytes = b"") -> list[Frame]:
        self._done = True
        return [Frame(raw + self._parser.rest(), (Failed(failure),))]

    def _events(self, line: bytes) -> tuple[Event, ...]:
        if self._done or not line.strip():
            return ()
        try:
            piece = _piece.decode(line)
            if self._started and not piece.done and not piece.error:
                return tuple(self._blocks.events(piece))
            return tuple(self._edge(piece))
        except UNREADABLE:
            self._done = True
            return (Failed(malformed("The provider's stream holds a line that cannot be read.")),)

    def _edge(self, piece: Piece) -> list[Event]:
        """The first line, the last one, or an error."""
        if piece.error:
            self._done = True
            return [Failed(decode_reply_failure(piece.error))]
        events: list[Event] = [] if self._started else [started(piece)]
        events += self._blocks.events(piece)
        self._started = True
        if piece.done:
            self._done = True
            events += self._blocks.end(piece)
        return events


def _is_whole(line: bytes) -> bool:
    """A last line without its end counts if it is whole; half a line is nothing."""
    try:
        _piece.decode(line)
    except UNREADABLE:
        return False
    return True
