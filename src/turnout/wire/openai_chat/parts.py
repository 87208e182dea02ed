"""Content parts, both ways: text, images, files, audio, and the parts that only one dialect knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from turnout.core.model import (
    Audio,
    CacheControl,
    DialectName,
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
from turnout.wire.codec import Target
from turnout.wire.openai_chat.quirks import CACHE_CONTROL

DIALECT: DialectName = "openai_chat"
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.-]+)*;base64,", re.IGNORECASE)
_EXTENSIONS = {"application/pdf": "pdf", "text/plain": "txt"}


class WireCache(Struct):
    type: str = "ephemeral"
    ttl: Literal["5m", "1h"] | None = None


def cache_control(wire: WireCache | None) -> CacheControl | None:
    return None if wire is None else CacheControl(wire.ttl or "5m")


class _ImageUrl(Struct):
    url: str
    detail: str | None = None


class _File(Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _AudioData(Struct):
    data: str
    format: str | None = None


class _Part(Struct):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: str | _ImageUrl | None = None
    file: _File | None = None
    input_audio: _AudioData | None = None
    cache_control: WireCache | None = None


class _Typed(Struct):
    type: str | None = None


_part = msgspec.json.Decoder(_Part)
_typed = msgspec.json.Decoder(_Typed)


def decode_parts(content: str | Sequence[Raw] | None, where: str) -> tuple[Part, ...]:
    """Raises `CallFailed(BAD_REQUEST)`, naming the part."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    return tuple(_decode(raw, f"{where}.{number}") for number, raw in enumerate(content))


def _decode(raw: Raw, where: str) -> Part:
    try:
        part = _part.decode(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise bad(f"{where}: {error}", where) from None
    cache = cache_control(part.cache_control)
    match part.type:
        case "text" | "input_text" | "output_text" | None if part.text is not None:
            return Text(part.text, cache)
        case "refusal" if part.refusal is not None:
            return Refusal(part.refusal)
        case "image_url" | "input_image" if part.image_url is not None:
            image = part.image_url if isinstance(part.image_url, _ImageUrl) else _ImageUrl(part.image_url)
            return Image(_source(image.url), image.detail, cache)
        case "file" | "input_file" if part.file is not None:
            return _document(part.file, cache, where)
        case "input_audio" if part.input_audio is not None:
            audio = part.input_audio
            kind = f"audio/{audio.format or 'wav'}"
            return Audio(Inline(kind, audio.data), audio.format)
        case "text" | "image_url" | "file" | "input_audio" | "refusal" | None:
            raise bad(f"{where}: a part of type {part.type} without its content", where)
        case kind:
            return Opaque(DIALECT, kind, raw.copy())


def _source(url: str) -> Source:
    match = _DATA_URL.match(url)
    if match is None:
        return Url(url)
    return Inline(match[1] or "application/octet-stream", url[match.end() :])


def _document(file: _File, cache: CacheControl | None, where: str) -> Document:
    if file.file_id:
        return Document(FileId(file.file_id), file.filename, None, None, cache)
    if not file.file_data:
        raise bad(f"{where}.file: file_data or file_id is required", f"{where}.file")
    source = _source(file.file_data)
    if isinstance(source, Url) and not file.file_data.startswith(("http://", "https://")):
        source = Inline("application/pdf", file.file_data)
    return Document(source, file.filename, None, None, cache)


# -- to a provider
class Drops:
    """Names of what could not be carried, each once, in the order in which it was met."""

    __slots__ = ("_names", "foreign")

    def __init__(self, foreign: bool) -> None:
        self.foreign = foreign
        self._names: dict[str, None] = {}

    def note(self, name: str, when: bool = True) -> None:
        if when:
            self._names[name] = None

    def names(self) -> tuple[str, ...]:
        return tuple(self._names)


WirePart = dict[str, Any] | Raw


def cache_member(cache: CacheControl | None, target: Target, drops: Drops) -> dict[str, Any]:
    """`cache_control`, for the providers of this dialect that take it."""
    if cache is None:
        return {}
    if CACHE_CONTROL not in target.quirks:
        drops.note("cache_control")
        return {}
    mark = {"type": "ephemeral"} if cache.ttl == "5m" else {"type": "ephemeral", "ttl": cache.ttl}
    return {"cache_control": mark}


def encode_part(part: Part, target: Target, drops: Drops) -> WirePart | None:
    """A content part; `None` for what this dialect cannot say, which is then noted."""
    match part:
        case Text(text, cache):
            return {"type": "text", "text": text, **cache_member(cache, target, drops)}
        case Refusal(text):
            return {"type": "refusal", "refusal": text}
        case Image(source, detail, cache):
            url = _url(source, drops)
            if url is None:
                return None
            image = {"url": url} if detail is None else {"url": url, "detail": detail}
            return {"type": "image_url", "image_url": image, **cache_member(cache, target, drops)}
        case Document():
            return _encode_document(part, target, drops)
        case Audio(Inline(_, data), word):
            return {"type": "input_audio", "input_audio": {"data": data, "format": word or "wav"}}
        case Audio():
            drops.note("audio.reference")
        case Opaque(dialect, _, raw):
            if dialect == DIALECT:
                return raw
            drops.note("opaque")
    return None


def _url(source: Source, drops: Drops) -> str | None:
    match source:
        case Url(url):
            return url
        case Inline(kind, data):
            return f"data:{kind};base64,{data}"
        case FileId():
            drops.note("file_id")
        case PlainText():
            drops.note("image.text")
    return None


def _encode_document(part: Document, target: Target, drops: Drops) -> WirePart | None:
    drops.note("document.context", part.context is not None)
    drops.note("document.citations", bool(part.citations))
    cache = cache_member(part.cache, target, drops)
    match part.source:
        case PlainText(text):
            title = f"{part.name}\n\n" if part.name else ""
            return {"type": "text", "text": title + text, **cache}
        case Inline(kind, data):
            name = part.name or f"document.{_EXTENSIONS.get(kind, 'bin')}"
            return {
                "type": "file",
                "file": {"filename": name, "file_data": f"data:{kind};base64,{data}"},
                **cache,
            }
        case FileId(file_id) if not drops.foreign:
            return {"type": "file", "file": {"file_id": file_id}, **cache}
        case FileId():
            drops.note("file_id")
        case Url():
            drops.note("document.url")
    return None
