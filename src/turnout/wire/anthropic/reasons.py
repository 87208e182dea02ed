"""Why a reply ended, in both vocabularies."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from turnout.core.events import Stop, StopReason

_FROM_WIRE: Mapping[str, StopReason] = MappingProxyType(
    {
        "end_turn": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "stop_sequence": "stop_sequence",
        "tool_use": "tool_use",
        "pause_turn": "pause",
        "refusal": "refusal",
    }
)

_TO_WIRE: Mapping[StopReason, str] = MappingProxyType(
    {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_use": "tool_use",
        "content_filter": "refusal",
        "refusal": "refusal",
        "pause": "pause_turn",
        "stop_sequence": "stop_sequence",
        "other": "end_turn",
    }
)


def decode_stop(word: str, sequence: str | None) -> Stop:
    """A provider's `stop_reason`; a word that nobody knows yet is `other` and kept in `raw`."""
    return Stop(_FROM_WIRE.get(word, "other"), word, sequence)


def stop_word(stop: Stop | None, *, called_tools: bool, refused: bool) -> str:
    """The `stop_reason` for an Anthropic client.

    Clients run tools only on `tool_use`, so a provider that says plain "stop" after tool calls is corrected here; a
    refusal that came as text of its own likewise.
    """
    if stop is not None and stop.raw in _FROM_WIRE:
        return stop.raw  # this dialect's own word: server-side tool calls may well end a turn
    word = "end_turn" if stop is None else _TO_WIRE[stop.reason]
    if word != "end_turn":
        return word
    if called_tools:
        return "tool_use"
    return "refusal" if refused else word
