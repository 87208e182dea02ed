"""The wire shapes of a provider's reply, lenient: what providers send null, of another type or not at all must not break the rest."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)


class Function(Struct):
    """`arguments` is JSON text; Mistral's API may also give the object itself."""

    name: str | None = None
    arguments: Any = None

    @property
    def arguments_text(self) -> str:
        told = self.arguments
        if told is None or isinstance(told, str):
            return told or ""
        return msgspec.json.encode(told).decode()


class Custom(Struct):
    name: str | None = None
    input: str | None = None


class Call(Struct):
    index: int | None = None
    id: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: Any = None

    @property
    def spoken(self) -> tuple[str, str, bool]:
        """(name, arguments, custom)."""
        custom = self.custom
        if custom is not None and custom.name and not (self.function is not None and self.function.name):
            return custom.name, custom.input or "", True
        if self.function is None:
            return "", (custom.input or "") if custom is not None else "", custom is not None
        return self.function.name or "", self.function.arguments_text, False


class Audio(Struct):
    id: str | None = None
    data: str | None = None
    transcript: str | None = None


class Said(Struct):
    """A `message` or a `delta`."""

    content: Any = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    audio: Audio | None = None


class StreamChoice(Struct):
    index: int | None = 0
    delta: Said | None = None
    finish_reason: str | None = None


class WholeChoice(Struct):
    index: int | None = 0
    message: Said | None = None
    finish_reason: str | None = None


class Groq(Struct):
    usage: Raw = Raw()
    error: Any = None


class Chunk(Struct):
    id: str | None = None
    model: str | None = None
    created: float | None = None
    choices: list[StreamChoice] | None = None
    usage: Raw = Raw()
    x_groq: Groq | None = None
    error: Any = None


class Completion(Struct):
    id: str | None = None
    model: str | None = None
    created: float | None = None
    choices: list[WholeChoice] | None = None
    usage: Raw = Raw()
    error: Any = None


def split_content(content: object) -> tuple[str, str]:
    """(text, reasoning) of a content that is text, a list of parts (Mistral's thinking among them), or nothing."""
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        return "", ""
    text, thought = [], []
    for part in content:
        if not isinstance(part, dict):
            continue
        if part.get("type") == "thinking":
            inner = part.get("thinking")
            pieces = inner if isinstance(inner, list) else [{"text": inner}]
            thought += [str(p.get("text") or "") for p in pieces if isinstance(p, dict)]
        elif isinstance(part.get("text"), str):
            text.append(part["text"])
    return "".join(text), "".join(thought)


def is_error(value: object) -> bool:
    """Is there an error object (or text), and not an empty place for one?"""
    return bool(value)
