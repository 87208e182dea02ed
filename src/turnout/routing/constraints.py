"""What a candidate must satisfy. A filter says no, and names itself; it never reorders.

Promise: the same filters hold for the first choice, for every fallback, and so for hedges and whatever else is later drawn
from a plan's candidates: there is no second way in. The order is that of the reasons a caller should hear first: may
this key use the model at all, do the policies permit it, can it do what is asked, does the request fit, can it be paid.

An unknown fact (no capabilities, no window) excludes nothing. An unknown *price* under a budget does: a promise about
money cannot rest on a cost that nobody knows. Filters see cards and plain values; they know no order and no tier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from turnout.core.call import PASSED, Op, Principal
from turnout.core.card import Capability, Card
from turnout.core.errors import Kind, fail
from turnout.core.money import format_usd
from turnout.routing.table import PolicyRule, RoutingTable, cannot_chat, is_embedder


class Refusal(Struct, frozen=True, gc=False):
    """Why a candidate was removed. `filter` is stable (`policy:eu`, `capability:vision`), `reason` a sentence part."""

    filter: str
    reason: str


class Demand(Struct, frozen=True):
    """What one request asks of a candidate. Sizes are tokens, the budget nano-dollars; `None` asks nothing."""

    needs: frozenset[Capability] = frozenset()
    window_tokens: int | None = None
    budget_nano: int | None = None


class Rule(Struct, frozen=True):
    """A policy with its name, ready to apply."""

    filter: str
    policy: PolicyRule


def rules_for(table: RoutingTable, names: Iterable[str]) -> tuple[Rule, ...]:
    """The named policies, once each. Raises `CallFailed(BAD_REQUEST)` on a name that is not configured."""
    rules = []
    for name in dict.fromkeys(names):
        policy = table.policies.get(name)
        if policy is None:
            raise fail(Kind.BAD_REQUEST, f"no policy is called {name[:80]!r}", param="compliance")
        rules.append(Rule(f"policy:{name}", policy))
    return tuple(rules)


def names_by_label(table: RoutingTable) -> dict[str, frozenset[str]]:
    """For each `provider/id`, every name that leads to it: a rule against one of them is a rule against the model."""
    found: dict[str, set[str]] = {}
    for name, cards in table.cards.items():
        for card in cards:
            found.setdefault(card.label, {card.name, card.label}).add(name)
    return {label: frozenset(names) for label, names in found.items()}


def refusal_by_principal(names: frozenset[str], principal: Principal) -> Refusal | None:
    if not principal.denied.isdisjoint(names):
        return Refusal("principal:denied", "this key may not use the model")
    if principal.models is not None and principal.models.isdisjoint(names):
        return Refusal("principal:models", "the model is not among those this key may use")
    return None


def refusal_by_policy(card: Card, names: frozenset[str], rules: Iterable[Rule]) -> Refusal | None:
    for rule in rules:
        reason = _policy_reason(card, names, rule.policy)
        if reason is not None:
            return Refusal(rule.filter, reason)
    return None


def _policy_reason(card: Card, names: frozenset[str], policy: PolicyRule) -> str | None:
    missing = policy.require_tags - card.tags
    if missing:
        return f"lacks the tag {min(missing)}"
    forbidden = policy.forbid_tags & card.tags
    if forbidden:
        return f"has the tag {min(forbidden)}"
    if not policy.deny_models.isdisjoint(names):
        return "the policy denies the model"
    if policy.allow_models is not None and policy.allow_models.isdisjoint(names):
        return "the policy does not list the model"
    return None


_DOES: Mapping[Op, Capability] = {
    "completions": "completions",
    "moderations": "moderations",
    "images": "images",
    "image_edits": "images",
    "image_variations": "images",
    "speech": "speech",
    "transcriptions": "transcriptions",
    "translations": "transcriptions",
}


def refusal_by_op(card: Card, op: Op) -> Refusal | None:
    """Embedding models embed and do nothing else; chat models do not embed. What is passed goes to its own dialect only.

    Many chat models also complete; for the rest, what a model can do must be unknown or include it.
    """
    if op in PASSED:
        return _refusal_by_passed_op(card, op)
    if op == "embeddings":
        if card.capabilities and "embeddings" not in card.capabilities:
            return Refusal("capability:embeddings", "it makes no embeddings")
    elif is_embedder(card):
        return Refusal("capability:chat", "it makes embeddings only")
    elif cannot_chat(card):
        return Refusal("capability:chat", f"it does {', '.join(sorted(card.capabilities))} only")
    return None


def _refusal_by_passed_op(card: Card, op: Op) -> Refusal | None:
    if card.dialect != PASSED[op]:
        return Refusal(f"capability:{op}", f"the dialect {card.dialect} has no such operation")
    if (
        not card.capabilities
        or _DOES[op] in card.capabilities
        or (op == "completions" and not cannot_chat(card))
    ):
        return None
    return Refusal(f"capability:{op}", f"it is not known to do {_DOES[op]}")


def refusal_by_request(card: Card, demand: Demand, cost_nano: int | None) -> Refusal | None:
    """Capabilities, context window and money, in this order."""
    if demand.needs and card.capabilities:
        missing = missing_capabilities(card, demand.needs)
        if missing:
            return Refusal(f"capability:{missing[0]}", f"it lacks {', '.join(missing)}")
    if (
        demand.window_tokens is not None
        and card.context_window is not None
        and demand.window_tokens > card.context_window
    ):
        return Refusal(
            "context_window", f"{demand.window_tokens} tokens do not fit into {card.context_window}"
        )
    if demand.budget_nano is not None:
        if cost_nano is None:
            return Refusal("budget", "its price is unknown, so a budget cannot hold")
        if cost_nano > demand.budget_nano:
            return Refusal("budget", f"about {format_usd(cost_nano)} USD is over the budget")
    return None


def missing_capabilities(card: Card, needs: frozenset[Capability]) -> list[Capability]:
    """What a card with known capabilities lacks. Who can follow a schema can write plain JSON."""
    missing = needs - card.capabilities
    if "json_mode" in missing and "json_schema" in card.capabilities:
        missing -= {"json_mode"}
    return sorted(missing)


_STAGES = {"principal": 0, "policy": 1, "capability": 2, "context_window": 3, "budget": 4}


def stage(name: str) -> int:
    """How far a candidate got that the filter `name` removed."""
    return _STAGES[name.partition(":")[0]]


KIND_BY_STAGE: Mapping[int, Kind] = {
    0: Kind.NO_CANDIDATE,
    1: Kind.NO_CANDIDATE,
    2: Kind.UNSUPPORTED,
    3: Kind.CONTEXT_TOO_LONG,
    4: Kind.BUDGET_EXCEEDED,
}
