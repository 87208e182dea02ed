"""What Cohere's words mean: usage, the reason of the end, and what has no canonical meaning.

Two counts come with every reply. `tokens` is what went through the model, Cohere's own preamble and template included; `billed_units` is
what the account is charged for, and therefore the usage here. `cached_tokens` counts a prefix of the former, and Cohere's
unbilled part comes first: only what the cache holds beyond it is billed input that was read from the cache. A `tool_plan` is what the model
says to the user before it calls tools, and is a text: a client's history keeps texts, and it goes back as a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import OpaqueBlock, Stop, StopReason, Usage
from turnout.core.model import DialectName

DIALECT: DialectName = "cohere"
UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
CITATION_KIND = "citation"
LOGPROBS_KIND = "logprobs"
_COUNT_MAX = 2**53

_STOPS: Mapping[str, StopReason] = MappingProxyType(
    {
        "COMPLETE": "stop",
        "STOP_SEQUENCE": "stop_sequence",
        "MAX_TOKENS": "length",
        "TOOL_CALL": "tool_use",
    }
)
_FAILURES = frozenset({"TIMEOUT", "USER_CANCEL"})


class Tokens(Struct):
    input_tokens: float | None = None
    output_tokens: float | None = None
    reasoning_tokens: float | None = None
    image_tokens: float | None = None


class WireUsage(Struct):
    billed_units: Tokens | None = None
    tokens: Tokens | None = None
    cached_tokens: float | None = None


def _count(value: float | None) -> int:
    return int(value) if value is not None and 0 < value < _COUNT_MAX else 0


def canonical(wire: WireUsage) -> Usage | None:
    """Billed tokens; where only `tokens` is told, that. `None` when neither is."""
    billed = wire.billed_units or wire.tokens
    if billed is None:
        return None
    all_tokens = wire.tokens or billed
    prompt, output = _count(billed.input_tokens), _count(billed.output_tokens)
    unbilled = _count(all_tokens.input_tokens) + _count(all_tokens.image_tokens) - prompt
    cached = max(0, min(_count(wire.cached_tokens) - max(0, unbilled), prompt))
    reasoning = min(_count(all_tokens.reasoning_tokens), output)
    return Usage(input=prompt - cached, cache_read=cached, output=output, reasoning=reasoning)


def is_failure(reason: str) -> bool:
    """Reasons that say that the reply is not an answer (`ERROR`, `ERROR_TOXIC`, …)."""
    return reason.startswith("ERROR") or reason in _FAILURES


def decode_stop(reason: str | None, *, called_tools: bool) -> Stop:
    if not reason:
        return Stop("tool_use" if called_tools else "stop")
    return Stop(_STOPS.get(reason, "other"), reason)


def opaque(kind: str, raw: Raw, index: int) -> OpaqueBlock:
    return OpaqueBlock(DIALECT, kind, raw.copy(), index)


def given(raw: Raw) -> bool:
    """Is there a value, and not null or an empty list?"""
    return bytes(raw).strip() not in (b"", b"null", b"[]")


def spoken_arguments(text: str | None) -> str:
    """A call's arguments; `null` is Cohere's word for none."""
    return "" if text is None or text.strip() == "null" else text
