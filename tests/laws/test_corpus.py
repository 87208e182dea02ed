"""Ten thousand requests in eleven languages, four dialects, from a few tokens to four hundred thousand: not one wrong decision.

Tier by size, capabilities, windows, output limits and policies are compared with what is right by construction. The expected tier of a
request that is not long is whatever content says, and must be what a table without a limit says: size decides exactly when it should.
"""

from __future__ import annotations

from collections import Counter
from typing import get_args

from tests.laws.bodies import body_of, opened
from tests.laws.corpus import (
    LARGE_WINDOW,
    LONG_CONTEXT_TOKENS,
    MIDDLE_WINDOW,
    POLICIES,
    SENTENCES,
    SMALL_WINDOW,
    Case,
    corpus,
)
from tests.unit.routing.models import price
from turnout.core.call import Controls, Envelope, Plan, Principal
from turnout.core.card import Capability, Card, Tier
from turnout.core.errors import CallFailed, Kind
from turnout.core.model import Request
from turnout.routing.plan import Planner
from turnout.routing.probe import PLAIN_NEEDS
from turnout.routing.table import PolicyRule, RoutingTable, build_table

REQUESTS = 10_000
SEED = 20_261_124
EVERYTHING: frozenset[Capability] = frozenset(
    {"tools", "vision", "documents", "audio", "json_schema", "json_mode"}
)
RULES = {
    "region-eu": PolicyRule(require_tags=frozenset({"region:eu"})),
    "no-training": PolicyRule(require_tags=frozenset({"training:no"})),
    "zero-retention": PolicyRule(require_any_tags=frozenset({"retention:zero", "local"})),
    "certified": PolicyRule(require_any_tags=frozenset({"cert:soc2", "cert:iso27001"})),
    "not-overseas": PolicyRule(forbid_tags=frozenset({"region:us", "region:cn"})),
}


def card(name: str, tier: Tier, capabilities: str, window: int | None, output: int | None, tags: str) -> Card:
    known: frozenset[Capability] = (
        EVERYTHING
        if capabilities == "*"
        else frozenset(need for need in get_args(Capability) if need in capabilities.split())
    )
    return Card(
        name=name,
        provider="p",
        id=name,
        dialect="openai_chat",
        tier=tier,
        tags=frozenset(tags.split()),
        capabilities=known,
        context_window=window,
        max_output=output,
        price=price("1", "2"),
    )


CARDS = (
    card("eu-small", "light", "tools json_mode", SMALL_WINDOW, 4_000, "region:eu training:no cert:soc2"),
    card("us-small", "light", "tools vision json_schema", SMALL_WINDOW, None, "region:us cert:soc2"),
    card("house", "light", "", None, None, "region:eu training:no local"),
    card("us-mid", "standard", "*", MIDDLE_WINDOW, 8_000, "region:us training:no retention:zero cert:soc2"),
    card("eu-mid", "standard", "tools vision documents json_mode", MIDDLE_WINDOW, 4_000, "region:eu retention:zero"),
    card("cn-mid", "standard", "tools audio json_schema", MIDDLE_WINDOW, None, "region:cn training:yes"),
    card("us-large", "large", "*", LARGE_WINDOW, 16_000, "region:us training:no cert:iso27001"),
    card("eu-large", "large", "*", LARGE_WINDOW, 8_000, "region:eu training:no retention:zero cert:soc2"),
    card("eyes", "large", "vision documents", MIDDLE_WINDOW, None, "region:eu"),
    card("vectors", "light", "embeddings", 8_000, None, "region:eu training:no local cert:soc2"),
)  # fmt: skip
NAMED = {one.name: tuple(other.name for other in CARDS if other is not one) for one in CARDS}


def table(long_context_tokens: int) -> RoutingTable:
    cards = [
        Card(
            name=one.name,
            provider=one.provider,
            id=one.id,
            dialect=one.dialect,
            tier=one.tier,
            tags=one.tags,
            capabilities=one.capabilities,
            context_window=one.context_window,
            max_output=one.max_output,
            price=one.price,
            fallbacks=NAMED[one.name],
        )
        for one in CARDS
    ]
    return build_table(cards, policies=RULES, long_context_tokens=long_context_tokens)


def complies(one: Card, case: Case) -> bool:
    rules = [RULES[name] for name in case.policies]
    return all(
        rule.require_tags <= one.tags
        and not rule.forbid_tags & one.tags
        and (not rule.require_any_tags or bool(rule.require_any_tags & one.tags))
        for rule in rules
    )


def able(one: Card, needs: frozenset[Capability]) -> bool:
    known = one.capabilities | ({"json_mode"} if "json_schema" in one.capabilities else set())
    return not known or needs <= known


def fits(one: Card, case: Case) -> bool:
    output = case.asked.max_tokens or 0
    held = one.context_window is None or case.tokens + output < one.context_window
    return held and (one.max_output is None or output <= one.max_output)


def right(case: Case, named: str | None) -> set[str]:
    """The models that may answer. Of one that is named outright only what it cannot be spared is asked."""
    found = set()
    for one in CARDS:
        if one.name == "vectors" or not complies(one, case):
            continue
        plain = one.name == named
        needs = case.asked.needs & PLAIN_NEEDS if plain else case.asked.needs
        if able(one, needs) and (plain or fits(one, case)):
            found.add(one.label)
    return found


def decide(planner: Planner, name: str, case: Case, request: Request, envelope: Envelope) -> Plan | Kind:
    controls = Controls(priority="high", compliance=case.policies)
    try:
        return planner.decide(name, controls, Principal(), lambda: request, "chat", envelope=envelope)
    except CallFailed as failed:
        return failed.failure.kind


def labels(found: Plan | Kind) -> set[str]:
    return set() if isinstance(found, Kind) else {one.label for one in found.candidates}


def test_not_one_decision_is_wrong() -> None:
    planner, unlimited = Planner(table(LONG_CONTEXT_TOKENS)), Planner(table(10**9))
    names = [one.name for one in CARDS if one.name != "vectors"]
    seen: Counter[str] = Counter()
    for number, case in enumerate(corpus(SEED, REQUESTS)):
        envelope, request = opened(case.dialect, body_of(case.dialect, case.asked))
        found = decide(planner, "auto", case, request, envelope)
        where = (number, case.language, case.dialect, case.tokens, sorted(case.asked.needs), case.policies)
        assert labels(found) == right(case, None), where
        named = names[number % len(names)]
        outright = decide(planner, named, case, request, envelope)
        assert labels(outright) == right(case, named), (named, *where)
        if isinstance(found, Kind):
            seen["refused"] += 1
            assert found in (Kind.NO_CANDIDATE, Kind.UNSUPPORTED, Kind.CONTEXT_TOO_LONG), where
            continue
        by_content = decide(unlimited, "auto", case, request, envelope)
        assert isinstance(by_content, Plan)
        assert found.tier is not None
        assert by_content.tier is not None
        long = case.tokens > LONG_CONTEXT_TOKENS
        assert found.tier.name == ("large" if long else by_content.tier.name), where
        seen.update(["long" if long else "short", case.language, case.dialect, *case.asked.needs])
        seen.update([*case.policies, "decisive" if long and by_content.tier.name != "large" else "plain"])
    assert {*SENTENCES, *POLICIES, *EVERYTHING, "refused", "long", "decisive"} <= set(seen), seen
    assert seen["long"] > 100
    assert seen["refused"] < REQUESTS / 5


def test_the_corpus_is_the_same_every_time() -> None:
    assert list(corpus(SEED, 50)) == list(corpus(SEED, 50))
    assert {case.language for case in corpus(SEED, 11)} == set(SENTENCES)
