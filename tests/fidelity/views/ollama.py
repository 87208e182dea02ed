"""Ollama's chat, read as plain JSON: one object, or one a line."""

from __future__ import annotations

import json
from typing import Any

from tests.fidelity.views.said import Said, Tokens, Tool, View, failure


def whole(body: bytes) -> View:
    return _read([json.loads(body)])


def stream(body: bytes) -> View:
    return _read([json.loads(line) for line in body.splitlines() if line.strip()])


def _read(lines: list[Any]) -> View:
    said = Said()
    used = Tokens()
    ended = failed = False
    for line in lines:
        if not isinstance(line, dict):
            return failure()
        failed = failed or "error" in line
        message = line.get("message") or {}
        said.text += message.get("content") or ""
        said.reasoning += message.get("thinking") or ""
        for call in message.get("tool_calls") or []:
            function = call["function"]
            said.tools.append(
                Tool(function["name"], json.dumps(function.get("arguments")), call.get("id") or "")
            )
        if line.get("done"):
            ended = True
            said.finish = line.get("done_reason")
            used = tokens(line)
    return View([said], used, failed or not ended)


def tokens(line: Any) -> Tokens:
    if "prompt_eval_count" not in line and "eval_count" not in line:
        return Tokens()
    return Tokens(line.get("prompt_eval_count") or 0, 0, 0, line.get("eval_count") or 0, 0)
