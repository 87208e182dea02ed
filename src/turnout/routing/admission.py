"""What one caller may use: every rule about models that does not depend on what is asked, worked out once.

Promise: an `Admission` is the only judge of candidates. The planner, a cache that holds somebody's earlier answer, a batch, a
classifier's own model: all ask the same object, so that no model can come in by another door. It is made for a principal,
the controls of a request and an operation, and depends on nothing else, so it may be remembered for as long as its table lives.

The scopes of a caller (key, team, user, cost centre) hold together, the most restrictive combination: a model must be on every
allow list and on no deny list, under every policy, under the lowest ceiling and the lowest budget. A request may name
another cost centre to pay; its limits are then added, and those of the key's own still hold: no caller leaves its limits by
naming a cheaper master. It must not know orders, tiers or what happened to a model lately (that is `Conditions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from turnout.core.call import Ceiling, Controls, Limits, Op, Principal
from turnout.core.card import Card
from turnout.core.errors import Violation
from turnout.routing.constraints import (
    NAME_CHARS_MAX,
    NOTHING_ASKED,
    Demand,
    Refusal,
    Rule,
    is_rule,
    refusal_by_ceiling,
    refusal_by_limits,
    refusal_by_op,
    refusal_by_policy,
    refusal_by_request,
    rules_for,
)
from turnout.routing.table import RoutingTable, key_of


class Conditions(Struct, frozen=True):
    """What holds at this moment, by the word of resilience and ledger.

    `unhealthy` are labels (`provider/id`) that are out; `budget_left_nano` is what the payer has left.
    """

    unhealthy: frozenset[str] = frozenset()
    budget_left_nano: int | None = None


USUAL = Conditions()


class Admission:
    """`refusals` has the verdict on every card of the table, by `provider/name`; `prefer` is the caller's stored preference."""

    __slots__ = ("_limits", "_op", "_rules", "budget_nano", "ceiling", "prefer", "refusals")

    def __init__(
        self,
        table: RoutingTable,
        names: Mapping[str, frozenset[str]],
        principal: Principal,
        controls: Controls,
        op: Op,
    ) -> None:
        """`names` is `names_by_label(table)`. Raises `CallFailed` as `rules_for` does."""
        self._limits = limits_of(table, principal, controls)
        self._op = op
        policies = [policy for limits in self._limits for policy in limits.policies]
        self._rules: tuple[Rule, ...] = rules_for(table, (*policies, *controls.compliance))
        self.ceiling = lowest((*(limits.ceiling for limits in self._limits), controls.ceiling))
        self.budget_nano = least(limits.budget_nano for limits in self._limits)
        self.prefer = _preference(self._limits)
        self.refusals: dict[str, Refusal | None] = {
            key_of(card): self._judge(card, names[card.label])
            for cards in table.cards.values()
            for card in cards
        }

    def refusal(
        self, card: Card, demand: Demand = NOTHING_ASKED, cost_nano: int | None = None
    ) -> Refusal | None:
        """Why the caller may not have this card for this; `None` if it may. A card of no table is judged as it is."""
        key = key_of(card)
        if key in self.refusals:
            ruled = self.refusals[key]
        else:
            ruled = self._judge(card, frozenset({card.name, card.label, key}))
        return ruled or refusal_by_request(card, demand, cost_nano)

    def permits(self, card: Card) -> bool:
        """Whether no rule is against the card, whatever it can do."""
        refusal = self.refusal(card)
        return refusal is None or not is_rule(refusal)

    def violation(self, requested: str, cards: Iterable[Card]) -> Violation | None:
        """The attempt that lies in asking for these cards by name; `None` if a rule permits one of them."""
        refusal = None
        for card in cards:
            refusal = self.refusals[key_of(card)]
            if refusal is None or not is_rule(refusal):
                return None
        return None if refusal is None else Violation(refusal.filter, requested[:NAME_CHARS_MAX])

    def _judge(self, card: Card, names: frozenset[str]) -> Refusal | None:
        for limits in self._limits:
            refusal = refusal_by_limits(card, names, limits)
            if refusal is not None:
                return refusal
        refusal = refusal_by_policy(card, names, self._rules)
        if refusal is None and self.ceiling is not None:
            refusal = refusal_by_ceiling(card.price, self.ceiling, 0)
        return refusal or refusal_by_op(card, self._op)


def limits_of(table: RoutingTable, principal: Principal, controls: Controls) -> tuple[Limits, ...]:
    """The principal's own, and those of the cost centre that the request names."""
    named = None if controls.cost_center is None else table.cost_centers.get(controls.cost_center)
    return principal.limits if named is None or named in principal.limits else (*principal.limits, named)


def least(amounts: Iterable[int | None]) -> int | None:
    """The smallest of those that are given."""
    return min((amount for amount in amounts if amount is not None), default=None)


def lowest(ceilings: Iterable[Ceiling | None]) -> Ceiling | None:
    """One ceiling under all of them."""
    given = [ceiling for ceiling in ceilings if ceiling is not None]
    if not given:
        return None
    return Ceiling(least(one.input for one in given), least(one.output for one in given))


_NEAREST = ("user", "principal", "team", "cost_center")


def _preference(limits: tuple[Limits, ...]) -> tuple[str, ...]:
    """The nearest scope's that has one: a user's own before the key's, the team's, the cost centre's."""
    for scope in _NEAREST:
        for one in limits:
            if one.scope == scope and one.prefer:
                return one.prefer
    return ()
