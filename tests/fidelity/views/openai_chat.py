"""OpenAI chat completions as the `openai` SDK reads them, with what its many imitators add."""

from __future__ import annotations

import json
from typing import Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.fidelity.views.said import Said, Tokens, Tool, View, failure
from tests.fidelity.views.transport import replied

_client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9")


def whole(body: bytes) -> View:
    data: Any = json.loads(body)
    if not isinstance(data, dict) or ("error" in data and not data.get("choices")):
        return failure()
    data = ChatCompletion.construct(**data).to_dict(mode="python", warnings=False)
    choices = []
    for raw in data.get("choices") or []:
        message = raw.get("message") or {}
        said = Said(finish=raw.get("finish_reason") or None)
        _text(said, message)
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
    return View(choices, tokens(data.get("usage"), data))


def _text(said: Said, message: dict[str, Any]) -> None:
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


def chunks(body: bytes) -> openai.Stream[ChatCompletionChunk]:
    """What iterates when a user writes `for chunk in client.chat.completions.create(stream=True)`."""
    return openai.Stream[ChatCompletionChunk](
        cast_to=ChatCompletionChunk, response=replied(body), client=_client
    )


def stream(body: bytes) -> View:
    choices: dict[int, Said] = {}
    calls: dict[tuple[int, int], Tool] = {}
    usage: dict[str, Any] | None = None
    failed = False
    try:
        for chunk in chunks(body):
            data: Any = chunk.to_dict(mode="python", warnings=False)
            usage = data.get("usage") or (data.get("x_groq") or {}).get("usage") or usage
            for raw in data.get("choices") or []:
                index = raw.get("index") or 0
                said = choices.setdefault(index, Said())
                delta = raw.get("delta") or {}
                _text(said, delta)
                for call in delta.get("tool_calls") or []:
                    _call(said, calls, index, call)
                said.finish = raw.get("finish_reason") or said.finish
    except openai.APIError:
        failed = True
    return View([choices[index] for index in sorted(choices)], tokens(usage, {}), failed)


def _call(said: Said, calls: dict[tuple[int, int], Tool], choice: int, call: dict[str, Any]) -> None:
    function = call.get("function") or call.get("custom") or {}
    key = (choice, call.get("index") or 0)
    tool = calls.get(key)
    if tool is None:
        tool = calls[key] = Tool("", "")
        said.tools.append(tool)
    tool.id = tool.id or call.get("id") or ""
    tool.name += function.get("name") or ""
    tool.arguments += function.get("arguments") or function.get("input") or ""


def tokens(usage: Any, reply: dict[str, Any]) -> Tokens:
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
        or min(prompt, usage.get("num_cached_tokens") or 0)
    )
    audio = details.get("audio_tokens") or 0
    if audio and total == prompt + completion + audio:
        prompt += audio
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
