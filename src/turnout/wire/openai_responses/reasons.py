"""Why a reply ended, in both vocabularies. Here a reply has a status, and a reason only when it is incomplete."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from turnout.core.events import Stop, StopReason

_FROM_REASON: Mapping[str, StopReason] = MappingProxyType(
    {
        "max_output_tokens": "length",
        "max_tokens": "length",
        "content_filter": "content_filter",
    }
)
_INCOMPLETE: Mapping[StopReason, str] = MappingProxyType(
    {"length": "max_output_tokens", "content_filter": "content_filter", "refusal": "content_filter"}
)


def decode_stop(status: str, reason: str, *, called_tools: bool) -> Stop:
    """`raw` is the reason of an incomplete reply, else the status. A finished reply that calls tools stopped for them.

    Older models say nothing of why a reply is incomplete: then it was cut by its length (seen at exactly the largest output).
    """
    if status == "incomplete":
        return Stop(_FROM_REASON.get(reason, "other" if reason else "length"), reason or status)
    if status in ("completed", "complete", ""):
        return Stop("tool_use" if called_tools else "stop", status or "completed")
    return Stop("other", status)


def incomplete_reason(stop: Stop | None) -> str | None:
    """For a client of this dialect; `None`: the reply is complete."""
    return None if stop is None else _INCOMPLETE.get(stop.reason)
