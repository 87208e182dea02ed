"""Workers that know of each other's counts."""

from __future__ import annotations

from pathlib import Path

from tests.contract.test_log_store import row
from turnout.telemetry.metrics import Metrics
from turnout.telemetry.shared import SharedMetrics


def worker(folder: Path, index: int, in_flight: float = 1.0) -> tuple[Metrics, SharedMetrics]:
    metrics = Metrics()
    metrics.gauge("turnout_in_flight", "Calls.", lambda: in_flight)
    return metrics, SharedMetrics(metrics, folder, index)


def line(text: bytes, start: str) -> float:
    (found,) = [line for line in text.decode().splitlines() if line.startswith(start)]
    return float(found.rsplit(" ", 1)[1])


ATTEMPTS = 'turnout_attempts_total{failure="rate_limited"'


def test_each_speaks_for_all(tmp_path: Path) -> None:
    workers = [worker(tmp_path, index, in_flight=2.0) for index in range(3)]
    for number, (metrics, shared) in enumerate(workers):
        metrics.observe([row(10 * number + n, total_ms=40.0) for n in range(number + 1)])
        shared.publish()
    for _, shared in workers:
        text = shared.text()
        assert line(text, ATTEMPTS) == 6
        assert line(text, "turnout_request_seconds_count") == 6
        assert line(text, "turnout_in_flight") == 6
    assert line(workers[2][0].text(), ATTEMPTS) == 3  # adding for a scrape changes nobody's own


def test_a_successor_goes_on_from_what_was_published(tmp_path: Path) -> None:
    first, shared = worker(tmp_path, 0)
    first.observe([row(1), row(2)])
    shared.publish()
    first.observe([row(3)])  # it dies before the others hear of this one
    other = worker(tmp_path, 1)[1]
    other.publish()
    second, successor = worker(tmp_path, 0)
    second.observe([row(4)])
    successor.publish()
    assert line(successor.text(), ATTEMPTS) == line(other.text(), ATTEMPTS) == 3


def test_a_worker_that_ended_keeps_its_counts_and_not_its_gauges(tmp_path: Path) -> None:
    gone, shared = worker(tmp_path, 0)
    gone.observe([row(1)])
    shared.publish(last=True)
    left = worker(tmp_path, 1)[1]
    assert line(left.text(), ATTEMPTS) == 1
    assert line(left.text(), "turnout_in_flight") == 1


def test_a_file_that_cannot_be_read_counts_for_nothing(tmp_path: Path) -> None:
    metrics, shared = worker(tmp_path, 0)
    metrics.observe([row(1)])
    for name, data in (("worker-1", b"half"), ("worker-2", b""), ("worker-3.new", b"\xc1")):
        (tmp_path / name).write_bytes(data)
    assert line(shared.text(), ATTEMPTS) == 1
    assert worker(tmp_path, 1)[0].counts.attempts == {}
