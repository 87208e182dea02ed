"""A reply read in the other dialect goes back, as SDKs send it: does its provider get its own turn again?

Agent loops live on this. An OpenAI client knows nothing of thinking blocks, yet Anthropic refuses a tool loop whose thinking comes back unsigned;
an Anthropic client holds ids and arguments that another provider made. The client here keeps what it was given and sends it back unread.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct, field

from tests.fidelity.asked import canonical, parts_of
from tests.fidelity.codecs import across, other
from tests.fidelity.recordings import Dialect, Recording, all_recordings
from tests.fidelity.report import Outcome
from tests.fidelity.translated import TARGET
from turnout.wire.registry import CODECS


class Turn(Struct):
    """An assistant's turn. `thinking` are texts with signatures, and withheld blocks' data; OpenAI has one text a turn."""

    text: str = ""
    thinking: list[tuple[str, str]] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)


def outcomes() -> list[Outcome]:
    out = []
    for recording in all_recordings():
        if recording.status == 200 and not recording.streamed:
            found = _tried(recording)
            if found is not None:
                out.append(Outcome(recording.id, recording.dialect, "echoed", False, tuple(found)))
    return out


def _tried(recording: Recording) -> list[str] | None:
    """`None` for a reply that holds no turn."""
    client = other(recording.dialect)
    _, body = across(recording)
    given = json.loads(body)
    if "error" in given or (client == "anthropic" and not json.loads(recording.body).get("choices")):
        return None
    follow_up = openai_follow_up(given) if client == "openai_chat" else anthropic_follow_up(given)
    request = CODECS[client].decode_request(json.dumps(follow_up).encode())
    back = json.loads(CODECS[recording.dialect].encode_request(request, TARGET).body)
    return differing(
        spoken(recording.dialect, json.loads(recording.body)), returned(recording.dialect, back["messages"])
    )


def openai_follow_up(given: dict[str, Any]) -> dict[str, Any]:
    message = given["choices"][0]["message"]
    calls = message.get("tool_calls") or []
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "r"} for call in calls]
    turns = [{"role": "user", "content": "q"}, message, *results, {"role": "user", "content": "go on"}]
    return {"model": "m", "messages": turns, "reasoning_effort": "low", "max_tokens": 30_000}


def anthropic_follow_up(given: dict[str, Any]) -> dict[str, Any]:
    calls = [block for block in given["content"] if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "r"} for call in calls]
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": given["content"]},
        {"role": "user", "content": [*results, {"type": "text", "text": "go on"}]},
    ]
    return {"model": "m", "messages": turns, "max_tokens": 30_000}


def spoken(dialect: Dialect, reply: dict[str, Any]) -> Turn:
    turn = Turn()
    _add(turn, dialect, reply if dialect == "anthropic" else reply["choices"][0].get("message") or {})
    return turn


def returned(dialect: Dialect, messages: list[dict[str, Any]]) -> Turn:
    turn = Turn()
    for message in messages:
        if message["role"] == "assistant":
            _add(turn, dialect, message)
    return turn


def _add(turn: Turn, dialect: Dialect, message: dict[str, Any]) -> None:
    for part in parts_of(message.get("content")):
        kind = part["type"]
        if kind == "text":
            turn.text += part["text"]
        elif kind == "thinking" and dialect == "anthropic":
            turn.thinking.append((part["thinking"], part.get("signature") or ""))
        elif kind == "redacted_thinking":
            turn.thinking.append(("", part["data"]))
        elif kind == "tool_use":
            turn.calls.append((part["id"], part["name"], canonical(part["input"])))
    turn.text += message.get("refusal") or (message.get("audio") or {}).get("transcript") or ""
    for call in message.get("tool_calls") or []:
        turn.calls.append((call["id"], *_function(call["function"])))
    if (legacy := message.get("function_call")) and legacy["name"]:
        turn.calls.append(("", *_function(legacy)))


def _function(function: dict[str, Any]) -> tuple[str, str]:
    arguments = function.get("arguments") or "{}"
    try:
        return function["name"], canonical(json.loads(arguments))
    except ValueError:
        return function["name"], arguments


def differing(spoken: Turn, returned: Turn) -> list[str]:
    """A call that had no id comes back with one."""
    out = []
    for name in ("text", "thinking"):
        one, two = getattr(spoken, name), getattr(returned, name)
        if one != two:
            out.append(f"{name}: {str(one)[:160]} → {str(two)[:160]}")
    one, two = spoken.calls, returned.calls
    if len(one) != len(two) or any(a[a[0] == "" :] != b[a[0] == "" :] for a, b in zip(one, two, strict=True)):
        out.append(f"calls: {str(one)[:160]} → {str(two)[:160]}")
    return out
