"""How long a first token is waited for."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from tests.unit.layers.support import card
from turnout.upstream.patience import LOADING, REASONING, first_token_s

PLAIN = card("a")


@pytest.mark.parametrize(
    ("body", "thinks"),
    [
        ({}, False),
        ({"reasoning_effort": "high"}, True),
        ({"reasoning_effort": "low"}, False),
        ({"reasoning_effort": None}, False),
        ({"reasoning": {"effort": "medium", "summary": "auto"}}, True),
        ({"reasoning": {"effort": "none"}}, False),
        ({"thinking": {"type": "enabled", "budget_tokens": 8000}}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 8000}}}, True),
        ({"generationConfig": {"temperature": 0}}, False),
    ],
)
def test_who_thinks_is_waited_for(body: dict[str, object], thinks: bool) -> None:
    fields = {name: Raw(msgspec.json.encode(value)) for name, value in body.items()}
    assert first_token_s(10.0, fields, 100, PLAIN) == 10.0 * (REASONING if thinks else 1)


def test_long_prompts_and_models_that_must_be_loaded_are_waited_for() -> None:
    assert first_token_s(10.0, {}, 4_000_000, PLAIN) == 110.0
    assert first_token_s(10.0, {}, 1_000, replace(PLAIN, tags=frozenset({"local"}))) == 10.0 * LOADING
    assert (
        first_token_s(10.0, {}, 1_000, replace(PLAIN, quirks=frozenset({"always_thinks"})))
        == 10.0 * REASONING
    )
