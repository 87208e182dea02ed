"""The common shape of what a request asks for, and what its readers share.

Read is what the dialects can say alike: system text, who said what, tool calls and their results, media, tools, and the settings that
have a meaning in all. What only one of them can say (its own tools, files, reasoning) is not read; codecs must name it as dropped.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field


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


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


class Reader:
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
