"""Prometheus metrics, derived from the request log's rows.

Promise: a metric and the log cannot disagree, because both are made from the same row, once. Rows are counted in batches,
off the hot path, into plain integers (`Counts`); the exposition text is made when somebody scrapes. Counts are data: they can be
added to others, so that one scrape shows all workers (see `shared`). Labels come from the configuration only (models, providers,
dialects, failure kinds), so their number is bounded whatever clients send.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct, field

from turnout.core.record import LogRow

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SECONDS_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
OVERHEAD_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)
TOKEN_CLASSES = ("input", "cache_read", "cache_write", "output", "reasoning")

Gauge = Callable[[], float]
Key = TypeVar("Key", bound=object)


class Histogram(Struct):
    """Counts by bucket, not cumulative; seconds."""

    counts: list[int]
    total: float = 0.0

    def observe(self, bounds: tuple[float, ...], seconds: float) -> None:
        self.counts[bisect_left(bounds, seconds)] += 1
        self.total += seconds

    def add(self, other: Histogram) -> None:
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def buckets(self, bounds: tuple[float, ...]) -> list[tuple[str, float]]:
        cumulative, out = 0, []
        for bound, count in zip((*bounds, float("inf")), self.counts, strict=True):
            cumulative += count
            out.append(("+Inf" if bound == float("inf") else str(bound), float(cumulative)))
        return out


def _histogram(bounds: tuple[float, ...]) -> Histogram:
    return Histogram([0] * (len(bounds) + 1))


class ModelCounts(Struct):
    """Counters of one (provider, model, dialect, op). `outcomes` are by (HTTP status, failure)."""

    outcomes: dict[tuple[int, str], int] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOKEN_CLASSES, 0))
    cost_nano: int = 0
    unpriced: int = 0
    duration: Histogram = field(default_factory=lambda: _histogram(SECONDS_BOUNDS))
    first_token: Histogram = field(default_factory=lambda: _histogram(SECONDS_BOUNDS))
    overhead: Histogram = field(default_factory=lambda: _histogram(OVERHEAD_BOUNDS))

    def add(self, other: ModelCounts) -> None:
        _add(self.outcomes, other.outcomes)
        _add(self.tokens, other.tokens)
        self.cost_nano += other.cost_nano
        self.unpriced += other.unpriced
        self.duration.add(other.duration)
        self.first_token.add(other.first_token)
        self.overhead.add(other.overhead)


class Counts(Struct):
    """All that was counted. `attempts` are by (model, failure), `violations` by (filter, key)."""

    models: dict[tuple[str, str, str, str], ModelCounts] = field(default_factory=dict)
    attempts: dict[tuple[str, str], int] = field(default_factory=dict)
    notices: dict[str, int] = field(default_factory=dict)
    violations: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, other: Counts) -> None:
        for key, model in other.models.items():
            self.models.setdefault(key, ModelCounts()).add(model)
        _add(self.attempts, other.attempts)
        _add(self.notices, other.notices)
        _add(self.violations, other.violations)


def _add(into: dict[Key, int], counts: dict[Key, int]) -> None:
    for key, count in counts.items():
        into[key] = into.get(key, 0) + count


class Snapshot(Struct, frozen=True):
    """What a process knows: its counts, and its gauges as they were read."""

    counts: Counts
    gauges: dict[str, float] = {}


class Metrics:
    """Fed with rows, asked for text. Not thread-safe: one event loop owns it."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._gauges: list[tuple[str, str, Gauge]] = []

    def gauge(self, name: str, help: str, read: Gauge) -> None:
        """Register a value that is read at scrape time. Over several processes gauges are summed."""
        self._gauges.append((name, help, read))

    def snapshot(self) -> Snapshot:
        return Snapshot(self.counts, {name: read() for name, _, read in self._gauges})

    def observe(self, rows: Sequence[LogRow]) -> None:
        for row in rows:
            self._observe(row)

    def _observe(self, row: LogRow) -> None:
        counts = self.counts
        key = (row.provider or "none", row.served_model or "none", row.dialect, row.op)
        model = counts.models.get(key)
        if model is None:
            model = counts.models[key] = ModelCounts()
        outcome = (row.status, row.error or "")
        model.outcomes[outcome] = model.outcomes.get(outcome, 0) + 1
        model.duration.observe(SECONDS_BOUNDS, row.total_ms * 0.001)
        model.overhead.observe(OVERHEAD_BOUNDS, row.overhead_ms * 0.001)
        if row.first_token_ms is not None:
            model.first_token.observe(SECONDS_BOUNDS, row.first_token_ms * 0.001)
        if row.input_tokens is not None:
            self._count_tokens(model, row)
        if row.cost_nano is None:
            model.unpriced += row.served_model is not None
        else:
            model.cost_nano += row.cost_nano
        for attempt in row.attempts:
            name = (attempt.model, attempt.failure.value if attempt.failure else "")
            counts.attempts[name] = counts.attempts.get(name, 0) + 1
        for notice in row.notices:
            counts.notices[notice] = counts.notices.get(notice, 0) + 1
        for violation in row.violations:
            broken = (violation.filter, row.key)
            counts.violations[broken] = counts.violations.get(broken, 0) + 1

    def _count_tokens(self, model: ModelCounts, row: LogRow) -> None:
        tokens = model.tokens
        tokens["input"] += row.input_tokens or 0
        tokens["output"] += row.output_tokens or 0
        if row.cache_read_tokens:
            tokens["cache_read"] += row.cache_read_tokens
        if row.cache_write_5m_tokens or row.cache_write_1h_tokens:
            tokens["cache_write"] += (row.cache_write_5m_tokens or 0) + (row.cache_write_1h_tokens or 0)
        if row.reasoning_tokens:
            tokens["reasoning"] += row.reasoning_tokens

    def text(self, others: Iterable[Snapshot] = ()) -> bytes:
        """The exposition in Prometheus text format, with what other processes know added."""
        from prometheus_client import CollectorRegistry, generate_latest

        counts, gauges = self.counts, self.snapshot().gauges
        others = list(others)
        if others:
            counts = Counts()
            counts.add(self.counts)
            for other in others:
                counts.add(other.counts)
                for name, value in other.gauges.items():
                    gauges[name] = gauges.get(name, 0.0) + value
        registry = CollectorRegistry(auto_describe=False)
        helps = {name: help for name, help, _ in self._gauges}
        registry.register(_Exposition(counts, gauges, helps))
        return generate_latest(registry)


class _Exposition:
    """Counts as `prometheus_client` wants them."""

    def __init__(self, counts: Counts, gauges: dict[str, float], helps: dict[str, str]) -> None:
        self._counts = counts
        self._gauges = gauges
        self._helps = helps

    def collect(self) -> Iterable[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        yield from self._collect_requests()
        yield from self._collect_histograms()
        yield from self._collect_rest()
        for name, value in self._gauges.items():
            yield GaugeMetricFamily(name, self._helps.get(name, ""), value=value)

    def _collect_requests(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily

        labels = ["provider", "model", "dialect", "op"]
        requests = CounterMetricFamily(
            "turnout_requests", "Requests answered.", labels=[*labels, "status", "error"]
        )
        tokens = CounterMetricFamily("turnout_tokens", "Tokens by price class.", labels=[*labels, "class"])
        cost = CounterMetricFamily("turnout_cost_usd", "Cost in US dollars.", labels=labels)
        unpriced = CounterMetricFamily(
            "turnout_unpriced_requests", "Requests whose price is unknown.", labels=labels
        )
        for key, model in self._counts.models.items():
            for (status, error), count in model.outcomes.items():
                requests.add_metric([*key, str(status), error], count)
            for name, count in model.tokens.items():
                tokens.add_metric([*key, name], count)
            cost.add_metric(list(key), model.cost_nano / 1e9)
            unpriced.add_metric(list(key), model.unpriced)
        yield from (requests, tokens, cost, unpriced)

    def _collect_histograms(self) -> Iterable[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        labels = ["provider", "model", "dialect", "op"]
        for attribute, bounds, name, help in (
            ("duration", SECONDS_BOUNDS, "turnout_request_seconds", "Whole time of a request."),
            ("first_token", SECONDS_BOUNDS, "turnout_first_token_seconds", "Arrival to first content."),
            ("overhead", OVERHEAD_BOUNDS, "turnout_overhead_seconds", "Time spent in Turnout itself."),
        ):
            family = HistogramMetricFamily(name, help, labels=labels)
            for key, model in self._counts.models.items():
                histogram: Histogram = getattr(model, attribute)
                family.add_metric(list(key), histogram.buckets(bounds), histogram.total)
            yield family

    def _collect_rest(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily

        attempts = CounterMetricFamily(
            "turnout_attempts",
            "Attempts at candidates; an empty failure is a success.",
            labels=["model", "failure"],
        )
        for (name, failure), count in self._counts.attempts.items():
            attempts.add_metric([name, failure], count)
        notices = CounterMetricFamily(
            "turnout_notices", "Degradations that callers were told of.", labels=["code"]
        )
        for code, count in self._counts.notices.items():
            notices.add_metric([code], count)
        violations = CounterMetricFamily(
            "turnout_policy_violations",
            "Attempts to use what a policy, or the rules of a key, team, user or cost centre, forbid.",
            labels=["policy", "key"],
        )
        for (filter, key), count in self._counts.violations.items():
            violations.add_metric([filter.removeprefix("policy:"), key], count)
        yield from (attempts, notices, violations)
