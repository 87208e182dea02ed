"""A `streamGenerateContent` reply as frames.

Promise: any split of the bytes gives the same events; the frames' bytes concatenate to the input; one terminal event. Both framings are
read, server-sent events and the JSON array; the first byte that is not white space tells them apart.

The format has no terminal marker. By what all recorded streams show, a reply is complete when the input ends cleanly, every
candidate's last word was a `finishReason` (or the prompt was blocked), and an array is closed; anything else is truncated. So `Finished`
comes with the end of the input and never before.
"""

from __future__ import annotations

from turnout.core.errors import Failure, Kind
from turnout.core.events import Event, Failed, Finished, Frame
from turnout.wire.body import malformed
from turnout.wire.codec import LINE_BYTES_MAX
from turnout.wire.gemini.arrays import ArrayOverflow, ArrayParser
from turnout.wire.gemini.errors import decode_stream_failure
from turnout.wire.gemini.reading import UNREADABLE, Reader, given, read_chunk
from turnout.wire.sse import SseOverflow, SseParser

TRUNCATED = Failure(Kind.TRUNCATED, "The provider's stream ended before the reply was complete.")
_DATA, _END = b"data: ", b"\r\n\r\n"
_BLANK = (b"\n\n", _END)
_DONE = b"[DONE]"  # added by some that stand between; says nothing that the reply does not
_UNREADABLE_CHUNK = malformed("A chunk of the provider's stream cannot be read.")


class Decoder:
    """See `wire.codec.StreamDecoder`."""

    __slots__ = ("_array", "_between", "_closed", "_done", "_lead", "_reader", "_sse")

    def __init__(self) -> None:
        self._sse = SseParser(LINE_BYTES_MAX)
        self._array: ArrayParser | None = None
        self._closed = False
        self._lead: bytes | None = (
            b""  # white space before the first other byte; `None` once the framing is known
        )
        self._reader = Reader()
        self._done = False
        self._between = False  # is nothing of an unfinished event held?

    def feed(self, data: bytes) -> list[Frame]:
        if (
            self._between
            and data.endswith(_END)
            and data.startswith(_DATA)
            and data.count(b"\n") == 2 == data.count(b"\r")
        ):
            return [Frame(data, self._chunk(data[6:-4]))]  # one whole event, as Google writes it
        if self._done:
            data = self._rest() + data
            return [Frame(data)] if data else []
        if self._lead is not None:
            data = self._lead + data
            if not data.strip():
                self._lead = data
                return []
            self._lead = None
            if data.lstrip()[:1] == b"[":
                self._array = ArrayParser(LINE_BYTES_MAX)
        try:
            if self._array is not None:
                return self._elements(self._array, data)
            self._between = data.endswith(_BLANK)
            return [
                Frame(event.raw, self._chunk(event.data) if event.data else ())
                for event in self._sse.feed(data)
            ]
        except (SseOverflow, ArrayOverflow) as error:
            self._done, self._between = True, False
            return [Frame(self._rest(), (Failed(malformed(f"The provider sent {error}.")),))]

    def _elements(self, array: ArrayParser, data: bytes) -> list[Frame]:
        frames = []
        for piece in array.feed(data):
            self._closed = self._closed or piece.closed
            frames.append(Frame(piece.raw, () if piece.data is None else self._chunk(piece.data)))
        return frames

    def _rest(self) -> bytes:
        if self._lead:
            return self._lead
        if self._array is not None:
            return self._array.rest()
        event = self._sse.rest()
        return b"" if event is None else event.raw

    def _chunk(self, data: bytes) -> tuple[Event, ...]:
        if self._done or data == _DONE:
            return ()
        try:
            chunk = read_chunk(data)
            if len(chunk.error) and given(chunk.error):
                return self._end(Failed(decode_stream_failure(bytes(chunk.error))))
            events = self._reader.events(chunk, data)
            if events and type(events[-1]) is Failed:
                return (*events[:-1], *self._end(events[-1]))
            return tuple(events)
        except UNREADABLE:
            return self._end(Failed(_UNREADABLE_CHUNK))

    def _end(self, event: Event) -> tuple[Event, ...]:
        self._done, self._between = True, False
        return (event,)

    def eof(self, failure: Failure | None) -> list[Frame]:
        frames: list[Frame] = []
        if failure is None and not self._done:
            frames = self._last_words()
        elif rest := self._rest():
            frames = [Frame(rest)]
        if not self._done:
            complete = failure is None and self._reader.complete and (self._array is None or self._closed)
            if complete:
                frames.append(Frame(b"", self._end(Finished())))
            else:  # half an event goes with the failure, so that no relay passes it on
                rest = b"".join(frame.raw for frame in frames if not frame.events)
                frames = [frame for frame in frames if frame.events]
                frames.append(Frame(rest, self._end(Failed(failure or TRUNCATED))))
        return frames

    def _last_words(self) -> list[Frame]:
        """An event that lacks only its blank line counts if it is whole; a fragment of one is a cut."""
        if self._lead or self._array is not None:
            rest = self._rest()
            return [Frame(rest)] if rest else []
        event = self._sse.rest()
        if event is None:
            return []
        data = event.data or b""
        if not data.strip() or data == _DONE:
            return [Frame(event.raw)]
        try:
            read_chunk(data)
        except UNREADABLE:
            return [Frame(event.raw, self._end(Failed(TRUNCATED)))]
        return [Frame(event.raw, self._chunk(data))]
