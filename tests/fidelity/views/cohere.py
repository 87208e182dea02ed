"""Cohere's chat, version 2, read as plain JSON. What the model says of its plan before it calls tools is text."""

from __future__ import annotations

import json
from typing import Any

from tests.fidelity.views.said import Said, Tokens, Tool, View, failure


def whole(body: bytes) -> View:
    data: Any = json.loads(body)
    if not isinstance(data, dict) or not isinstance(data.get("message"), dict):
        return failure()
    message = data["message"]
    said = Said(text=message.get("tool_plan") or "", finish=data.get("finish_reason"))
    for part in message.get("content") or []:
        said.text += part.get("text") or ""
        said.reasoning += part.get("thinking") or ""
    for call in message.get("tool_calls") or []:
        function = call["function"]
        said.tools.append(Tool(function["name"], function.get("arguments") or "", call.get("id") or ""))
    return View([said], tokens(data.get("usage")))


def stream(body: bytes) -> View:
    said = Said()
    calls: dict[int, Tool] = {}
    usage: Any = None
    for line in body.splitlines():
        if not line.startswith(b"data:") or line.endswith(b"[DONE]"):
            continue
        event: Any = json.loads(line[5:])
        delta = event.get("delta") or {}
        message = delta.get("message") or {}
        match event.get("type"):
            case "content-start" | "content-delta":
                said.text += message["content"].get("text") or ""
                said.reasoning += message["content"].get("thinking") or ""
            case "tool-plan-delta":
                said.text += message.get("tool_plan") or ""
            case "tool-call-start":
                call = message["tool_calls"]
                function = call["function"]
                tool = Tool(function["name"], function.get("arguments") or "", call.get("id") or "")
                calls[event.get("index") or 0] = tool
                said.tools.append(tool)
            case "tool-call-delta":
                fragment = message["tool_calls"]["function"].get("arguments") or ""
                calls[event.get("index") or 0].arguments += fragment
            case "message-end":
                said.finish = delta.get("finish_reason")
                usage = delta.get("usage")
    return View([said], tokens(usage), said.finish in (None, "ERROR", "TIMEOUT"))


def tokens(usage: Any) -> Tokens:
    """What is billed, not what went through the model with Cohere's own preamble; the cache holds the preamble first."""
    if not isinstance(usage, dict):
        return Tokens()
    billed = usage.get("billed_units") or usage.get("tokens") or {}
    through = usage.get("tokens") or billed
    prompt = int(billed.get("input_tokens") or 0)
    unbilled = int(through.get("input_tokens") or 0) - prompt
    cached = min(prompt, max(0, int(usage.get("cached_tokens") or 0) - max(0, unbilled)))
    reasoning = int(through.get("reasoning_tokens") or 0)
    return Tokens(prompt - cached, cached, 0, int(billed.get("output_tokens") or 0), reasoning)
