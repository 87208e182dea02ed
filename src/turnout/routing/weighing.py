"""Candidates between the filters and the plan: what was removed for what, what must go beside the filters, what is said of it.

Promise: pure functions of a list in order of preference. Nothing here reorders and nothing brings back what a filter removed. Three
things are removed here rather than by a filter, because they look at the list and not at one card: what costs more than the first
choice, vectors of another space, and what is out of order. The first and the last fail open: a dearer model or one whose breaker is
open is better than none. No rule about who may use what does.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from turnout.core.call import Notice, Verdict
from turnout.core.card import TIERS, Card
from turnout.core.errors import CallFailed, Kind, Removal, Violation, fail
from turnout.core.money import NANO_PER_USD
from turnout.routing.constraints import KIND_BY_STAGE, Refusal, stage
from turnout.routing.ranking import Ranked


class Weighed(NamedTuple):
    """A candidate that was considered: what it would cost, and why it was removed, if it was."""

    ranked: Ranked
    cost: int | None
    refusal: Refusal | None


_DEARER = Refusal("priority", "it costs more than the first choice and priority is not high")
_OTHER_SPACE = Refusal("vector_space", "its vectors cannot be compared with the first choice's")
_OUT = Refusal("health", "it is out of order at present")


def refuse_downgrade(weighed: list[Weighed], violations: tuple[Violation, ...]) -> None:
    """Where the caller wants the first choice or nothing, a budget that removes it ends the call."""
    for _, _, refusal in weighed:
        if refusal is None:
            return
        if refusal.filter == "budget":
            raise none_left([one for one in weighed if one.refusal is not None], violations)


def healthy(weighed: list[Weighed], unhealthy: frozenset[str]) -> list[Weighed]:
    """Without those that are out; when that would be all, they are asked all the same: a breaker can be wrong."""
    if all(one.refusal is not None or one.ranked.label in unhealthy for one in weighed):
        return weighed
    return [
        one._replace(refusal=_OUT) if one.refusal is None and one.ranked.label in unhealthy else one
        for one in weighed
    ]


def only_cheaper(weighed: list[Weighed]) -> list[Weighed]:
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


def one_vector_space(weighed: list[Weighed]) -> list[Weighed]:
    """Vectors of different models cannot be compared, so no other embedding model may step in unasked."""
    name = next(one.ranked.card.name for one in weighed if one.refusal is None)
    return [
        one if one.refusal is not None or one.ranked.card.name == name else one._replace(refusal=_OTHER_SPACE)
        for one in weighed
    ]


def none_left(weighed: list[Weighed], violations: tuple[Violation, ...]) -> CallFailed:
    """The failure of the filter that the furthest candidate met (of a budget, the cheapest), with what every filter removed."""
    removed = [(one.ranked.label, one.refusal) for one in weighed if one.refusal is not None]
    if not removed:
        return fail(Kind.NO_CANDIDATE, "no model is configured for this request")
    label, last = max(removed, key=lambda found: stage(found[1].filter))
    nearest = "nearest"
    if last.filter == "budget":  # what would do is the cheapest of those that only money keeps out
        affordable = [
            (one.cost, one.ranked.label, one.refusal)
            for one in weighed
            if one.cost is not None and one.refusal is not None and one.refusal.filter == "budget"
        ]
        if affordable:
            _, label, last = min(affordable, key=lambda found: found[0])
            nearest = "cheapest"
    counts = Counter(refusal.filter for _, refusal in removed)
    (name, models), *rest = counts.most_common()
    text = ", ".join([f"{name} removed {models}", *(f"{name} {models}" for name, models in rest)])
    return fail(
        KIND_BY_STAGE[stage(last.filter)],
        f"no model is left: {text}; the {nearest}, {label}: {last.reason}",
        details=tuple(Removal(name, models) for name, models in counts.most_common()),
        violations=violations,
    )


def verdicts_of(weighed: list[Weighed]) -> tuple[Verdict, ...]:
    return tuple([_verdict(one) for one in weighed])


def _verdict(one: Weighed) -> Verdict:
    ranked, cost, refusal = one
    if refusal is not None:
        return Verdict(ranked.label, False, refusal.filter, refusal.reason)
    return Verdict(ranked.label, True, score=ranked.score, terms=_terms(ranked, cost))


def _terms(ranked: Ranked, cost: int | None) -> dict[str, float]:
    if cost is None:
        return {"tier_fit": ranked.tier_fit, "task_fit": ranked.task_fit}
    return {"tier_fit": ranked.tier_fit, "task_fit": ranked.task_fit, "cost_usd": cost / NANO_PER_USD}


def retired_of(card: Card) -> tuple[Notice, ...]:
    """A first choice that its provider has taken away: whoever named it had better name another."""
    end = card.retirement
    if end is None or not end.past:
        return ()
    instead = f"; {end.successor} takes its place" if end.successor else ""
    return (Notice("model-retired", f"{card.label} was retired by its provider on {end.on}{instead}"),)


def notices_of(weighed: list[Weighed], kept: Weighed, by_name: bool) -> tuple[Notice, ...]:
    """What took the place of the first choice, where the request, its rules or an outage removed that."""
    chosen = kept.ranked.label
    passed_over = []
    for one in weighed:
        if one.refusal is None:
            break
        passed_over.append((one.ranked.card, one.refusal))
    for card, refusal in passed_over:
        if refusal.filter == "budget":
            text = f"{card.label} was left out: {refusal.reason}; {chosen} answers"
            return (Notice("downgraded-budget", text),)
    card, refusal = next((one for one in passed_over if one[1] is _OUT), passed_over[0])
    if refusal is _OUT:
        smaller = TIERS.index(kept.ranked.card.tier) < TIERS.index(card.tier)
        code = "downgraded-unavailable" if smaller else "fallback"
        return (Notice(code, f"{card.label} was left out: {refusal.reason}; {chosen} answers"),)
    if not by_name:
        return ()
    text = f"{card.label} was left out ({refusal.filter}: {refusal.reason}); {chosen} answers"
    return (Notice("rerouted", text),)
