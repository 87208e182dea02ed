"""The decision: from a request, its caller and the table to an ordered list of candidates, with the reasons.

Promise: pure. The same table and arguments give the same plan; there is no clock, no chance and no I/O. The memos below
hold nothing but results of pure functions of the table, under a bound, so they change speed and nothing else.

Two paths. A caller who names a model and sets no control that routing obeys gets a remembered plan: the request is not
even decoded. Everyone else gets the full decision: features → task → tier → order → filters → plan.

It does not know how candidates are asked, what happened to them lately, or how replies look.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import NamedTuple, get_args

from turnout.core.call import (
    PASSED,
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
from turnout.core.model import Request, Text
from turnout.core.money import NANO_PER_USD, Price, cost_nano, counted_cost_nano
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


class _Weighed(NamedTuple):
    """A candidate that was considered: what it would cost, and why it was removed, if it was."""

    ranked: Ranked
    cost: int | None
    refusal: Refusal | None


_DEARER = Refusal("priority", "it costs more than the first choice and priority is not high")
_OTHER_SPACE = Refusal("vector_space", "its vectors cannot be compared with the first choice's")


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
        self._plans: dict[object, Plan] = {}
        self._permissions: dict[object, _Refusals] = {}
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
    ) -> Plan:
        """The plan for a call; `request` is called only when the decision depends on what is asked.

        It has verdicts if it is to be `explained`.

        Raises `CallFailed`: UNKNOWN_MODEL, FORBIDDEN, BAD_REQUEST (a policy that is not configured), UNSUPPORTED,
        CONTEXT_TOO_LONG, BUDGET_EXCEEDED or NO_CANDIDATE.
        """
        if (
            controls.budget_nano is None
            and not controls.compliance
            and not controls.prefer
            and not explained
            and (
                plan := self._plans.get(
                    (requested, op, principal.models, principal.denied, principal.policies)
                )
            )
        ):
            return plan
        if requested in self._table.cards:
            return self._decide_named(requested, controls, principal, request, op, explained)
        return self._decide_auto(requested, controls, principal, request, op, explained)

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

    def _decide_named(
        self,
        requested: str,
        controls: Controls,
        principal: Principal,
        request: Callable[[], Request],
        op: Op,
        explained: bool,
    ) -> Plan:
        order = order_for_name(self._table, requested, controls.prefer)
        refusals = self._permitted(controls, principal, op)
        self._refuse_forbidden(requested, refusals)
        if controls.budget_nano is None and not controls.compliance and not controls.prefer:
            plan = _plan(self._sift(order, refusals, Demand(), None), requested, None, None, None, explained)
            if not explained:
                self._remember(requested, principal, op, plan)
            return plan
        asked = request()
        features = read(asked)
        task = task_of(features, found_cues(features), asked, controls, None)
        tokens = _tokens(features, asked, task, op)
        demand = _demand(features, asked, tokens, controls)
        if op in PASSED:
            demand = _demand_passed(op, demand)
        weighed = self._sift(
            order, refusals, demand, tokens, counted_cost_nano if op in PASSED else cost_nano
        )
        return _plan(weighed, requested, None, None, tokens, explained)

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
        self,
        requested: str,
        controls: Controls,
        principal: Principal,
        request: Callable[[], Request],
        op: Op,
        explained: bool,
    ) -> Plan:
        if requested != "auto" and requested not in _TIERS and requested not in _TASKS:
            raise self._unknown(requested, principal, op)
        if op in PASSED:
            raise fail(
                Kind.BAD_REQUEST,
                f"{requested} chooses among chat models: for {op}, name a model",
                param="model",
            )
        refusals = self._permitted(controls, principal, op)
        asked = request()
        features = read(asked)
        found = found_cues(features)
        task = task_of(features, found, asked, controls, _TASKS.get(requested))
        tier = self._tier(_TIERS.get(requested), features, found, asked, task, controls)
        tokens = _tokens(features, asked, task, op)
        order = self._order(requested, tier, task, controls, op)
        weighed = self._sift(order, refusals, _demand(features, asked, tokens, controls), tokens)
        if op == "embeddings":
            weighed = _one_vector_space(weighed)
        elif controls.priority != "high":
            weighed = _only_cheaper(weighed)
        return _plan(weighed, requested, tier, task, tokens, explained)

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
        self,
        order: tuple[Ranked, ...],
        refusals: _Refusals,
        demand: Demand,
        tokens: TokenGuess | None,
        cost_of: Callable[[Usage, Price], int | None] = cost_nano,
    ) -> list[_Weighed]:
        """Apply every filter to every candidate. Raises the failure of the filter that removed the last."""
        usage = None if tokens is None else _usage(tokens)
        weighed: list[_Weighed] = []
        labels: set[str] = set()  # two configured names of one model: ask it once
        for ranked in order:
            if ranked.label in labels:
                continue
            price = ranked.card.price
            cost = None if usage is None or price is None else cost_of(usage, price)
            refusal = refusals[ranked.key] or refusal_by_request(ranked.card, demand, cost)
            if refusal is None:
                labels.add(ranked.label)
            weighed.append(_Weighed(ranked, cost, refusal))
        if not labels:
            raise _none_left(weighed)
        return weighed

    def _unknown(self, requested: str, principal: Principal, op: Op) -> CallFailed:
        """Suggests names that this key may use: an error is no place to learn what else exists."""
        refusals = self._permitted(Controls(), principal, op)
        allowed = [
            name
            for name, cards in self._table.cards.items()
            if any(refusals[key_of(card)] is None for card in cards)
        ]
        typed = requested[:NAME_CHARS_MAX]
        if op not in PASSED:
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


def _terms(ranked: Ranked, cost: int | None) -> dict[str, float]:
    if cost is None:
        return {"tier_fit": ranked.tier_fit, "task_fit": ranked.task_fit}
    return {"tier_fit": ranked.tier_fit, "task_fit": ranked.task_fit, "cost_usd": cost / NANO_PER_USD}


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


def _demand(features: Features, asked: Request, tokens: TokenGuess, controls: Controls) -> Demand:
    output = tokens.output_expected if asked.params.max_tokens is None else asked.params.max_tokens
    return Demand(features.needs, features.prompt_tokens + output, controls.budget_nano)


def _demand_passed(op: Op, demand: Demand) -> Demand:
    """Only a completion shares a window with its prompt; how sound and images fill one is their provider's affair."""
    return demand if op == "completions" else Demand(budget_nano=demand.budget_nano)


def _only_cheaper(weighed: list[_Weighed]) -> list[_Weighed]:
    """Without high priority a fallback may not cost more than the first choice, unless no other fallback is left."""
    costs = [one.cost for one in weighed if one.refusal is None]
    first = costs[0]
    if first is None:
        return weighed
    dearer = cheaper = False
    for cost in costs[1:]:
        if cost is not None:
            dearer, cheaper = dearer or cost > first, cheaper or cost <= first
    if not dearer or not cheaper:
        return weighed
    return [
        one._replace(refusal=_DEARER)
        if one.refusal is None and one.cost is not None and one.cost > first
        else one
        for one in weighed
    ]


def _one_vector_space(weighed: list[_Weighed]) -> list[_Weighed]:
    """Vectors of different models cannot be compared, so no other embedding model may step in unasked."""
    name = next(one.ranked.card.name for one in weighed if one.refusal is None)
    return [
        one if one.refusal is not None or one.ranked.card.name == name else one._replace(refusal=_OTHER_SPACE)
        for one in weighed
    ]


def _verdicts(weighed: list[_Weighed]) -> tuple[Verdict, ...]:
    return tuple([_verdict(one) for one in weighed])


def _verdict(one: _Weighed) -> Verdict:
    ranked, cost, refusal = one
    if refusal is not None:
        return Verdict(ranked.label, False, refusal.filter, refusal.reason)
    return Verdict(ranked.label, True, score=ranked.score, terms=_terms(ranked, cost))


def _none_left(weighed: list[_Weighed]) -> CallFailed:
    """The failure of the filter that the furthest candidate met."""
    removed = [(one.ranked.label, one.refusal) for one in weighed if one.refusal is not None]
    if not removed:
        return fail(Kind.NO_CANDIDATE, "no model is configured for this request")
    label, last = max(removed, key=lambda found: stage(found[1].filter))
    kind = KIND_BY_STAGE[stage(last.filter)]
    return fail(kind, f"no model is left after the filter {last.filter}: {label}: {last.reason}")


def _plan(
    weighed: list[_Weighed],
    requested: str,
    tier: TierGuess | None,
    task: TaskGuess | None,
    tokens: TokenGuess | None,
    explained: bool,
) -> Plan:
    kept = [one for one in weighed if one.refusal is None]
    return Plan(
        candidates=tuple([one.ranked.card for one in kept]),
        tier=tier,
        task=task,
        tokens=tokens,
        verdicts=_verdicts(weighed) if explained else (),
        notices=() if weighed[0].refusal is None else _notices(weighed, kept[0].ranked.label, requested),
        estimated_cost_nano=kept[0].cost,
    )


def _notices(weighed: list[_Weighed], chosen: str, requested: str) -> tuple[Notice, ...]:
    """What took the place of the first choice, where the request or its rules removed that."""
    passed_over = []
    for one in weighed:
        if one.refusal is None:
            break
        passed_over.append((one.ranked.label, one.refusal))
    for model, refusal in passed_over:
        if refusal.filter == "budget":
            text = f"{model} was left out: {refusal.reason}; {chosen} answers"
            return (Notice("downgraded-budget", text),)
    if requested in AUTO_NAMES:
        return ()
    model, refusal = passed_over[0]
    text = f"{model} was left out ({refusal.filter}: {refusal.reason}); {chosen} answers"
    return (Notice("rerouted", text),)
