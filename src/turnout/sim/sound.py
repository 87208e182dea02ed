"""Sound and pictures that are small, valid and deterministic.

What is spoken is hidden in the file's own comment, so that a simulated transcription hears what a simulated voice said.
"""

from __future__ import annotations

import io
import math
import struct
import wave
import zlib
from hashlib import sha256

RATE_HZ = 16_000
MS_PER_CHARACTER = 60
SECONDS_MAX = 60.0
_MARK = b"said:"
_MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)  # MPEG-1 layer III, 128 kbit/s, 44.1 kHz, silence
_MP3_FRAME_S = 1152 / 44_100
_MP3_BYTES_PER_S = 16_000
PNG_PIXELS = 64


def seconds_of(text: str) -> float:
    return min(SECONDS_MAX, max(0.2, len(text) * MS_PER_CHARACTER / 1000))


def spoken(text: str, form: str) -> tuple[str, bytes]:
    """Content type and bytes of a voice that says the text: `mp3`, `wav` or `pcm`."""
    if form == "mp3":
        frames = math.ceil(seconds_of(text) / _MP3_FRAME_S)
        return "audio/mpeg", _id3(_MARK + text.encode() + b"\0") + _MP3_FRAME * frames
    samples = int(seconds_of(text) * RATE_HZ)
    pcm = b"".join(
        struct.pack("<h", int(6000 * math.sin(2 * math.pi * 220 * i / RATE_HZ))) for i in range(samples)
    )
    return ("audio/pcm", pcm) if form == "pcm" else ("audio/wav", _wav(text, pcm))


def _wav(text: str, pcm: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        out.writeframes(pcm)
    comment = _MARK + text.encode() + b"\0"
    comment += b"\0" * (len(comment) % 2)
    info = b"INFOICMT" + struct.pack("<I", len(comment)) + comment
    body = file.getvalue() + b"LIST" + struct.pack("<I", len(info)) + info
    return body[:4] + struct.pack("<I", len(body) - 8) + body[8:]


def _id3(comment: bytes) -> bytes:
    frame = b"COMM" + struct.pack(">I", len(comment) + 5) + b"\0\0" + b"\x03eng\0" + comment
    size = len(frame)
    return b"ID3\x03\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + frame


def heard(data: bytes) -> tuple[str, float]:
    """What is said in a file, and its seconds."""
    begin = data.find(_MARK)
    text = "The sun was setting slowly."
    if begin >= 0:
        text = data[begin + len(_MARK) :].split(b"\0", 1)[0].decode("utf-8", "replace")
    try:
        with wave.open(io.BytesIO(data)) as file:
            return text, file.getnframes() / file.getframerate()
    except (wave.Error, EOFError):
        return text, max(0.1, len(data) / _MP3_BYTES_PER_S)


def png(seed: str) -> bytes:
    """A square of one colour."""
    colour = sha256(seed.encode()).digest()[:3]
    rows = (b"\0" + colour * PNG_PIXELS) * PNG_PIXELS
    head = struct.pack(">IIBBBBB", PNG_PIXELS, PNG_PIXELS, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
