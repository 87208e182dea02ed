"""Media given by address: which targets take an address, and how one is replaced by what it points at.

Promise: one table says what each dialect's providers fetch themselves. Everything else has to be given by value, so somebody has to
fetch it before the request is encoded; who does, and whether that is allowed, is not known here. A `data:` URL is a value
already and is never named. Media that a dialect takes in no form at all are left to its encoder, which declares the loss.

Pure: requests in, requests out. Parts are shared, not copied, where nothing in them changes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from turnout.core.model import Audio, DialectName, Document, Image, Inline, Part, Request, ToolResult, Url

MediaKind = Literal["image", "document", "audio"]

BY_VALUE_QUIRK = "media_by_value"
"""A provider that fetches nothing, though its dialect could say an address."""


class Taken(Struct, frozen=True):
    """URL schemes that a provider fetches itself, by kind. Empty: by value only. `None`: not in any form."""

    image: frozenset[str] | None
    document: frozenset[str] | None
    audio: frozenset[str] | None
    reason: str


class ByAddress(Struct, frozen=True):
    """A source that a target cannot take as it is. `param` names the part as the caller's request has it."""

    url: str
    kind: MediaKind
    param: str


_VALUE: frozenset[str] = frozenset()
_HTTPS = frozenset({"https"})
_WEB = frozenset({"http", "https"})
_S3 = frozenset({"s3"})
_GOOGLE = frozenset({"https", "gs"})

TAKEN: Mapping[DialectName, Taken] = {
    "openai_chat": Taken(_WEB, _VALUE, _VALUE, "images by URL; files and audio have no member for one"),
    "openai_responses": Taken(_WEB, _WEB, _VALUE, "images by image_url, files by file_url; audio by value"),
    "anthropic": Taken(_HTTPS, _HTTPS, None, "images and PDFs by https URL; no audio"),
    "gemini": Taken(_GOOGLE, _GOOGLE, _GOOGLE, "fileUri takes public https URLs and registered gs objects"),
    "bedrock": Taken(_S3, _S3, _S3, "bytes, or an object in S3"),
    "bedrock_anthropic": Taken(_VALUE, _VALUE, None, "Claude on Bedrock fetches no URL"),
    "cohere": Taken(_WEB, None, None, "images by URL; its documents are texts; no audio"),
    "mistral": Taken(_WEB, _WEB, _WEB, "image_url, document_url and input_audio take URLs"),
    "ollama": Taken(_VALUE, None, None, "images as base64 only"),
}

_NO_URLS = ("vertex", BY_VALUE_QUIRK)  # Claude on Vertex AI answers: URL sources are not supported
_BEARERS = frozenset({Image, Document, Audio, ToolResult})
_SYSTEM = ("system", "developer")
_SYSTEM_APART: frozenset[DialectName] = frozenset({"anthropic", "gemini"})


def taken_by(dialect: DialectName, model: str, quirks: frozenset[str]) -> Taken:
    """The row for a target. Quirks and models narrow what the dialect says; they never widen it."""
    row = TAKEN[dialect]
    if any(quirk in quirks for quirk in _NO_URLS) or (dialect == "gemini" and "gemini-2.0" in model):
        narrowed = {
            kind: None if getattr(row, kind) is None else _VALUE for kind in ("image", "document", "audio")
        }
        return Taken(**narrowed, reason="takes no address")
    return row


def by_address(request: Request, taken: Taken) -> tuple[ByAddress, ...]:
    """Every source of the request that has to be replaced before this target can take it, in order."""
    found: list[ByAddress] = []
    for number, message in enumerate(request.messages):
        for index, part in enumerate(message.content):
            if type(part) in _BEARERS:  # most parts are text, and every translated request passes here
                _look(part, f"{_named(request, number)}.content.{index}", taken, found)
    return tuple(found)


def with_values(request: Request, taken: Taken, values: Mapping[str, Inline]) -> Request:
    """The request with the value of each URL in `values` in its place, wherever the target cannot take the URL."""
    messages = tuple(
        replace(message, content=content)
        if (content := _parts(message.content, taken, values)) is not message.content
        else message
        for message in request.messages
    )
    return replace(request, messages=messages)


def _named(request: Request, number: int) -> str:
    """The message's name in the caller's own list, which has no system messages at its beginning in some dialects."""
    if request.dialect in _SYSTEM_APART:
        roles = itertools.takewhile(lambda message: message.role in _SYSTEM, request.messages)
        number -= min(sum(1 for _ in roles), number)
    return f"messages.{number}"


def _look(part: Part, param: str, taken: Taken, found: list[ByAddress]) -> None:
    if isinstance(part, ToolResult):
        for index, inner in enumerate(part.content):
            _look(inner, f"{param}.content.{index}", taken, found)
    elif (needed := _needed(part, taken)) is not None:
        kind, url = needed
        found.append(ByAddress(url, kind, param))


def _needed(part: Part, taken: Taken) -> tuple[MediaKind, str] | None:
    """Kind and URL of a part that the target cannot take as it is."""
    kind: MediaKind
    if isinstance(part, Image):
        kind, schemes = "image", taken.image
    elif isinstance(part, Document):
        kind, schemes = "document", taken.document
    elif isinstance(part, Audio):
        kind, schemes = "audio", taken.audio
    else:
        return None
    if schemes is None or not isinstance(part.source, Url):
        return None
    scheme = part.source.url.partition(":")[0].lower()
    return None if scheme == "data" or scheme in schemes else (kind, part.source.url)


def _parts(parts: tuple[Part, ...], taken: Taken, values: Mapping[str, Inline]) -> tuple[Part, ...]:
    """The same tuple where nothing changes."""
    changed = tuple(_part(part, taken, values) for part in parts)
    return changed if any(new is not old for new, old in zip(changed, parts, strict=True)) else parts


def _part(part: Part, taken: Taken, values: Mapping[str, Inline]) -> Part:
    if isinstance(part, ToolResult):
        content = _parts(part.content, taken, values)
        return part if content is part.content else replace(part, content=content)
    needed = _needed(part, taken)
    value = values.get(needed[1]) if needed is not None else None
    if value is None:
        return part
    if isinstance(part, Audio) and part.format is None:
        return replace(part, source=value, format=_FORMATS.get(value.media_type))
    return replace(part, source=value)


_FORMATS: Mapping[str, str] = {
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
}
