"""Compressed bodies, opened in bounded steps: a provider's responses and, for `edge.reading`, a client's requests.

We ask providers not to compress; some do all the same. Clients compress unasked (Codex: zstd). A body is opened as it is read, never ahead of the reader, and the sum of
all that it opens to is bounded, so a small body cannot become a large one in memory. Sans-IO: bytes in, bytes out.
"""

from __future__ import annotations

import zlib
from typing import Literal

_STEP_BYTES_MAX = 256 * 1024
_GZIP_OR_ZLIB_BITS = 47
_RAW_DEFLATE_BITS = -15
_ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024  # what RFC 9659 allows a `content-encoding`
_ZSTD_SLICE_BYTES = 256  # at most 64 blocks of at most 128 KiB each: zstd itself takes no bound on its output

Fault = Literal["malformed", "truncated", "too_large"]


class Unreadable(Exception):
    def __init__(self, phase: Fault, reason: str) -> None:
        super().__init__(reason)
        self.phase: Fault = phase
        self.reason = reason


class _Zstd:
    """One zstd frame behind the part of zlib's interface that is used here. A slice of input is opened at a time."""

    __slots__ = ("_frame", "eof", "unconsumed_tail", "unused_data")

    def __init__(self) -> None:
        import zstandard  # when the first such body arrives: most installations never see one

        self._frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX).decompressobj()
        self.eof = False
        self.unused_data = b""
        self.unconsumed_tail = b""

    def decompress(self, data: bytes, _bytes_max: int) -> bytes:
        import zstandard

        opened: list[bytes] = []
        size = at = 0
        while at < len(data) and not self.eof and size < _STEP_BYTES_MAX:
            try:
                opened.append(self._frame.decompress(data[at : at + _ZSTD_SLICE_BYTES]))
            except zstandard.ZstdError as error:
                raise zlib.error(str(error)) from None
            size += len(opened[-1])
            at += _ZSTD_SLICE_BYTES
            self.eof = self._frame.eof
        rest = data[at:]
        self.unused_data = self._frame.unused_data + rest if self.eof else b""
        self.unconsumed_tail = b"" if self.eof else rest
        return b"".join(opened)


class Inflater:
    """Opens one body: gzip or zstd (with several members), or deflate (with or without the header it should have)."""

    __slots__ = ("_decoder", "_encoding", "_input", "_left", "_more")

    def __init__(self, encoding: bytes, bytes_max: int) -> None:
        self._encoding = encoding
        self._decoder: zlib._Decompress | _Zstd | None = None
        self._input = b""
        self._left = bytes_max
        self._more = False

    def feed(self, data: bytes) -> None:
        """Only after `step` has returned `b""`."""
        self._input = data
        self._more = True

    def step(self) -> bytes:
        """About `_STEP_BYTES_MAX` bytes (zstd: up to 8 MiB more); `b""` when everything fed is opened. Raises `Unreadable`."""
        while self._more:
            data = self._open()
            self._left -= len(data)
            if self._left < 0:
                raise Unreadable("too_large", "a compressed body opens to more than the limit")
            if data:
                return data
        return b""

    def end(self) -> None:
        if self._decoder is not None and not self._decoder.eof:
            raise Unreadable("truncated", "a compressed body ends early")

    def _open(self) -> bytes:
        if self._decoder is None or self._decoder.eof:  # the first, or one more gzip member
            self._decoder = self._begin()
        try:
            data = self._decoder.decompress(self._input, _STEP_BYTES_MAX)
        except zlib.error:
            raise Unreadable("malformed", "a compressed body that cannot be opened") from None
        self._input = self._decoder.unused_data or self._decoder.unconsumed_tail
        # A full step may have left output inside the decoder although its input is used up.
        self._more = bool(self._input) or (len(data) == _STEP_BYTES_MAX and not self._decoder.eof)
        return data

    def _begin(self) -> zlib._Decompress | _Zstd:
        if self._encoding in (b"gzip", b"x-gzip"):
            return zlib.decompressobj(_GZIP_OR_ZLIB_BITS)
        if (
            self._encoding == b"deflate"
        ):  # zlib by the standard, raw by habit; zlib's first byte gives it away
            is_zlib = self._input[0] & 0x0F == 8
            return zlib.decompressobj(_GZIP_OR_ZLIB_BITS if is_zlib else _RAW_DEFLATE_BITS)
        if self._encoding == b"zstd":
            return _Zstd()
        shown = self._encoding[:20].decode("ascii", "replace")
        raise Unreadable("malformed", f"content-encoding {shown!r}, which was not asked for")
