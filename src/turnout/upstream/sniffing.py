"""What a piece of media is, by its first bytes.

A server says what it sends, and may be wrong or lying; the first bytes are what a decoder will go by. Only formats that some provider
takes are known: everything else, HTML and SVG among it, is nothing. Pure.
"""

from __future__ import annotations

HEAD_BYTES = 32
"""How much of the beginning is looked at."""

_PREFIXES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
}


def sniff(head: bytes) -> str | None:
    """The media type of what begins with `head`; `None` for what is no media that is known here."""
    for prefix, media_type in _PREFIXES:
        if head.startswith(prefix):
            return media_type
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12])
    return _mpeg_audio(head)


def _mpeg_audio(head: bytes) -> str | None:
    """A bare frame of MP3 or AAC: eleven or twelve bits of sync, then fields of which some values are reserved."""
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    layer_3 = head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08
    return "audio/mpeg" if layer_3 and head[2] >> 4 != 0xF and head[2] & 0x0C != 0x0C else None
