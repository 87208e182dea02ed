"""The table between reasoning effort and thinking budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.wire.effort import BUDGET_TOKENS_MIN, BUDGETS, budget_for, effort_for, fit_budget


@pytest.mark.parametrize("effort", list(BUDGETS))
def test_a_level_survives_the_round_trip(effort: str) -> None:
    assert effort_for(budget_for(effort)) == effort


@pytest.mark.parametrize("effort", [None, "colossal"])
def test_unknown_levels_are_medium(effort: str | None) -> None:
    assert budget_for(effort) == 8_192


@pytest.mark.parametrize(
    ("budget", "effort"), [(0, "none"), (1_023, "none"), (2_047, "minimal"), (10**6, "max")]
)
def test_a_budget_is_never_rounded_up(budget: int, effort: str) -> None:
    assert effort_for(budget) == effort


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_fitting_budget_is_legal_and_leaves_room(budget: int, max_tokens: int) -> None:
    fitting = fit_budget(budget, max_tokens)
    if max_tokens <= BUDGET_TOKENS_MIN:
        assert fitting is None
    else:
        assert fitting is not None and BUDGET_TOKENS_MIN <= fitting < max_tokens
        assert fitting <= max(budget, BUDGET_TOKENS_MIN)
