"""A stream framed as one JSON array that grows, split into its elements without loss.

Promise: every byte comes out in exactly one piece, whatever the split into reads. A piece is what separates an element from the one
before it (`[`, a comma, white space) and the element's text; the closing bracket is a piece of its own. Each byte is looked at once.
It must not know what an element means.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(rb'["{}\[\]]')
_IN_STRING = re.compile(rb'["\\]')
_BETWEEN = b" \t\r\n,["


class ArrayPiece(NamedTuple):
    """`data` is `None` for what holds no element; `closed` says that the array ended here."""

    raw: bytes
    data: bytes | None
    closed: bool = False


class ArrayOverflow(Exception):
    """An unfinished element outgrew its bound."""


class ArrayParser:
    """Feed bytes, get whole elements. Holds at most `element_bytes_max` of an unfinished one."""

    __slots__ = ("_buffer", "_depth", "_element_bytes_max", "_scanned", "_string")

    def __init__(self, element_bytes_max: int) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._depth = 0  # 1 inside the array, 2 inside an element
        self._string = False
        self._element_bytes_max = element_bytes_max

    def feed(self, data: bytes) -> list[ArrayPiece]:
        self._buffer += data
        pieces: list[ArrayPiece] = []
        while (end := self._scan()) is not None:
            raw = bytes(self._buffer[:end])
            del self._buffer[:end]
            self._scanned = 0
            pieces.append(_piece(raw, self._depth))
        if len(self._buffer) > self._element_bytes_max:
            raise ArrayOverflow(f"an element of more than {self._element_bytes_max} bytes")
        return pieces

    def _scan(self) -> int | None:
        """Where the next piece ends, if it has ended."""
        while True:
            if self._string and not self._skip_string():
                return None
            match = _TOKEN.search(self._buffer, self._scanned)
            if match is None:
                self._scanned = len(self._buffer)
                return None
            self._scanned = match.end()
            token = match[0]
            if token == b'"':
                self._string = True
            elif token in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth <= 1:
                    return self._scanned

    def _skip_string(self) -> bool:
        """To behind the string's closing quote, or as far as there is something to look at."""
        while (match := _IN_STRING.search(self._buffer, self._scanned)) is not None:
            if match[0] == b'"':
                self._scanned = match.end()
                self._string = False
                return True
            if match.end() == len(self._buffer):
                self._scanned = match.start()  # what is escaped has not come yet
                return False
            self._scanned = match.end() + 1
        self._scanned = len(self._buffer)
        return False

    def rest(self) -> bytes:
        """What is left when the input has ended."""
        raw = bytes(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        return raw


def _piece(raw: bytes, depth: int) -> ArrayPiece:
    if depth <= 0:
        return ArrayPiece(raw, None, True)
    return ArrayPiece(raw, raw.lstrip(_BETWEEN))
