"""`turnout bench`: load on a running gateway, from one process."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import uvloop
from msgspec import Struct

from turnout.cli.gateway_client import GatewayClient, connected
from turnout.cli.terminal import CommandError, counted, interruptible, out, plain, print_json
from turnout.core.events import TextDelta
from turnout.upstream.transport import TransportError


class Report(Struct, frozen=True):
    """Times in ms; `None` where nothing was measured."""

    requests: int
    failed: int
    seconds: float
    requests_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    first_token_p50_ms: float | None
    first_token_p99_ms: float | None
    first_failure: str | None


class _Samples:
    def __init__(self) -> None:
        self.total_ms: list[float] = []
        self.first_ms: list[float] = []
        self.failures: list[str] = []


def bench(
    url: str, key: str, model: str, requests: int, concurrency: int, stream: bool, prompt: str, as_json: bool
) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = interruptible(runner, _bench(url, key, body, requests, concurrency, stream))
    if as_json:
        print_json(report)
    else:
        _show(report)
    return 0 if report.failed == 0 else 1


async def _bench(
    url: str, key: str, body: dict[str, Any], requests: int, concurrency: int, stream: bool
) -> Report:
    samples = _Samples()
    left = iter(range(requests))
    async with connected(url, key) as client:
        await _one(client, body, False, _Samples())  # warm-up; a gateway that is not there is said at once
        begun = time.perf_counter()

        async def work() -> None:
            for _ in left:
                try:
                    await _one(client, body, stream, samples)
                except (CommandError, TransportError) as error:
                    samples.failures.append(str(error))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, requests)):
                group.create_task(work())
        seconds = time.perf_counter() - begun
    return _report(samples, seconds)


async def _one(client: GatewayClient, body: dict[str, Any], stream: bool, samples: _Samples) -> None:
    begun = time.perf_counter()
    if stream:
        first = None
        async for event in client.events(body):
            if first is None and isinstance(event, TextDelta):
                first = (time.perf_counter() - begun) * 1000
                samples.first_ms.append(first)
    else:
        await (await client.post(body)).read_all()
    samples.total_ms.append((time.perf_counter() - begun) * 1000)


def _report(samples: _Samples, seconds: float) -> Report:
    done = len(samples.total_ms)
    return Report(
        requests=done + len(samples.failures),
        failed=len(samples.failures),
        seconds=round(seconds, 3),
        requests_per_s=round(done / seconds, 1) if seconds else 0.0,
        p50_ms=percentile(samples.total_ms, 50),
        p95_ms=percentile(samples.total_ms, 95),
        p99_ms=percentile(samples.total_ms, 99),
        first_token_p50_ms=percentile(samples.first_ms, 50),
        first_token_p99_ms=percentile(samples.first_ms, 99),
        first_failure=samples.failures[0] if samples.failures else None,
    )


def percentile(values: list[float], percent: int) -> float | None:
    """Nearest rank; `None` of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[max(0, -(-len(ordered) * percent // 100) - 1)], 3)


def _show(report: Report) -> None:
    out(
        f"{counted(report.requests, 'request')} in {report.seconds} s: {report.requests_per_s} requests/s, {report.failed} failed"
    )
    out(f"latency      p50 {report.p50_ms} ms   p95 {report.p95_ms} ms   p99 {report.p99_ms} ms")
    if report.first_token_p50_ms is not None:
        out(f"first token  p50 {report.first_token_p50_ms} ms   p99 {report.first_token_p99_ms} ms")
    if report.first_failure:
        out(f"first failure: {plain(report.first_failure)}")
