"""Why a reply ended, in both vocabularies. The format says STOP after function calls as well."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from turnout.core.events import Stop, StopReason

_FROM_WIRE: Mapping[str, StopReason] = MappingProxyType(
    {
        "STOP": "stop",
        "MAX_TOKENS": "length",
        "SAFETY": "content_filter",
        "RECITATION": "content_filter",
        "BLOCKLIST": "content_filter",
        "PROHIBITED_CONTENT": "content_filter",
        "SPII": "content_filter",
        "MODEL_ARMOR": "content_filter",
        "IMAGE_SAFETY": "content_filter",
        "IMAGE_PROHIBITED_CONTENT": "content_filter",
        "IMAGE_RECITATION": "content_filter",
    }
)
_OTHER_WORDS = frozenset(
    {
        "OTHER",
        "LANGUAGE",
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "IMAGE_OTHER",
        "NO_IMAGE",
        "ESCALATION",
    }
)
_FAULTS = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "IMAGE_OTHER",
        "NO_IMAGE",
        "OTHER",
        "LANGUAGE",
    }
)
_NUMBERS: Mapping[int, str] = MappingProxyType(
    {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER"}
)  # those on which Google AI and Vertex agree
_TO_WIRE: Mapping[StopReason, str] = MappingProxyType(
    {
        "stop": "STOP",
        "length": "MAX_TOKENS",
        "tool_use": "STOP",
        "content_filter": "SAFETY",
        "refusal": "SAFETY",
        "pause": "STOP",
        "stop_sequence": "STOP",
        "other": "OTHER",
    }
)


def reason_word(word: str | int | None) -> str:
    """`finishReason` by name; empty when the model has not stopped. Numbers come with `enum-encoding=int`."""
    if isinstance(word, int):
        return _NUMBERS.get(word, str(word)) if word else ""
    return "" if not word or word == "FINISH_REASON_UNSPECIFIED" else word


def decode_stop(word: str, choice: int) -> Stop:
    """A word that nobody knows yet is `other` and kept in `raw`."""
    return Stop(_FROM_WIRE.get(word, "other"), word, None, choice)


def is_fault(word: str) -> bool:
    """Did the model break off, rather than end? Where nothing was said before, that is a failure and no answer."""
    return word in _FAULTS


def decode_block(word: str) -> Stop:
    """A prompt that was blocked: whatever the word, a filter ended it."""
    return Stop("content_filter", word)


def stop_word(stop: Stop | None) -> str:
    """The `finishReason` for a Gemini client."""
    if stop is None:
        return "STOP"
    if stop.raw in _OTHER_WORDS or _FROM_WIRE.get(stop.raw) == stop.reason:
        return stop.raw
    return _TO_WIRE[stop.reason]
