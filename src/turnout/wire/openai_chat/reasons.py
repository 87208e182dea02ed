"""Why a reply ended, in both vocabularies."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from turnout.core.events import Stop, StopReason

_FROM_WIRE: Mapping[str, StopReason] = MappingProxyType(
    {
        "stop": "stop",
        "eos": "stop",
        "length": "length",
        "max_tokens": "length",
        "model_length": "length",
        "tool_calls": "tool_use",
        "function_call": "tool_use",
        "content_filter": "content_filter",
        "sensitive": "content_filter",
        "model_context_window_exceeded": "length",
    }
)

_TO_WIRE: Mapping[StopReason, str] = MappingProxyType(
    {
        "stop": "stop",
        "length": "length",
        "tool_use": "tool_calls",
        "content_filter": "content_filter",
        "refusal": "content_filter",
        "pause": "stop",
        "stop_sequence": "stop",
        "other": "stop",
    }
)
_OWN_WORDS = frozenset({"stop", "length", "tool_calls", "function_call", "content_filter"})


def decode_stop(word: str | None, choice: int, *, called_tools: bool) -> Stop:
    """A provider's `finish_reason`; without one, what the content says. An unknown word is `other` and kept in `raw`."""
    if not word:
        return Stop("tool_use" if called_tools else "stop", "", None, choice)
    return Stop(_FROM_WIRE.get(word, "other"), word, None, choice)


def finish_word(stop: Stop | None, *, called_tools: bool) -> str:
    """The `finish_reason` for a client of this dialect. A plain stop after tool calls is `tool_calls`: agent loops go by it."""
    if stop is not None and stop.raw in _OWN_WORDS and _FROM_WIRE[stop.raw] == stop.reason:
        return stop.raw
    word = "stop" if stop is None else _TO_WIRE[stop.reason]
    return "tool_calls" if word == "stop" and called_tools else word
