"""Reasoning effort and thinking budget: the one table that converts between the two units.

Some dialects name a level (`low`, `high`), others give a budget in tokens. The table is Turnout's own convention, chosen so
that a level survives the round trip and that the smallest budget is the least that Anthropic accepts. It knows no dialect.

    effort     none  minimal  low    medium  high    xhigh   max
    budget     0     1,024    2,048  8,192   16,384  32,768  65,536

A budget between two rows is the lower row's level: nobody is given more thinking than was asked for. Words that are not in
the table count as `medium`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

BUDGET_TOKENS_MIN = 1_024
DEFAULT_EFFORT = "medium"

BUDGETS: Mapping[str, int] = MappingProxyType(
    {
        "none": 0,
        "minimal": BUDGET_TOKENS_MIN,
        "low": 2_048,
        "medium": 8_192,
        "high": 16_384,
        "xhigh": 32_768,
        "max": 65_536,
    }
)


def budget_for(effort: str | None) -> int:
    """Thinking tokens that a level stands for; 0 means no thinking."""
    return BUDGETS.get(effort or DEFAULT_EFFORT, BUDGETS[DEFAULT_EFFORT])


def effort_for(budget_tokens: int) -> str:
    """The highest level whose budget is within `budget_tokens`; `none` below the smallest budget."""
    level = "none"
    for name, tokens in BUDGETS.items():
        if tokens <= budget_tokens:
            level = name
    return level


def fit_budget(budget_tokens: int, max_tokens: int) -> int | None:
    """The budget, cut so that a quarter of `max_tokens` is left for the answer; `None` when no legal budget fits."""
    fitting = min(budget_tokens, max_tokens - max_tokens // 4)
    if fitting >= BUDGET_TOKENS_MIN:
        return fitting
    return BUDGET_TOKENS_MIN if max_tokens > BUDGET_TOKENS_MIN else None
