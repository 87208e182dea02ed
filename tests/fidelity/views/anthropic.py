"""Anthropic messages as the `anthropic` SDK reads them."""

from __future__ import annotations

import json
from typing import Any

import anthropic
from anthropic.types import Message, RawMessageStreamEvent

from tests.fidelity.views.said import Said, Tokens, Tool, View, failure
from tests.fidelity.views.transport import replied

_client = anthropic.Anthropic(api_key="none", base_url="http://127.0.0.1:9")


def whole(body: bytes) -> View:
    data: Any = json.loads(body)
    if not isinstance(data, dict) or data.get("type") != "message":
        return failure()
    data = Message.construct(**data).to_dict(mode="python", warnings=False)
    said = Said(finish=data.get("stop_reason"))
    for block in data.get("content") or []:
        kind = block.get("type")
        if kind == "text":
            said.text += block.get("text") or ""
        elif kind == "thinking":
            said.reasoning += block.get("thinking") or ""
        elif kind == "tool_use":
            said.tools.append(Tool(block["name"], json.dumps(block.get("input")), block["id"]))
    return View([said], tokens([data.get("usage")]))


def events(body: bytes) -> anthropic.Stream[RawMessageStreamEvent]:
    """What iterates when a user writes `for event in client.messages.create(stream=True)`."""
    return anthropic.Stream[RawMessageStreamEvent](
        cast_to=RawMessageStreamEvent,  # type: ignore[arg-type]
        response=replied(body),
        client=_client,
    )


def stream(body: bytes) -> View:
    said = Said()
    usages: list[Any] = []
    tools: dict[int, Tool] = {}
    starts: dict[int, Any] = {}
    failed = False
    try:
        for event in events(body):
            data: Any = event.to_dict(mode="python", warnings=False)
            kind = data.get("type")
            if kind == "message_start":
                usages.append(data["message"].get("usage"))
            elif kind == "content_block_start":
                block = data["content_block"]
                if block["type"] == "tool_use":
                    tools[data["index"]] = tool = Tool(block["name"], "", block["id"])
                    starts[id(tool)] = block.get("input")
                    said.tools.append(tool)
                elif block["type"] == "text":
                    said.text += block.get("text") or ""
                elif block["type"] == "thinking":
                    said.reasoning += block.get("thinking") or ""
                if block["type"] != "tool_use":
                    tools.pop(data["index"], None)
            elif kind == "content_block_delta":
                _delta(said, tools, data)
            elif kind == "message_delta":
                said.finish = data["delta"].get("stop_reason") or said.finish
                usages.append(data.get("usage"))
            elif kind == "message_stop":
                break  # one body, one message: what a fixture concatenates after it is another reply
    except anthropic.APIError:
        failed = True
    for tool in said.tools:
        if not tool.arguments:
            tool.arguments = json.dumps(starts[id(tool)] or {})
    return View([said], tokens(usages), failed)


def _delta(said: Said, tools: dict[int, Tool], data: Any) -> None:
    delta = data["delta"]
    if delta["type"] == "text_delta":
        said.text += delta.get("text") or ""
    elif delta["type"] == "thinking_delta":
        said.reasoning += delta.get("thinking") or ""
    elif delta["type"] == "input_json_delta" and data["index"] in tools:
        tools[data["index"]].arguments += delta.get("partial_json") or ""


def tokens(usages: list[Any]) -> Tokens:
    """Later usage wins, field by field, where it says something."""
    merged: dict[str, Any] = {}
    for usage in usages:
        if isinstance(usage, dict):
            merged.update({name: value for name, value in usage.items() if value is not None})
    if not merged:
        return Tokens()
    thinking = (merged.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    return Tokens(
        merged.get("input_tokens") or 0,
        merged.get("cache_read_input_tokens") or 0,
        merged.get("cache_creation_input_tokens") or 0,
        merged.get("output_tokens") or 0,
        thinking,
    )
