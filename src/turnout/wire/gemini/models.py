"""What is known of a Gemini model by its name. A quirk says it for a model under another name."""

from __future__ import annotations

import re

from turnout.wire.codec import Target

_GENERATION = re.compile(r"gemini-(\d+)")
_BUDGETS: tuple[tuple[str, int, int], ...] = (
    ("flash-lite", 512, 24_576),
    ("flash", 1, 24_576),
    ("pro", 128, 32_768),
)  # smallest and largest thinking budget, in tokens


def generation(model: str) -> int:
    """3 for `gemini-3.1-pro`; 0 when the name does not say."""
    match = _GENERATION.search(model)
    return int(match[1]) if match else 0


def is_new(target: Target) -> bool:
    """Gemini 3 and later: thinking by level, signed function calls, media in function responses, JSON output beside tools."""
    return "gemini_3" in target.quirks or generation(target.model) >= 3


def budget_range(target: Target) -> tuple[int, int]:
    """The thinking budgets that the model accepts, in tokens, beside 0 where it can be told not to think."""
    for word, least, most in _BUDGETS:
        if word in target.model:
            return least, most
    return 1, 32_768


def must_think(target: Target) -> bool:
    """Pro models cannot be told not to think."""
    return "pro" in target.model
