"""Laws of the router, over arbitrary configurations, callers and requests."""

from __future__ import annotations

from typing import get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.routing.models import ask, price
from turnout.core.call import Controls, Limits, Op, Plan, Principal, Priority
from turnout.core.card import TIERS, Capability, Card, Task
from turnout.core.errors import CallFailed, Kind
from turnout.core.model import Image, Message, Params, Request, Text, Tool, Url
from turnout.routing.constraints import missing_capabilities
from turnout.routing.features import read
from turnout.routing.plan import AUTO_NAMES, Planner, estimate_cost_nano
from turnout.routing.table import PolicyRule, RoutingTable, build_table
from turnout.routing.tokens import estimate_text_tokens

TAGS = ("eu", "us", "soc2")
NAMES = tuple(f"m{index}" for index in range(8))
CAPABILITIES: tuple[Capability, ...] = ("tools", "vision", "json_schema", "embeddings")
TASKS: tuple[Task, ...] = get_args(Task)
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
REFUSALS = {
    Kind.UNKNOWN_MODEL,
    Kind.FORBIDDEN,
    Kind.NO_CANDIDATE,
    Kind.BUDGET_EXCEEDED,
    Kind.UNSUPPORTED,
    Kind.CONTEXT_TOO_LONG,
    Kind.BAD_REQUEST,
}
POLICY_NAMES = ("p0", "p1", "p2")

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def subset(values: tuple[str, ...]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values))


@st.composite
def cards(draw: st.DrawFn) -> tuple[Card, ...]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True))
    return tuple(draw(one_card(name, tuple(names))) for name in names)


@st.composite
def one_card(draw: st.DrawFn, name: str, names: tuple[str, ...]) -> Card:
    cents = draw(st.none() | st.tuples(st.integers(0, 300), st.integers(0, 900)))
    return Card(
        name=name,
        provider=draw(st.sampled_from(("p", "q"))),
        id=draw(st.sampled_from((name, "shared"))),
        dialect="openai_chat",
        tier=draw(st.sampled_from(TIERS)),
        tags=draw(subset(TAGS)),
        capabilities=draw(st.frozensets(st.sampled_from(CAPABILITIES))),
        context_window=draw(st.none() | st.sampled_from((50, 1_000, 100_000))),
        price=None if cents is None else price(str(cents[0]), str(cents[1])),
        fallbacks=tuple(draw(st.lists(st.sampled_from(names), max_size=3))),
    )


@st.composite
def rules(draw: st.DrawFn) -> PolicyRule:
    return PolicyRule(
        require_tags=draw(subset(TAGS).filter(lambda tags: len(tags) < 2)),
        forbid_tags=draw(subset(TAGS).filter(lambda tags: len(tags) < 2)),
        allow_models=draw(st.none() | subset(NAMES)),
        deny_models=draw(subset(NAMES)),
    )


@st.composite
def tables(draw: st.DrawFn) -> RoutingTable:
    chosen = draw(cards())
    names = tuple(found.name for found in chosen)
    return build_table(
        chosen,
        aliases={"alias": draw(st.sampled_from(names))},
        tasks=draw(st.dictionaries(st.sampled_from(TASKS), st.sampled_from(names), max_size=3)),
        policies={name: draw(rules()) for name in POLICY_NAMES},
        long_context_tokens=draw(st.sampled_from((20, 50_000))),
    )


@st.composite
def controls(draw: st.DrawFn) -> Controls:
    return Controls(
        priority=draw(st.sampled_from(PRIORITIES)),
        budget_nano=draw(st.none() | st.integers(0, 2_000_000)),
        task=draw(st.none() | st.sampled_from(TASKS)),
        prefer=tuple(draw(st.lists(st.sampled_from((*NAMES, "nowhere")), max_size=2))),
        compliance=tuple(draw(st.lists(st.sampled_from(POLICY_NAMES), max_size=1))),
    )


@st.composite
def principals(draw: st.DrawFn) -> Principal:
    limits = Limits(
        models=draw(st.none() | subset((*NAMES, "alias"))),
        denied=draw(subset((*NAMES, "alias")).filter(lambda names: len(names) < 3)),
        policies=tuple(draw(st.lists(st.sampled_from(POLICY_NAMES), max_size=1))),
    )
    return Principal(limits=(limits,))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    text = draw(
        st.text(max_size=200)
        | st.sampled_from(("Write a poem", "Prove it step by step", "hi", "word " * 300))
    )
    content = (Text(text), Image(Url("https://example.com/a.png"))) if draw(st.booleans()) else (Text(text),)
    return Request(
        "openai_chat",
        "auto",
        (Message("user", content),),
        tools=(Tool("f"),) if draw(st.booleans()) else (),
        params=Params(max_tokens=draw(st.none() | st.integers(1, 2_000))),
    )


requested = st.sampled_from((*NAMES, "alias", "p/shared", *AUTO_NAMES[:6], "unknown"))
ops = st.sampled_from(("chat", "chat", "embeddings", "count_tokens"))


def attempt(
    planner: Planner, name: str, asks: Controls, who: Principal, request: Request, op: Op
) -> Plan | Kind:
    try:
        return planner.decide(name, asks, who, lambda: request, op, explained=True)
    except CallFailed as failed:
        return failed.failure.kind


def names_of(table: RoutingTable, card: Card) -> set[str]:
    return {name for name, found in table.cards.items() if any(one.label == card.label for one in found)}


@quick
@given(tables(), requested, controls(), principals(), requests(), ops)
def test_a_plan_is_never_empty_holds_no_double_and_a_refusal_is_a_documented_one(
    table: RoutingTable, name: str, asks: Controls, who: Principal, request: Request, op: Op
) -> None:
    plan = attempt(Planner(table), name, asks, who, request, op)
    if isinstance(plan, Kind):
        assert plan in REFUSALS
        return
    labels = [card.label for card in plan.candidates]
    assert labels
    assert len(labels) == len(set(labels))
    assert [found.model for found in plan.verdicts if found.kept] == labels
    assert all(found.filter and found.reason for found in plan.verdicts if not found.kept)


@quick
@given(tables(), requested, controls(), principals(), requests(), ops)
def test_every_candidate_is_permitted(
    table: RoutingTable, name: str, asks: Controls, who: Principal, request: Request, op: Op
) -> None:
    plan = attempt(Planner(table), name, asks, who, request, op)
    if isinstance(plan, Kind):
        return
    for card in plan.candidates:
        names = names_of(table, card)
        (limits,) = who.limits
        assert not names & limits.denied
        assert limits.models is None or names & limits.models
        for rule in (table.policies[policy] for policy in (*limits.policies, *asks.compliance)):
            assert rule.require_tags <= card.tags
            assert not rule.forbid_tags & card.tags
            assert not rule.deny_models & names
            assert rule.allow_models is None or rule.allow_models & names
        if op == "embeddings":
            assert not card.capabilities or "embeddings" in card.capabilities
        else:
            assert card.capabilities != {"embeddings"}


@quick
@given(tables(), st.sampled_from(AUTO_NAMES), controls(), requests())
def test_every_candidate_of_a_full_decision_can_serve_the_request(
    table: RoutingTable, name: str, asks: Controls, request: Request
) -> None:
    plan = attempt(Planner(table), name, asks, Principal(), request, "chat")
    if isinstance(plan, Kind):
        return
    needs = read(request).needs
    assert plan.tokens is not None
    size = plan.tokens.input + (request.params.max_tokens or plan.tokens.output_expected)
    for card in plan.candidates:
        assert not card.capabilities or not missing_capabilities(card, needs)
        assert card.context_window is None or card.context_window >= size
        cost = estimate_cost_nano(card, plan.tokens)
        assert asks.budget_nano is None or (cost is not None and cost <= asks.budget_nano)


@quick
@given(tables(), requested, controls(), principals(), requests(), ops)
def test_a_decision_is_repeatable_and_memory_does_not_change_it(
    table: RoutingTable, name: str, asks: Controls, who: Principal, request: Request, op: Op
) -> None:
    warm = Planner(table)
    first = attempt(warm, name, asks, who, request, op)
    assert attempt(warm, name, asks, who, request, op) == first
    assert attempt(Planner(table), name, asks, who, request, op) == first


@quick
@given(
    tables(),
    requested,
    controls(),
    principals(),
    requests(),
    st.integers(0, 2_000_000),
    st.integers(0, 2_000_000),
)
def test_more_budget_never_yields_fewer_candidates(
    table: RoutingTable, name: str, asks: Controls, who: Principal, request: Request, less: int, extra: int
) -> None:
    def with_budget(budget: int | None) -> set[str]:
        bound = Controls(asks.priority, budget, asks.task, asks.prefer, asks.compliance)
        plan = attempt(Planner(table), name, bound, who, request, "chat")
        return set() if isinstance(plan, Kind) else {card.label for card in plan.candidates}

    poor, rich = with_budget(less), with_budget(less + extra)
    assert poor <= rich


@quick
@given(st.text(max_size=3_000), st.text(max_size=300))
def test_a_longer_text_is_never_estimated_empty(text: str, more: str) -> None:
    whole = estimate_text_tokens(text + more)
    assert (whole == 0) == (text + more == "")
    assert read(ask(text)).query_tokens == estimate_text_tokens(text)
