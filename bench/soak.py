"""Memory over many requests: Turnout under a mixed load, its resident memory sampled between segments.

After a warm-up of a tenth of the requests memory must stay flat: no more than `GROWTH_MB_MAX` between the first and the
last tenth of the samples, and no upward trend worth the name over the rest.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from msgspec import Struct

from bench.gateways import GATEWAYS, Site
from bench.load import Load
from bench.measure import Target, answers, targets_of
from bench.process import GATEWAY_CORE, Running, free_port, running, wait_until
from bench.samples import Scenario
from bench.table import number

GROWTH_MB_MAX = 10.0
TREND_MB_MAX = 10.0  # what the fitted line rises over the whole run
SEGMENTS = 50
WARM_UP_SEGMENTS = SEGMENTS // 10
CONNECTIONS = 32
SEGMENT_S_MAX = 300.0
STREAMS_S = 0.3


class Point(Struct, frozen=True):
    requests: int
    rss_mb: float


class Flatness(Struct, frozen=True):
    """Of the samples after the warm-up. The slope is a least-squares fit."""

    growth_mb: float
    slope_mb_per_million: float
    rise_mb: float
    peak_mb: float

    @property
    def flat(self) -> bool:
        return self.growth_mb <= GROWTH_MB_MAX and self.rise_mb <= TREND_MB_MAX


def flatness(points: list[Point]) -> Flatness:
    """Needs two points or more."""
    tenth = max(1, len(points) // 10)
    growth = fmean(p.rss_mb for p in points[-tenth:]) - fmean(p.rss_mb for p in points[:tenth])
    mean_x, mean_y = fmean(p.requests for p in points), fmean(p.rss_mb for p in points)
    spread = sum((p.requests - mean_x) ** 2 for p in points)
    slope = sum((p.requests - mean_x) * (p.rss_mb - mean_y) for p in points) / spread
    span = points[-1].requests - points[0].requests
    return Flatness(growth, slope * 1e6, slope * span, max(p.rss_mb for p in points))


def _segment(load: Load, targets: dict[Scenario, Target], index: int, requests: int) -> int:
    """Ordinary requests of one scenario after another, and a short burst of streams; returns how many were made."""
    turn = list(targets)[index % len(targets)]
    target = targets[turn]
    unary = load.unary(target.port, CONNECTIONS, SEGMENT_S_MAX, target.unary, requests)
    streams = load.streams(target.port, 16, 50, STREAMS_S, target.stream)
    failed = unary.failed + unary.unfinished + streams.failed + streams.broken + streams.unfinished
    if failed:
        raise SystemExit(f"soak: {failed} requests failed ({turn})")
    return unary.completed + streams.completed


def _sampled(
    load: Load, targets: dict[Scenario, Target], process: Running, requests: int, say: Callable[[str], None]
) -> list[Point]:
    points: list[Point] = []
    done = 0
    for index in range(SEGMENTS):
        done += _segment(load, targets, index, max(1, requests // SEGMENTS))
        points.append(Point(done, process.rss_mb()))
        say(f"{done:>12,} requests  {points[-1].rss_mb:8.1f} MB")
    return points


def soak(turnout: Path, load_binary: Path, requests: int, say: Callable[[str], None]) -> int:
    """Runs it and prints the result; 0 when memory is flat."""
    gateway = GATEWAYS[0]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, Load(load_binary) as load:
        site = Site(free_port(), load.port, Path(name))
        targets = targets_of(gateway, site)
        with running(gateway.launch(turnout, site), GATEWAY_CORE) as process:
            ready_s = wait_until(answers(targets[Scenario.SAME]), process, gateway.ready_s_max)
            if ready_s is None:
                raise SystemExit(f"soak: Turnout did not get ready: {process.last_words()}")
            points = _sampled(load, targets, process, requests, say)
    found = flatness(points[WARM_UP_SEGMENTS:])
    print(
        f"{number(points[-1].requests)} requests in {time.monotonic() - started:.0f} s; after the warm-up memory grew "
        f"{found.growth_mb:.1f} MB (bar {GROWTH_MB_MAX:.0f}), trend {found.slope_mb_per_million:+.1f} MB per million "
        f"requests, peak {found.peak_mb:.0f} MB: {'flat' if found.flat else 'NOT FLAT'}"
    )
    return 0 if found.flat else 1


__all__ = ["Flatness", "Point", "flatness", "soak"]
