"""Amazon Bedrock: Converse, and Anthropic's messages inside AWS event streams."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.fidelity.awsframes import frames
from tests.fidelity.views import anthropic
from tests.fidelity.views.said import Said, Tokens, Tool, View, failure


def whole(body: bytes) -> View:
    data: Any = json.loads(body)
    if not isinstance(data, dict) or "stopReason" not in data:
        return failure()
    said = Said(finish=data["stopReason"])
    for block in ((data.get("output") or {}).get("message") or {}).get("content") or []:
        said.text += block.get("text") or ""
        said.text += "".join(part.get("text") or "" for part in _cited(block))
        said.reasoning += ((block.get("reasoningContent") or {}).get("reasoningText") or {}).get("text") or ""
        use = block.get("toolUse")
        if use and not _run_by_provider(use):
            said.tools.append(Tool(use["name"], json.dumps(use.get("input")), use["toolUseId"]))
    return View([said], tokens(data.get("usage")))


def _run_by_provider(use: Any) -> bool:
    return bool(use.get("type") == "server_tool_use")


def _cited(block: Any) -> list[Any]:
    return (block.get("citationsContent") or {}).get("content") or []


def stream(body: bytes) -> View:
    said = Said()
    usage: Any = None
    failed = False
    tools: dict[int, Tool] = {}
    for headers, payload in frames(body):
        data: Any = json.loads(payload)
        if headers.get(":message-type") != "event":
            failed = True
            continue
        index = data.get("contentBlockIndex") or 0
        match headers[":event-type"]:
            case "contentBlockStart":
                use = (data.get("start") or {}).get("toolUse")
                if use and not _run_by_provider(use):
                    tools[index] = Tool(use["name"], "", use["toolUseId"])
                    said.tools.append(tools[index])
            case "contentBlockDelta":
                delta = data["delta"]
                said.text += delta.get("text") or ""
                said.reasoning += (delta.get("reasoningContent") or {}).get("text") or ""
                if index in tools:
                    tools[index].arguments += (delta.get("toolUse") or {}).get("input") or ""
            case "messageStop":
                said.finish = data["stopReason"]
            case "metadata":
                usage = data.get("usage") or usage
    return View([said], tokens(usage), failed or said.finish is None)


def tokens(usage: Any) -> Tokens:
    """Input tokens exclude those read from and written to the cache. Nothing says how many were reasoning."""
    if not isinstance(usage, dict):
        return Tokens()
    read, written = usage.get("cacheReadInputTokens") or 0, usage.get("cacheWriteInputTokens") or 0
    return Tokens(usage.get("inputTokens") or 0, read, written, usage.get("outputTokens") or 0, 0)


def anthropic_stream(body: bytes) -> View:
    """Each chunk's `bytes` is one event of Anthropic's."""
    out = []
    failed = False
    for headers, payload in frames(body):
        if headers.get(":message-type") != "event":
            failed = True
            continue
        event = base64.b64decode(json.loads(payload)["bytes"])
        out.append(b"event: %b\ndata: %b\n\n" % (json.loads(event)["type"].encode(), event))
    view = anthropic.stream(b"".join(out))
    view.failed = view.failed or failed
    return view
