"""Reading request bodies with the providers' own strictness: a wrong type is their 400, in their words."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Any

import msgspec

from turnout.sim.ask import SimError

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def parse(body: bytes) -> dict[str, Any]:
    try:
        data = msgspec.json.decode(body)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise SimError(
            400, "invalid_request_error", "We could not parse the JSON body of your request."
        ) from None
    if not isinstance(data, dict):
        raise SimError(400, "invalid_request_error", "The request body must be a JSON object.")
    return data


def bad(message: str, param: str | None = None, code: str | None = None) -> SimError:
    return SimError(400, "invalid_request_error", message, code, param)


def want(
    data: dict[str, Any],
    name: str,
    kinds: tuple[type, ...],
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """A member of one of these types, or `None` when it is absent. Raises `SimError`."""
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join(kind.__name__ for kind in kinds)
        got = type(value).__name__
        raise bad(
            f"Invalid type for '{name}': expected {expected}, but got {got} instead.", name, "invalid_type"
        )
    if isinstance(value, int | float) and (
        (low is not None and value < low) or (high is not None and value > high)
    ):
        raise bad(f"Invalid value for '{name}': {value} is out of range.", name, "invalid_value")
    return value


def _jpeg_size(raw: bytes) -> tuple[int, int]:
    """From the frame header, behind any number of other segments; zeros when there is none."""
    at = 2
    while at + 9 <= len(raw) and raw[at] == 0xFF:
        marker, size = raw[at + 1], int.from_bytes(raw[at + 2 : at + 4])
        if marker in _JPEG_FRAMES:
            return int.from_bytes(raw[at + 7 : at + 9]), int.from_bytes(raw[at + 5 : at + 7])
        at += 2 + size
    return 0, 0


def picture(data: str, kind: str) -> str:
    """What an inline picture is, read from its header: `png, 64x48`. Raises `SimError` for what is no picture."""
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise bad("The image data is not valid base64.", code="invalid_base64") from None
    if raw[:8] == b"\x89PNG\r\n\x1a\n" and len(raw) >= 24:
        width, height = struct.unpack(">II", raw[16:24])
        return f"an image (png, {width}x{height})"
    if raw[:6] in (b"GIF87a", b"GIF89a") and len(raw) >= 10:
        width, height = struct.unpack("<HH", raw[6:10])
        return f"an image (gif, {width}x{height})"
    if raw[:3] == b"\xff\xd8\xff":
        width, height = _jpeg_size(raw)
        return f"an image (jpeg, {width}x{height})" if width else "an image (jpeg)"
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "an image (webp)"
    raise bad(f"You uploaded an unsupported image ({kind}).", code="invalid_image_format")
