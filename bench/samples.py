"""What a run yields: a flat list of samples, and the pure arithmetic on them (medians and worst cases).

A sample is one number for one gateway, one scenario and one metric in one round. Everything that is printed or judged
is worked out from that list alone, so a saved run can be judged again. Nothing here measures.
"""

from __future__ import annotations

from enum import StrEnum
from statistics import median

from msgspec import Struct


class Scenario(StrEnum):
    """How the client's request reaches the provider."""

    SAME = "same"  # OpenAI chat client, OpenAI chat provider, model named
    AUTO = "auto"  # the same, and the gateway chooses the model
    CROSS = "cross"  # OpenAI chat client, Anthropic provider


class Metric(StrEnum):
    """Names carry the unit; `_1`, `_32` … is the number of connections or streams."""

    RPS_1 = "requests_s_1"
    RPS_32 = "requests_s_32"
    RPS_256 = "requests_s_256"
    P50_MS_1 = "p50_ms_1"
    CPU_US_REQUEST = "cpu_us_request"
    CHUNKS_S_1 = "chunks_s_1"
    CHUNKS_S_16 = "chunks_s_16"
    CPU_US_CHUNK = "cpu_us_chunk"
    STALLS = "paced_stalls"
    FIRST_P99_MS = "paced_first_p99_ms"
    UNFINISHED = "paced_unfinished"
    GENERATOR_LATE_MS = (
        "paced_generator_late_ms"  # the provider sent a chunk this late: not the gateway's doing
    )
    OTHERS_PCT = "others_on_gateway_core_pct"  # one sample for each load: how much else ran there
    IDLE_MB = "idle_mb"
    PEAK_MB = "peak_mb"
    READY_S = "ready_s"
    IMPORT_S = "import_s"
    DISTRIBUTIONS = "distributions"


# Of these the worst round counts: a stall that happened once did happen.
WORST = frozenset({Metric.STALLS, Metric.UNFINISHED, Metric.GENERATOR_LATE_MS, Metric.PEAK_MB})


class Sample(Struct, frozen=True):
    gateway: str
    scenario: Scenario
    metric: Metric
    round: int
    value: float


class Trouble(Struct, frozen=True):
    """Why a gateway, or one of its measurements, has no number."""

    gateway: str
    reason: str


class Conditions(Struct, frozen=True):
    """Under which a run was made."""

    started: str
    machine: str
    generator: str
    rounds: str
    load_average_before: float


class Run(Struct, frozen=True):
    """One invocation: what was measured, what could not be, and under which conditions."""

    conditions: Conditions
    samples: tuple[Sample, ...]
    troubles: tuple[Trouble, ...] = ()


class Figures:
    """The run's numbers, one for each gateway, scenario and metric."""

    def __init__(self, samples: tuple[Sample, ...]) -> None:
        self._values: dict[tuple[str, Scenario, Metric], list[float]] = {}
        for sample in samples:
            key = (sample.gateway, sample.scenario, sample.metric)
            self._values.setdefault(key, []).append(sample.value)

    def get(self, gateway: str, metric: Metric, scenario: Scenario = Scenario.SAME) -> float | None:
        """The median of the rounds (for `WORST` metrics the largest); None when it was not measured."""
        values = self._values.get((gateway, scenario, metric))
        if values is None:
            return None
        return max(values) if metric in WORST else median(values)

    def rows(self) -> list[tuple[str, Scenario]]:
        """Gateways and scenarios that have a number, in the order first measured, scenario by scenario."""
        seen = dict.fromkeys((gateway, scenario) for gateway, scenario, _ in self._values)
        order = list(Scenario)
        return sorted(seen, key=lambda row: order.index(row[1]))


__all__ = ["WORST", "Conditions", "Figures", "Metric", "Run", "Sample", "Scenario", "Trouble"]
