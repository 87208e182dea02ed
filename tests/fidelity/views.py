"""What an official SDK reads from bytes: text, reasoning, tools, why it ended, tokens. Independent of Turnout's codecs."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import openai
from anthropic.types import Message, RawMessageStreamEvent
from msgspec import Struct, field
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.fidelity.recordings import Dialect

_openai = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9")
_anthropic = anthropic.Anthropic(api_key="none", base_url="http://127.0.0.1:9")


class Tokens(Struct):
    """By price class; `None` where nobody said."""

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None


class Tool(Struct):
    name: str
    arguments: str
    id: str = ""


class Said(Struct):
    """One choice."""

    text: str = ""
    refusal: str = ""
    reasoning: str = ""
    tools: list[Tool] = field(default_factory=list)
    finish: str | None = None


class View(Struct):
    choices: list[Said]
    tokens: Tokens
    failed: bool = False


def view(dialect: Dialect, streamed: bool, body: bytes) -> View:
    """Raises whatever the SDK raises on a body that it cannot read."""
    if dialect == "openai_chat":
        return openai_stream(body) if streamed else openai_json(body)
    return anthropic_stream(body) if streamed else anthropic_json(body)


def _response(body: bytes, content_type: str) -> httpx2.Response:
    request = httpx2.Request("POST", "http://127.0.0.1:9/")
    return httpx2.Response(200, content=body, headers={"content-type": content_type}, request=request)


# -- OpenAI
def openai_json(body: bytes) -> View:
    data: Any = json.loads(body)
    if not isinstance(data, dict) or ("error" in data and not data.get("choices")):
        return View([], Tokens(), failed=True)
    data = ChatCompletion.construct(**data).to_dict(mode="python", warnings=False)
    choices = []
    for raw in data.get("choices") or []:
        message = raw.get("message") or {}
        said = Said(finish=raw.get("finish_reason") or None)
        _openai_text(said, message)
        for call in message.get("tool_calls") or []:
            function = call.get("function") or call.get("custom") or {}
            said.tools.append(
                Tool(
                    function.get("name") or "",
                    function.get("arguments") or function.get("input") or "",
                    call.get("id") or "",
                )
            )
        legacy = message.get("function_call") or {}
        if legacy.get("name"):
            said.tools.append(Tool(legacy["name"], legacy.get("arguments") or ""))
        choices.append(said)
    return View(choices, openai_tokens(data.get("usage"), data))


def _openai_text(said: Said, message: dict[str, Any]) -> None:
    content = message.get("content")
    if isinstance(content, list):
        for part in content:
            if part.get("type") == "thinking":
                said.reasoning += "".join(
                    p.get("text", "") for p in part.get("thinking") or [] if isinstance(p, dict)
                )
            else:
                said.text += part.get("text") or ""
    else:
        said.text += content or ""
    said.refusal += message.get("refusal") or ""
    thought = message.get("reasoning_content") or message.get("reasoning")
    if not thought:
        details = message.get("reasoning_details") or []
        thought = "".join((d.get("text") or d.get("summary") or "") for d in details if isinstance(d, dict))
    said.reasoning += thought if isinstance(thought, str) else ""


def openai_chunks(body: bytes) -> openai.Stream[ChatCompletionChunk]:
    """What iterates when a user writes `for chunk in client.chat.completions.create(stream=True)`."""
    return openai.Stream[ChatCompletionChunk](
        cast_to=ChatCompletionChunk, response=_response(body, "text/event-stream"), client=_openai
    )


def openai_stream(body: bytes) -> View:
    choices: dict[int, Said] = {}
    calls: dict[tuple[int, int], Tool] = {}
    usage: dict[str, Any] | None = None
    failed = False
    try:
        for chunk in openai_chunks(body):
            data: Any = chunk.to_dict(mode="python", warnings=False)
            usage = data.get("usage") or (data.get("x_groq") or {}).get("usage") or usage
            for raw in data.get("choices") or []:
                index = raw.get("index") or 0
                said = choices.setdefault(index, Said())
                delta = raw.get("delta") or {}
                _openai_text(said, delta)
                for call in delta.get("tool_calls") or []:
                    _openai_call(said, calls, index, call)
                said.finish = raw.get("finish_reason") or said.finish
    except openai.APIError:
        failed = True
    return View([choices[index] for index in sorted(choices)], openai_tokens(usage, {}), failed)


def _openai_call(said: Said, calls: dict[tuple[int, int], Tool], choice: int, call: dict[str, Any]) -> None:
    function = call.get("function") or {}
    key = (choice, call.get("index") or 0)
    tool = calls.get(key)
    if tool is None:
        tool = calls[key] = Tool("", "")
        said.tools.append(tool)
    tool.id = tool.id or call.get("id") or ""
    tool.name += function.get("name") or ""
    tool.arguments += function.get("arguments") or ""


def openai_tokens(usage: Any, reply: dict[str, Any]) -> Tokens:
    """Price classes from the usage that this dialect's providers send. The arithmetic is argued in docs/fidelity.md."""
    if not isinstance(usage, dict):
        return Tokens()
    details = usage.get("prompt_tokens_details") or usage.get("prompt_token_details") or {}
    prompt = usage.get("prompt_tokens") or 0
    completion = usage.get("completion_tokens") or 0
    total = usage.get("total_tokens")
    cached = (
        details.get("cached_tokens")
        or usage.get("cached_tokens")
        or usage.get("prompt_cache_hit_tokens")
        or usage.get("cache_read_input_tokens")
        or 0
    )
    written = details.get("cache_write_tokens") or usage.get("cache_creation_input_tokens") or 0
    reasoning = (
        (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
        or usage.get("reasoning_tokens")
        or 0
    )
    if cached > prompt:
        fresh = prompt
        written = 0
    else:
        written = min(written, prompt - cached)
        fresh = prompt - cached - written
    output = completion
    if total is not None and total > prompt + completion:
        output = total - prompt
    elif reasoning > completion:
        output = completion + reasoning
    return Tokens(fresh, cached, written, output, reasoning)


# -- Anthropic


def anthropic_json(body: bytes) -> View:
    data: Any = json.loads(body)
    if not isinstance(data, dict) or data.get("type") != "message":
        return View([], Tokens(), failed=True)
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
    return View([said], anthropic_tokens([data.get("usage")]))


def anthropic_events(body: bytes) -> anthropic.Stream[RawMessageStreamEvent]:
    """What iterates when a user writes `for event in client.messages.create(stream=True)`."""
    return anthropic.Stream[RawMessageStreamEvent](
        cast_to=RawMessageStreamEvent,  # type: ignore[arg-type]
        response=_response(body, "text/event-stream"),
        client=_anthropic,
    )


def anthropic_stream(body: bytes) -> View:
    said = Said()
    usages: list[Any] = []
    tools: dict[int, Tool] = {}
    starts: dict[int, Any] = {}
    failed = False
    try:
        for event in anthropic_events(body):
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
                _anthropic_delta(said, tools, data)
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
    return View([said], anthropic_tokens(usages), failed)


def _anthropic_delta(said: Said, tools: dict[int, Tool], data: Any) -> None:
    delta = data["delta"]
    if delta["type"] == "text_delta":
        said.text += delta.get("text") or ""
    elif delta["type"] == "thinking_delta":
        said.reasoning += delta.get("thinking") or ""
    elif delta["type"] == "input_json_delta" and data["index"] in tools:
        tools[data["index"]].arguments += delta.get("partial_json") or ""


def anthropic_tokens(usages: list[Any]) -> Tokens:
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
