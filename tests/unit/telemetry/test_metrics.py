"""Metrics say what the rows say."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.contract.test_log_store import row
from turnout.telemetry.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = metrics.text().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(metrics: Metrics, name: str, **labels: str) -> float:
    return sum(
        value
        for (sample, found), value in samples(metrics).items()
        if sample == name and labels.items() <= dict(found).items()
    )


def test_counts_tokens_cost_and_errors() -> None:
    metrics = Metrics()
    metrics.observe(
        [
            row(1),
            row(2, error="stalled", cost_nano=None),
            row(3, provider="groq", served_model="groq/x", cache_read_tokens=7, cache_write_1h_tokens=3),
        ]
    )
    metrics.observe([row(4)])
    assert total(metrics, "turnout_requests_total") == 4
    assert total(metrics, "turnout_requests_total", error="stalled", status="200") == 1
    assert total(metrics, "turnout_tokens_total", **{"class": "input"}) == 40
    assert total(metrics, "turnout_tokens_total", provider="groq", **{"class": "cache_read"}) == 7
    assert total(metrics, "turnout_tokens_total", **{"class": "cache_write"}) == 3
    assert abs(total(metrics, "turnout_cost_usd_total") - 3 * 75e-6) < 1e-12
    assert total(metrics, "turnout_unpriced_requests_total") == 1
    assert total(metrics, "turnout_attempts_total", failure="rate_limited") == 4
    assert total(metrics, "turnout_notices_total", code="fallback") == 4


def test_histograms_are_cumulative_and_in_seconds() -> None:
    metrics = Metrics()
    metrics.observe([row(1, total_ms=40.0), row(2, total_ms=3000.0), row(3, total_ms=10**7)])
    name = "turnout_request_seconds"
    assert total(metrics, f"{name}_bucket", le="0.05") == 1
    assert total(metrics, f"{name}_bucket", le="5.0") == 2
    assert total(metrics, f"{name}_bucket", le="+Inf") == 3
    assert total(metrics, f"{name}_count") == 3
    assert abs(total(metrics, f"{name}_sum") - 10003.04) < 1e-6


def test_gauges_are_read_when_scraped() -> None:
    metrics = Metrics()
    value = [1.0]
    metrics.gauge("turnout_in_flight", "Calls.", lambda: value[0])
    assert total(metrics, "turnout_in_flight") == 1
    value[0] = 5.0
    assert total(metrics, "turnout_in_flight") == 5
