"""Is what a client of another dialect reads the same as what the provider's own SDK reads?"""

from __future__ import annotations

import json

from msgspec import structs

from tests.fidelity.recordings import Dialect
from tests.fidelity.views import Said, Tokens, Tool, View

# Why a reply ended, from any dialect's words to one vocabulary; any other word is `other`. `None` and "" mean that the provider said nothing.
_REASONS = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "compaction": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tools",
    "tool_use": "tools",
    "function_call": "tools",
    "content_filter": "refused",
    "refusal": "refused",
    # Gemini
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "refused",
    "RECITATION": "refused",
    "BLOCKLIST": "refused",
    "PROHIBITED_CONTENT": "refused",
    "SPII": "refused",
    "MODEL_ARMOR": "refused",
    # Bedrock
    "guardrail_intervened": "refused",
    "content_filtered": "refused",
    # Cohere
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "TOOL_CALL": "tools",
}
_ONE_CHOICE = frozenset({"anthropic", "openai_responses"})
_REFUSAL_IS_TEXT = frozenset({"anthropic", "gemini"})
_IDS_OPTIONAL = frozenset({"gemini"})
_ESTIMATED = frozenset({"input", "output"})
_NO_CACHE_WRITES = frozenset({"gemini"})


def meant(said: Said) -> str:
    """Why the provider ended. One that names no reason, or `stop` beside tool calls, means what its content says."""
    word = told(said) if said.finish else "stop"
    return "tools" if word == "stop" and said.tools else word


def told_rightly(provider: Said, client: Said) -> bool:
    """A word that no other dialect has may come as a plain end, or as a call where there is one."""
    meaning, word = meant(provider), told(client)
    if (provider.refusal and word == "refused") or (client.refusal and meaning == "refused"):
        return True
    if meaning == "other":
        return word in ("other", "tools" if client.tools else "stop")
    return meaning == word


def told(said: Said) -> str:
    """Why the reply ended as the client reads it: agent loops go by the word alone, so nothing is guessed here."""
    return _REASONS.get(said.finish, "other") if said.finish else "nothing"


def differences(expected: View, found: View, client: Dialect) -> list[str]:
    """Field by field; empty when nothing was lost. `client` is the dialect that `found` was read in.

    Of a stream that failed midway, what was said before must be the same; nobody promises a reason or tokens then.
    """
    if expected.failed != found.failed:
        return [f"failed: {expected.failed} → {found.failed}"]
    wanted = expected.choices[:1] if client in _ONE_CHOICE else expected.choices
    counted = [] if expected.failed else tokens(expected.tokens, found.tokens, client)
    if len(wanted) != len(found.choices):
        nothing_said = not any(
            s.text or s.refusal or s.reasoning or s.tools for s in [*wanted, *found.choices]
        )
        if nothing_said and (expected.failed or not wanted):
            return counted
        return [f"choices: {len(wanted)} → {len(found.choices)}"]
    out: list[str] = []
    for one, other in zip(wanted, found.choices, strict=True):
        out += _content(one, other, client) + _calls(one.tools, other.tools, client)
        if not expected.failed and not told_rightly(one, other):
            out.append(f"finish: {one.finish} → {other.finish}")
    return out + counted


def _content(one: Said, other: Said, client: Dialect) -> list[str]:
    out = []
    text, other_text = one.text, other.text
    if client in _REFUSAL_IS_TEXT:  # a refusal is text there; the reason tells it apart
        text += one.refusal
        other_text += other.refusal
    elif one.refusal != other.refusal:
        out.append(f"refusal: {one.refusal[:80]!r} → {other.refusal[:80]!r}")
    if text != other_text:
        out.append(f"text: {text[:80]!r} → {other_text[:80]!r}")
    if one.reasoning != other.reasoning:
        out.append(f"reasoning: {one.reasoning[:80]!r} → {other.reasoning[:80]!r}")
    return out


def _calls(tools: list[Tool], others: list[Tool], client: Dialect) -> list[str]:
    if [tool.name for tool in tools] != [tool.name for tool in others]:
        return [f"tool names: {[t.name for t in tools]} → {[t.name for t in others]}"]
    given = [tool.id for tool in others if tool.id]
    out = [] if len(set(given)) == len(given) else ["two tool calls share an id"]
    for tool, found in zip(tools, others, strict=True):
        if not same_arguments(tool, found):
            out.append(f"arguments: {tool.arguments[:80]!r} → {found.arguments[:80]!r}")
        if not same_id(tool.id, found.id, client):
            out.append(f"tool id: {tool.id!r} → {found.id!r}")
    return out


def same_id(one: str, other: str, client: Dialect) -> bool:
    """An id goes through as it is; where the provider gave none, the client still needs one, unless its dialect may leave it out."""
    return other == one if one else bool(other) or client in _IDS_OPTIONAL


def same_arguments(one: Tool, other: Tool) -> bool:
    """Equal as JSON. Text that is no JSON object (cut short, say) must still be there in full."""
    try:
        wanted = json.loads(one.arguments or "{}")
    except ValueError:
        return one.arguments == other.arguments or json.dumps(one.arguments) in other.arguments
    if wanted is None and other.arguments == "{}":
        return True
    if not isinstance(wanted, dict):
        return json.dumps(one.arguments) in other.arguments or one.arguments == other.arguments
    try:
        return bool(wanted == json.loads(other.arguments or "{}"))
    except ValueError:
        return False


def tokens(one: Tokens, other: Tokens, client: Dialect) -> list[str]:
    """Class by class. A dialect that knows no cache writes tells them as fresh input. Where the provider told nothing of a class that
    every reply has, or zero, an estimate may stand in its place: clients whose context meters go by it must not be told that it is nothing."""
    if client in _NO_CACHE_WRITES and (one.input is not None or one.cache_write):
        one = structs.replace(one, input=(one.input or 0) + (one.cache_write or 0), cache_write=0)
    out = []
    for name in Tokens.__struct_fields__:
        wanted, found = getattr(one, name), getattr(other, name)
        if not wanted and name in _ESTIMATED:
            continue
        if (wanted or 0) != (found or 0):
            out.append(f"{name} tokens: {wanted} → {found}")
    return out
