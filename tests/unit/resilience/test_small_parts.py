"""Buckets, limits and series: what each holds back, and what it lets go."""

from __future__ import annotations

import random

from turnout.resilience.budgets import Bucket
from turnout.resilience.concurrency import LEAST, MOST, Limit
from turnout.resilience.latency import Series


def test_a_bucket_gives_its_share_and_no_more() -> None:
    bucket, given = Bucket(0.15, 20.0), 0
    for _ in range(10_000):
        bucket.deposit()
        given += bucket.withdraw(1.0, 0.0)
    assert 1_500 <= given <= 1_520


def test_a_bucket_refills_in_the_quiet_hour() -> None:
    bucket = Bucket(0.15, 2.0, floor_per_s=0.5)
    assert bucket.withdraw(2.0, 0.0)
    assert not bucket.withdraw(1.0, 1.0)
    assert bucket.withdraw(1.0, 2.5)


def test_a_limit_falls_at_overload_and_grows_back() -> None:
    limit = Limit()
    limit.in_flight = 40
    limit.overloaded()
    assert limit.value == 30
    for _ in range(3):
        limit.in_flight = 1
        limit.overloaded()
    assert limit.value == LEAST
    for _ in range(20_000):
        limit.succeeded()
    assert limit.value > 100
    assert limit.value <= MOST * 1.2


def test_quantiles_are_those_of_what_was_seen() -> None:
    series, chance = Series(), random.Random(7)
    for _ in range(400):
        series.add(chance.lognormvariate(5.0, 0.5))
    assert series.p50 is not None and 110 < series.p50 < 200
    assert series.p95 is not None and 220 < series.p95 < 550


def test_ten_times_slower_is_seen_within_a_few() -> None:
    series = Series()
    for _ in range(50):
        series.add(60.0)
    seen = 0
    while not series.is_slow(5.0) and seen < 20:
        series.add(600.0)
        seen += 1
    assert seen <= 4


def test_always_slow_is_not_slow() -> None:
    series = Series()
    for _ in range(200):
        series.add(5_000.0)
        assert not series.is_slow(5.0)


def test_slower_than_its_twin_is_slow() -> None:
    series = Series()
    for _ in range(20):
        series.add(2_000.0)
    assert series.is_slow(5.0, 100.0)
    assert not series.is_slow(5.0, 1_000.0)


def test_noise_is_not_slowness() -> None:
    series, chance = Series(), random.Random(3)
    for _ in range(20_000):
        series.add(chance.lognormvariate(5.3, 0.6))
        assert not series.is_slow(5.0)
