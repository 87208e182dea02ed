"""A reply read in another dialect goes back, as SDKs send it: does its provider get its own turn again?

Agent loops live on this. An OpenAI client knows nothing of thinking blocks, yet Anthropic refuses a tool loop whose thinking comes back unsigned;
an Anthropic client holds ids and arguments that another provider made. The client here keeps what it was given and sends it back unread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import structs

from tests.fidelity.codecs import across, clients_of, events
from tests.fidelity.codecs import spoken as spoken_recordings
from tests.fidelity.recordings import Dialect, Recording
from tests.fidelity.report import Outcome
from tests.fidelity.translated import TARGET
from tests.fidelity.turns import Turn, returned, spoken
from turnout.core.errors import CallFailed
from turnout.wire.registry import CODECS, PROVIDERS

_MISTRAL_ID = re.compile(r"[A-Za-z0-9]{9}")


def outcomes(recordings: Sequence[Recording] | None = None) -> list[Outcome]:
    chosen = spoken_recordings() if recordings is None else recordings
    return [o for r in chosen if r.status == 200 and not r.streamed for o in _tried(r)]


def _tried(recording: Recording) -> list[Outcome]:
    """Nothing for a reply that holds no turn."""
    turn = _said(recording)
    if turn is None:
        return []
    decoded = events(recording)
    out = []
    for client in clients_of(recording.dialect):
        given = json.loads(across(recording, decoded, client))
        if given.get("error"):
            continue
        found = tuple(_differences(recording.dialect, turn, client, given))
        out.append(Outcome(recording.id, recording.dialect, "echoed", False, found, client))
    return out


def _said(recording: Recording) -> Turn | None:
    try:
        reply = json.loads(recording.body)
    except ValueError:
        return None
    return spoken(recording.dialect, reply) if isinstance(reply, dict) else None


def _differences(provider: Dialect, turn: Turn, client: Dialect, given: dict[str, Any]) -> list[str]:
    try:
        request = CODECS[client].decode_request(json.dumps(_FOLLOW_UPS[client](given)).encode())
        back = json.loads(PROVIDERS[provider].encode_request(request, TARGET).body)
    except CallFailed as error:
        return [f"refused: {error.failure.message}"]
    return differing(_with_usable_ids(provider, turn), returned(provider, back))


def _with_usable_ids(provider: Dialect, turn: Turn) -> Turn:
    """Mistral takes ids of one form alone; any other was written over in the recording and comes back as one of ours."""
    if provider != "mistral":
        return turn
    calls = [(call[0] if _MISTRAL_ID.fullmatch(call[0]) else "", *call[1:]) for call in turn.calls]
    return structs.replace(turn, calls=calls)


def _openai(given: dict[str, Any]) -> dict[str, Any]:
    message = given["choices"][0]["message"]
    calls = message.get("tool_calls") or []
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "r"} for call in calls]
    turns = [{"role": "user", "content": "q"}, message, *results, {"role": "user", "content": "go on"}]
    return {"model": "m", "messages": turns, "reasoning_effort": "low", "max_tokens": 30_000}


def _anthropic(given: dict[str, Any]) -> dict[str, Any]:
    calls = [block for block in given["content"] if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "r"} for call in calls]
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": given["content"]},
        {"role": "user", "content": [*results, {"type": "text", "text": "go on"}]},
    ]
    return {"model": "m", "messages": turns, "max_tokens": 30_000}


def _responses(given: dict[str, Any]) -> dict[str, Any]:
    outputs = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
    results = [
        {"type": outputs[item["type"]], "call_id": item["call_id"], "output": "r"}
        for item in given["output"]
        if item["type"] in outputs
    ]
    asked = {"role": "user", "content": "q"}
    turns = [asked, *given["output"], *results, {"role": "user", "content": "go on"}]
    return {"model": "m", "input": turns, "reasoning": {"effort": "low"}, "max_output_tokens": 30_000}


def _gemini(given: dict[str, Any]) -> dict[str, Any]:
    content = (given.get("candidates") or [{}])[0].get("content") or {"role": "model", "parts": []}
    calls = [part["functionCall"] for part in content.get("parts") or [] if "functionCall" in part]
    results: list[dict[str, Any]] = [
        {"functionResponse": {"name": call["name"], "response": {"result": "r"}} | _id(call)}
        for call in calls
    ]
    turns = [
        {"role": "user", "parts": [{"text": "q"}]},
        content,
        {"role": "user", "parts": [*results, {"text": "go on"}]},
    ]
    return {"contents": turns, "generationConfig": {"maxOutputTokens": 30_000}}


def _id(call: dict[str, Any]) -> dict[str, str]:
    return {"id": call["id"]} if call.get("id") else {}


_FOLLOW_UPS: Mapping[Dialect, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "openai_chat": _openai,
    "openai_responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}


def differing(spoken: Turn, returned: Turn) -> list[str]:
    """A call that had no id may come back with one."""
    out = []
    if "".join(spoken.text.split()) != "".join(returned.text.split()):
        out.append(f"text: {spoken.text[:160]} → {returned.text[:160]}")
    if spoken.thinking != returned.thinking:
        out.append(f"thinking: {str(spoken.thinking)[:160]} → {str(returned.thinking)[:160]}")
    one, two = spoken.calls, returned.calls
    if len(one) != len(two) or any(a[a[0] == "" :] != b[a[0] == "" :] for a, b in zip(one, two, strict=True)):
        out.append(f"calls: {str(one)[:160]} → {str(two)[:160]}")
    return out
