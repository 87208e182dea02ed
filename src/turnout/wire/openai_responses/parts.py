"""Content parts, both ways: text, refusals, images, files, audio, and the parts that only this dialect knows.

A part has one spelling when a caller says it (`input_text`) and another when the model said it (`output_text`); both are read everywhere,
because clients mix them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from turnout.core.model import (
    Audio,
    CacheControl,
    Document,
    FileId,
    Image,
    Inline,
    Opaque,
    Part,
    PlainText,
    Refusal,
    Source,
    Text,
    Url,
)
from turnout.wire.body import bad
from turnout.wire.openai_chat.parts import Drops
from turnout.wire.openai_responses.marks import DIALECT

PART_KIND = "content."  # begins the kind of an opaque content part; other opaque blocks are items
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.-]+)*;base64,", re.IGNORECASE)
_EXTENSIONS = {"application/pdf": "pdf", "text/plain": "txt"}

WirePart = dict[str, Any] | Raw


class _Url(Struct):
    url: str


class _AudioData(Struct):
    data: str
    format: str | None = None


class _Breakpoint(Struct):
    ttl: str | None = None


class _Part(Struct):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: str | _Url | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: _AudioData | None = None
    prompt_cache_breakpoint: _Breakpoint | None = None


_part = msgspec.json.Decoder(_Part)


def decode_parts(content: str | Sequence[Raw] | None, where: str) -> tuple[Part, ...]:
    """Raises `CallFailed(BAD_REQUEST)`, naming the part."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_decode(raw, f"{where}[{number}]") for number, raw in enumerate(content))


def _decode(raw: Raw, where: str) -> Part:
    try:
        part = _part.decode(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise bad(f"{where}: {error}", where) from None
    cache = _cache(part.prompt_cache_breakpoint)
    match part.type:
        case "input_text" | "output_text" | "text" | "summary_text" | None if part.text is not None:
            return Text(part.text, cache)
        case "refusal" if part.refusal is not None:
            return Refusal(part.refusal)
        case "input_image" | "image_url" if part.image_url is not None:
            url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
            return Image(_source(url), part.detail, cache)
        case "input_image" if part.file_id:
            return Image(FileId(part.file_id), part.detail, cache)
        case "input_file" if part.file_id or part.file_data or part.file_url:
            return Document(_file(part), part.filename, None, None, cache)
        case "input_audio" if part.input_audio is not None:
            audio = part.input_audio
            return Audio(Inline(f"audio/{audio.format or 'wav'}", audio.data), audio.format)
        case "input_text" | "output_text" | "text" | "refusal" | "input_image" | "input_file" | None:
            raise bad(f"{where}: a part of type {part.type} without its content", where)
        case kind:
            return Opaque(DIALECT, PART_KIND + kind, raw.copy())


def _cache(mark: _Breakpoint | None) -> CacheControl | None:
    return None if mark is None else CacheControl("1h" if mark.ttl == "12h" else "5m")


def _source(url: str) -> Source:
    match = _DATA_URL.match(url)
    if match is None:
        return Url(url)
    return Inline(match[1] or "application/octet-stream", url[match.end() :])


def _file(part: _Part) -> Source:
    if part.file_id:
        return FileId(part.file_id)
    if not part.file_data:
        return Url(part.file_url or "")
    source = _source(part.file_data)
    return source if isinstance(source, Inline) else Inline("application/pdf", part.file_data)


# -- to a provider
def encode_part(part: Part, drops: Drops, text_type: str = "input_text") -> WirePart | None:
    """A content part; `None` for what this dialect cannot say, which is then noted."""
    match part:
        case Text(text, cache):
            return {"type": text_type, "text": text, **_mark(cache, drops)}
        case Refusal(text):
            return {"type": "refusal", "refusal": text} if text_type == "output_text" else _said(text)
        case Image():
            return _image(part, drops)
        case Document():
            return _document(part, drops)
        case Audio(Inline(_, data), word):
            return {"type": "input_audio", "input_audio": {"data": data, "format": word or "wav"}}
        case Audio():
            drops.note("audio.reference")
        case Opaque(dialect, kind, raw) if dialect == DIALECT and kind.startswith(PART_KIND):
            return raw
        case Opaque():
            drops.note("opaque")
    return None


def _said(text: str) -> WirePart:
    return {"type": "input_text", "text": text}


def _mark(cache: CacheControl | None, drops: Drops) -> dict[str, Any]:
    """A breakpoint goes back to its own dialect; others' providers choose what they cache."""
    if cache is None:
        return {}
    if drops.foreign:
        drops.note("cache_control")
        return {}
    mark = {"mode": "explicit"} if cache.ttl == "5m" else {"mode": "explicit", "ttl": "12h"}
    return {"prompt_cache_breakpoint": mark}


def _image(part: Image, drops: Drops) -> WirePart | None:
    wire: dict[str, Any] = {"type": "input_image"}
    match part.source:
        case Url(url):
            wire["image_url"] = url
        case Inline(kind, data):
            wire["image_url"] = f"data:{kind};base64,{data}"
        case FileId(file_id) if not drops.foreign:
            wire["file_id"] = file_id
        case FileId():
            drops.note("file_id")
            return None
        case PlainText():
            drops.note("image.text")
            return None
    if part.detail is not None:
        wire["detail"] = part.detail
    return {**wire, **_mark(part.cache, drops)}


def _document(part: Document, drops: Drops) -> WirePart | None:
    drops.note("document.context", part.context is not None)
    drops.note("document.citations", bool(part.citations))
    wire: dict[str, Any] = {"type": "input_file"}
    match part.source:
        case PlainText(text):
            title = f"{part.name}\n\n" if part.name else ""
            return {"type": "input_text", "text": title + text, **_mark(part.cache, drops)}
        case Inline(kind, data):
            wire["filename"] = part.name or f"document.{_EXTENSIONS.get(kind, 'bin')}"
            wire["file_data"] = f"data:{kind};base64,{data}"
        case Url(url):
            wire["file_url"] = url
            if part.name is not None:
                wire["filename"] = part.name
        case FileId(file_id) if not drops.foreign:
            wire["file_id"] = file_id
        case FileId():
            drops.note("file_id")
            return None
    return {**wire, **_mark(part.cache, drops)}
