"""Canonical messages as Anthropic's `system` and `messages`.

The format's own rules are applied here: tool results open the user turn that answers a tool call, empty text blocks are left out,
thinking goes back only with the proof that Anthropic made, a tool's input is an object. What cannot be carried is noted by name.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
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
    Opaque,
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
from turnout.wire.anthropic.marks import DIALECT, custom_input, input_object, safe_id
from turnout.wire.anthropic.parts import (
    CALLER_KIND,
    CITATIONS_KIND,
    Base64Source,
    FileSource,
    TextSource,
    UrlSource,
)

_SPELLINGS = MappingProxyType({"image/jpg": "image/jpeg"})
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.-]+)*;base64,", re.IGNORECASE)


class Drops:
    """Names of what could not be carried, each once, in the order in which it was met."""

    __slots__ = ("_foreign", "_names")

    def __init__(self, foreign: bool) -> None:
        self._foreign = foreign
        self._names: dict[str, None] = {}

    @property
    def foreign(self) -> bool:
        """Does the request come from another dialect, whose ids mean nothing here?"""
        return self._foreign

    def note(self, name: str, when: bool = True) -> None:
        if when:
            self._names[name] = None

    def names(self) -> tuple[str, ...]:
        return tuple(self._names)


class CacheMark(Struct, omit_defaults=True, tag_field="type", tag="ephemeral"):
    ttl: str | None = None


class CitationsFlag(Struct):
    enabled: bool


WireSource = Base64Source | UrlSource | FileSource | TextSource


class TextBlock(Struct, tag_field="type", tag="text", omit_defaults=True):
    text: str
    citations: Raw = Raw()
    cache_control: CacheMark | None = None


class ImageBlock(Struct, tag_field="type", tag="image", omit_defaults=True):
    source: WireSource
    cache_control: CacheMark | None = None


class DocumentBlock(Struct, tag_field="type", tag="document", omit_defaults=True):
    source: WireSource
    title: str | None = None
    context: str | None = None
    citations: CitationsFlag | None = None
    cache_control: CacheMark | None = None


class ToolUseBlock(Struct, tag_field="type", tag="tool_use", omit_defaults=True):
    id: str
    name: str
    input: Raw
    caller: Raw = Raw()
    cache_control: CacheMark | None = None


class ToolResultBlock(Struct, tag_field="type", tag="tool_result", omit_defaults=True):
    tool_use_id: str
    content: WireContent | None = None
    is_error: bool | None = None
    cache_control: CacheMark | None = None


class ThinkingBlock(Struct, tag_field="type", tag="thinking"):
    thinking: str
    signature: str


class RedactedBlock(Struct, tag_field="type", tag="redacted_thinking"):
    data: str


WireBlock = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | ToolUseBlock
    | ToolResultBlock
    | ThinkingBlock
    | RedactedBlock
    | Raw
)
WireContent = str | list[WireBlock]


class WireMessage(Struct):
    role: str
    content: WireContent


def cache_mark(cache: CacheControl | None) -> CacheMark | None:
    """Five minutes is the API's default and is left unsaid."""
    if cache is None:
        return None
    return CacheMark(None if cache.ttl == "5m" else cache.ttl)


# -- the conversation
def split_system(messages: Sequence[Message], keep_place: bool) -> tuple[list[Message], list[Message], bool]:
    """(system messages for the top, the conversation, whether a system message lost its place).

    `keep_place`: the target takes system messages inside the conversation. A conversation of system messages only
    speaks its last one as the user, because the API wants at least one turn.
    """
    top: list[Message] = []
    turns: list[Message] = []
    moved = False
    for message in messages:
        if message.role not in ("system", "developer"):
            turns.append(message)
        elif turns and keep_place:
            turns.append(Message("system", message.content, message.name))
        else:
            moved = moved or bool(turns)
            top.append(message)
    if top and not turns:
        turns.append(Message("user", top.pop().content))
        moved = True
    return top, turns, moved


def system_blocks(messages: Iterable[Message], drops: Drops) -> list[WireBlock]:
    blocks: list[WireBlock] = []
    for message in messages:
        drops.note("messages.name", message.name is not None)
        kept = [part for part in message.content if isinstance(part, Text | Opaque)]
        drops.note("system.content", len(kept) != len(message.content))
        blocks += encode_blocks(kept, drops)
    return blocks


def simplest(blocks: list[WireBlock]) -> WireContent:
    """Plain text where one text block says no more than its text."""
    if len(blocks) == 1 and blocks[0] == TextBlock(text := getattr(blocks[0], "text", "")):
        return str(text)
    return blocks


def encode_turns(turns: Iterable[Message], drops: Drops) -> list[WireMessage]:
    """The conversation; a turn of which nothing is left is left out. A caller of this dialect has arranged its turns itself."""
    messages: list[WireMessage] = []
    for message in _arranged(turns) if drops.foreign else turns:
        drops.note("messages.name", message.name is not None)
        blocks = encode_blocks(message.content, drops)
        if blocks:
            messages.append(WireMessage(message.role, simplest(blocks)))
    return messages


def _arranged(turns: Iterable[Message]) -> list[Message]:
    """Turns of one role in a row become one when tools are involved, and results open it: all must answer in a single turn."""
    merged: list[Message] = []
    for message in turns:
        last = merged[-1] if merged else None
        if last is not None and last.role == message.role and (_has_tools(last) or _has_tools(message)):
            merged[-1] = Message(message.role, last.content + message.content, last.name or message.name)
        else:
            merged.append(message)
    return [Message(turn.role, _results_first(turn.content), turn.name) for turn in merged]


def _has_tools(message: Message) -> bool:
    return any(isinstance(part, ToolCall | ToolResult) for part in message.content)


def _results_first(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: not isinstance(part, ToolResult)))


# -- parts
def encode_blocks(parts: Iterable[Part], drops: Drops) -> list[WireBlock]:
    blocks: list[WireBlock] = []
    for part in parts:
        match part:
            case Text(text, cache):
                blocks += _text(text, cache)
            case Refusal(text):
                blocks += _text(text, None)
            case Image(FileId()) | Document(FileId()) if drops.foreign:
                drops.note("file_id")
            case Image():
                blocks += _image(part, drops)
            case Document():
                blocks += _document(part, drops)
            case Audio():
                drops.note("audio")
            case ToolCall():
                blocks.append(_tool_use(part, drops))
            case ToolResult():
                blocks.append(_tool_result(part, drops))
            case Reasoning():
                blocks += _reasoning(part, drops)
            case Opaque():
                _opaque(part, blocks, drops)
    return blocks


def _text(text: str, cache: CacheControl | None) -> list[WireBlock]:
    return [TextBlock(text, cache_control=cache_mark(cache))] if text else []


def _image(part: Image, drops: Drops) -> list[WireBlock]:
    drops.note("image.detail", part.detail not in (None, "auto"))
    source = _source(part.source)
    return [ImageBlock(source, cache_mark(part.cache))]


def _source(source: Source) -> WireSource:
    match source:
        case Url(url):
            return _url(url)
        case Inline(media_type, data):
            return Base64Source(_SPELLINGS.get(media_type, media_type), data)
        case FileId(file_id):
            return FileSource(file_id)
        case PlainText(text):
            return TextSource(text)


def _url(url: str) -> WireSource:
    """The API fetches http addresses only; a `data:` URL is its content."""
    match = _DATA_URL.match(url)
    if match is None:
        return UrlSource(url)
    return Base64Source(_SPELLINGS.get(match[1], match[1]), url[match.end() :])


def _document(part: Document, drops: Drops) -> list[WireBlock]:
    source = _source(part.source)
    if isinstance(source, Base64Source) and source.media_type != "application/pdf":
        plain = _plain(source)
        if plain is None:
            drops.note("document.media_type")
            return []
        source = plain
    citations = None if part.citations is None else CitationsFlag(part.citations)
    return [DocumentBlock(source, part.name, part.context, citations, cache_mark(part.cache))]


def _plain(source: Base64Source) -> TextSource | None:
    """A text file by value: the API takes documents as PDF or as plain text."""
    if not source.media_type.startswith(("text/", "application/json", "application/xml")):
        return None
    try:
        return TextSource(base64.b64decode(source.data, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return None


def _tool_use(part: ToolCall, drops: Drops) -> WireBlock:
    data, wrapped = (custom_input(part.arguments), False) if part.custom else input_object(part.arguments)
    drops.note("tool_calls.arguments", wrapped)
    drops.note("tool_calls.signature", part.signature is not None)
    return ToolUseBlock(safe_id(part.id), part.name, data, cache_control=cache_mark(part.cache))


def _tool_result(part: ToolResult, drops: Drops) -> WireBlock:
    blocks = encode_blocks(part.content, drops)
    content = simplest(blocks) if blocks else None
    return ToolResultBlock(safe_id(part.call_id), content, part.is_error, cache_mark(part.cache))


def _reasoning(part: Reasoning, drops: Drops) -> list[WireBlock]:
    if part.origin == DIALECT and part.redacted is not None:
        return [RedactedBlock(part.redacted)]
    if part.origin == DIALECT and part.signature is not None:
        return [ThinkingBlock(part.text, part.signature)]
    drops.note("reasoning.unsigned")
    return []


def _opaque(part: Opaque, blocks: list[WireBlock], drops: Drops) -> None:
    """A block of this dialect is itself; a detail belongs to the block before it."""
    last = blocks[-1] if blocks else None
    if part.dialect != DIALECT:
        drops.note("opaque")
    elif part.kind == CITATIONS_KIND:
        if isinstance(last, TextBlock):
            last.citations = part.raw
    elif part.kind == CALLER_KIND:
        if isinstance(last, ToolUseBlock):
            last.caller = part.raw
    else:
        blocks.append(part.raw)
