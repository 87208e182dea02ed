"""AWS binary event streams (`application/vnd.amazon.eventstream`), incrementally and without loss.

    total length u32 | headers length u32 | CRC-32 of these 8 bytes | headers | payload | CRC-32 of all before

Promise: any split of the bytes gives the same messages; every byte is in one message's `raw` or in `rest()`; both checksums
are checked before anything in a message is believed, so a length that was damaged never makes us wait for bytes that do not
come. What cannot be a message sets `error` and ends the parsing: there is no marker to find the next one by. It must not know what
headers or payloads mean.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import NamedTuple

PRELUDE_BYTES = 12
_CRC_BYTES = 4
_MESSAGE_BYTES_MIN = PRELUDE_BYTES + _CRC_BYTES
_HEADER_SETS_MAX = 64  # header blocks remembered: a stream repeats a handful, byte for byte

_prelude = struct.Struct(">III")
_u32 = struct.Struct(">I")
_u16 = struct.Struct(">H")
_STRING, _BYTES = 7, 6
_FIXED_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # value length by type number


class Message(NamedTuple):
    """One message. `headers` holds those of type string; the other types mean nothing to us."""

    raw: bytes
    headers: Mapping[str, str]
    payload: bytes


class EventStreamParser:
    """Feed bytes, get whole messages. Holds at most `message_bytes_max` of an unfinished one."""

    __slots__ = ("_header_sets", "_held", "_message_bytes_max", "_wanted_bytes", "error")

    def __init__(self, message_bytes_max: int) -> None:
        self._held = bytearray()
        self._wanted_bytes = 0  # how much must be held before it is worth another look
        self._header_sets: dict[bytes, Mapping[str, str]] = {}
        self._message_bytes_max = message_bytes_max
        self.error: str | None = None

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by `data`. Once `error` is set, bytes are only kept for `rest`."""
        if self._held or self.error is not None:
            self._held += data
            if len(self._held) < self._wanted_bytes or self.error is not None:
                return []
            data = bytes(self._held)
            self._held.clear()
        messages, end = self._parse(data)
        self._held += data[end:]
        return messages

    def _parse(self, data: bytes) -> tuple[list[Message], int]:
        """(whole messages, where what is left begins)."""
        messages: list[Message] = []
        begin = 0
        while True:
            left = len(data) - begin
            self._wanted_bytes = PRELUDE_BYTES
            if left < PRELUDE_BYTES:
                return messages, begin
            total, headers_length, crc = _prelude.unpack_from(data, begin)
            self.error = self._prelude_error(data[begin : begin + 8], total, headers_length, crc)
            self._wanted_bytes = total
            if self.error is not None or left < total:
                return messages, begin
            message = self._message(data[begin : begin + total], headers_length)
            if message is None:
                return messages, begin
            messages.append(message)
            begin += total

    def rest(self) -> bytes:
        """What is left: an unfinished message, or everything from the first unreadable one on."""
        rest = bytes(self._held)
        self._held.clear()
        return rest

    def _prelude_error(self, lengths: bytes, total: int, headers_length: int, crc: int) -> str | None:
        if zlib.crc32(lengths) != crc:
            return "the checksum of a message's prelude is wrong"
        if total > self._message_bytes_max:
            return f"a message of more than {self._message_bytes_max} bytes"
        if total < _MESSAGE_BYTES_MIN + headers_length:
            return "a message shorter than its headers"
        return None

    def _message(self, raw: bytes, headers_length: int) -> Message | None:
        if zlib.crc32(raw[:-_CRC_BYTES]) != _u32.unpack_from(raw, len(raw) - _CRC_BYTES)[0]:
            self.error = "the checksum of a message is wrong"
            return None
        end = PRELUDE_BYTES + headers_length
        block = raw[PRELUDE_BYTES:end]
        headers = self._header_sets.get(block)
        if headers is None:
            try:
                headers = read_headers(block)
            except (ValueError, struct.error, IndexError):
                self.error = "a message's headers cannot be read"
                return None
            if len(self._header_sets) < _HEADER_SETS_MAX:
                self._header_sets[block] = headers
        return Message(raw, headers, raw[end:-_CRC_BYTES])


def read_headers(block: bytes) -> dict[str, str]:
    """Headers of type string. Raises `ValueError`, `IndexError` or `struct.error` for a block that is none."""
    headers: dict[str, str] = {}
    position = 0
    while position < len(block):
        name_end = position + 1 + block[position]
        name = block[position + 1 : name_end].decode()
        kind = block[name_end]
        position = name_end + 1
        if kind in (_STRING, _BYTES):
            length = _u16.unpack_from(block, position)[0]
            value = block[position + 2 : position + 2 + length]
            position += 2 + length
            if kind == _STRING:
                headers[name] = value.decode()
        elif kind in _FIXED_BYTES:
            position += _FIXED_BYTES[kind]
        else:
            raise ValueError(f"header type {kind}")
    if position != len(block):
        raise ValueError("a header is longer than its block")
    return headers


def pack_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message with string headers: what a server sends."""
    block = b"".join(
        b"%c%b\x07%b%b" % (len(name.encode()), name.encode(), _u16.pack(len(value.encode())), value.encode())
        for name, value in headers.items()
    )
    total = _MESSAGE_BYTES_MIN + len(block) + len(payload)
    lengths = struct.pack(">II", total, len(block))
    body = lengths + _u32.pack(zlib.crc32(lengths)) + block + payload
    return body + _u32.pack(zlib.crc32(body))
