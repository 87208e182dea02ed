"""Laws of the filters: whatever the configuration, the caller, the controls and the request, and whichever way a model comes in.

What a plan may hold is worked out here a second time, card by card, from what was drawn; nothing of the router's own filters is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from tests.laws.bodies import DIALECTS, Asked, body_of, opened, spoken
from turnout.core.call import Ceiling, Controls, Degrade, Envelope, Limits, Plan, Principal, Priority, Scope
from turnout.core.card import TIERS, Capability, Card, Task
from turnout.core.errors import CallFailed, Kind
from turnout.core.model import DialectName, Request
from turnout.core.money import Price, Rates, Step, usd_per_mtok
from turnout.routing.admission import USUAL, Conditions
from turnout.routing.plan import AUTO_NAMES, Planner, estimate_cost_nano
from turnout.routing.probe import PLAIN_NEEDS
from turnout.routing.table import PolicyRule, RoutingTable, build_table

NAMES = tuple(f"m{index}" for index in range(7))
PROVIDERS = ("p", "q", "r")
TAGS = ("region:eu", "region:us", "training:no", "retention:zero", "cert:soc2", "hipaa")
NEEDS: tuple[Capability, ...] = ("tools", "vision", "documents", "audio", "json_schema", "json_mode")
POLICY_NAMES = ("p0", "p1", "p2")
CENTERS = ("c0", "c1", "nowhere")
TASKS: tuple[Task, ...] = get_args(Task)
SOFT = {"priority", "vector_space", "health"}
"""Removed by comparison with others, and back when those are gone: rules about the list, not about who may use what."""

TEXTS = {"hard": "Prove it step by step", "long": "word " * 2_000, "wide": "描述 " * 900}
quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def some(values: tuple[str, ...], most: int = 3) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), max_size=most)


def maybe(strategy: st.SearchStrategy[frozenset[str]]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.none() | st.none() | strategy


rate = st.sampled_from(("0", "0.1", "1", "3", "15")).map(usd_per_mtok)
ceilings = st.none() | st.none() | st.builds(Ceiling, st.none() | rate, st.none() | rate)
rules = st.builds(
    PolicyRule,
    require_tags=some(TAGS, 1),
    require_any_tags=st.just(frozenset()) | some(TAGS, 2),
    forbid_tags=some(TAGS, 1),
    allow_models=maybe(some((*NAMES, "alias"), 6)),
    deny_models=some(NAMES, 2),
    allow_providers=maybe(some(PROVIDERS)),
    deny_providers=some(PROVIDERS, 1),
)


@st.composite
def prices(draw: st.DrawFn) -> Price | None:
    if draw(st.integers(0, 5)) == 0:
        return None
    steps = (Step(draw(st.sampled_from((10, 1_000))), Rates(draw(rate), draw(rate))),)
    return Price(Rates(draw(rate), draw(rate)), steps if draw(st.booleans()) else ())


@st.composite
def one_card(draw: st.DrawFn, name: str, names: list[str]) -> Card:
    return Card(
        name=name,
        provider=draw(st.sampled_from(PROVIDERS)),
        id=draw(st.sampled_from((name, name, "shared"))),
        dialect="openai_chat",
        tier=draw(st.sampled_from(TIERS)),
        tags=draw(some(TAGS, 6)),
        capabilities=draw(
            st.just(frozenset()) | st.frozensets(st.sampled_from(NEEDS)) | st.just(frozenset({"embeddings"}))
        ),
        context_window=draw(st.none() | st.sampled_from((60, 6_000, 100_000))),
        max_output=draw(st.none() | st.sampled_from((50, 4_000))),
        price=draw(prices()),
        fallbacks=tuple(draw(st.lists(st.sampled_from(names), max_size=4))),
    )


@st.composite
def limits(draw: st.DrawFn, scope: Scope) -> Limits:
    names = (*NAMES, "alias", "p/shared")
    return Limits(
        scope,
        models=draw(maybe(some(names, 8))),
        denied=draw(some(names, 1)),
        providers=draw(maybe(some(PROVIDERS))),
        denied_providers=draw(some(PROVIDERS, 1)),
        policies=tuple(draw(st.just(frozenset()) | some(POLICY_NAMES, 1))),
        ceiling=draw(ceilings),
        budget_nano=draw(st.none() | st.none() | st.integers(0, 3_000_000)),
        prefer=tuple(draw(st.lists(st.sampled_from(NAMES), max_size=1))),
    )


@st.composite
def tables(draw: st.DrawFn) -> RoutingTable:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=7, unique=True))
    return build_table(
        [draw(one_card(name, names)) for name in names],
        aliases={"alias": draw(st.sampled_from(names))},
        tasks=draw(st.dictionaries(st.sampled_from(TASKS), st.sampled_from(names), max_size=3)),
        policies={name: draw(rules) for name in POLICY_NAMES},
        long_context_tokens=draw(st.sampled_from((20, 50_000))),
        cost_centers={"c0": draw(limits("cost_center")), "c1": draw(limits("cost_center"))},
    )


@st.composite
def controls(draw: st.DrawFn) -> Controls:
    return Controls(
        priority=draw(st.sampled_from(get_args(Priority))),
        budget_nano=draw(st.none() | st.none() | st.integers(0, 3_000_000)),
        task=draw(st.none() | st.sampled_from(TASKS)),
        prefer=tuple(draw(st.just([]) | st.lists(st.sampled_from((*NAMES, "alias", "nothing")), max_size=2))),
        compliance=tuple(draw(st.just(frozenset()) | some(POLICY_NAMES, 2))),
        cost_center=draw(st.none() | st.sampled_from(CENTERS)),
        degrade=draw(st.sampled_from(get_args(Degrade))),
        ceiling=draw(ceilings),
    )


SCOPES: tuple[Scope, ...] = get_args(Scope)
principals = st.lists(st.sampled_from(SCOPES).flatmap(limits), max_size=2).map(
    lambda found: Principal(key="k", limits=tuple(found))
)


class Question(Struct, frozen=True):
    """A request as drawn, as it travels, and as it is read."""

    asked: Asked
    needs: frozenset[Capability]
    envelope: Envelope | None
    request: Request


def question(dialect: DialectName, asked: Asked) -> Question:
    said = spoken(dialect, asked)
    envelope, request = opened(dialect, body_of(dialect, said))
    return Question(said, said.needs, envelope, request)


askeds = st.builds(
    Asked,
    text=st.text(min_size=1, max_size=80) | st.sampled_from(tuple(TEXTS)).map(lambda word: TEXTS[word]),
    needs=st.just(frozenset()) | st.frozensets(st.sampled_from(NEEDS), max_size=2),
    max_tokens=st.none() | st.sampled_from((10, 51, 3_000, 5_000)),
    earlier=st.just(()) | st.just(("Hello", "How can I help?")),
    parts=st.booleans(),
)
questions = st.builds(question, st.sampled_from(DIALECTS), askeds)
requested = st.sampled_from((*NAMES, "alias", "p/shared", *AUTO_NAMES[:6]))
conditions = st.just(USUAL) | st.builds(
    Conditions,
    unhealthy=some(tuple(f"{provider}/{name}" for provider in PROVIDERS for name in NAMES), 12),
    budget_left_nano=st.none() | st.integers(0, 3_000_000),
)


def decided(
    planner: Planner,
    name: str,
    asks: Controls,
    who: Principal,
    one: Question,
    now: Conditions = USUAL,
    *,
    explained: bool = False,
) -> Plan | None:
    """The plan; `None` where it was refused, which must be for a documented reason."""
    try:
        return planner.decide(
            name,
            asks,
            who,
            lambda: one.request,
            "chat",
            explained=explained,
            envelope=one.envelope,
            conditions=now,
        )
    except CallFailed as failed:
        assert failed.failure.kind in {
            Kind.UNKNOWN_MODEL,
            Kind.FORBIDDEN,
            Kind.NO_CANDIDATE,
            Kind.UNSUPPORTED,
            Kind.CONTEXT_TOO_LONG,
            Kind.BUDGET_EXCEEDED,
        }
        return None


def scopes_of(table: RoutingTable, who: Principal, asks: Controls) -> list[Limits]:
    named = table.cost_centers.get(asks.cost_center or "")
    return [*who.limits, *([named] if named is not None else [])]


def names_of(table: RoutingTable, card: Card) -> set[str]:
    return {name for name, found in table.cards.items() if any(one.label == card.label for one in found)}


def may_use(table: RoutingTable, who: Principal, asks: Controls, card: Card) -> bool:
    """Every rule about the model, request unseen."""
    names = names_of(table, card)
    scopes = scopes_of(table, who, asks)
    for scope in scopes:
        if names & scope.denied or card.provider in scope.denied_providers:
            return False
        if scope.models is not None and not names & scope.models:
            return False
        if scope.providers is not None and card.provider not in scope.providers:
            return False
    policies = {policy for scope in scopes for policy in scope.policies} | set(asks.compliance)
    return all(complies(table.policies[policy], card, names) for policy in policies)


def complies(rule: PolicyRule, card: Card, names: set[str]) -> bool:
    return (
        rule.require_tags <= card.tags
        and not rule.forbid_tags & card.tags
        and (not rule.require_any_tags or bool(rule.require_any_tags & card.tags))
        and not rule.deny_models & names
        and card.provider not in rule.deny_providers
        and (rule.allow_models is None or bool(rule.allow_models & names))
        and (rule.allow_providers is None or card.provider in rule.allow_providers)
    )


def below_ceilings(table: RoutingTable, who: Principal, asks: Controls, card: Card) -> bool:
    for ceiling in (asks.ceiling, *(scope.ceiling for scope in scopes_of(table, who, asks))):
        if ceiling is None:
            continue
        if card.price is None:
            return False
        if ceiling.input is not None and card.price.rates.input > ceiling.input:
            return False
        if ceiling.output is not None and card.price.rates.output > ceiling.output:
            return False
    return True


def can_do(card: Card, needs: frozenset[Capability]) -> bool:
    able = set(card.capabilities)
    if not able:
        return True
    if "json_schema" in able:
        able.add("json_mode")
    return able != {"embeddings"} and needs <= able


def budget_of(table: RoutingTable, who: Principal, asks: Controls, now: Conditions) -> int | None:
    given = [asks.budget_nano, now.budget_left_nano]
    given += [scope.budget_nano for scope in scopes_of(table, who, asks)]
    return min((amount for amount in given if amount is not None), default=None)


@quick
@given(tables(), requested, controls(), principals, questions, conditions)
def test_no_plan_holds_what_a_filter_forbids(
    table: RoutingTable, name: str, asks: Controls, who: Principal, one: Question, now: Conditions
) -> None:
    planner = Planner(table)
    for attempt in range(2):  # the second time from what is remembered
        plan = decided(planner, name, asks, who, one, now)
        if plan is None:
            continue
        assert plan.candidates, attempt
        own = {card.name for card in table.cards.get(name, ())}
        for card in plan.candidates:
            assert may_use(table, who, asks, card)
            assert below_ceilings(table, who, asks, card)
            assert can_do(card, one.needs & PLAIN_NEEDS)
            if card.name in own:
                continue
            assert can_do(card, one.needs)
            most = one.asked.max_tokens
            assert most is None or card.max_output is None or most <= card.max_output
            assert most is None or card.context_window is None or most < card.context_window
        budget = budget_of(table, who, asks, now)
        if budget is not None:
            assert plan.tokens is not None
            for card in plan.candidates:
                cost = estimate_cost_nano(card, plan.tokens)
                assert cost is not None
                assert cost <= budget


@quick
@given(tables(), requested, controls(), principals, questions)
def test_explained_unexplained_remembered_and_decoded_agree(
    table: RoutingTable, name: str, asks: Controls, who: Principal, one: Question
) -> None:
    warm = Planner(table)
    first = decided(warm, name, asks, who, one)
    assert decided(warm, name, asks, who, one) == first
    told = decided(Planner(table), name, asks, who, one, explained=True)
    assert (None if told is None else replace(told, verdicts=())) == first
    decoded = replace(one, envelope=None)
    assert decided(Planner(table), name, asks, who, decoded) == first
    if told is None or first is None:
        return
    kept = [found.model for found in told.verdicts if found.kept]
    assert kept == [card.label for card in first.candidates]
    full = Planner(table).explain_decide(name, asks, who, lambda: one.request, "chat")
    assert full.candidates == first.candidates


@quick
@given(tables(), requested, controls(), principals, questions)
def test_a_remembered_plan_is_no_other_callers_plan(
    table: RoutingTable, name: str, asks: Controls, who: Principal, one: Question
) -> None:
    shared = Planner(table)
    everybody = [who, Principal(), Principal(limits=(Limits(denied_providers=frozenset({"p"})),))]
    asked = [asks, Controls(), Controls(cost_center="c0"), Controls(ceiling=Ceiling(0, 0))]
    for person in everybody:
        for wish in asked:
            assert decided(shared, name, wish, person, one) == decided(
                Planner(table), name, wish, person, one
            )


def eligible(
    table: RoutingTable, name: str, asks: Controls, who: Principal, one: Question, now: Conditions = USUAL
) -> set[str]:
    """Who passed every filter; with high priority that is the plan itself."""
    plan = decided(Planner(table), name, asks, who, one, now, explained=True)
    if plan is None:
        return set()
    return {found.model for found in plan.verdicts if found.kept or found.filter in SOFT}


@st.composite
def tighter(draw: st.DrawFn, asks: Controls, who: Principal) -> tuple[Controls, Principal]:
    """The same with one constraint more."""
    kind = draw(st.sampled_from(("policy", "scope", "center", "ceiling", "budget")))
    if kind == "policy":
        return replace(asks, compliance=(*asks.compliance, draw(st.sampled_from(POLICY_NAMES)))), who
    if kind == "scope":
        more = replace(draw(st.sampled_from(SCOPES).flatmap(limits)), prefer=())
        return asks, replace(who, limits=(*who.limits, more))
    if kind == "center":
        return (asks, who) if asks.cost_center else (replace(asks, cost_center="c0"), who)
    if kind == "ceiling":
        old, new = asks.ceiling or Ceiling(), Ceiling(draw(rate), draw(rate))
        return replace(asks, ceiling=Ceiling(_less(old.input, new.input), _less(old.output, new.output))), who
    return replace(asks, budget_nano=_less(asks.budget_nano, draw(st.integers(0, 3_000_000)))), who


def _less(old: int | None, new: int | None) -> int | None:
    return old if new is None else new if old is None else min(old, new)


@quick
@given(st.data(), tables(), requested, controls(), principals, questions)
def test_a_further_constraint_never_adds_a_candidate(
    data: st.DataObject, table: RoutingTable, name: str, asks: Controls, who: Principal, one: Question
) -> None:
    who = replace(who, limits=tuple(replace(scope, prefer=()) for scope in who.limits))
    centers = {name: replace(scope, prefer=()) for name, scope in table.cost_centers.items()}
    table = replace(table, cost_centers=centers)
    asks = replace(asks, degrade="allow")
    more, bound = data.draw(tighter(asks, who))
    assert eligible(table, name, more, bound, one) <= eligible(table, name, asks, who, one)


@quick
@given(tables(), requested, controls(), principals, st.sampled_from(DIALECTS), askeds, st.sampled_from(NEEDS))
def test_a_further_need_never_adds_a_candidate(
    table: RoutingTable,
    name: str,
    asks: Controls,
    who: Principal,
    dialect: DialectName,
    asked: Asked,
    need: Capability,
) -> None:
    asks = replace(asks, task="extraction", degrade="allow")
    more = replace(asked, needs=asked.needs | {need})
    before = eligible(table, name, asks, who, question(dialect, asked))
    assert eligible(table, name, asks, who, question(dialect, more)) <= before


@quick
@given(tables(), requested, controls(), principals, questions, conditions)
def test_degrade_forbid_and_outages_only_take_away(
    table: RoutingTable, name: str, asks: Controls, who: Principal, one: Question, now: Conditions
) -> None:
    usual = replace(now, unhealthy=frozenset())
    allowed = eligible(table, name, replace(asks, degrade="allow"), who, one, usual)
    assert eligible(table, name, replace(asks, degrade="forbid"), who, one, now) <= allowed
    assert eligible(table, name, replace(asks, degrade="allow"), who, one, now) <= allowed


@quick
@given(tables(), controls(), principals, questions)
def test_an_admission_says_what_the_planner_does(
    table: RoutingTable, asks: Controls, who: Principal, one: Question
) -> None:
    admission = Planner(table).admission(who, asks, "chat")
    cards: Mapping[str, Card] = {card.name: card for found in table.cards.values() for card in found}
    for card in cards.values():
        allowed = may_use(table, who, asks, card)
        assert admission.permits(card) == allowed
        chats = card.capabilities != {"embeddings"}
        fits = allowed and below_ceilings(table, who, asks, card) and chats
        assert (admission.refusal(card) is None) == fits


@quick
@given(tables(), st.sampled_from(NAMES), controls(), principals, questions)
def test_asking_for_what_a_rule_forbids_is_always_counted(
    table: RoutingTable, name: str, asks: Controls, who: Principal, one: Question
) -> None:
    if name not in table.cards:
        return
    forbidden = not any(may_use(table, who, asks, card) for card in table.cards[name])
    try:
        found = Planner(table).decide(name, asks, who, lambda: one.request, "chat").violations
    except CallFailed as failed:
        found = failed.failure.violations
    assert (name in {violation.model for violation in found}) == forbidden
    assert not forbidden or all(":" in violation.filter for violation in found)


def test_the_oracle_can_say_no() -> None:
    """The second opinion is not always yes."""
    card = Card("m0", "p", "m0", "openai_chat", "light", tags=frozenset({"region:us"}))
    eu = PolicyRule(require_tags=frozenset({"region:eu"}))
    table = build_table([card], policies={"p0": eu})
    assert not may_use(table, Principal(), Controls(compliance=("p0",)), card)
    assert may_use(table, Principal(), Controls(), card)
    assert not below_ceilings(table, Principal(), Controls(ceiling=Ceiling(1, 1)), card)
    with pytest.raises(CallFailed):
        Planner(table).decide("m0", Controls(compliance=("p0",)), Principal(), lambda: None, "chat")  # type: ignore[arg-type, return-value]
