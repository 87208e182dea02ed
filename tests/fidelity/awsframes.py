"""AWS event streams, read and written independently of Turnout's codec.

A frame is: total length, headers' length, a checksum of these; headers; payload; a checksum of it all. Both checksums are CRC-32.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator, Mapping

_PRELUDE = struct.Struct(">III")
_TEXT_HEADER = 7


def frames(body: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """Headers and payload of each frame. Raises `ValueError` on a wrong checksum or a header that is no text."""
    at = 0
    while at < len(body):
        total, header_bytes, checksum = _PRELUDE.unpack_from(body, at)
        frame = body[at : at + total]
        if binascii.crc32(frame[:8]) != checksum:
            raise ValueError(f"the prelude at byte {at} is broken")
        if binascii.crc32(frame[:-4]) != int.from_bytes(frame[-4:], "big"):
            raise ValueError(f"the frame at byte {at} is broken")
        yield _headers(frame[12 : 12 + header_bytes]), frame[12 + header_bytes : -4]
        at += total


def _headers(raw: bytes) -> dict[str, str]:
    out = {}
    at = 0
    while at < len(raw):
        name_end = at + 1 + raw[at]
        if raw[name_end] != _TEXT_HEADER:
            raise ValueError("a header that is no text")
        begin = name_end + 3
        end = begin + int.from_bytes(raw[name_end + 1 : begin], "big")
        out[raw[at + 1 : name_end].decode()] = raw[begin:end].decode()
        at = end
    return out


def framed(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame: for recordings of which only the decoded events were kept."""
    fields = b"".join(_field(name.encode(), value.encode()) for name, value in headers.items())
    sizes = struct.pack(">II", 16 + len(fields) + len(payload), len(fields))
    frame = sizes + binascii.crc32(sizes).to_bytes(4, "big") + fields + payload
    return frame + binascii.crc32(frame).to_bytes(4, "big")


def _field(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + bytes([_TEXT_HEADER]) + len(value).to_bytes(2, "big") + value
