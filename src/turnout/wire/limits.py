"""The numbers that a target takes: one table for all dialects, and one function that moves a request's numbers into it.

Promise: a number out of range becomes the nearest that is taken, and is named (`max_tokens`, else `<field>.range`); what is not known to be
bounded passes. A request of the target's own dialect is its caller's affair and passes whole. What a provider or a model takes less of than its
dialect is said by quirk words with a value (`temperature_to.1.5`). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from msgspec.structs import replace

from turnout.core.model import DialectName, Params, Request
from turnout.wire.codec import Target

Range = tuple[float | None, float | None]
"""The least and the most; `None`: not bounded, or not known."""

TEMPERATURE_TO = "temperature_to."
TEMPERATURE_TO_1 = "temperature_to_1"
TEMPERATURE_NOT_0 = "temperature_not_0"
TOP_P_NOT_0 = "top_p_not_0"
TOP_K_TO = "top_k_to."
WORDS: Mapping[str, str] = MappingProxyType(
    {
        TEMPERATURE_TO: "`temperature_to.<number>`: takes a temperature of so much at most",
        TEMPERATURE_TO_1: "takes a temperature of 1 at most; the same as `temperature_to.1`",
        TEMPERATURE_NOT_0: "refuses a temperature of 0: the least is 0.01",
        TOP_P_NOT_0: "refuses a `top_p` of 0: the least is 0.01",
        TOP_K_TO: "`top_k_to.<number>`: takes a `top_k` of so much at most",
    }
)
"""Quirk word → what it means, in any dialect."""
LEAST = 0.01

_ONE: Range = (0, 1)
_PENALTY: Range = (-2, 2)
# Sources: the providers' specifications (minimum and maximum), and for what these leave out their reference pages.
RANGES: Mapping[DialectName, Mapping[str, Range]] = MappingProxyType(
    {
        "openai_chat": {
            "temperature": (0, 2),
            "top_p": _ONE,
            "presence_penalty": _PENALTY,
            "frequency_penalty": _PENALTY,
            "top_logprobs": (0, 20),
        },
        "openai_responses": {"temperature": (0, 2), "top_p": _ONE, "top_logprobs": (0, 20)},
        "anthropic": {"temperature": _ONE, "top_p": _ONE, "top_k": (0, None)},
        "bedrock_anthropic": {"temperature": _ONE, "top_p": _ONE, "top_k": (0, None)},
        "bedrock": {"temperature": _ONE, "top_p": _ONE, "top_k": (0, None)},
        "gemini": {
            "temperature": (0, 2),
            "top_p": _ONE,
            "top_k": (1, None),
            "presence_penalty": (-2, 1.99),  # below 2
            "frequency_penalty": (-2, 1.99),
            "top_logprobs": (0, 20),
        },
        "mistral": {
            "temperature": (0, 1.5),
            "top_p": _ONE,
            "presence_penalty": _PENALTY,
            "frequency_penalty": _PENALTY,
        },
        "cohere": {
            "temperature": _ONE,
            "top_p": (0.01, 0.99),
            "top_k": (0, 500),
            "presence_penalty": _ONE,
            "frequency_penalty": _ONE,
        },
        "ollama": {"temperature": (0, None), "top_p": _ONE, "top_k": (0, None)},
    }
)
FIELDS: tuple[str, ...] = (
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
)
NO_SAMPLING = "no_sampling"
_SAMPLING = frozenset(FIELDS)  # left out anyhow, and named so
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Losses(Protocol):
    def note(self, name: str, when: bool = True) -> None: ...


def bounded(request: Request, dialect: DialectName, target: Target, losses: Losses) -> Request:
    """The request with numbers that `target` takes. Never fails."""
    if request.dialect == dialect:
        return request
    params = request.params
    refused = _SAMPLING if NO_SAMPLING in target.quirks else frozenset()
    changed: dict[str, float] = {}
    if (
        params.max_tokens is not None
        and target.max_output is not None
        and params.max_tokens > target.max_output
    ):
        changed["max_tokens"] = target.max_output
        losses.note("max_tokens")
    ranges = RANGES.get(dialect, {})
    for name in FIELDS:
        value = None if name in refused else getattr(params, name)
        if value is not None and (near := _near(value, ranges.get(name), name, target)) != value:
            changed[name] = near
            losses.note(f"{name}.range")
    return replace(request, params=_changed(params, changed)) if changed else request


def _changed(params: Params, changed: Mapping[str, float]) -> Params:
    whole = {
        name: int(value) if name.startswith("top_k") or name == "top_logprobs" else value
        for name, value in changed.items()
    }
    return replace(params, **whole)


def _near(value: float, range: Range | None, name: str, target: Target) -> float:
    least, most = range or (None, None)
    if target.quirks:
        least, most = _narrowed(least, most, name, target.quirks)
    if least is not None and value < least:
        return least
    return most if most is not None and value > most else value


def _narrowed(least: float | None, most: float | None, name: str, quirks: frozenset[str]) -> Range:
    if name == "temperature":
        tops = [number_of(word, TEMPERATURE_TO) for word in quirks if word.startswith(TEMPERATURE_TO)]
        tops += [1.0] if TEMPERATURE_TO_1 in quirks else []
        least = LEAST if TEMPERATURE_NOT_0 in quirks else least
    elif name == "top_k":
        tops = [number_of(word, TOP_K_TO) for word in quirks if word.startswith(TOP_K_TO)]
    else:
        return (LEAST if name == "top_p" and TOP_P_NOT_0 in quirks else least), most
    known = [top for top in (*tops, most) if top is not None]
    return least, min(known, default=None)


def number_of(word: str, prefix: str) -> float | None:
    """The number in a word with a value; `None`: there is none."""
    text = word[len(prefix) :]
    return float(text) if word.startswith(prefix) and _NUMBER.fullmatch(text) else None
