"""How long to wait for a first token: by what is asked, because a model that is told to think says nothing for minutes.

Promise: a request that asks for reasoning is given `REASONING` times the usual time to its first content, and one to a model on this machine
`LOADING` times, because it may have to be loaded first; a long prompt gets a second more for every `TOKENS_A_SECOND`. What is asked is
read off the body's outermost members, in any dialect, without decoding them. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from turnout.core.card import Card

REASONING = 5.0
LOADING = 5.0
TOKENS_A_SECOND = 10_000
_BYTES_A_TOKEN = 4
_LITTLE = (b'"none"', b'"minimal"', b'"low"', b"null", b'"disabled"', b"false")
_MEMBERS = ("reasoning_effort", "reasoning", "thinking", "output_config", "enable_thinking")
_GEMINI = (b"thinkingBudget", b"thinkingLevel", b"thinking_budget", b"thinking_level", b"includeThoughts")
_ALWAYS = frozenset({"always_thinks"})


def first_token_s(usual_s: float, fields: Mapping[str, Raw], body_bytes: int, card: Card) -> float:
    """Seconds from the request to its first content; never less than `usual_s`."""
    factor = 1.0
    if asks_to_think(fields, card):
        factor = REASONING
    if "local" in card.tags:
        factor = max(factor, LOADING)
    return usual_s * factor + body_bytes // (_BYTES_A_TOKEN * TOKENS_A_SECOND)


def asks_to_think(fields: Mapping[str, Raw], card: Card) -> bool:
    """Does this request have the model reason before it answers?"""
    told = [bytes(fields[name]) for name in _MEMBERS if name in fields]
    config = fields.get("generationConfig") or fields.get("generation_config")
    if config is not None and any(word in bytes(config) for word in _GEMINI):
        told.append(bytes(config))
    if told:
        return any(not any(little in value for little in _LITTLE) for value in told)
    return not _ALWAYS.isdisjoint(card.quirks)
