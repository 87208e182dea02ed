"""Gemini's `generateContent`: the `google-genai` SDK splits a stream into chunks; chunks are read as plain JSON.

The SDK's models forbid members that they do not know, so they judge what Turnout writes (see `strict`) and not what providers sent.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from google.genai import _api_client

from tests.fidelity.views.said import Said, Tokens, Tool, View, failure
from tests.fidelity.views.transport import replied

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]")
_NUMBERED = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY"}
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")


def chunks(body: bytes) -> Iterator[Any]:
    """What iterates under `client.models.generate_content_stream()`, before the SDK makes models of it."""
    return _api_client.HttpResponse({}, replied(body)).segments()


def whole(body: bytes) -> View:
    data: Any = json.loads(body)
    if not isinstance(data, dict) or "error" in data:
        return failure()
    return _read([data])


def stream(body: bytes) -> View:
    return _read(list(chunks(body)))


def _read(found: list[Any]) -> View:
    choices: dict[int, Said] = {}
    usage: Any = None
    failed = False
    growing: dict[int, _Growing] = {}
    for chunk in found:
        failed = failed or "error" in chunk
        usage = chunk.get("usageMetadata") or usage
        for candidate in chunk.get("candidates") or []:
            index = candidate.get("index") or 0
            said = choices.setdefault(index, Said())
            for part in (candidate.get("content") or {}).get("parts") or []:
                _part(said, growing.setdefault(index, _Growing()), part)
            word = candidate.get("finishReason")
            said.finish = _NUMBERED.get(word, word) or said.finish
        if (chunk.get("promptFeedback") or {}).get("blockReason") and not choices:
            choices[0] = Said(finish="SAFETY")
    said_all = [choices[index] for index in sorted(choices)]
    for said in said_all:
        if said.tools and said.finish == "STOP":
            said.finish = "tool_calls"  # the format says STOP after function calls as well
    return View(said_all, tokens(usage), failed)


class _Growing:
    """A function call whose arguments come in pieces, each with its place."""

    def __init__(self) -> None:
        self.tool: Tool | None = None
        self.arguments: dict[str, Any] = {}


def _part(said: Said, growing: _Growing, part: Any) -> None:
    if "text" in part:
        if part.get("thought"):
            said.reasoning += part["text"]
        else:
            said.text += part["text"]
    call = part.get("functionCall")
    if call is None:
        return
    if call.get("name"):
        tool = Tool(call["name"], json.dumps(call.get("args") or {}), call.get("id") or "")
        said.tools.append(tool)
        growing.tool, growing.arguments = tool, dict(call.get("args") or {})
    for piece in call.get("partialArgs") or []:
        _place(growing.arguments, piece)
    if growing.tool is not None:
        growing.tool.arguments = json.dumps(growing.arguments)


def _place(arguments: dict[str, Any], piece: Any) -> None:
    value: Any = next((piece[name] for name in _VALUES if name in piece), None)
    steps: list[str | int] = [
        int(number) if number else name or quoted for name, number, quoted in _STEP.findall(piece["jsonPath"])
    ]
    at: Any = arguments
    for step, following in itertools.pairwise(steps):
        at = _reach(at, step, [] if isinstance(following, int) else {})
    last = steps[-1]
    before = _reach(at, last, "" if isinstance(value, str) else value)
    at[last] = before + value if isinstance(value, str) and isinstance(before, str) else value


def _reach(at: Any, step: str | int, empty: Any) -> Any:
    if isinstance(at, list):
        while isinstance(step, int) and len(at) <= step:
            at.append(empty)
        return at[step]  # type: ignore[index]
    return at.setdefault(step, empty)


def tokens(usage: Any) -> Tokens:
    """Thoughts are no candidates' tokens; what built-in tools put into the prompt is no prompt's token. Both are billed."""
    if not isinstance(usage, dict) or ("promptTokenCount" not in usage and "totalTokenCount" not in usage):
        return Tokens()
    prompt, cached = usage.get("promptTokenCount") or 0, usage.get("cachedContentTokenCount") or 0
    said = usage.get("candidatesTokenCount") or usage.get("responseTokenCount") or 0
    thoughts = usage.get("thoughtsTokenCount") or 0
    fresh = prompt - cached + (usage.get("toolUsePromptTokenCount") or 0)
    return Tokens(fresh, cached, 0, said + thoughts, thoughts)
