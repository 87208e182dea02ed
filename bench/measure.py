"""The measuring itself: rounds over gateways, each started alone on its core, warmed up and put under each load.

Gateways take turns within a round, and rounds start at a different gateway each time, so that a machine that slows
down for a while slows all of them. Every figure is checked: requests that failed, that did not reach the provider
(a cache would look fast) or streams that did not arrive whole turn the figure into a reported trouble.
"""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from bench.gateways import Gateway, Headers, Site
from bench.load import Load, LoadError, Paced, Streams, Unary, write_request, wrk
from bench.process import GATEWAY_CORE, Meter, Running, free_port, running, wait_until
from bench.samples import Metric, Sample, Scenario, Trouble

FAILED_SHARE_MAX = 0.001
WARM_UP_S = 0.7
DIRECT = "direct"


class Plan(Struct, frozen=True):
    """What a run does; `seconds` is for each measurement."""

    rounds: int = 3
    seconds: float = 3.0
    full: bool = False
    use_wrk: bool = True
    chunks: int = 200
    paced: Paced | None = Paced(streams=1000, chunks=200, pace_ms=50, ramp_ms=3000)
    paced_every_round: bool = False

    @property
    def connections(self) -> tuple[int, ...]:
        return (1, 32, 256) if self.full else (1, 32)


RPS = {1: Metric.RPS_1, 32: Metric.RPS_32, 256: Metric.RPS_256}
CHUNKS_S = {1: Metric.CHUNKS_S_1, 16: Metric.CHUNKS_S_16}


class Target(Struct, frozen=True):
    """Where the load goes in one scenario: a port, and the two requests in files."""

    port: int
    unary: Path
    stream: Path


class Visit:
    """One gateway in one round: collects samples and troubles."""

    def __init__(self, name: str, round_number: int, plan: Plan, load: Load, process: Running | None) -> None:
        self.samples: list[Sample] = []
        self.troubles: list[Trouble] = []
        self._name, self._round, self._plan, self._load, self._process = (
            name,
            round_number,
            plan,
            load,
            process,
        )

    def add(self, metric: Metric, value: float, scenario: Scenario = Scenario.SAME) -> None:
        self.samples.append(Sample(self._name, scenario, metric, self._round, round(value, 4)))

    def trouble(self, reason: str) -> None:
        self.troubles.append(Trouble(self._name, reason))

    def _spent_s(self, meter: Meter) -> float:
        spent = meter.read()
        self.add(Metric.OTHERS_PCT, spent.others_share * 100)
        return spent.cpu_s

    def _unary(self, target: Target, connections: int, seconds: float) -> Unary:
        if self._plan.use_wrk:
            return wrk(target.port, connections, seconds, target.unary)
        return self._load.unary(target.port, connections, seconds, target.unary)

    def unary(self, target: Target, scenario: Scenario, connections: int) -> None:
        self._load.unary(target.port, connections, WARM_UP_S, target.unary)
        answered, meter = self._load.answered().unary, Meter(self._process)
        got = self._unary(target, connections, self._plan.seconds)
        cpu_s, answered = self._spent_s(meter), self._load.answered().unary - answered
        what = f"requests at {connections} connections, {scenario}"
        if not self._plausible_unary(got, answered, what):
            return
        self.add(RPS[connections], got.completed / got.seconds, scenario)
        if connections == 1:
            self.add(Metric.P50_MS_1, got.p50_us / 1000, scenario)
        if connections == 32 and self._process:
            self.add(Metric.CPU_US_REQUEST, cpu_s * 1e6 / got.completed, scenario)

    def _plausible_unary(self, got: Unary, answered: int, what: str) -> bool:
        if got.completed == 0 or got.failed > FAILED_SHARE_MAX * got.completed:
            self.trouble(f"{what}: {got.failed} of {got.failed + got.completed} failed")
            return False
        if answered < got.completed * (1 - FAILED_SHARE_MAX):
            self.trouble(f"{what}: only {answered} of {got.completed} reached the provider")
            return False
        return True

    def streams(self, target: Target, scenario: Scenario, streams: int) -> None:
        self._load.streams(target.port, streams, self._plan.chunks, WARM_UP_S, target.stream)
        meter = Meter(self._process)
        got = self._load.streams(target.port, streams, self._plan.chunks, self._plan.seconds, target.stream)
        cpu_s = self._spent_s(meter)
        bad = got.failed + got.broken + got.unfinished
        if got.completed == 0 or bad > 0:
            self.trouble(f"{streams} streams, {scenario}: {bad} of {got.started} not delivered whole")
            return
        self.add(CHUNKS_S[streams], got.chunks / got.seconds, scenario)
        if streams == 16 and self._process:
            self.add(Metric.CPU_US_CHUNK, cpu_s * 1e6 / got.chunks, scenario)

    def paced(self, target: Target, paced: Paced) -> None:
        meter = Meter(self._process)
        got = self._load.paced(target.port, paced, target.stream)
        self._spent_s(meter)
        self.add(Metric.STALLS, got.stalls)
        self.add(Metric.UNFINISHED, _lost(got))
        self.add(Metric.GENERATOR_LATE_MS, got.load_late_us_max / 1000)
        if got.first_us_p99 >= 0:
            self.add(Metric.FIRST_P99_MS, got.first_us_p99 / 1000)


def _lost(got: Streams) -> int:
    return got.failed + got.broken + got.unfinished


def _targets(folder: Path, port: int, asked: list[tuple[Scenario, str, Headers]]) -> dict[Scenario, Target]:
    return {
        scenario: Target(
            port,
            write_request(folder / f"{scenario}.http", model, headers, stream=False),
            write_request(folder / f"{scenario}-stream.http", model, headers, stream=True),
        )
        for scenario, model, headers in asked
    }


def targets_of(gateway: Gateway, site: Site) -> dict[Scenario, Target]:
    asked = [(s, gateway.model(s), gateway.headers(site, s)) for s in gateway.scenarios]
    return _targets(site.folder, site.port, asked)


def answers(target: Target) -> Callable[[], bool]:
    """Ready means: a chat request gets 200. The same test for every gateway."""
    head, _, body = target.unary.read_bytes().partition(b"\r\n\r\n")
    lines = head.decode().splitlines()[1:]
    headers = dict(line.split(": ", 1) for line in lines if not line.startswith("content-length"))

    def ask() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=5)
        try:
            connection.request("POST", "/v1/chat/completions", body, headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ask


def _loads(visit: Visit, targets: dict[Scenario, Target], plan: Plan, paced: Paced | None) -> None:
    for scenario, target in targets.items():
        for connections in plan.connections if scenario is Scenario.SAME else (32,):
            visit.unary(target, scenario, connections)
        if scenario is not Scenario.AUTO:
            for streams in (1, 16) if scenario is Scenario.SAME else (16,):
                visit.streams(target, scenario, streams)
    if paced:
        visit.paced(targets[Scenario.SAME], paced)


def _paced_in(plan: Plan, round_number: int) -> Paced | None:
    return plan.paced if plan.paced_every_round or round_number == 0 else None


def visit_direct(load: Load, plan: Plan, round_number: int) -> Visit:
    """No gateway at all: what provider and generator can do together, on one core."""
    visit = Visit(DIRECT, round_number, plan, load, None)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        targets = _targets(Path(name), load.port, [(Scenario.SAME, "gpt-4o", ())])
        _loads(visit, targets, plan, _paced_in(plan, round_number))
    return visit


def visit_gateway(gateway: Gateway, installed: Path, load: Load, plan: Plan, round_number: int) -> Visit:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        site = Site(free_port(), load.port, Path(name))
        targets = targets_of(gateway, site)
        with running(gateway.launch(installed, site), GATEWAY_CORE) as process:
            visit = Visit(gateway.name, round_number, plan, load, process)
            ready_s = wait_until(answers(targets[Scenario.SAME]), process, gateway.ready_s_max)
            if ready_s is None:
                how = f"not ready in {gateway.ready_s_max:.0f} s" if process.alive else "ended at the start"
                visit.trouble(f"{how}; its last words: {process.last_words()}")
                return visit
            visit.add(Metric.READY_S, ready_s)
            visit.add(Metric.IDLE_MB, process.rss_mb())
            try:
                _loads(visit, targets, plan, _paced_in(plan, round_number))
            except LoadError as error:
                visit.trouble(str(error))
            if process.alive:
                visit.add(Metric.PEAK_MB, process.peak_mb())
            else:
                visit.trouble(f"ended under load; its last words: {process.last_words()}")
            return visit


def distinct(troubles: list[Trouble]) -> tuple[Trouble, ...]:
    return tuple(dict.fromkeys(troubles))


__all__ = [
    "DIRECT",
    "Plan",
    "Target",
    "Visit",
    "answers",
    "distinct",
    "targets_of",
    "visit_direct",
    "visit_gateway",
]
