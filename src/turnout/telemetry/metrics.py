"""Prometheus metrics, derived from the request log's rows.

Promise: a metric and the log cannot disagree, because both are made from the same row, once. Rows are counted in batches,
off the hot path, into plain integers; the exposition text is made when somebody scrapes. Labels come from the
configuration only (models, providers, dialects, failure kinds), so their number is bounded whatever clients send.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from turnout.core.record import LogRow

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SECONDS_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
OVERHEAD_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)

Gauge = Callable[[], float]


class Histogram:
    """Counts by bucket, not cumulative; seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        cumulative, out = 0, []
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            cumulative += count
            out.append(("+Inf" if bound == float("inf") else str(bound), float(cumulative)))
        return out


class _Model:
    """Counters of one (provider, model, dialect, op)."""

    __slots__ = ("cost_nano", "duration", "first_token", "outcomes", "overhead", "tokens", "unpriced")

    def __init__(self) -> None:
        self.outcomes: dict[tuple[int, str], int] = {}
        self.tokens = dict.fromkeys(TOKEN_CLASSES, 0)
        self.cost_nano = 0
        self.unpriced = 0
        self.duration = Histogram(SECONDS_BOUNDS)
        self.first_token = Histogram(SECONDS_BOUNDS)
        self.overhead = Histogram(OVERHEAD_BOUNDS)


TOKEN_CLASSES = ("input", "cache_read", "cache_write", "output", "reasoning")


class Metrics:
    """Fed with rows, asked for text. Not thread-safe: one event loop owns it."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str, str, str], _Model] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._notices: dict[str, int] = {}
        self._violations: dict[tuple[str, str], int] = {}
        self._gauges: list[tuple[str, str, Gauge]] = []

    def gauge(self, name: str, help: str, read: Gauge) -> None:
        """Register a value that is read at scrape time."""
        self._gauges.append((name, help, read))

    def observe(self, rows: Sequence[LogRow]) -> None:
        for row in rows:
            self._observe(row)

    def _observe(self, row: LogRow) -> None:
        key = (row.provider or "none", row.served_model or "none", row.dialect, row.op)
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = _Model()
        outcome = (row.status, row.error or "")
        model.outcomes[outcome] = model.outcomes.get(outcome, 0) + 1
        model.duration.observe(row.total_ms * 0.001)
        model.overhead.observe(row.overhead_ms * 0.001)
        if row.first_token_ms is not None:
            model.first_token.observe(row.first_token_ms * 0.001)
        if row.input_tokens is not None:
            self._count_tokens(model, row)
        if row.cost_nano is None:
            model.unpriced += row.served_model is not None
        else:
            model.cost_nano += row.cost_nano
        for attempt in row.attempts:
            name = (attempt.model, attempt.failure.value if attempt.failure else "")
            self._attempts[name] = self._attempts.get(name, 0) + 1
        for notice in row.notices:
            self._notices[notice] = self._notices.get(notice, 0) + 1
        for violation in row.violations:
            broken = (violation.filter, row.key)
            self._violations[broken] = self._violations.get(broken, 0) + 1

    def _count_tokens(self, model: _Model, row: LogRow) -> None:
        tokens = model.tokens
        tokens["input"] += row.input_tokens or 0
        tokens["output"] += row.output_tokens or 0
        if row.cache_read_tokens:
            tokens["cache_read"] += row.cache_read_tokens
        if row.cache_write_5m_tokens or row.cache_write_1h_tokens:
            tokens["cache_write"] += (row.cache_write_5m_tokens or 0) + (row.cache_write_1h_tokens or 0)
        if row.reasoning_tokens:
            tokens["reasoning"] += row.reasoning_tokens

    def text(self) -> bytes:
        """The exposition in Prometheus text format."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterable[Metric]:
        """What `prometheus_client` asks of a collector."""
        from prometheus_client.core import GaugeMetricFamily

        yield from self._collect_requests()
        yield from self._collect_histograms()
        yield from self._collect_rest()
        for name, help, read in self._gauges:
            yield GaugeMetricFamily(name, help, value=read())

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
        for key, model in self._models.items():
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
        for attribute, name, help in (
            ("duration", "turnout_request_seconds", "Whole time of a request."),
            ("first_token", "turnout_first_token_seconds", "Arrival to first content."),
            ("overhead", "turnout_overhead_seconds", "Time spent in Turnout itself."),
        ):
            family = HistogramMetricFamily(name, help, labels=labels)
            for key, model in self._models.items():
                histogram: Histogram = getattr(model, attribute)
                family.add_metric(list(key), histogram.buckets(), histogram.total)
            yield family

    def _collect_rest(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily

        attempts = CounterMetricFamily(
            "turnout_attempts",
            "Attempts at candidates; an empty failure is a success.",
            labels=["model", "failure"],
        )
        for (name, failure), count in self._attempts.items():
            attempts.add_metric([name, failure], count)
        notices = CounterMetricFamily(
            "turnout_notices", "Degradations that callers were told of.", labels=["code"]
        )
        for code, count in self._notices.items():
            notices.add_metric([code], count)
        violations = CounterMetricFamily(
            "turnout_policy_violations",
            "Attempts to use what a policy, or the rules of a key, team, user or cost centre, forbid.",
            labels=["policy", "key"],
        )
        for (filter, key), count in self._violations.items():
            violations.add_metric([filter.removeprefix("policy:"), key], count)
        yield from (attempts, notices, violations)
