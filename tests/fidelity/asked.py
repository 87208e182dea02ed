"""What a request asks for, read from either dialect's JSON without Turnout's codecs, so that a translated request can be judged.

Read is what both dialects can say: system text, who said what, tool calls and their results, media, tools, and the settings that
have a meaning in both. What only one of them can say (its own tools, files, reasoning) is not read; codecs must name it as dropped.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from tests.fidelity.recordings import Dialect


class Asked(Struct):
    """`turns` are role and text, texts of one role in a row joined; ids are numbered by first appearance."""

    system: str = ""
    turns: list[tuple[str, str]] = field(default_factory=list)
    calls: list[tuple[int, str, str]] = field(default_factory=list)
    results: list[tuple[int, str]] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    tools: list[tuple[str, str, str]] = field(default_factory=list)
    tool_choice: str = "auto"
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] = field(default_factory=list)
    stream: bool = False


def asked(dialect: Dialect, body: dict[str, Any]) -> Asked:
    reader = _OpenAI(body) if dialect == "openai_chat" else _Anthropic(body)
    return reader.asked


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


class _Reader:
    def __init__(self, body: dict[str, Any]) -> None:
        self.asked = Asked(
            temperature=body.get("temperature"), top_p=body.get("top_p"), stream=bool(body.get("stream"))
        )
        self._ids: dict[str, int] = {}
        self._settings(body)
        for message in body.get("messages") or []:
            self._message(message["role"], message)

    def _settings(self, body: dict[str, Any]) -> None:
        raise NotImplementedError

    def _message(self, role: str, message: dict[str, Any]) -> None:
        raise NotImplementedError

    def say(self, role: str, text: str) -> None:
        turns = self.asked.turns
        if turns and turns[-1][0] == role:
            turns[-1] = (role, turns[-1][1] + text)
        elif text:
            turns.append((role, text))

    def number(self, call_id: str) -> int:
        return self._ids.setdefault(call_id, len(self._ids))

    def call(self, call_id: str, name: str, arguments: str) -> None:
        """`arguments` is JSON text; what cannot be read as such is kept as it is."""
        with contextlib.suppress(ValueError):
            arguments = canonical(json.loads(arguments or "{}"))
        self.asked.calls.append((self.number(call_id), name, arguments))


def parts_of(content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    else:
        yield from content or []


def payload(url: str) -> str:
    """A data URL's payload; any other URL as it is."""
    return url.partition("base64,")[2] if url.startswith("data:") else url


class _OpenAI(_Reader):
    def _settings(self, body: dict[str, Any]) -> None:
        to = self.asked
        to.max_tokens = body.get("max_completion_tokens") or body.get("max_tokens")
        stop = body.get("stop") or []
        to.stop = [stop] if isinstance(stop, str) else stop
        functions = [tool["function"] for tool in body.get("tools") or [] if tool.get("type") == "function"]
        for function in [*functions, *(body.get("functions") or [])]:
            schema = function.get("parameters") or {}
            to.tools.append((function["name"], function.get("description") or "", canonical(schema)))
        choice = body.get("tool_choice") or body.get("function_call") or "auto"
        if isinstance(choice, dict):
            choice = (
                choice["type"]
                if choice.get("type") == "allowed_tools"
                else (choice.get("function") or choice)["name"]
            )
        to.tool_choice = "any" if choice == "required" else choice

    def _message(self, role: str, message: dict[str, Any]) -> None:
        if role in ("system", "developer"):
            self.asked.system += "".join(part.get("text") or "" for part in parts_of(message.get("content")))
            return
        if role in ("tool", "function"):
            self._result(message)
            return
        for part in parts_of(message.get("content")):
            self._part(role, part)
        for call in message.get("tool_calls") or []:
            function = call.get("function") or {}
            self.call(call["id"], function.get("name") or "", function.get("arguments") or "")
        if legacy := message.get("function_call"):
            self.call(f"legacy {legacy['name']}", legacy["name"], legacy.get("arguments") or "")

    def _result(self, message: dict[str, Any]) -> None:
        texts = []
        for part in parts_of(message.get("content")):
            if part["type"] == "text":
                texts.append(part["text"])
            else:
                self._part("user", part)
        call_id = message.get("tool_call_id") or f"legacy {message.get('name')}"
        self.asked.results.append((self.number(call_id), "".join(texts)))

    def _part(self, role: str, part: dict[str, Any]) -> None:
        kind = part.get("type")
        if kind in ("text", "refusal"):
            self.say(role, part[kind])
        elif kind == "image_url":
            image = part["image_url"]
            self.asked.media.append(payload(image if isinstance(image, str) else image["url"]))
        elif kind == "file" and part["file"].get("file_data"):
            self.asked.media.append(payload(part["file"]["file_data"]))


class _Anthropic(_Reader):
    def _settings(self, body: dict[str, Any]) -> None:
        to = self.asked
        to.max_tokens = body.get("max_tokens")
        to.stop = body.get("stop_sequences") or []
        to.system = "".join(part["text"] for part in parts_of(body.get("system")))
        for tool in body.get("tools") or []:
            if tool.get("type") in (None, "custom"):
                to.tools.append(
                    (tool["name"], tool.get("description") or "", canonical(tool["input_schema"]))
                )
        choice = body.get("tool_choice") or {"type": "auto"}
        to.tool_choice = choice["name"] if choice["type"] == "tool" else choice["type"]

    def _message(self, role: str, message: dict[str, Any]) -> None:
        for part in parts_of(message.get("content")):
            if role == "system":
                self.asked.system += part.get("text") or ""
            else:
                self._part(role, part)

    def _part(self, role: str, part: dict[str, Any]) -> None:
        kind = part["type"]
        if kind == "text":
            self.say(role, part["text"])
        elif kind in ("image", "document"):
            self._media(role, part["source"])
        elif kind == "tool_use":
            self.call(part["id"], part["name"], canonical(part["input"]))
        elif kind == "tool_result":
            texts = []
            for inner in parts_of(part.get("content")):
                if inner["type"] == "text":
                    texts.append(inner["text"])
                else:
                    self._part(role, inner)
            self.asked.results.append((self.number(part["tool_use_id"]), "".join(texts)))

    def _media(self, role: str, source: dict[str, Any]) -> None:
        if source["type"] == "text":
            self.say(role, source["data"])
        elif source["type"] in ("base64", "url"):
            self.asked.media.append(source.get("data") or source["url"])
