"""First bytes and what they mean."""

from __future__ import annotations

import pytest

from turnout.upstream.sniffing import HEAD_BYTES, sniff

KNOWN = (
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
    (b"GIF89a\x01\0", "image/gif"),
    (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
    (b"\0\0\0\x1cftypavif\0\0", "image/avif"),
    (b"\0\0\0\x18ftypheic", "image/heic"),
    (b"II*\0\x08\0\0\0", "image/tiff"),
    (b"%PDF-1.7\n", "application/pdf"),
    (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
    (b"ID3\x04\0\0", "audio/mpeg"),
    (b"\xff\xfb\x90\x64", "audio/mpeg"),
    (b"\xff\xf1\x50\x80", "audio/aac"),
    (b"OggS\0\x02", "audio/ogg"),
    (b"fLaC\0\0\0\x22", "audio/flac"),
    (b"\0\0\0\x20ftypM4A \0", "audio/mp4"),
)
NOTHING = (
    b"",
    b"\xff",
    b"\xff\xfe<\0h\0",  # UTF-16
    b"<!doctype html><html>",
    b'<svg xmlns="http://www.w3.org/2000/svg">',
    b"GIF88a",
    b"RIFF\x24\0\0\0AVI LIST",
    b"\0\0\0\x20ftypisom\0",  # video
    b"PK\x03\x04",
    b"-----BEGIN PRIVATE KEY-----",
    b"root:x:0:0:root:/root:/bin/sh\n",
    b'{"AccessKeyId": "A"}',
)


@pytest.mark.parametrize(("head", "media_type"), KNOWN)
def test_known(head: bytes, media_type: str) -> None:
    assert sniff(head.ljust(HEAD_BYTES, b"\0")) == media_type
    assert sniff(head) == media_type


@pytest.mark.parametrize("head", NOTHING)
def test_everything_else_is_nothing(head: bytes) -> None:
    assert sniff(head) is None
