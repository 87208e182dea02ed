"""Newline-delimited JSON, incrementally and without loss.

Promise: every byte that goes in comes out in exactly one line, whatever the split into reads; lines end in LF, a CR before it is
part of the end, and blank lines mean nothing. It must not know what a line means.
"""

from __future__ import annotations


class LineOverflow(Exception):
    """An unfinished line outgrew its bound."""


class LineParser:
    """Feed bytes, get whole lines with their ends. Holds at most `line_bytes_max` of an unfinished one."""

    __slots__ = ("_held", "_held_bytes", "_line_bytes_max")

    def __init__(self, line_bytes_max: int) -> None:
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._line_bytes_max = line_bytes_max

    def feed(self, data: bytes) -> list[bytes]:
        """Raises `LineOverflow` when what is left has no end within the bound; it stays for `rest`."""
        lines = data.splitlines(keepends=True) if b"\r" not in data else _split(data)
        if lines and self._held and lines[0][-1:] == b"\n":
            lines[0] = b"".join((*self._held, lines[0]))
            self._held.clear()
            self._held_bytes = 0
        if lines and lines[-1][-1:] != b"\n":
            last = lines.pop()
            self._held.append(last)
            self._held_bytes += len(last)
            if self._held_bytes > self._line_bytes_max and not lines:
                raise LineOverflow(f"a line of more than {self._line_bytes_max} bytes")
        return lines

    def rest(self) -> bytes:
        """What is left when the input has ended: a line without its end, or nothing."""
        rest = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        return rest


def _split(data: bytes) -> list[bytes]:
    """By LF alone: `splitlines` takes a lone CR for an end."""
    pieces = data.split(b"\n")
    last = pieces.pop()
    return [piece + b"\n" for piece in pieces] + ([last] if last else [])
