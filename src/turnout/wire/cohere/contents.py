"""Canonical messages as Cohere's.

The format's own rules are applied here. Users say text and images; everybody else says text. An assistant that calls tools says why in
`tool_plan`; what it thought goes back as content, unsigned as Cohere's own. A tool's message holds text and small documents; what it cannot
hold (images) follows as a user turn, so that it is not lost. Text documents become text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence

from msgspec import UNSET, Raw, Struct, UnsetType

from turnout.core.model import (
    Audio,
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
from turnout.wire.anthropic.contents import Drops
from turnout.wire.anthropic.marks import custom_input, input_object


class ImageUrl(Struct, omit_defaults=True):
    url: str
    detail: str | None = None


class DocumentBody(Struct):
    data: dict[str, str]


class Block(Struct, omit_defaults=True):
    """One block of content; `type` names the member that is set."""

    type: str
    text: str | UnsetType = UNSET
    thinking: str | UnsetType = UNSET
    image_url: ImageUrl | UnsetType = UNSET
    document: DocumentBody | UnsetType = UNSET


class WireFunction(Struct):
    name: str
    arguments: str


class WireCall(Struct):
    id: str
    type: str
    function: WireFunction


class WireMessage(Struct, omit_defaults=True):
    role: str
    content: str | list[Block] | UnsetType = UNSET
    tool_calls: list[WireCall] | UnsetType = UNSET
    tool_plan: str | UnsetType = UNSET
    tool_call_id: str | UnsetType = UNSET


class Contents:
    """Encodes the turns of one request. `reasons` says whether earlier thinking may go back."""

    def __init__(self, drops: Drops, *, reasons: bool) -> None:
        self._drops = drops
        self._reasons = reasons

    def messages(self, turns: Iterable[Message]) -> list[WireMessage]:
        out: list[WireMessage] = []
        for turn in turns:
            self._drops.note("messages.name", turn.name is not None)
            if turn.role == "assistant":
                out.append(self._assistant(turn.content))
            elif turn.role == "user":
                out += self._user(turn.content)
            else:
                out.append(WireMessage("system", _flat(self._texts(turn.content, "system.content"))))
        return out

    # -- what users and tools say
    def _user(self, parts: Sequence[Part]) -> list[WireMessage]:
        """Tool results first: they answer the calls of the turn before."""
        out: list[WireMessage] = []
        rest: list[Part] = []
        for part in parts:
            if isinstance(part, ToolResult):
                out.append(self._result(part, rest))
            else:
                rest.append(part)
        if rest or not out:
            blocks = [block for part in rest if (block := self._block(part)) is not None]
            out.append(WireMessage("user", _flat(blocks)))
        return out

    def _result(self, result: ToolResult, rest: list[Part]) -> WireMessage:
        blocks: list[Block] = []
        for part in result.content:
            if isinstance(part, Image):
                self._drops.note("tool_results.media")
                rest += [Text(f"Content of the result of tool call {result.call_id}:"), part]
            elif isinstance(part, Document) and isinstance(part.source, PlainText):
                blocks.append(self._cited_document(part, part.source.text))
            elif (block := self._block(part)) is not None:
                blocks.append(block)
        self._drops.note("cache_control", result.cache is not None)
        if result.is_error:
            self._drops.note("tool_results.is_error")
            blocks.insert(0, Block("text", text="Error: " if blocks else "Error"))
        return WireMessage("tool", _flat(blocks), tool_call_id=result.call_id)

    def _cited_document(self, part: Document, text: str) -> Block:
        """In a tool's result a document stays one: the model can cite it."""
        self._drops.note("cache_control", part.cache is not None)
        named = {"title": part.name, "context": part.context}
        data = {"text": text, **{name: value for name, value in named.items() if value is not None}}
        return Block("document", document=DocumentBody(data))

    # -- what the assistant said
    def _assistant(self, parts: Sequence[Part]) -> WireMessage:
        calls = [self._call(part) for part in parts if isinstance(part, ToolCall)]
        thoughts = [part for part in parts if isinstance(part, Reasoning)]
        others = [part for part in parts if not isinstance(part, ToolCall | Reasoning)]
        said = self._texts(others, "assistant.content")
        content = [*self._thoughts(thoughts), *([] if calls else said)]
        message = WireMessage("assistant", _flat(content) if content or not calls else UNSET)
        if calls:
            message.tool_calls = calls
            plan = "".join(block.text for block in said if isinstance(block.text, str))
            message.tool_plan = plan or UNSET
        return message

    def _thoughts(self, thoughts: list[Reasoning]) -> list[Block]:
        self._drops.note("reasoning.signature", any(part.signature or part.redacted for part in thoughts))
        shown = [Block("thinking", thinking=part.text) for part in thoughts if part.text]
        if shown and not self._reasons:
            self._drops.note("reasoning.history")
            return []
        return shown

    def _call(self, call: ToolCall) -> WireCall:
        self._drops.note("tool_calls.signature", call.signature is not None)
        self._drops.note("cache_control", call.cache is not None)
        arguments, wrapped = input_object(call.arguments)
        if call.custom:
            arguments, wrapped = custom_input(call.arguments), False
        self._drops.note("tool_calls.arguments", wrapped)
        return WireCall(call.id, "function", WireFunction(call.name, bytes(arguments).decode()))

    # -- parts
    def _texts(self, parts: Sequence[Part], otherwise: str) -> list[Block]:
        """Where only text may stand; anything else is noted by the given name."""
        blocks = []
        for part in parts:
            if isinstance(part, Image | Audio):
                self._drops.note(otherwise)
            elif (block := self._block(part)) is not None:
                blocks.append(block)
        return blocks

    def _block(self, part: Part) -> Block | None:
        match part:
            case Text(text, cache):
                self._drops.note("cache_control", cache is not None)
                return Block("text", text=text)
            case Refusal(text):
                return Block("text", text=text)
            case Image(source, detail, cache):
                self._drops.note("cache_control", cache is not None)
                url = self._url(source)
                return None if url is None else Block("image_url", image_url=ImageUrl(url, detail))
            case Document():
                return self._document(part)
            case Audio():
                self._drops.note("audio")
            case Opaque():
                self._drops.note("opaque")
        return None

    def _url(self, source: Source) -> str | None:
        match source:
            case Url(url):
                return url
            case Inline(kind, data):
                return f"data:{kind};base64,{data}"
            case FileId():
                self._drops.note("file_id")
            case PlainText():
                self._drops.note("image.text")
        return None

    def _document(self, part: Document) -> Block | None:
        self._drops.note("cache_control", part.cache is not None)
        self._drops.note("document.citations", bool(part.citations))
        match part.source:
            case PlainText(text):
                return _titled(part, text)
            case Inline(kind, data):
                decoded = _decoded(data) if kind.startswith("text/") else None
                if decoded is not None:
                    return _titled(part, decoded)
                self._drops.note("document.media_type")
            case FileId():
                self._drops.note("file_id")
            case Url():
                self._drops.note("document.url")
        return None


def _titled(part: Document, text: str) -> Block:
    return Block("text", text="\n\n".join(piece for piece in (part.name, part.context, text) if piece))


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def _flat(blocks: list[Block]) -> str | list[Block]:
    """Plain text where one text says it all."""
    if not blocks:
        return ""
    only = blocks[0]
    if len(blocks) == 1 and isinstance(only.text, str):
        return only.text
    return blocks


def raw_object(schema: Raw | None) -> Raw:
    """A function's parameters, which the API insists on."""
    return schema or Raw(b'{"type":"object","properties":{}}')
