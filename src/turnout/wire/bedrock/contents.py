"""Canonical messages as Converse's `system` and `messages`.

The API's own rules are applied here: turns alternate, blank texts are left out, tool results open the user turn that answers
a call, a document needs a name of few characters and a text beside it, media come by value (or from S3). A cache breakpoint is a
block of its own after the part that bears it. What cannot be carried is noted by name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Raw, Struct

from turnout.core.model import (
    Audio,
    CacheControl,
    Document,
    FileId,
    Image,
    Inline,
    Message,
    Part,
    PlainText,
    Reasoning,
    Refusal,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from turnout.wire.anthropic.contents import Drops
from turnout.wire.anthropic.marks import custom_input, input_object
from turnout.wire.bedrock.families import Family
from turnout.wire.bedrock.meanings import DIALECT

_CALL_ID_CHARS_MAX = 64
_DOCUMENT_NAME_CHARS_MAX = 200
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.-]+)*;base64,", re.IGNORECASE)
_bad_id = re.compile(r"[^a-zA-Z0-9_.:-]")
_bad_name = re.compile(r"[^a-zA-Z0-9()\[\] -]+")

_IMAGES: Mapping[str, str] = MappingProxyType(
    {
        "image/png": "png",
        "image/jpeg": "jpeg",
        "image/jpg": "jpeg",
        "image/gif": "gif",
        "image/webp": "webp",
    }
)
_OFFICE = "application/vnd.openxmlformats-officedocument"
_DOCUMENTS: Mapping[str, str] = MappingProxyType(
    {
        "application/pdf": "pdf",
        "text/csv": "csv",
        "application/msword": "doc",
        f"{_OFFICE}.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
        "text/html": "html",
        "text/markdown": "md",
        "application/json": "txt",
        "application/xml": "txt",
    }
)
_AUDIO = frozenset(
    {
        "mp3",
        "opus",
        "wav",
        "aac",
        "flac",
        "mp4",
        "ogg",
        "mkv",
        "mka",
        "x-aac",
        "m4a",
        "mpeg",
        "mpga",
        "pcm",
        "webm",
    }
)


class CachePoint(Struct, omit_defaults=True, rename="camel"):
    type: str
    ttl: str | None = None


class S3Location(Struct, rename="camel"):
    uri: str


class WireSource(Struct, omit_defaults=True, rename="camel"):
    """Exactly one member: `bytes` is base64 text."""

    bytes: str | None = None
    text: str | None = None
    s3_location: S3Location | None = None


class Media(Struct, omit_defaults=True, rename="camel"):
    format: str
    source: WireSource


class _Citations(Struct, rename="camel"):
    enabled: bool


class WireDocument(Struct, omit_defaults=True, rename="camel"):
    format: str
    name: str
    source: WireSource
    context: str | None = None
    citations: _Citations | None = None


class _ToolUse(Struct, rename="camel"):
    tool_use_id: str
    name: str
    input: Raw


class _ToolResult(Struct, omit_defaults=True, rename="camel"):
    tool_use_id: str
    content: list[Block]
    status: str | None = None


class _ReasoningText(Struct, rename="camel"):
    text: str
    signature: str


class _Reasoning(Struct, omit_defaults=True, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class Block(Struct, omit_defaults=True, rename="camel"):
    """A union: exactly one member is given."""

    text: str | None = None
    image: Media | None = None
    document: WireDocument | None = None
    audio: Media | None = None
    tool_use: _ToolUse | None = None
    tool_result: _ToolResult | None = None
    reasoning_content: _Reasoning | None = None
    cache_point: CachePoint | None = None


class WireMessage(Struct, rename="camel"):
    role: str
    content: list[Block]


def cache_point(cache: CacheControl | None, family: Family, drops: Drops) -> CachePoint | None:
    """The block after a part that bears a breakpoint. Five minutes is the default and is left unsaid."""
    if cache is None:
        return None
    if not family.caches:
        drops.note("cache_control")
        return None
    drops.note("cache_control.ttl", cache.ttl != "5m" and not family.cache_ttl)
    return CachePoint("default", cache.ttl if cache.ttl != "5m" and family.cache_ttl else None)


# -- the conversation
class Contents:
    """Encodes one request's messages; numbers its documents, whose names must differ."""

    __slots__ = ("_drops", "_family", "_names")

    def __init__(self, family: Family, drops: Drops) -> None:
        self._family = family
        self._drops = drops
        self._names: set[str] = set()

    def system(self, messages: Iterable[Message]) -> list[Block]:
        blocks: list[Block] = []
        for message in messages:
            self._drops.note("messages.name", message.name is not None)
            kept = [part for part in message.content if isinstance(part, Text)]
            self._drops.note("system.content", len(kept) != len(message.content))
            blocks += self._blocks(kept)
        return blocks

    def turns(self, messages: Iterable[Message]) -> list[WireMessage]:
        """The conversation; turns of one role in a row become one, a turn of which nothing is left is left out."""
        turns: list[WireMessage] = []
        for message in messages:
            self._drops.note("messages.name", message.name is not None)
            blocks = self._blocks(message.content)
            if not blocks:
                continue
            if turns and turns[-1].role == message.role:
                turns[-1].content += blocks
            else:
                turns.append(WireMessage(message.role, blocks))
        for turn in turns:
            turn.content = self._arranged(turn.content)
        return turns

    def _arranged(self, blocks: list[Block]) -> list[Block]:
        """Tool results first, each with its cache point; a document never without a text."""
        results: list[Block] = []
        others: list[Block] = []
        home = others
        for block in blocks:
            if block.cache_point is None:
                home = others if block.tool_result is None else results
            home.append(block)
        named = next((block.document.name for block in others if block.document is not None), None)
        if named is not None and all(block.text is None for block in others):
            others.insert(0, Block(text=named))
        return results + others

    def _blocks(self, parts: Iterable[Part]) -> list[Block]:
        blocks: list[Block] = []
        for part in parts:
            blocks += self._part(part)
            cache = getattr(part, "cache", None)
            if cache is not None and blocks:
                point = cache_point(cache, self._family, self._drops)
                if point is not None:
                    blocks.append(Block(cache_point=point))
        return blocks

    def _part(self, part: Part) -> list[Block]:
        match part:
            case Text(text) | Refusal(text):
                return [Block(text=text)] if text.strip() else []
            case Image():
                return self._image(part)
            case Document():
                return self._document(part)
            case Audio():
                return self._audio(part)
            case ToolCall():
                return [Block(tool_use=self._tool_use(part))]
            case ToolResult():
                return [Block(tool_result=self._tool_result(part))]
            case Reasoning():
                return self._reasoning(part)
        self._drops.note("opaque")
        return []

    # -- media
    def _image(self, part: Image) -> list[Block]:
        self._drops.note("image.detail", part.detail not in (None, "auto"))
        source, kind = self._source(part.source, "image")
        if source is None:
            return []
        image_format = _IMAGES.get(kind) if source.s3_location is None else _suffix(kind, _IMAGES.values())
        if image_format is None:
            self._drops.note("image.media_type")
            return []
        return [Block(image=Media(image_format, source))]

    def _source(self, source: Source, what: str) -> tuple[WireSource | None, str]:
        """(the source, its media type or, for one in S3, its address). `None`: it cannot be carried."""
        match source:
            case Inline(media_type, data):
                return WireSource(bytes=data), media_type.lower()
            case Url(url) if match := _DATA_URL.match(url):
                return WireSource(bytes=url[match.end() :]), match[1].lower()
            case Url(url) if url.startswith("s3://"):
                return WireSource(s3_location=S3Location(url)), url
            case PlainText(text):
                return WireSource(bytes=base64.b64encode(text.encode()).decode()), "text/plain"
            case FileId():
                self._drops.note("file_id")
            case _:
                self._drops.note(f"{what}.url")
        return None, ""

    def _document(self, part: Document) -> list[Block]:
        source, kind = self._source(part.source, "document")
        if source is None:
            return []
        known = _DOCUMENTS.get(kind) or ("txt" if kind.startswith("text/") else None)
        if source.s3_location is not None:
            known = _suffix(kind, ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"))
        if known is None:
            self._drops.note("document.media_type")
            return []
        citations = None
        if part.citations is not None and self._family.claude:
            citations = _Citations(part.citations)
            if part.citations and known == "txt" and source.bytes is not None:
                source = _as_text(source.bytes) or source
        self._drops.note("document.citations", bool(part.citations) and citations is None)
        self._drops.note("document.context", part.context is not None and not self._family.claude)
        context = part.context if self._family.claude else None
        return [Block(document=WireDocument(known, self._name(part.name), source, context, citations))]

    def _name(self, name: str | None) -> str:
        """A name that the API takes; it refuses other characters, and a name that is used twice."""
        plain = " ".join(_bad_name.sub(" ", name or "").split())[: _DOCUMENT_NAME_CHARS_MAX - 8]
        base = plain or "Document"
        found, number = base, 1
        while found in self._names:
            number += 1
            found = f"{base} {number}"
        self._names.add(found)
        return found

    def _audio(self, part: Audio) -> list[Block]:
        source, kind = self._source(part.source, "audio")
        if source is None:
            return []
        audio_format = part.format or kind.removeprefix("audio/")
        if audio_format not in _AUDIO:
            self._drops.note("audio.format")
            return []
        return [Block(audio=Media(audio_format, source))]

    # -- tools
    def _tool_use(self, part: ToolCall) -> _ToolUse:
        data, wrapped = (custom_input(part.arguments), False) if part.custom else input_object(part.arguments)
        self._drops.note("tool_calls.arguments", wrapped)
        self._drops.note("tool_calls.signature", part.signature is not None)
        return _ToolUse(safe_id(part.id), part.name, data)

    def _tool_result(self, part: ToolResult) -> _ToolResult:
        content = [block for block in self._blocks(part.content) if block.cache_point is None]
        if not content:
            content = [Block(text="(no output)")]  # the API takes no empty content and no blank text
        status = None
        if part.is_error is not None and self._family.result_status:
            status = "error" if part.is_error else "success"
        self._drops.note("tool_results.is_error", bool(part.is_error) and status is None)
        return _ToolResult(safe_id(part.call_id), content, status)

    # -- reasoning
    def _reasoning(self, part: Reasoning) -> list[Block]:
        """Thinking goes back to who signed it. Claude's proofs hold on every platform, so Anthropic's own count here."""
        own = part.origin == DIALECT
        if own or (part.origin == "anthropic" and self._family.claude):
            if part.redacted is not None:
                data = part.redacted if own else base64.b64encode(part.redacted.encode()).decode()
                return [Block(reasoning_content=_Reasoning(redacted_content=data))]
            if part.signature is not None:
                text = _ReasoningText(part.text, part.signature)
                return [Block(reasoning_content=_Reasoning(text))]
        self._drops.note("reasoning.unsigned")
        return []


def _as_text(data: str) -> WireSource | None:
    """A text by value as text, which is what citations point into."""
    try:
        return WireSource(text=base64.b64decode(data, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return None


def _suffix(address: str, formats: Iterable[str]) -> str | None:
    ending = address.rpartition(".")[2].lower()
    ending = "jpeg" if ending == "jpg" else ending
    return ending if ending in formats else None


def safe_id(call_id: str) -> str:
    """A tool-call id that the API accepts; equal ids stay equal, valid ids stay themselves."""
    safe = _bad_id.sub(lambda match: f"_x{ord(match[0]):x}_", call_id) or "tooluse_0"
    if len(safe) <= _CALL_ID_CHARS_MAX:
        return safe
    return safe[:40] + "_" + hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def has_tool_blocks(turns: Sequence[WireMessage]) -> bool:
    return any(block.tool_use or block.tool_result for turn in turns for block in turn.content)


def tool_names(turns: Sequence[WireMessage]) -> list[str]:
    """The names of the tools that were called, each once."""
    return list(
        dict.fromkeys(block.tool_use.name for turn in turns for block in turn.content if block.tool_use)
    )
