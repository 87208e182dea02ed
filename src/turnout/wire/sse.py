"""Server-sent events, incrementally and without loss.

Promise: every byte that goes in comes out in exactly one event's `raw`, whatever the split into reads; line ends
may be LF, CRLF or CR; comments and unknown fields are kept in `raw` and mean nothing. Why our own: relayed
traffic needs the exact bytes beside the meaning, and the common case (one `data:` line ending in a blank line) must cost
well under a microsecond. It must not know what the data means.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    """`data` is `None` for an event without a data line (comments, keep-alives); several lines are joined by LF."""

    raw: bytes
    event: bytes | None
    data: bytes | None


class SseOverflow(Exception):
    """An unfinished event outgrew its bound."""


class SseParser:
    """Feed bytes, get whole events. Holds at most `event_bytes_max` of an unfinished one."""

    __slots__ = ("_buffer", "_event_bytes_max", "_scanned")

    def __init__(self, event_bytes_max: int) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._event_bytes_max = event_bytes_max

    def feed(self, data: bytes) -> list[SseEvent]:
        if (
            not self._buffer
            and data.startswith(b"data: ")
            and data.find(b"\n", 6) == len(data) - 2
            and data[-1] == 10
        ) and b"\r" not in data:
            return [SseEvent(data, None, data[6:-2])]
        self._buffer += data
        return self._drain()

    def _drain(self) -> list[SseEvent]:
        buffer, events, begin = self._buffer, [], 0
        position = max(0, self._scanned - 3)
        while (match := _BLANK_LINE.search(buffer, position)) is not None:
            position = match.end()
            events.append(parse_event(bytes(buffer[begin:position])))
            begin = position
        del buffer[:begin]
        self._scanned = len(buffer)
        if self._scanned > self._event_bytes_max:
            raise SseOverflow(f"an event of more than {self._event_bytes_max} bytes")
        return events

    def rest(self) -> SseEvent | None:
        """What is left when the input has ended: an event that lacks its blank line, or `None`."""
        if not self._buffer:
            return None
        raw = bytes(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        return parse_event(raw)


def parse_event(raw: bytes) -> SseEvent:
    """Read one event's lines. Unknown fields and comments are ignored, as the standard says."""
    if raw.startswith(b"data: ") and raw.find(b"\n", 6) == len(raw) - 2 and b"\r" not in raw:
        return SseEvent(raw, None, raw[6:-2])
    event: bytes | None = None
    data: list[bytes] = []
    for line in _LINE_END.split(raw.removeprefix(_BOM)):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value
    return SseEvent(raw, event, b"\n".join(data) if data else None)
