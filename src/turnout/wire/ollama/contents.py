"""Canonical messages as Ollama's.

A message is one text with a list of base64 images beside it; texts of one turn are joined by a blank line. A tool's result is a message of its own that
names the tool (`tool_name`, found by the id of the call that it answers) and, for servers that know ids, the call. Thinking goes back
as it was shown: this server has no proofs. Arguments are objects.
"""

from __future__ import annotations

import base64
import binascii
import re
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

_DATA_URL = re.compile(r"data:[\w.+/-]*(?:;[\w=.-]+)*;base64,", re.IGNORECASE)


class WireFunction(Struct):
    name: str
    arguments: Raw


class WireCall(Struct, omit_defaults=True):
    id: str | UnsetType
    function: WireFunction


class WireMessage(Struct, omit_defaults=True):
    role: str
    content: str
    thinking: str | UnsetType = UNSET
    images: list[str] | UnsetType = UNSET
    tool_calls: list[WireCall] | UnsetType = UNSET
    tool_name: str | UnsetType = UNSET
    tool_call_id: str | UnsetType = UNSET


class Contents:
    """Encodes the turns of one request, and remembers which call had which name."""

    def __init__(self, drops: Drops) -> None:
        self._drops = drops
        self._names: dict[str, str] = {}

    def messages(self, turns: Iterable[Message]) -> list[WireMessage]:
        out: list[WireMessage] = []
        for turn in turns:
            self._drops.note("messages.name", turn.name is not None)
            if turn.role == "assistant":
                out.append(self._assistant(turn.content))
            elif turn.role == "user":
                out += self._user(turn.content)
            else:
                out.append(self._said("system", turn.content))
        return out

    def _user(self, parts: Sequence[Part]) -> list[WireMessage]:
        """Tool results first: they answer the calls of the turn before."""
        out = [self._result(part) for part in parts if isinstance(part, ToolResult)]
        rest = [part for part in parts if not isinstance(part, ToolResult)]
        if rest or not out:
            out.append(self._said("user", rest))
        return out

    def _result(self, result: ToolResult) -> WireMessage:
        self._drops.note("cache_control", result.cache is not None)
        message = self._said("tool", result.content)
        if result.is_error:
            self._drops.note("tool_results.is_error")
            message.content = f"Error: {message.content}" if message.content else "Error"
        name = result.name or self._names.get(result.call_id)
        if name:
            message.tool_name = name
        message.tool_call_id = result.call_id or UNSET
        return message

    def _assistant(self, parts: Sequence[Part]) -> WireMessage:
        calls = [self._call(part) for part in parts if isinstance(part, ToolCall)]
        thoughts = [part for part in parts if isinstance(part, Reasoning)]
        others = [part for part in parts if not isinstance(part, ToolCall | Reasoning)]
        self._drops.note("reasoning.signature", any(part.signature or part.redacted for part in thoughts))
        message = self._said("assistant", others)
        message.thinking = "".join(part.text for part in thoughts) or UNSET
        message.tool_calls = calls or UNSET
        return message

    def _call(self, call: ToolCall) -> WireCall:
        self._drops.note("tool_calls.signature", call.signature is not None)
        self._drops.note("cache_control", call.cache is not None)
        self._names[call.id] = call.name
        arguments, wrapped = input_object(call.arguments)
        if call.custom:
            arguments, wrapped = custom_input(call.arguments), False
        self._drops.note("tool_calls.arguments", wrapped)
        return WireCall(call.id or UNSET, WireFunction(call.name, arguments))

    # -- parts
    def _said(self, role: str, parts: Sequence[Part]) -> WireMessage:
        texts: list[str] = []
        images: list[str] = []
        for part in parts:
            match part:
                case Text(text, cache):
                    self._drops.note("cache_control", cache is not None)
                    texts.append(text)
                case Refusal(text):
                    texts.append(text)
                case Image():
                    images += self._image(part)
                case Document():
                    texts += self._document(part)
                case Audio():
                    self._drops.note("audio")
                case Opaque():
                    self._drops.note("opaque")
        glue = "" if role == "assistant" else "\n\n"
        return WireMessage(role, glue.join(texts), images=images or UNSET)

    def _image(self, part: Image) -> list[str]:
        self._drops.note("cache_control", part.cache is not None)
        data = self._image_data(part.source)
        self._drops.note("image.detail", bool(data) and part.detail not in (None, "auto"))
        return data

    def _image_data(self, source: Source) -> list[str]:
        match source:
            case Inline(_, data):
                return [data]
            case Url(url) if match := _DATA_URL.match(url):
                return [url[match.end() :]]
            case Url():
                self._drops.note("image.url")
            case FileId():
                self._drops.note("file_id")
            case PlainText():
                self._drops.note("image.text")
        return []

    def _document(self, part: Document) -> list[str]:
        self._drops.note("cache_control", part.cache is not None)
        self._drops.note("document.citations", bool(part.citations))
        match part.source:
            case PlainText(text):
                return [_titled(part, text)]
            case Inline(kind, data):
                text_or_none = _decoded(data) if kind.startswith("text/") else None
                if text_or_none is not None:
                    return [_titled(part, text_or_none)]
                self._drops.note("document.media_type")
            case FileId():
                self._drops.note("file_id")
            case Url():
                self._drops.note("document.url")
        return []


def _titled(part: Document, text: str) -> str:
    return "\n\n".join(piece for piece in (part.name, part.context, text) if piece)


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
