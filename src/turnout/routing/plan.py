"""The decision: from a request, its caller and the table to an ordered list of candidates, with the reasons.

Promise: pure. The same table and arguments give the same plan; there is no clock, no chance and no I/O. The memos below
hold nothing but results of pure functions of the table, under a bound, so they change speed and nothing else.

Two paths. A caller who names a model and sets no control that routing obeys gets a remembered plan: the request is not
even decoded. Everyone else gets the full decision: features → task → tier → order → filters → plan.

It does not know how candidates are asked, what happened to them lately, or how replies look.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Mapping
from typing import get_args

from msgspec import Struct

from turnout.core.call import (
    Controls,
    Notice,
    Op,
    Plan,
    Principal,
    TaskGuess,
    TierGuess,
    TokenGuess,
    Verdict,
)
from turnout.core.card import Card, Task, Tier
from turnout.core.errors import CallFailed, Kind, fail
from turnout.core.events import Usage
from turnout.core.model import Request
from turnout.core.money import NANO_PER_USD, cost_nano
from turnout.routing import cues
from turnout.routing.classification import classify_tier, found_cues, task_of
from turnout.routing.constraints import (
    KIND_BY_STAGE,
    Demand,
    Refusal,
    names_by_label,
    refusal_by_op,
    refusal_by_policy,
    refusal_by_principal,
    refusal_by_request,
    rules_for,
    stage,
)
from turnout.routing.features import Features, read
from turnout.routing.ranking import Ranked, order_for, order_for_embeddings, order_for_name, with_preferred
from turnout.routing.table import RoutingTable, key_of

PLANS_MAX = 4_096
PERMISSIONS_MAX = 1_024
NAME_CHARS_MAX = 128  # of a model name quoted back in an error
SUGGESTIONS_MAX = 3

_TIERS: dict[str, Tier] = {f"auto:{tier}": tier for tier in get_args(Tier)}
_TASKS: dict[str, Task] = {f"auto:{task}": task for task in get_args(Task)}
AUTO_NAMES: tuple[str, ...] = ("auto", *_TIERS, *_TASKS)

_Refusals = dict[str, Refusal | None]


class _Sifted(Struct, frozen=True):
    """Candidates that passed, in order, with their costs, and a verdict on each that was considered."""

    kept: tuple[Ranked, ...]
    costs: tuple[int | None, ...]
    verdicts: tuple[Verdict, ...]


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
    return cost_nano(Usage(input=tokens.input, output=tokens.output_expected, estimated=True), card.price)


class Planner:
    """Decides for one configuration; a new configuration gets a new planner."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._names = names_by_label(table)
        self._plans: dict[object, Plan] = {}
        self._permissions: dict[object, _Refusals] = {}
        self._orders: dict[tuple[Tier, Task | None, bool], tuple[Ranked, ...]] = {}
        self._embedders = order_for_embeddings(table)

    def decide(
        self, requested: str, controls: Controls, principal: Principal, request: Callable[[], Request], op: Op
    ) -> Plan:
        """The plan for a call; `request` is called only when the decision depends on what is asked.

        Raises `CallFailed`: UNKNOWN_MODEL, FORBIDDEN, BAD_REQUEST (a policy that is not configured), UNSUPPORTED,
        CONTEXT_TOO_LONG, BUDGET_EXCEEDED or NO_CANDIDATE.
        """
        if controls.budget_nano is None and not controls.compliance and not controls.prefer:
            plan = self._plans.get((requested, op, principal.models, principal.denied, principal.policies))
            if plan is not None:
                return plan
        if requested in self._table.cards:
            return self._decide_named(requested, controls, principal, request, op)
        return self._decide_auto(requested, controls, principal, request, op)

    def explain_decide(
        self, requested: str, controls: Controls, principal: Principal, request: Callable[[], Request], op: Op
    ) -> Plan:
        """The same candidates as `decide`, with tier, task, tokens and cost worked out even for a named model."""
        plan = self.decide(requested, controls, principal, request, op)
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

    def _decide_named(
        self, requested: str, controls: Controls, principal: Principal, request: Callable[[], Request], op: Op
    ) -> Plan:
        order = order_for_name(self._table, requested, controls.prefer)
        refusals = self._permitted(controls, principal, op)
        self._refuse_forbidden(requested, refusals)
        if controls.budget_nano is None and not controls.compliance and not controls.prefer:
            plan = _plan(self._sift(order, refusals, Demand(), None), requested, None, None, None)
            self._remember(requested, principal, op, plan)
            return plan
        asked = request()
        features = read(asked)
        task = task_of(features, found_cues(features), asked, controls, None)
        tokens = _tokens(features, asked, task, op)
        sifted = self._sift(order, refusals, _demand(features, asked, tokens, controls), tokens)
        return _plan(sifted, requested, None, None, tokens)

    def _remember(self, requested: str, principal: Principal, op: Op, plan: Plan) -> None:
        if len(self._plans) >= PLANS_MAX:
            self._plans.clear()
        self._plans[(requested, op, principal.models, principal.denied, principal.policies)] = plan

    def _refuse_forbidden(self, requested: str, refusals: _Refusals) -> None:
        """A named model that the key may not use is refused outright, never replaced by its fallbacks."""
        found = [refusals[key_of(card)] for card in self._table.cards[requested]]
        if all(refusal is not None and refusal.filter.startswith("principal") for refusal in found):
            raise fail(
                Kind.FORBIDDEN,
                f"this key may not use the model {requested[:NAME_CHARS_MAX]!r}",
                param="model",
            )

    # auto

    def _decide_auto(
        self, requested: str, controls: Controls, principal: Principal, request: Callable[[], Request], op: Op
    ) -> Plan:
        if requested != "auto" and requested not in _TIERS and requested not in _TASKS:
            raise self._unknown(requested, principal)
        refusals = self._permitted(controls, principal, op)
        asked = request()
        features = read(asked)
        found = found_cues(features)
        task = task_of(features, found, asked, controls, _TASKS.get(requested))
        tier = self._tier(_TIERS.get(requested), features, found, asked, task, controls)
        tokens = _tokens(features, asked, task, op)
        order = self._order(requested, tier, task, controls, op)
        sifted = self._sift(order, refusals, _demand(features, asked, tokens, controls), tokens)
        if op == "embeddings":
            sifted = _one_vector_space(sifted)
        elif controls.priority != "high":
            sifted = _only_cheaper(sifted)
        return _plan(sifted, requested, tier, task, tokens)

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
        self, requested: str, tier: TierGuess, task: TaskGuess, controls: Controls, op: Op
    ) -> tuple[Ranked, ...]:
        if op == "embeddings":
            order = self._embedders
        else:
            key = (tier.name, None if task.abstained else task.name, requested in _TIERS)
            found = self._orders.get(key)
            if found is None:
                found = self._orders[key] = order_for(self._table, key[0], key[1], forced=key[2])
            order = found
        return with_preferred(self._table, order, controls.prefer, tier.name)

    # filters

    def _permitted(self, controls: Controls, principal: Principal, op: Op) -> _Refusals:
        """What key, policies and operation say of every model: it depends on no request, so it is remembered."""
        key = (op, principal.models, principal.denied, principal.policies, controls.compliance)
        found = self._permissions.get(key)
        if found is not None:
            return found
        rules = rules_for(self._table, (*principal.policies, *controls.compliance))
        refusals: _Refusals = {}
        for cards in self._table.cards.values():
            for card in cards:
                names = self._names[card.label]
                refusals[key_of(card)] = (
                    refusal_by_principal(names, principal)
                    or refusal_by_policy(card, names, rules)
                    or refusal_by_op(card, op)
                )
        if len(self._permissions) >= PERMISSIONS_MAX:
            self._permissions.clear()
        self._permissions[key] = refusals
        return refusals

    def _sift(
        self, order: tuple[Ranked, ...], refusals: _Refusals, demand: Demand, tokens: TokenGuess | None
    ) -> _Sifted:
        """Apply every filter to every candidate. Raises the failure of the filter that removed the last."""
        kept: list[Ranked] = []
        costs: list[int | None] = []
        verdicts: list[Verdict] = []
        labels: set[str] = set()  # two configured names of one model: ask it once
        for ranked in order:
            if ranked.label in labels:
                continue
            cost = None if tokens is None else estimate_cost_nano(ranked.card, tokens)
            refusal = refusals[ranked.key] or refusal_by_request(ranked.card, demand, cost)
            if refusal is None:
                labels.add(ranked.label)
                kept.append(ranked)
                costs.append(cost)
                verdicts.append(Verdict(ranked.label, True, score=ranked.score, terms=_terms(ranked, cost)))
            else:
                verdicts.append(Verdict(ranked.label, False, refusal.filter, refusal.reason))
        if not kept:
            raise _none_left(verdicts)
        return _Sifted(tuple(kept), tuple(costs), tuple(verdicts))

    def _unknown(self, requested: str, principal: Principal) -> CallFailed:
        """Suggests names that this key may use: an error is no place to learn what else exists."""
        refusals = self._permitted(Controls(), principal, "chat")
        allowed = [
            name
            for name, cards in self._table.cards.items()
            if any(refusals[key_of(card)] is None for card in cards)
        ]
        typed = requested[:NAME_CHARS_MAX]
        close = difflib.get_close_matches(typed, [*allowed, *AUTO_NAMES], n=SUGGESTIONS_MAX)
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


def _terms(ranked: Ranked, cost: int | None) -> dict[str, float]:
    if cost is None:
        return {"tier_fit": ranked.tier_fit, "task_fit": ranked.task_fit}
    return {"tier_fit": ranked.tier_fit, "task_fit": ranked.task_fit, "cost_usd": cost / NANO_PER_USD}


def _tokens(features: Features, asked: Request, task: TaskGuess, op: Op) -> TokenGuess:
    if op != "chat":
        return TokenGuess(features.prompt_tokens, 0)
    return TokenGuess(
        features.prompt_tokens, expected_output_tokens(task.name, features, asked.params.max_tokens)
    )


def _demand(features: Features, asked: Request, tokens: TokenGuess, controls: Controls) -> Demand:
    output = tokens.output_expected if asked.params.max_tokens is None else asked.params.max_tokens
    return Demand(features.needs, features.prompt_tokens + output, controls.budget_nano)


def _only_cheaper(sifted: _Sifted) -> _Sifted:
    """Without high priority a fallback may not cost more than the first choice, unless no other fallback is left."""
    first = sifted.costs[0]
    if first is None:
        return sifted
    dearer = [cost is not None and cost > first for cost in sifted.costs]
    known_cheaper = any(cost is not None and cost <= first for cost in sifted.costs[1:])
    if not any(dearer) or not known_cheaper:
        return sifted
    return _without(
        sifted, dearer, "priority", "it costs more than the first choice and priority is not high"
    )


def _one_vector_space(sifted: _Sifted) -> _Sifted:
    """Vectors of different models cannot be compared, so no other embedding model may step in unasked."""
    name = sifted.kept[0].card.name
    others = [ranked.card.name != name for ranked in sifted.kept]
    return _without(sifted, others, "vector_space", "its vectors cannot be compared with the first choice's")


def _without(sifted: _Sifted, drop: list[bool], filter_: str, reason: str) -> _Sifted:
    dropped = {ranked.label for ranked, out in zip(sifted.kept, drop, strict=True) if out}
    return _Sifted(
        tuple([ranked for ranked in sifted.kept if ranked.label not in dropped]),
        tuple([cost for cost, out in zip(sifted.costs, drop, strict=True) if not out]),
        tuple(
            [
                Verdict(found.model, False, filter_, reason)
                if found.kept and found.model in dropped
                else found
                for found in sifted.verdicts
            ]
        ),
    )


def _none_left(verdicts: list[Verdict]) -> CallFailed:
    """The failure of the filter that the furthest candidate met."""
    removed = [verdict for verdict in verdicts if verdict.filter is not None]
    if not removed:
        return fail(Kind.NO_CANDIDATE, "no model is configured for this request")
    last = max(removed, key=lambda verdict: stage(verdict.filter or ""))
    kind = KIND_BY_STAGE[stage(last.filter or "")]
    return fail(kind, f"no model is left after the filter {last.filter}: {last.model}: {last.reason}")


def _plan(
    sifted: _Sifted, requested: str, tier: TierGuess | None, task: TaskGuess | None, tokens: TokenGuess | None
) -> Plan:
    return Plan(
        candidates=tuple([ranked.card for ranked in sifted.kept]),
        tier=tier,
        task=task,
        tokens=tokens,
        verdicts=sifted.verdicts,
        notices=_notices(sifted, requested),
        estimated_cost_nano=sifted.costs[0],
    )


def _notices(sifted: _Sifted, requested: str) -> tuple[Notice, ...]:
    """What took the place of the first choice, where the request or its rules removed that."""
    chosen = sifted.kept[0].label
    if sifted.verdicts[0].model == chosen:
        return ()
    passed_over = list(itertools.takewhile(lambda found: found.model != chosen, sifted.verdicts))
    dear = next((found for found in passed_over if found.filter == "budget"), None)
    if dear is not None:
        return (Notice("downgraded-budget", f"{dear.model} was left out: {dear.reason}; {chosen} answers"),)
    if requested in AUTO_NAMES:
        return ()
    first = passed_over[0]
    return (
        Notice("rerouted", f"{first.model} was left out ({first.filter}: {first.reason}); {chosen} answers"),
    )
