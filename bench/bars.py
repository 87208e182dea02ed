"""The bars: what Turnout must reach beside its peers, each judged from the figures of one run. Pure.

A bar compares one figure with a fixed number or with a peer's figure of the same run. Fixed throughputs were set on a
faster machine, where Envoy relays `ENVOY_REFERENCE_CHUNKS_S`; for those a second verdict is given with the bar scaled
by what Envoy does here. The plain verdict is the one that counts.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from bench.samples import Figures, Metric, Scenario, Trouble

OURS = "turnout"
ENVOY_REFERENCE_CHUNKS_S = 104_000


class Verdict(StrEnum):
    PASS = "pass"
    BELOW = "BELOW"
    UNMEASURED = "not measured"


class Bar(Struct, frozen=True):
    """`factor` is multiplied by the peer's figure; without a peer it is the bar itself."""

    name: str
    metric: Metric
    factor: float
    scenario: Scenario = Scenario.SAME
    peer: str | None = None
    peer_scenario: Scenario = Scenario.SAME
    at_most: bool = False
    scales: bool = False


class Judged(Struct, frozen=True):
    bar: Bar
    verdict: Verdict
    value: float | None
    bound: float | None
    scaled_bound: float | None = None
    scaled_verdict: Verdict | None = None


BARS: tuple[Bar, ...] = (
    Bar("requests/s at 32, explicit model, vs smg", Metric.RPS_32, 1.3, peer="smg"),
    Bar("requests/s at 32, explicit model, vs Envoy", Metric.RPS_32, 0.55, peer="envoy"),
    Bar("requests/s at 32, model: auto, vs smg", Metric.RPS_32, 1.0, Scenario.AUTO, peer="smg"),
    Bar(
        "requests/s at 32, across dialects, vs ferrogw",
        Metric.RPS_32,
        1.0,
        Scenario.CROSS,
        peer="ferrogw",
        peer_scenario=Scenario.CROSS,
    ),
    Bar("median latency at 1, ms, vs Envoy", Metric.P50_MS_1, 1.5, peer="envoy", at_most=True),
    Bar("chunks/s, 16 streams, same dialect", Metric.CHUNKS_S_16, 60_000, scales=True),
    Bar("chunks/s, 16 streams, across dialects", Metric.CHUNKS_S_16, 40_000, Scenario.CROSS, scales=True),
    Bar("paced streams: stalls over 250 ms", Metric.STALLS, 0, at_most=True),
    Bar("paced streams: first chunk p99, ms", Metric.FIRST_P99_MS, 50, at_most=True),
    Bar("paced streams: unfinished", Metric.UNFINISHED, 0, at_most=True),
    Bar("import, s", Metric.IMPORT_S, 0.3, at_most=True),
    Bar("ready, s", Metric.READY_S, 1.0, at_most=True),
    Bar("idle memory, MB", Metric.IDLE_MB, 90, at_most=True),
    Bar("distributions in the base install", Metric.DISTRIBUTIONS, 40, at_most=True),
)


def _verdict(value: float | None, bound: float | None, at_most: bool) -> Verdict:
    if value is None or bound is None:
        return Verdict.UNMEASURED
    good = value <= bound if at_most else value >= bound
    return Verdict.PASS if good else Verdict.BELOW


def _bound(bar: Bar, figures: Figures) -> float | None:
    if bar.peer is None:
        return bar.factor
    peer = figures.get(bar.peer, bar.metric, bar.peer_scenario)
    return None if peer is None else bar.factor * peer


def judge(bar: Bar, figures: Figures) -> Judged:
    value, bound = figures.get(OURS, bar.metric, bar.scenario), _bound(bar, figures)
    verdict = _verdict(value, bound, bar.at_most)
    envoy = figures.get("envoy", Metric.CHUNKS_S_16)
    if not bar.scales or bound is None or envoy is None:
        return Judged(bar, verdict, value, bound)
    scaled = bound * envoy / ENVOY_REFERENCE_CHUNKS_S
    return Judged(bar, verdict, value, bound, scaled, _verdict(value, scaled, bar.at_most))


def judge_all(figures: Figures) -> list[Judged]:
    return [judge(bar, figures) for bar in BARS]


def all_clear(judged: list[Judged], troubles: tuple[Trouble, ...] = ()) -> bool:
    """Whether no bar is missed and Turnout itself gave no trouble. A bar whose peer is absent is not missed."""
    in_trouble = any(one.gateway == OURS for one in troubles)
    return not in_trouble and all(one.verdict is not Verdict.BELOW for one in judged)


__all__ = [
    "BARS",
    "ENVOY_REFERENCE_CHUNKS_S",
    "OURS",
    "Bar",
    "Judged",
    "Verdict",
    "all_clear",
    "judge",
    "judge_all",
]
