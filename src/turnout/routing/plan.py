"""The decision: from a request, its caller and the table to an ordered list of candidates, with the reasons.

Promise: pure. The same table and arguments give the same plan; there is no clock, no chance and no I/O. The memos below
hold nothing but results of pure functions of the table, under a bound, so they change speed and nothing else.

Two paths. A caller who names a model and sets no control that routing obeys gets a remembered plan: the request is not
even decoded, unless a glance at its body says that filters could matter (`probe`). Everyone else gets the full decision:
features → task → tier → order → filters → plan.

It does not know how candidates are asked, what happened to them lately, or how replies look.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import NamedTuple, get_args

from msgspec import Struct
from msgspec.structs import replace

from turnout.core.call import (
    PASSED,
    Controls,
    Envelope,
    Op,
    Plan,
    Principal,
    TaskGuess,
    TierGuess,
    TokenGuess,
    Verdict,
)
from turnout.core.card import Card, Task, Tier
from turnout.core.errors import CallFailed, Kind, Violation, fail
from turnout.core.events import Usage
from turnout.core.model import Request, Text
from turnout.core.money import NANO_PER_USD, Price, cost_nano, counted_cost_nano
from turnout.routing import cues
from turnout.routing.admission import USUAL, Admission, Conditions, least
from turnout.routing.classification import classify_tier, found_cues, task_of
from turnout.routing.constraints import (
    NAME_CHARS_MAX,
    NOTHING_ASKED,
    Demand,
    is_principal,
    names_by_label,
    refusal_by_request,
)
from turnout.routing.features import Features, read
from turnout.routing.probe import PLAIN_NEEDS, Probe, probe_for
from turnout.routing.ranking import (
    PREFERENCES_MAX,
    Ranked,
    order_for,
    order_for_embeddings,
    order_for_name,
    with_preferred,
)
from turnout.routing.table import RoutingTable, key_of
from turnout.routing.weighing import (
    Weighed,
    healthy,
    none_left,
    notices_of,
    one_vector_space,
    only_cheaper,
    refuse_downgrade,
    retired_of,
    verdicts_of,
)

PLANS_MAX = 4_096
PERMISSIONS_MAX = 1_024
SUGGESTIONS_MAX = 3

_TIERS: dict[str, Tier] = {f"auto:{tier}": tier for tier in get_args(Tier)}
_TASKS: dict[str, Task] = {f"auto:{task}": task for task in get_args(Task)}
AUTO_NAMES: tuple[str, ...] = ("auto", *_TIERS, *_TASKS)


class _Known(NamedTuple):
    """A remembered plan, and what in a body would make it wrong."""

    plan: Plan
    probe: Probe | None


class _Ask(Struct, frozen=True):
    """The arguments of a decision."""

    requested: str
    controls: Controls
    principal: Principal
    request: Callable[[], Request]
    op: Op
    explained: bool
    conditions: Conditions


def expected_output_tokens(task: Task, features: Features, max_tokens: int | None) -> int:
    """What an answer to such a request usually takes; never more than the caller allows."""
    expected = cues.OUTPUT_TOKENS[task]
    if task in cues.ECHOING_TASKS:
        expected += features.query_tokens
    return expected if max_tokens is None else min(expected, max_tokens)


def estimate_cost_nano(card: Card, tokens: TokenGuess) -> int | None:
    """Nano-dollars, without any prompt-cache discount; `None` where no price is known."""
    if card.price is None:
        return None
    return cost_nano(_usage(tokens), card.price)


def _usage(tokens: TokenGuess) -> Usage:
    return Usage(
        input=tokens.input, output=tokens.output_expected, estimated=True, characters=tokens.characters
    )


class Planner:
    """Decides for one configuration; a new configuration gets a new planner."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._names = names_by_label(table)
        self._plans: dict[object, _Known] = {}
        self._admissions: dict[object, Admission] = {}
        self._orders: dict[tuple[Tier, Task | None, bool], tuple[Ranked, ...]] = {}
        self._embedders = order_for_embeddings(table)

    def decide(
        self,
        requested: str,
        controls: Controls,
        principal: Principal,
        request: Callable[[], Request],
        op: Op,
        *,
        explained: bool = False,
        envelope: Envelope | None = None,
        conditions: Conditions = USUAL,
    ) -> Plan:
        """The plan for a call; `request` is called only when the decision depends on what is asked.

        It has verdicts if it is to be `explained`. The `envelope` of the request, if given, spares decoding it where a model is
        named and nothing in the body could matter.

        Raises `CallFailed`: UNKNOWN_MODEL, FORBIDDEN, BAD_REQUEST (a policy that is not configured), UNSUPPORTED,
        CONTEXT_TOO_LONG, BUDGET_EXCEEDED or NO_CANDIDATE.
        """
        if (
            controls.budget_nano is None
            and not controls.compliance
            and not controls.prefer
            and controls.ceiling is None
            and not explained
            and conditions is USUAL
            and (known := self._plans.get((requested, op, principal.limits, controls.cost_center)))
            and (known.probe is None or (envelope is not None and known.probe.clears(envelope)))
        ):
            return known.plan
        ask = _Ask(requested, controls, principal, request, op, explained, conditions)
        if requested in self._table.cards:
            return self._decide_named(ask, envelope)
        return self._decide_auto(ask)

    def admission(self, principal: Principal, controls: Controls, op: Op) -> Admission:
        """What this caller may use, request unseen; for whoever chooses a model without a plan. Remembered.

        Raises `CallFailed`: BAD_REQUEST on a policy that is not configured, FORBIDDEN on an attempt to lift one.
        """
        key = (op, principal.limits, controls.compliance, controls.cost_center, controls.ceiling)
        found = self._admissions.get(key)
        if found is None:
            if len(self._admissions) >= PERMISSIONS_MAX:
                self._admissions.clear()
            found = self._admissions[key] = Admission(self._table, self._names, principal, controls, op)
        return found

    def explain_decide(
        self, requested: str, controls: Controls, principal: Principal, request: Callable[[], Request], op: Op
    ) -> Plan:
        """The same candidates as `decide`, with verdicts, and tier, task, tokens and cost even for a named model."""
        plan = self.decide(requested, controls, principal, request, op, explained=True)
        if plan.tier is not None and plan.task is not None:
            return plan
        asked = request()
        features = read(asked)
        found = found_cues(features)
        task = task_of(features, found, asked, controls, None)
        tier = self._tier(None, features, found, asked, task, controls)
        tokens = _tokens(features, asked, task, op)
        return Plan(
            candidates=plan.candidates,
            tier=tier,
            task=task,
            tokens=tokens,
            verdicts=_priced(plan, tokens),
            notices=plan.notices,
            estimated_cost_nano=estimate_cost_nano(plan.candidates[0], tokens),
        )

    # a named model

    def _decide_named(self, ask: _Ask, envelope: Envelope | None) -> Plan:
        controls = ask.controls
        order = order_for_name(self._table, ask.requested, controls.prefer)
        admission = self.admission(ask.principal, controls, ask.op)
        violations = self._violations(ask, admission)
        self._refuse_forbidden(ask, admission, violations)
        if _budget(ask, admission) is not None:
            return self._sift_named(ask, order, admission, violations, priced=True)
        ruled = self._sift(order, ask, admission, NOTHING_ASKED, None, violations=violations)
        plan = _plan(ruled, ask, None, None, None, violations)
        probe = self._probe(ask, plan)
        if not controls.prefer and not controls.compliance and controls.ceiling is None:
            self._remember(ask, _Known(plan, probe))
        if probe is None or (envelope is not None and probe.clears(envelope)):
            return plan
        try:
            return self._sift_named(ask, order, admission, violations, priced=False)
        except CallFailed as error:
            if (
                error.failure.kind is Kind.BAD_REQUEST
            ):  # not readable here: its provider may know more, and judges it
                return plan
            raise

    def _sift_named(
        self,
        ask: _Ask,
        order: tuple[Ranked, ...],
        admission: Admission,
        violations: tuple[Violation, ...],
        *,
        priced: bool,
    ) -> Plan:
        """With the request seen. What is only counted or put into other words is its provider's to say of a named model."""
        asked = ask.request()
        features = read(asked)
        task = task_of(features, found_cues(features), asked, ask.controls, None)
        tokens = _tokens(features, asked, task, ask.op)
        demand = _demand(features, asked, tokens, _budget(ask, admission), admission)
        passed = ask.op in PASSED
        if passed:
            demand = _demand_passed(ask.op, demand)
        elif ask.op == "embeddings":
            demand = replace(demand, needs=frozenset())
        weighed = self._sift(
            order,
            ask,
            admission,
            demand,
            tokens if priced else None,
            counted_cost_nano if passed else cost_nano,
            frozenset(key_of(card) for card in self._table.cards[ask.requested]),
            violations,
        )
        return _plan(weighed, ask, None, None, tokens if priced else None, violations)

    def _probe(self, ask: _Ask, plan: Plan) -> Probe | None:
        if ask.op in PASSED:
            return None
        own = self._table.cards[ask.requested]
        named = [card for card in plan.candidates if card in own]
        return probe_for(named, [card for card in plan.candidates if card not in own])

    def _remember(self, ask: _Ask, known: _Known) -> None:
        if ask.explained or ask.conditions is not USUAL:
            return
        if len(self._plans) >= PLANS_MAX:
            self._plans.clear()
        self._plans[(ask.requested, ask.op, ask.principal.limits, ask.controls.cost_center)] = known

    def _refuse_forbidden(self, ask: _Ask, admission: Admission, violations: tuple[Violation, ...]) -> None:
        """A named model that the caller may not use is refused outright, never replaced by its fallbacks."""
        found = [admission.refusals[key_of(card)] for card in self._table.cards[ask.requested]]
        reasons = [refusal.reason for refusal in found if refusal is not None and is_principal(refusal)]
        if len(reasons) == len(found):
            raise fail(
                Kind.FORBIDDEN,
                f"this key may not use the model {ask.requested[:NAME_CHARS_MAX]!r}: {reasons[0]}",
                param="model",
                violations=violations,
            )

    def _violations(self, ask: _Ask, admission: Admission) -> tuple[Violation, ...]:
        """What the caller asks for by name although a rule forbids it: the model, and what it prefers."""
        names = (ask.requested, *ask.controls.prefer[:PREFERENCES_MAX])
        cards = self._table.cards
        found = [admission.violation(name, cards[name]) for name in dict.fromkeys(names) if name in cards]
        return tuple([one for one in found if one is not None])

    # auto

    def _decide_auto(self, ask: _Ask) -> Plan:
        requested, controls, op = ask.requested, ask.controls, ask.op
        if requested != "auto" and requested not in _TIERS and requested not in _TASKS:
            raise self._unknown(ask)
        if op in PASSED:
            raise fail(
                Kind.BAD_REQUEST,
                f"{requested} chooses among chat models: for {op}, name a model",
                param="model",
            )
        admission = self.admission(ask.principal, controls, op)
        violations = self._violations(ask, admission) if controls.prefer else ()
        asked = ask.request()
        features = read(asked)
        found = found_cues(features)
        task = task_of(features, found, asked, controls, _TASKS.get(requested))
        tier = self._tier(_TIERS.get(requested), features, found, asked, task, controls)
        tokens = _tokens(features, asked, task, op)
        order = self._order(requested, tier, task, self._preferred(ask, admission), op)
        demand = _demand(features, asked, tokens, _budget(ask, admission), admission)
        weighed = self._sift(order, ask, admission, demand, tokens, violations=violations)
        if op == "embeddings":
            weighed = one_vector_space(weighed)
        elif controls.priority != "high":
            weighed = only_cheaper(weighed)
        return _plan(weighed, ask, tier, task, tokens, violations)

    def _preferred(self, ask: _Ask, admission: Admission) -> tuple[str, ...]:
        """The request's wish, else the stored one, which stays within a tier that was asked for by name."""
        stored = () if ask.controls.prefer else admission.prefer
        tier = _TIERS.get(ask.requested)
        if not stored or tier is None:
            return ask.controls.prefer or stored
        cards = self._table.cards
        return tuple(name for name in stored if any(card.tier == tier for card in cards.get(name, ())))

    def _tier(
        self,
        named: Tier | None,
        features: Features,
        found: set[str],
        asked: Request,
        task: TaskGuess,
        controls: Controls,
    ) -> TierGuess:
        if named is not None:
            return TierGuess(named)
        long_context_tokens = self._table.long_context_tokens
        return classify_tier(features, found, asked, task, controls.priority, long_context_tokens)

    def _order(
        self, requested: str, tier: TierGuess, task: TaskGuess, prefer: tuple[str, ...], op: Op
    ) -> tuple[Ranked, ...]:
        if op == "embeddings":
            order = self._embedders
        else:
            key = (tier.name, None if task.abstained else task.name, requested in _TIERS)
            found = self._orders.get(key)
            if found is None:
                found = self._orders[key] = order_for(self._table, key[0], key[1], forced=key[2])
            order = found
        return with_preferred(self._table, order, prefer, tier.name)

    # filters

    def _sift(
        self,
        order: tuple[Ranked, ...],
        ask: _Ask,
        admission: Admission,
        demand: Demand,
        tokens: TokenGuess | None,
        cost_of: Callable[[Usage, Price], int | None] = cost_nano,
        own: frozenset[str] = frozenset(),
        violations: tuple[Violation, ...] = (),
    ) -> list[Weighed]:
        """Apply every filter to every candidate; `own` are the keys of a model named outright, of which less is demanded.

        Raises the failure of the filter that the furthest candidate met, if none is left.
        """
        usage = None if tokens is None else _usage(tokens)
        refusals = admission.refusals
        weighed: list[Weighed] = []
        labels: set[str] = set()  # two configured names of one model: ask it once
        for ranked in order:
            if ranked.label in labels:
                continue
            price = ranked.card.price
            cost = None if usage is None or price is None else cost_of(usage, price)
            wanted = _plain(demand) if ranked.key in own else demand
            refusal = refusals[ranked.key] or refusal_by_request(ranked.card, wanted, cost)
            if refusal is None:
                labels.add(ranked.label)
            weighed.append(Weighed(ranked, cost, refusal))
        if not labels:
            raise none_left(weighed, violations)
        if ask.controls.degrade == "forbid":
            refuse_downgrade(weighed, violations)
        elif ask.conditions.unhealthy:
            return healthy(weighed, ask.conditions.unhealthy)
        return weighed

    def _unknown(self, ask: _Ask) -> CallFailed:
        """Suggests names that this caller may use: an error is no place to learn what else exists."""
        refusals = self.admission(ask.principal, ask.controls, ask.op).refusals
        allowed = [
            name
            for name, cards in self._table.cards.items()
            if any(refusals[key_of(card)] is None for card in cards)
        ]
        typed = ask.requested[:NAME_CHARS_MAX]
        if ask.op not in PASSED:
            allowed += AUTO_NAMES
        close = difflib.get_close_matches(typed, allowed, n=SUGGESTIONS_MAX)
        hint = f"; did you mean {', '.join(close)}?" if close else "; GET /v1/models lists them"
        return fail(Kind.UNKNOWN_MODEL, f"no model is called {typed!r}{hint}", param="model")


def _priced(plan: Plan, tokens: TokenGuess) -> tuple[Verdict, ...]:
    """The verdicts of a plan that was made without looking at the request, with costs added."""
    costs = {card.label: estimate_cost_nano(card, tokens) for card in plan.candidates}
    return tuple(
        Verdict(found.model, True, score=found.score, terms=_with_cost(found.terms or {}, costs[found.model]))
        if found.kept
        else found
        for found in plan.verdicts
    )


def _with_cost(terms: Mapping[str, float], cost: int | None) -> Mapping[str, float]:
    return terms if cost is None else {**terms, "cost_usd": cost / NANO_PER_USD}


def _tokens(features: Features, asked: Request, task: TaskGuess, op: Op) -> TokenGuess:
    if op in PASSED:
        spoken = _characters(asked) if op == "speech" else 0
        return TokenGuess(features.prompt_tokens, asked.params.max_tokens or 0, spoken)
    if op != "chat":
        return TokenGuess(features.prompt_tokens, 0)
    return TokenGuess(
        features.prompt_tokens, expected_output_tokens(task.name, features, asked.params.max_tokens)
    )


def _characters(asked: Request) -> int:
    return sum(
        len(part.text) for message in asked.messages for part in message.content if isinstance(part, Text)
    )


def _budget(ask: _Ask, admission: Admission) -> int | None:
    """The least of what the request, the caller's limits and the payer's account leave."""
    asked, left = ask.controls.budget_nano, ask.conditions.budget_left_nano
    if admission.budget_nano is None and left is None:
        return asked
    return least((asked, admission.budget_nano, left))


def _demand(
    features: Features, asked: Request, tokens: TokenGuess, budget_nano: int | None, admission: Admission
) -> Demand:
    most = asked.params.max_tokens
    output = tokens.output_expected if most is None else most
    prompt = features.prompt_tokens
    return Demand(features.needs, prompt + output, most, budget_nano, prompt, admission.ceiling)


def _plain(demand: Demand) -> Demand:
    """What is demanded of a model that was named outright."""
    return replace(demand, needs=demand.needs & PLAIN_NEEDS, window_tokens=None, output_tokens=None)


def _demand_passed(op: Op, demand: Demand) -> Demand:
    """Only a completion shares a window with its prompt; how sound and images fill one is their provider's affair."""
    if op == "completions":
        return replace(demand, needs=frozenset())
    return replace(demand, needs=frozenset(), window_tokens=None, output_tokens=None)


def _plan(
    weighed: list[Weighed],
    ask: _Ask,
    tier: TierGuess | None,
    task: TaskGuess | None,
    tokens: TokenGuess | None,
    violations: tuple[Violation, ...],
) -> Plan:
    kept = [one for one in weighed if one.refusal is None]
    return Plan(
        candidates=tuple([one.ranked.card for one in kept]),
        tier=tier,
        task=task,
        tokens=tokens,
        verdicts=verdicts_of(weighed) if ask.explained else (),
        notices=retired_of(weighed[0].ranked.card)
        if weighed[0].refusal is None
        else (
            *retired_of(weighed[0].ranked.card),
            *notices_of(weighed, kept[0], ask.requested not in AUTO_NAMES),
        ),
        estimated_cost_nano=kept[0].cost,
        violations=violations,
    )
