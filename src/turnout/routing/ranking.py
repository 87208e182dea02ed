"""In which order candidates are asked.

Precedence decides, as the caller and the operator wrote it, never a hidden formula: the caller's `prefer` list, the model
mapped to the task, the decided tier in its configured order, the fallbacks configured for those, the tiers above (a
light failure can be served by standard), last the tiers below (a smaller answer is better than none, and the caller is
told). The score of a candidate *is* its precedence; its terms are the facts beside it.

The order depends on tier and task only, so a planner computes it once for each pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from turnout.core.card import TIERS, Card, Task, Tier
from turnout.routing.table import RoutingTable, is_embedder, key_of, typical_cost_nano

PREFERRED = 1.0
MAPPED = 0.9
IN_TIER = 0.8
CONFIGURED_FALLBACK = 0.7
TIER_ABOVE = 0.6
TIER_TWO_ABOVE = 0.5
TIER_BELOW = 0.4
TIER_TWO_BELOW = 0.3
_BY_DISTANCE = {1: TIER_ABOVE, 2: TIER_TWO_ABOVE, -1: TIER_BELOW, -2: TIER_TWO_BELOW}
PREFERENCES_MAX = 16
STEP = 0.001  # between neighbours within one class of precedence; a class holds fewer than 100 before scores meet


class Ranked(Struct, frozen=True, gc=False):
    """A card with its place. `tier_fit` is 1 in the decided tier, less each tier away; `task_fit` 1 if mapped to the task."""

    card: Card
    key: str
    label: str
    score: float
    tier_fit: float
    task_fit: float


def _merge(
    classes: Iterable[tuple[float, Iterable[Card]]], tier: Tier | None, mapped: Card | None
) -> tuple[Ranked, ...]:
    """Flatten classes of precedence, keeping the first place of each model."""
    seen: dict[str, Ranked] = {}
    for score, cards in classes:
        place = 0
        for card in cards:
            key = key_of(card)
            if key in seen:
                continue
            score_here = round(score - min(place, 99) * STEP, 4)
            task_fit = 1.0 if mapped is not None and card.label == mapped.label else 0.0
            seen[key] = Ranked(card, key, card.label, score_here, _tier_fit(card.tier, tier), task_fit)
            place += 1
    return tuple(seen.values())


def _tier_fit(tier: Tier, wanted: Tier | None) -> float:
    return 1.0 if wanted is None else 1.0 - 0.4 * abs(TIERS.index(tier) - TIERS.index(wanted))


def mapped_card(table: RoutingTable, tier: Tier, task: Task | None, forced: bool) -> Card | None:
    """The card mapped to the task, if it satisfies the tier: the same or a higher one, exactly the same if forced."""
    card = table.by_task.get(task) if task else None
    if card is None:
        return None
    above = TIERS.index(card.tier) - TIERS.index(tier)
    in_list = any(card.label == other.label for other in table.by_tier.get(tier, ()))
    return card if in_list or above == 0 or (above > 0 and not forced) else None


def order_for(table: RoutingTable, tier: Tier, task: Task | None, *, forced: bool) -> tuple[Ranked, ...]:
    """Candidates of a decision, best first; `task` is `None` where the classifier abstained."""
    mapped = mapped_card(table, tier, task, forced)
    own = table.by_tier.get(tier, ())
    head = ([mapped] if mapped else []) + list(own)
    classes: list[tuple[float, Iterable[Card]]] = [
        (MAPPED, [mapped] if mapped else []),
        (IN_TIER, own),
        (CONFIGURED_FALLBACK, [card for first in head for card in table.fallbacks.get(first.name, ())]),
    ]
    here = TIERS.index(tier)
    distances = [*range(1, len(TIERS) - here), *range(-1, -here - 1, -1)]
    classes += [(_BY_DISTANCE[step], table.by_tier.get(TIERS[here + step], ())) for step in distances]
    return _merge(classes, tier, mapped)


def order_for_name(table: RoutingTable, requested: str, prefer: Sequence[str]) -> tuple[Ranked, ...]:
    """Candidates of an explicit model: its cards, what the caller prefers next, its configured fallbacks."""
    cards = table.cards[requested]
    classes: list[tuple[float, Iterable[Card]]] = [
        (PREFERRED, cards),
        (MAPPED, preferred_cards(table, prefer)),
        (CONFIGURED_FALLBACK, [card for first in cards for card in table.fallbacks.get(first.name, ())]),
    ]
    return _merge(classes, None, None)


def order_for_embeddings(table: RoutingTable) -> tuple[Ranked, ...]:
    """Embedding models, cheapest first."""
    embedders = {key_of(card): card for cards in table.cards.values() for card in cards if is_embedder(card)}
    return _merge([(IN_TIER, sorted(embedders.values(), key=typical_cost_nano))], None, None)


def preferred_cards(table: RoutingTable, prefer: Sequence[str]) -> list[Card]:
    """Cards of the caller's list; a preference is a wish, so names that are not configured are skipped."""
    return [card for name in prefer[:PREFERENCES_MAX] for card in table.cards.get(name, ())]


def with_preferred(
    table: RoutingTable, order: tuple[Ranked, ...], prefer: Sequence[str], tier: Tier
) -> tuple[Ranked, ...]:
    """Move the caller's list to the front."""
    if not prefer:
        return order
    front = _merge([(PREFERRED, preferred_cards(table, prefer))], tier, None)
    named = {ranked.key for ranked in front}
    return front + tuple(ranked for ranked in order if ranked.key not in named)
