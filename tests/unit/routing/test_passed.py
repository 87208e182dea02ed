"""Operations that are passed as they are: who may be asked, who is left out and why, and what a budget is held against."""

from __future__ import annotations

from typing import get_args

import pytest

from turnout.core.call import ANONYMOUS, PASSED, Controls, Op, Plan
from turnout.core.card import Capability, Card
from turnout.core.errors import CallFailed, Kind
from turnout.core.model import DialectName, Message, Params, Request, Text
from turnout.core.money import MediaRates, Price, Rates
from turnout.routing.plan import AUTO_NAMES, Planner
from turnout.routing.table import build_table

SPEECH = Price(Rates(0, 0, media=MediaRates(character=15_000_000)))
HOURS = Price(Rates(0, 0, media=MediaRates(audio_hour=360_000_000_000)))
TOKENS = Price(Rates(1_000_000, 10_000_000))


def card(
    name: str,
    *capabilities: Capability,
    dialect: DialectName = "openai_chat",
    price: Price | None = TOKENS,
    fallbacks: tuple[str, ...] = (),
) -> Card:
    return Card(
        name,
        "p",
        name,
        dialect,
        "light",
        capabilities=frozenset(capabilities),
        price=price,
        fallbacks=fallbacks,
        context_window=100,
    )


CARDS = (
    card("chat", "tools"),
    card("claude", "tools", dialect="anthropic", fallbacks=("voice",)),
    card("unknown"),
    card("voice", "speech", price=SPEECH, fallbacks=("claude", "chat", "other-voice")),
    card("other-voice", "speech", price=TOKENS),
    card("ears", "transcriptions", price=HOURS),
    card("writer", "completions"),
)
PLANNER = Planner(build_table(CARDS))


def plan(model: str, op: Op, text: str = "hello", expected: int = 0, budget: int | None = None) -> Plan:
    request = Request("openai_chat", model, (Message("user", (Text(text),)),), params=Params(expected))
    return PLANNER.decide(model, Controls(budget_nano=budget), ANONYMOUS, lambda: request, op)


def names(found: Plan) -> list[str]:
    return [candidate.name for candidate in found.candidates]


def test_every_operation_is_passed_or_known_to_all() -> None:
    assert set(get_args(Op)) - PASSED.keys() == {"chat", "embeddings", "count_tokens"}


@pytest.mark.parametrize("op", PASSED)
@pytest.mark.parametrize("model", ["auto", "auto:light", "auto:extraction"])
def test_auto_is_refused(model: str, op: Op) -> None:
    with pytest.raises(CallFailed) as refused:
        plan(model, op)
    assert refused.value.failure.kind is Kind.BAD_REQUEST
    assert refused.value.failure.param == "model"


def test_candidates_that_can() -> None:
    assert names(plan("voice", "speech")) == ["voice", "other-voice"]
    assert names(plan("unknown", "speech")) == ["unknown"]
    assert names(plan("chat", "completions")) == ["chat"]
    assert names(plan("writer", "completions")) == ["writer"]
    assert names(plan("claude", "speech")) == ["voice"]


@pytest.mark.parametrize(
    ("model", "op", "reason"),
    [
        ("chat", "speech", "capability:speech removed 1; the nearest, p/chat: it is not known to do speech"),
        ("ears", "speech", "capability:speech removed 1; the nearest, p/ears: it is not known to do speech"),
        ("ears", "completions", "capability:completions"),
        ("voice", "chat", "capability:chat removed 1; the nearest, p/voice: it does speech only"),
    ],
)
def test_candidates_that_cannot(model: str, op: Op, reason: str) -> None:
    planner = Planner(build_table([one for one in CARDS if one.name == model]) if model != "voice" else VOICE)
    with pytest.raises(CallFailed, match=reason) as refused:
        planner.decide(model, Controls(), ANONYMOUS, lambda: pytest.fail("not read"), op)
    assert refused.value.failure.kind is Kind.UNSUPPORTED


VOICE = build_table([card("voice", "speech", price=SPEECH)])


def test_the_other_dialect_says_which_it_is() -> None:
    planner = Planner(build_table([card("claude", dialect="anthropic")]))
    with pytest.raises(
        CallFailed,
        match="capability:images removed 1; the nearest, p/claude: the dialect anthropic has no such",
    ):
        planner.decide("claude", Controls(), ANONYMOUS, lambda: pytest.fail("not read"), "images")


def test_what_does_not_chat_is_never_chosen_for_it() -> None:
    candidates = names(plan("auto", "chat"))
    assert {"chat", "claude", "unknown"} == set(candidates)


def test_a_budget_for_characters() -> None:
    assert names(plan("voice", "speech", "x" * 1000, 2000, budget=15_000_000))[0] == "voice"
    with pytest.raises(CallFailed) as refused:
        plan("voice", "speech", "x" * 1000, 2000, budget=14_999_999)
    assert refused.value.failure.kind is Kind.BUDGET_EXCEEDED


def test_a_budget_for_tokens_counts_what_may_come_and_no_window() -> None:
    with pytest.raises(CallFailed) as refused:
        plan("unknown", "images", expected=6240, budget=62_000_000)
    assert refused.value.failure.kind is Kind.BUDGET_EXCEEDED
    assert names(plan("unknown", "images", expected=6240, budget=63_000_000)) == ["unknown"]
    assert names(plan("writer", "completions", expected=6240, budget=10**12)) == ["writer"]


def test_a_budget_cannot_hold_for_hours() -> None:
    with pytest.raises(CallFailed, match="budget") as refused:
        plan("ears", "transcriptions", budget=10**12)
    assert refused.value.failure.kind is Kind.BUDGET_EXCEEDED


def test_suggestions_are_models_that_can() -> None:
    with pytest.raises(CallFailed) as refused:
        plan("voise", "speech")
    assert "voice" in refused.value.failure.message
    assert not any(f" {name}" in refused.value.failure.message for name in AUTO_NAMES)
