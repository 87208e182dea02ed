"""What a configuration means for routing: names resolved to cards, once, when it is loaded.

Promise: the planner reads nothing but this table and its arguments, so that a decision can be replayed from them.
Building the table is where a name that does not exist is an error; from here on every card is real. Two cards with the
same `provider/id` are one model under two names: routing never asks the same one twice, and a rule against one
name holds for the other.

It must not know files, prices' origin, providers' addresses or which parts of the program use a plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from turnout.core.call import Limits
from turnout.core.card import NOT_CHAT, TIERS, Card, Task, Tier
from turnout.core.events import Usage
from turnout.core.money import cost_nano

LONG_CONTEXT_TOKENS = 50_000
TYPICAL_USAGE = Usage(input=1_000, output=300)  # for ranking by price before any request is known


class PolicyRule(Struct, frozen=True):
    """Which models a named policy permits. `allow_…` is `None` for all; model names as callers type them.

    Of `require_any_tags` one is enough, of `require_tags` none may be missing.
    """

    require_tags: frozenset[str] = frozenset()
    require_any_tags: frozenset[str] = frozenset()
    forbid_tags: frozenset[str] = frozenset()
    allow_models: frozenset[str] | None = None
    deny_models: frozenset[str] = frozenset()
    allow_providers: frozenset[str] | None = None
    deny_providers: frozenset[str] = frozenset()


class RoutingTable(Struct, frozen=True):
    """`cards` maps every name a caller may type (models, aliases, `provider/id`, `provider/name`) to cards, the
    meant one first. `fallbacks` is keyed by model name. Tuples are ordered best first. `cost_centers` are the limits of
    those that a request may name."""

    cards: Mapping[str, tuple[Card, ...]]
    by_tier: Mapping[Tier, tuple[Card, ...]]
    by_task: Mapping[Task, Card]
    fallbacks: Mapping[str, tuple[Card, ...]]
    policies: Mapping[str, PolicyRule]
    long_context_tokens: int = LONG_CONTEXT_TOKENS
    cost_centers: Mapping[str, Limits] = MappingProxyType({})


def typical_cost_nano(card: Card) -> float:
    """Cost of a typical request, for ordering only; a card without a price sorts last."""
    return cost_nano(TYPICAL_USAGE, card.price) if card.price else float("inf")


def build_table(
    cards: Sequence[Card],
    *,
    aliases: Mapping[str, str] | None = None,
    tiers: Mapping[Tier, Sequence[str]] | None = None,
    tasks: Mapping[Task, str] | None = None,
    policies: Mapping[str, PolicyRule] | None = None,
    long_context_tokens: int = LONG_CONTEXT_TOKENS,
    cost_centers: Mapping[str, Limits] | None = None,
) -> RoutingTable:
    """Resolve names to cards. `aliases` maps an alias to a model name. Raises `ValueError` on an unknown name."""
    names = _names(cards, aliases or {})
    configured = tiers or {}
    return RoutingTable(
        cards=names,
        by_tier={
            tier: _resolve(configured[tier], names, f"routing.tiers.{tier}")
            if configured.get(tier)
            else _own_tier(cards, tier)
            for tier in TIERS
        },
        by_task={
            task: _resolve((name,), names, f"routing.tasks.{task}")[0] for task, name in (tasks or {}).items()
        },
        fallbacks={
            card.name: _resolve(card.fallbacks, names, f"models.{card.name}.fallbacks")
            for card in cards
            if card.fallbacks
        },
        policies=dict(policies or {}),
        long_context_tokens=long_context_tokens,
        cost_centers=dict(cost_centers or {}),
    )


def _names(cards: Sequence[Card], aliases: Mapping[str, str]) -> dict[str, tuple[Card, ...]]:
    """Exact model names win over `provider/…` spellings, and both over aliases."""
    names: dict[str, list[Card]] = {}
    spellings = (
        [(card.name, card) for card in cards]
        + [(f"{card.provider}/{card.name}", card) for card in cards]
        + [(card.label, card) for card in cards]
    )
    for name, card in spellings:
        known = names.setdefault(name, [])
        if card not in known:
            known.append(card)
    table = {name: tuple(found) for name, found in names.items()}
    for alias, target in aliases.items():
        table.setdefault(alias, _resolve_one(target, table, f"alias {alias}"))
    return table


def _resolve_one(name: str, names: Mapping[str, tuple[Card, ...]], where: str) -> tuple[Card, ...]:
    found = names.get(name)
    if not found:
        raise ValueError(f"{where}: no model is called {name!r}")
    return found


def _resolve(wanted: Iterable[str], names: Mapping[str, tuple[Card, ...]], where: str) -> tuple[Card, ...]:
    return tuple(dict.fromkeys(card for name in wanted for card in _resolve_one(name, names, where)))


def key_of(card: Card) -> str:
    """`provider/name`: one configured model. `Card.label` may be shared by several, this is not."""
    return f"{card.provider}/{card.name}"


def is_embedder(card: Card) -> bool:
    """A card known to do embeddings and nothing else."""
    return card.capabilities == {"embeddings"}


def cannot_chat(card: Card) -> bool:
    """A card known to do other things only: to embed, to speak, to make images."""
    return bool(card.capabilities) and card.capabilities <= NOT_CHAT


def _own_tier(cards: Sequence[Card], tier: Tier) -> tuple[Card, ...]:
    own = [card for card in cards if card.tier == tier and not cannot_chat(card)]
    return tuple(sorted(own, key=typical_cost_nano))
