"""The schedule: whom it names, for whose pause it waits, and what ends it."""

from __future__ import annotations

from itertools import product

import pytest

from tests.unit.layers.support import card
from turnout.core.card import Card
from turnout.core.errors import TABLE, Failure, Kind
from turnout.resilience.board import Board, HealthPolicy
from turnout.resilience.budgets import Bucket
from turnout.resilience.schedule import PAUSE_S_MAX, RetryRules, Schedule, Start, Stop, WaitUntil

A, B, C = card("a"), card("b"), card("c")


def schedule(
    *cards: Card, deadline: float | None = None, retries: int = 1, attempts_max: int = 9
) -> Schedule:
    rules = RetryRules(attempts_max=attempts_max, retries=retries, backoff_s=0.0)
    return Schedule(cards, rules, Board(HealthPolicy()), Bucket(1.0, 100.0), deadline)


def fail(one: Schedule, model: Card, kind: Kind, now: float, retry_after_s: float | None = None) -> None:
    one.failed(model, Failure(kind, kind.value, retry_after_s=retry_after_s), now, 0.0)


def test_a_pause_is_that_of_whoever_asked_for_it() -> None:
    one = schedule(A, B)
    assert one.next(0.0) == Start(A, "first")
    fail(one, A, Kind.OVERLOADED, 0.0)
    assert one.next(0.0) == Start(B, "fallback")
    fail(one, B, Kind.RATE_LIMITED, 0.0, retry_after_s=1.0)
    assert one.next(0.0) == Start(A, "retry")  # B's second is not waited for
    fail(one, A, Kind.OVERLOADED, 0.1)
    assert one.next(0.2) == WaitUntil(1.0)
    assert one.next(1.0) == Start(B, "retry")


def test_one_that_is_away_for_long_does_not_stop_the_others() -> None:
    one = schedule(A, B)
    for model, kind, retry_after_s in ((A, Kind.OVERLOADED, None), (B, Kind.RATE_LIMITED, 60.0)):
        assert isinstance(one.next(0.0), Start)
        fail(one, model, kind, 0.0, retry_after_s)
    assert one.next(0.0) == Start(A, "retry")
    fail(one, A, Kind.OVERLOADED, 0.0)
    assert one.next(0.0) == Stop()  # nobody sits through a minute
    assert PAUSE_S_MAX < 60.0


def test_nobody_is_asked_after_the_deadline_or_waited_for_beyond_it() -> None:
    one = schedule(A, B, deadline=5.0)
    assert one.next(0.0) == Start(A, "first")
    fail(one, A, Kind.RATE_LIMITED, 1.0, retry_after_s=4.0)
    assert one.next(1.0) == Start(B, "fallback")
    fail(one, B, Kind.CONNECT_TIMEOUT, 2.0)
    assert one.next(2.0) == Stop()
    assert schedule(A, deadline=1.0).next(1.0) == Stop(late=True)


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_every_ordered_pair_of_failures(retries: int) -> None:
    """The table's word on the first, then on the second, holds for everything that is asked afterwards."""
    for first, second in product(TABLE, TABLE):
        _pair(first, second, retries)


def _pair(first: Kind, second: Kind, retries: int) -> None:
    small = card("small", window=8_000)
    same, large = card("same", window=8_000), card("large", window=200_000)
    one = schedule(small, same, large, retries=retries, attempts_max=50)
    barred: set[str] = set()
    over = False
    asked: list[str] = []
    counts: dict[str, int] = {}
    now = 0.0
    for _ in range(100):
        step = one.next(now)
        if isinstance(step, Stop):
            break
        if isinstance(step, WaitUntil):
            now = step.at
            continue
        model = step.card
        assert not over
        assert model.name not in barred
        asked.append(model.name)
        counts[model.name] = counts.get(model.name, 0) + 1
        kind = first if len(asked) == 1 else second
        row = TABLE[kind]
        fail(one, model, kind, now)
        if row.fall_back == "no":
            over = True
        if row.fall_back == "larger":
            barred |= {other.name for other in (small, same, large) if not _larger(other, model)}
        if not row.retry_same:
            barred.add(model.name)
        assert counts[model.name] <= 1 + retries
    else:
        raise AssertionError("it goes on for ever")
    assert asked[0] == "small"
    if not over and first not in (Kind.CONTEXT_TOO_LONG,) and second is not Kind.CONTEXT_TOO_LONG:
        assert {"small", "same", "large"} == set(asked)


def _larger(other: Card, model: Card) -> bool:
    assert other.context_window is not None and model.context_window is not None
    return other.context_window > model.context_window


def test_attempts_are_bounded() -> None:
    one = schedule(A, B, C, attempts_max=2)
    for _ in range(2):
        step = one.next(0.0)
        assert isinstance(step, Start)
        fail(one, step.card, Kind.UPSTREAM_ERROR, 0.0)
    assert one.next(0.0) == Stop()


def test_an_empty_budget_makes_the_first_failure_the_answer() -> None:
    spent = Bucket(0.1, 1.0)
    spent.withdraw(1.0, 0.0)
    one = Schedule((A, B), RetryRules(), Board(HealthPolicy()), spent)
    assert isinstance(one.next(0.0), Start)  # the first attempt is always free
    fail(one, A, Kind.UPSTREAM_ERROR, 0.0)
    assert one.next(0.0) == Stop()


def test_a_hedges_failure_forbids_nothing() -> None:
    one = schedule(A, B, C)
    one.next(0.0)
    assert one.hedge(0) is B
    one.failed(B, Failure(Kind.BAD_REQUEST, "no"), 0.0, 0.0, hedged=True)
    fail(one, A, Kind.UPSTREAM_ERROR, 0.0)
    assert one.next(0.0) == Start(C, "fallback")


def test_a_refusal_is_pardoned_once() -> None:
    one = schedule(A, B, C)
    refused = Failure(Kind.UPSTREAM_BAD_REQUEST, "no")
    assert one.next(0.0) == Start(A, "first")
    one.failed(A, refused, 0.0, 0.0, pardoned=True)
    assert one.next(0.0) == Start(B, "fallback")
    one.failed(B, refused, 0.0, 0.0, pardoned=True)
    assert one.next(0.0) == Stop(), "two who refuse it are right, and A is not asked again"


def test_a_hedges_refusal_leaves_the_pardon_to_others() -> None:
    one = schedule(A, B, C)
    refused = Failure(Kind.UPSTREAM_BAD_REQUEST, "no")
    assert one.next(0.0) == Start(A, "first")
    assert one.hedge(0) == B
    one.failed(B, refused, 0.0, 0.0, hedged=True, pardoned=True)
    one.failed(A, refused, 0.0, 0.0, pardoned=True)
    assert one.next(0.0) == Start(C, "fallback")
