"""An assistant's turn as a provider spoke it, and as it comes back to the provider in a later request: one reading for both, by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from tests.fidelity.asked import canonical, parts_of
from tests.fidelity.asked.gemini import camel
from tests.fidelity.recordings import Dialect


class Turn(Struct):
    """`thinking` are the proofs that a provider wants back with what they belong to: a text, or the kind of a part."""

    text: str = ""
    thinking: list[tuple[str, str]] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)


def spoken(dialect: Dialect, reply: dict[str, Any]) -> Turn | None:
    """The (first) turn in a whole reply; `None` for one that holds no turn."""
    turn = Turn()
    for message in _SPOKEN[dialect](reply)[:1]:
        _ADD[dialect](turn, message)
        return turn
    return None


def returned(dialect: Dialect, body: dict[str, Any]) -> Turn:
    """All that the assistant said in a request's conversation."""
    turn = Turn()
    for message in _RETURNED[dialect](body):
        _ADD[dialect](turn, message)
    return turn


_Messages = Callable[[dict[str, Any]], list[dict[str, Any]]]


def _assistants(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [message for message in body["messages"] if message["role"] == "assistant"]


def _choices(reply: dict[str, Any]) -> list[dict[str, Any]]:
    return [choice.get("message") or {} for choice in reply.get("choices") or []]


def _candidates(reply: dict[str, Any]) -> list[dict[str, Any]]:
    return [candidate.get("content") or {} for candidate in reply.get("candidates") or []]


def _models(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [content for content in body["contents"] if content.get("role") == "model"]


def _output(reply: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"items": reply["output"]}] if reply.get("output") else []


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    given = body["input"]
    ours = (
        [item for item in given if item.get("role") in (None, "assistant")] if isinstance(given, list) else []
    )
    return [{"items": ours}]


def _whole(reply: dict[str, Any]) -> list[dict[str, Any]]:
    return [reply] if reply.get("content") is not None else []


def _message(reply: dict[str, Any]) -> list[dict[str, Any]]:
    return [reply["message"]] if isinstance(reply.get("message"), dict) else []


def _converse(reply: dict[str, Any]) -> list[dict[str, Any]]:
    return [reply["output"]["message"]] if (reply.get("output") or {}).get("message") else []


def _add_openai(turn: Turn, message: dict[str, Any]) -> None:
    turn.text += message.get("tool_plan") or ""
    for part in parts_of(message.get("content")):
        if part["type"] == "text":
            turn.text += part["text"]
    turn.text += message.get("refusal") or (message.get("audio") or {}).get("transcript") or ""
    for call in message.get("tool_calls") or []:
        turn.calls.append((call.get("id") or "", *_function(call.get("function") or call["custom"])))
    if (legacy := message.get("function_call")) and legacy["name"]:
        turn.calls.append(("", *_function(legacy)))


def _function(function: dict[str, Any]) -> tuple[str, str]:
    arguments = function.get("arguments") or function.get("input") or "{}"
    if not isinstance(arguments, str):
        return function["name"], canonical(arguments)
    try:
        return function["name"], canonical(json.loads(arguments) or {})
    except ValueError:
        return function["name"], arguments


def _add_anthropic(turn: Turn, message: dict[str, Any]) -> None:
    for part in parts_of(message.get("content")):
        match part["type"]:
            case "text":
                turn.text += part["text"]
            case "thinking":
                turn.thinking.append((part["thinking"], part.get("signature") or ""))
            case "redacted_thinking":
                turn.thinking.append(("", part["data"]))
            case "tool_use":
                turn.calls.append((part["id"], part["name"], canonical(part["input"])))


def _add_converse(turn: Turn, message: dict[str, Any]) -> None:
    for part in message.get("content") or []:
        turn.text += part.get("text") or ""
        turn.text += "".join(
            p.get("text") or "" for p in (part.get("citationsContent") or {}).get("content") or []
        )
        reasoning = part.get("reasoningContent") or {}
        if "reasoningText" in reasoning:
            shown = reasoning["reasoningText"]
            if shown.get("signature"):
                turn.thinking.append((shown.get("text") or "", shown["signature"]))
        elif reasoning:
            turn.thinking.append(("", reasoning["redactedContent"]))
        use = part.get("toolUse")
        if use and use.get("type") != "server_tool_use":
            turn.calls.append((use["toolUseId"], use["name"], canonical(use["input"])))


def _add_gemini(turn: Turn, message: dict[str, Any]) -> None:
    for part in camel(message).get("parts") or []:
        if "text" in part and not part.get("thought"):
            turn.text += part["text"]
        call = part.get("functionCall")
        if call:
            turn.calls.append((call.get("id") or "", call["name"], canonical(call.get("args") or {})))
        signature = part.get("thoughtSignature")
        if signature and ("text" in part or call):
            turn.thinking.append(("call" if call else "text", signature))


def _add_responses(turn: Turn, message: dict[str, Any]) -> None:
    for item in message["items"]:
        match item.get("type") or "message":
            case "message":
                for part in parts_of(item.get("content")):
                    turn.text += part.get("text") or part.get("refusal") or ""
            case "reasoning":
                if item.get("encrypted_content"):
                    turn.thinking.append(("", item["encrypted_content"]))
            case "function_call" | "custom_tool_call":
                turn.calls.append((item["call_id"], *_function(item)))


_SPOKEN: Mapping[Dialect, _Messages] = {
    "openai_chat": _choices,
    "mistral": _choices,
    "openai_responses": _output,
    "anthropic": _whole,
    "bedrock_anthropic": _whole,
    "gemini": _candidates,
    "bedrock": _converse,
    "cohere": _message,
    "ollama": _message,
}
_RETURNED: Mapping[Dialect, _Messages] = {
    **dict.fromkeys(_SPOKEN, _assistants),
    "openai_responses": _items,
    "gemini": _models,
}
_ADD: Mapping[Dialect, Callable[[Turn, dict[str, Any]], None]] = {
    **dict.fromkeys(_SPOKEN, _add_openai),
    "openai_responses": _add_responses,
    "anthropic": _add_anthropic,
    "bedrock_anthropic": _add_anthropic,
    "gemini": _add_gemini,
    "bedrock": _add_converse,
}
