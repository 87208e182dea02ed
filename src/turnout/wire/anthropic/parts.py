"""Content blocks of a request as canonical parts.

Blocks with no canonical meaning become `Opaque` with their exact JSON. Details that only Anthropic understands on a block that is
otherwise canonical (citations of a text, a `caller` of a tool use) follow it as an `Opaque` of their own, so that the text or the
call still reaches other dialects and the detail is a declared loss there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from turnout.core.model import (
    CacheControl,
    Document,
    FileId,
    Image,
    Inline,
    Opaque,
    Part,
    PlainText,
    Reasoning,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from turnout.wire.anthropic.marks import DIALECT, CallProof, arguments_text, unseal, unseal_call
from turnout.wire.body import bad

T = TypeVar("T")
CITATIONS_KIND = "citations"
CALLER_KIND = "caller"
_DIRECT_CALLERS = (b"", b"null", b'{"type":"direct"}')


class WireCache(Struct):
    type: str = "ephemeral"
    ttl: Literal["5m", "1h"] | None = None


def cache_control(wire: WireCache | None) -> CacheControl | None:
    return None if wire is None else CacheControl(wire.ttl or "5m")


class _Typed(Struct):
    type: str


class _Text(Struct):
    text: str
    cache_control: WireCache | None = None
    citations: Raw = Raw()


class Base64Source(Struct, tag_field="type", tag="base64"):
    media_type: str
    data: str


class UrlSource(Struct, tag_field="type", tag="url"):
    url: str


class FileSource(Struct, tag_field="type", tag="file"):
    file_id: str


class TextSource(Struct, tag_field="type", tag="text"):
    data: str
    media_type: str = "text/plain"


class _Content(Struct, tag_field="type", tag="content"):
    content: str | list[Raw]


class _Image(Struct):
    source: Base64Source | UrlSource | FileSource
    cache_control: WireCache | None = None


class _CitationsConfig(Struct):
    enabled: bool | None = None


class _Document(Struct):
    source: Base64Source | UrlSource | FileSource | TextSource | _Content
    title: str | None = None
    context: str | None = None
    citations: _CitationsConfig | None = None
    cache_control: WireCache | None = None


class _SearchResult(Struct):
    source: str
    title: str
    content: list[_Text]
    citations: _CitationsConfig | None = None
    cache_control: WireCache | None = None


class _Thinking(Struct):
    thinking: str
    signature: str | None = None


class _Redacted(Struct):
    data: str


class _ToolUse(Struct):
    id: str
    name: str
    input: Raw = Raw()
    cache_control: WireCache | None = None
    caller: Raw = Raw()


class _ToolResult(Struct):
    tool_use_id: str
    content: str | list[Raw] | None = None
    is_error: bool | None = None
    cache_control: WireCache | None = None


_typed = msgspec.json.Decoder(_Typed)
_text = msgspec.json.Decoder(_Text)
_image = msgspec.json.Decoder(_Image)
_document = msgspec.json.Decoder(_Document)
_search_result = msgspec.json.Decoder(_SearchResult)
_thinking = msgspec.json.Decoder(_Thinking)
_redacted = msgspec.json.Decoder(_Redacted)
_tool_use = msgspec.json.Decoder(_ToolUse)
_tool_result = msgspec.json.Decoder(_ToolResult)


def decode_parts(content: str | Sequence[Raw], where: str) -> tuple[Part, ...]:
    """Parts of a message's, a system prompt's or a tool result's content. `where` names it in errors (`messages.0.content`)."""
    if isinstance(content, str):
        return (Text(content),)
    parts: list[Part] = []
    for number, raw in enumerate(content):
        place = f"{where}.{number}"
        kind = read(_typed, raw, place).type
        decode = _BLOCKS.get(kind)
        if decode is None:
            parts.append(Opaque(DIALECT, kind, raw.copy()))
        else:
            parts.extend(decode(raw, place))
    return _with_proofs(parts)


def _with_proofs(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts, with proofs that travelled as withheld thinking put back on their calls."""
    carried = {id(part): proof for part in parts if (proof := _carried(part)) is not None}
    if not carried:
        return tuple(parts)
    proofs = {proof.call_id: proof for proof in carried.values()}
    return tuple(_proven(part, proofs) for part in parts if id(part) not in carried)


def _carried(part: Part) -> CallProof | None:
    return unseal_call(part.redacted) if isinstance(part, Reasoning) else None


def _proven(part: Part, proofs: Mapping[str, CallProof]) -> Part:
    if not isinstance(part, ToolCall) or part.id not in proofs:
        return part
    proof = proofs[part.id]
    return replace(part, signature=proof.proof, origin=proof.origin or None)


def read(decoder: msgspec.json.Decoder[T], raw: Raw | bytes, where: str) -> T:
    """Decode one piece of the caller's JSON; what is wrong with it is the caller's error, at `where`."""
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        message, _, path = str(error).partition(" - at `$")
        inner = path.rstrip("`").replace("[", ".").replace("]", "")
        param = (where + inner).lstrip(".")
        raise bad(f"{param}: {message}", param) from None


def _text_parts(raw: Raw, where: str) -> list[Part]:
    block = read(_text, raw, where)
    parts: list[Part] = [Text(block.text, cache_control(block.cache_control))]
    if bytes(block.citations) not in (b"", b"null", b"[]"):
        parts.append(Opaque(DIALECT, CITATIONS_KIND, block.citations.copy()))
    return parts


def _image_parts(raw: Raw, where: str) -> list[Part]:
    block = read(_image, raw, where)
    return [Image(_source(block.source), cache=cache_control(block.cache_control))]


def _source(source: Base64Source | UrlSource | FileSource | TextSource) -> Source:
    match source:
        case Base64Source(media_type, data):
            return Inline(media_type, data)
        case UrlSource(url):
            return Url(url)
        case FileSource(file_id):
            return FileId(file_id)
        case TextSource(data):
            return PlainText(data)


def _document_parts(raw: Raw, where: str) -> list[Part]:
    block = read(_document, raw, where)
    if isinstance(block.source, _Content):
        plain = _plain_content(block.source.content, f"{where}.source.content")
        if plain is None:
            return [Opaque(DIALECT, "document", raw.copy())]
        source: Source = PlainText(plain)
    else:
        source = _source(block.source)
    return [
        Document(
            source,
            block.title,
            block.context,
            None if block.citations is None else block.citations.enabled,
            cache_control(block.cache_control),
        )
    ]


def _plain_content(content: str | list[Raw], where: str) -> str | None:
    """The text of a document given as blocks; `None` when it holds more than text."""
    parts = decode_parts(content, where)
    texts = [part.text for part in parts if isinstance(part, Text)]
    return "\n".join(texts) if len(texts) == len(parts) else None


def _search_result_parts(raw: Raw, where: str) -> list[Part]:
    """A search result is a titled text with a source, which every dialect can carry as a document."""
    block = read(_search_result, raw, where)
    enabled = None if block.citations is None else block.citations.enabled
    text = PlainText("\n".join(part.text for part in block.content))
    return [Document(text, block.title, block.source, enabled, cache_control(block.cache_control))]


def _thinking_parts(raw: Raw, where: str) -> list[Part]:
    block = read(_thinking, raw, where)
    signature, origin = unseal(block.signature)
    return [Reasoning(block.thinking, signature, None, origin)]


def _redacted_parts(raw: Raw, where: str) -> list[Part]:
    data, origin = unseal(read(_redacted, raw, where).data)
    return [Reasoning("", None, data or "", origin or DIALECT)]


def _tool_use_parts(raw: Raw, where: str) -> list[Part]:
    block = read(_tool_use, raw, where)
    arguments = arguments_text(block.input) or "{}"
    parts: list[Part] = [ToolCall(block.id, block.name, arguments, cache_control(block.cache_control))]
    if bytes(block.caller).replace(b" ", b"") not in _DIRECT_CALLERS:
        parts.append(Opaque(DIALECT, CALLER_KIND, block.caller.copy()))
    return parts


def _tool_result_parts(raw: Raw, where: str) -> list[Part]:
    block = read(_tool_result, raw, where)
    content = () if block.content is None else decode_parts(block.content, f"{where}.content")
    return [ToolResult(block.tool_use_id, content, block.is_error, cache_control(block.cache_control))]


_BLOCKS: Mapping[str, Callable[[Raw, str], list[Part]]] = MappingProxyType(
    {
        "text": _text_parts,
        "image": _image_parts,
        "document": _document_parts,
        "search_result": _search_result_parts,
        "thinking": _thinking_parts,
        "redacted_thinking": _redacted_parts,
        "tool_use": _tool_use_parts,
        "tool_result": _tool_result_parts,
    }
)
