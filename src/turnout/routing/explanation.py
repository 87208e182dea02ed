"""A plan as people and tools read it: the JSON of `POST /v1/route`.

The structs are the document: msgspec encodes them field by field, in this order. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from turnout.core.call import Notice, Plan, TaskGuess, TierGuess, TokenGuess, Verdict
from turnout.core.money import NANO_PER_USD


class PlanSummary(Struct, frozen=True):
    """Models as `provider/id`. The estimate is for the first candidate; `None` where its price is unknown."""

    model: str
    fallbacks: tuple[str, ...]
    hedge_after_ms: int | None
    estimated_cost_usd: float | None


class CandidateSummary(Struct, frozen=True, omit_defaults=True):
    """`filter` and `reason` where it was removed; `score` and `terms` where it was kept."""

    model: str
    kept: bool
    filter: str | None = None
    reason: str | None = None
    score: float | None = None
    terms: Mapping[str, float] | None = None


class Explanation(Struct, frozen=True):
    tier: TierGuess | None
    task: TaskGuess | None
    tokens: TokenGuess | None
    plan: PlanSummary
    candidates: tuple[CandidateSummary, ...]
    notices: tuple[Notice, ...]
    decided_in_us: int


def explain(plan: Plan, decided_in_us: int) -> Explanation:
    """The document for a plan. Use `Planner.explain_decide` to get a plan whose tier and task are always present."""
    cost = plan.estimated_cost_nano
    return Explanation(
        tier=plan.tier,
        task=plan.task,
        tokens=plan.tokens,
        plan=PlanSummary(
            model=plan.candidates[0].label,
            fallbacks=tuple(card.label for card in plan.candidates[1:]),
            hedge_after_ms=plan.hedge_after_ms,
            estimated_cost_usd=None if cost is None else cost / NANO_PER_USD,
        ),
        candidates=tuple(_summary(verdict) for verdict in plan.verdicts),
        notices=plan.notices,
        decided_in_us=decided_in_us,
    )


def _summary(verdict: Verdict) -> CandidateSummary:
    return CandidateSummary(
        model=verdict.model,
        kept=verdict.kept,
        filter=verdict.filter,
        reason=verdict.reason,
        score=verdict.score,
        terms=verdict.terms,
    )
