"""The same question as a client of each dialect sends it: what it needs is known from how it was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from turnout.core.call import Envelope
from turnout.core.card import Capability
from turnout.core.model import DialectName, Request
from turnout.wire.registry import CODECS

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSVFT0YK"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
DIALECTS: tuple[DialectName, ...] = ("openai_chat", "openai_responses", "anthropic", "gemini")


class Asked(Struct, frozen=True):
    """One question. `earlier` alternates the user's and the assistant's turns; `max_tokens` is a limit asked for outright."""

    text: str
    needs: frozenset[Capability] = frozenset()
    max_tokens: int | None = None
    earlier: tuple[str, ...] = ()
    parts: bool = False
    """Whether the text is written as a list of parts even where it could be plain."""


def spoken(dialect: DialectName, asked: Asked) -> Asked:
    """What a client of the dialect can express of it. Messages has neither sound nor JSON without a schema, and always a limit."""
    needs = asked.needs - {"json_mode"} if "json_schema" in asked.needs else asked.needs
    if dialect != "anthropic":
        return replace(asked, needs=needs)
    return replace(asked, needs=needs - {"audio", "json_mode"}, max_tokens=asked.max_tokens or 1_000)


def body_of(dialect: DialectName, asked: Asked, model: str = "m") -> bytes:
    """The JSON body."""
    members = _WRITERS[dialect](asked)
    return json.dumps({"model": model, **members}, ensure_ascii=False).encode()


def opened(dialect: DialectName, body: bytes) -> tuple[Envelope, Request]:
    """As the edge sees it, and as the router does."""
    codec = CODECS[dialect]
    return codec.peek(body), codec.decode_request(body)


def _turns(asked: Asked, word: str = "assistant") -> list[tuple[str, str]]:
    return [("user" if index % 2 == 0 else word, text) for index, text in enumerate(asked.earlier)]


def _plain(asked: Asked) -> bool:
    return not asked.parts and not asked.needs & {"vision", "documents", "audio"}


def _chat(asked: Asked) -> dict[str, Any]:
    content: Any = asked.text
    if not _plain(asked):
        content = [{"type": "text", "text": asked.text}]
        if "vision" in asked.needs:
            content.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}})
        if "documents" in asked.needs:
            url = f"data:application/pdf;base64,{PDF}"
            content.append({"type": "file", "file": {"filename": "a.pdf", "file_data": url}})
        if "audio" in asked.needs:
            content.append({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}})
    turns = [{"role": role, "content": text} for role, text in _turns(asked)]
    found: dict[str, Any] = {"messages": [*turns, {"role": "user", "content": content}]}
    if "tools" in asked.needs:
        found["tools"] = [{"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}}]
    if "json_schema" in asked.needs:
        named = {"name": "person", "schema": SCHEMA, "strict": True}
        found["response_format"] = {"type": "json_schema", "json_schema": named}
    elif "json_mode" in asked.needs:
        found["response_format"] = {"type": "json_object"}
    return found | ({} if asked.max_tokens is None else {"max_completion_tokens": asked.max_tokens})


def _responses(asked: Asked) -> dict[str, Any]:
    content: Any = asked.text
    if not _plain(asked):
        content = [{"type": "input_text", "text": asked.text}]
        if "vision" in asked.needs:
            content.append({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"})
        if "documents" in asked.needs:
            url = f"data:application/pdf;base64,{PDF}"
            content.append({"type": "input_file", "filename": "a.pdf", "file_data": url})
        if "audio" in asked.needs:
            content.append({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}})
    turns = [{"role": role, "content": text} for role, text in _turns(asked)]
    found: dict[str, Any] = {"input": [*turns, {"role": "user", "content": content}]}
    if "tools" in asked.needs:
        found["tools"] = [{"type": "function", "name": "look_up", "parameters": SCHEMA}]
    if "json_schema" in asked.needs:
        found["text"] = {"format": {"type": "json_schema", "name": "person", "schema": SCHEMA}}
    elif "json_mode" in asked.needs:
        found["text"] = {"format": {"type": "json_object"}}
    return found | ({} if asked.max_tokens is None else {"max_output_tokens": asked.max_tokens})


def _messages(asked: Asked) -> dict[str, Any]:
    content: Any = asked.text
    if not _plain(asked):
        content = [{"type": "text", "text": asked.text}]
        if "vision" in asked.needs:
            source = {"type": "base64", "media_type": "image/png", "data": PNG}
            content.append({"type": "image", "source": source})
        if "documents" in asked.needs:
            source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
            content.append({"type": "document", "source": source})
    turns = [{"role": role, "content": text} for role, text in _turns(asked)]
    found: dict[str, Any] = {
        "messages": [*turns, {"role": "user", "content": content}],
        "max_tokens": asked.max_tokens,
    }
    if "tools" in asked.needs:
        found["tools"] = [{"name": "look_up", "input_schema": SCHEMA}]
    if "json_schema" in asked.needs:
        found["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    return found


def _gemini(asked: Asked) -> dict[str, Any]:
    parts: list[Any] = [{"text": asked.text}]
    for need, kind, data in (
        ("vision", "image/png", PNG),
        ("documents", "application/pdf", PDF),
        ("audio", "audio/wav", WAV),
    ):
        if need in asked.needs:
            parts.append({"inlineData": {"mimeType": kind, "data": data}})
    turns = [{"role": role, "parts": [{"text": text}]} for role, text in _turns(asked, "model")]
    found: dict[str, Any] = {"contents": [*turns, {"role": "user", "parts": parts}]}
    settings: dict[str, Any] = {} if asked.max_tokens is None else {"maxOutputTokens": asked.max_tokens}
    if "tools" in asked.needs:
        found["tools"] = [{"functionDeclarations": [{"name": "look_up", "parametersJsonSchema": SCHEMA}]}]
    if "json_schema" in asked.needs:
        settings |= {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    elif "json_mode" in asked.needs:
        settings |= {"responseMimeType": "application/json"}
    return found | ({"generationConfig": settings} if settings else {})


_WRITERS: Mapping[DialectName, Callable[[Asked], dict[str, Any]]] = {
    "openai_chat": _chat,
    "openai_responses": _responses,
    "anthropic": _messages,
    "gemini": _gemini,
}
