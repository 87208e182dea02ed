"""The log's writer: nothing lost when told to close, bounded when the store is down, loud when rows are lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.contract.test_log_store import row
from turnout.core.record import LogRow
from turnout.store.ports import LogFilter, StoreError, Totals
from turnout.store.sqlite import SqliteStore
from turnout.telemetry.request_log import RequestLog


class Flaky:
    """A store that can be down, or held."""

    def __init__(self) -> None:
        self.rows: list[LogRow] = []
        self.down = False
        self.permanent = False
        self.tries = 0
        self.strangers = 0
        self.gate = threading.Event()
        self.gate.set()

    def node(self) -> int:
        return 1

    def append(self, rows: Sequence[LogRow]) -> int:
        self.gate.wait(30)
        self.tries += 1
        if self.down:
            raise StoreError("down", permanent=self.permanent)
        self.rows += rows
        return self.strangers

    def query(self, filter: LogFilter) -> list[LogRow]:
        return self.rows

    def totals(self, filter: LogFilter) -> Totals:
        return Totals(requests=len(self.rows))

    def purge(self, before_ms: int | None, rows_max: int) -> int:
        return 0

    def size_bytes(self) -> int:
        return 0

    def shrink(self, bytes_max: int) -> int:
        return 0

    def close(self) -> None: ...


def test_everything_put_is_stored_and_seen_once(tmp_path: Path) -> None:
    store = SqliteStore(f"sqlite:///{tmp_path}/log.db")
    seen: list[LogRow] = []
    log = RequestLog(store, seen.extend)
    for number in range(1, 5001):
        log.put(row(number))
    assert log.close()
    assert len(store.query(LogFilter(limit=10_000))) == 5000
    assert [r.id for r in seen] == list(range(1, 5001))
    assert (log.rows_written, log.rows_lost) == (5000, 0)
    store.close()


def test_rows_wait_for_a_store_that_comes_back() -> None:
    store = Flaky()
    store.down = True
    log = RequestLog(store, lambda rows: None, retry_s=0.01)
    for number in range(10):
        log.put(row(number))
    log.flush()
    store.down = False
    assert log.drained(10.0)
    assert len(store.rows) == 10
    assert log.close()


def test_a_full_queue_loses_the_new_and_counts_them(capsys: pytest.CaptureFixture[str]) -> None:
    store = Flaky()
    store.gate.clear()
    log = RequestLog(store, lambda rows: None, queue_rows_max=100, batch_rows=10)
    for number in range(250):
        log.put(row(number))
    assert log.rows_lost == 150
    store.gate.set()
    assert not log.close()
    assert [r.id for r in store.rows] == list(range(100))
    assert "rows are being lost" in capsys.readouterr().err


def test_closing_with_a_store_that_is_down_ends_and_says_what_is_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = Flaky()
    store.down = True
    log = RequestLog(store, lambda rows: None, retry_s=0.01)
    log.put(row(1))
    assert not log.close()
    assert log.rows_lost == 1
    assert "1 log rows lost" in capsys.readouterr().err


def test_a_batch_that_can_never_be_stored_does_not_block_the_next() -> None:
    store = Flaky()
    store.down = store.permanent = True
    log = RequestLog(store, lambda rows: None, retry_s=0.01)
    log.put(row(1))
    log.drained(10.0)
    store.down = False
    log.put(row(2))
    assert log.drained(10.0)
    assert [r.id for r in store.rows] == [2]
    log.close()


def test_a_row_is_handed_over_in_a_moment_and_not_at_the_next_batch() -> None:
    store = Flaky()
    soon: list[Callable[[], None]] = []
    log = RequestLog(store, lambda rows: None, later=soon.append)
    log.put(row(1))
    log.put(row(2))
    assert len(soon) == 1  # one timer for all that come meanwhile
    soon.pop()()
    log.put(row(3))
    assert len(soon) == 1
    soon.pop()()
    assert log.drained(10.0)
    assert [r.id for r in store.rows] == [1, 2, 3]
    assert log.close()


def test_rows_that_wait_are_counted_and_their_wait_is_said_when_it_begins_and_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = Flaky()
    store.down = True
    log = RequestLog(store, lambda rows: None, retry_s=0.01)
    for number in range(7):
        log.put(row(number))
    log.flush()
    while store.tries < 3:
        time.sleep(0.001)
    assert log.rows_waiting == 7
    store.down = False
    assert log.drained(10.0)
    assert log.rows_waiting == 0
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[2].split(":")[0].strip() for line in said] == [
        "the request log's store takes no rows, they wait",
        "the request log's store takes rows again",
    ]
    assert log.close()


def test_a_row_whose_id_another_has_is_counted_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    store = Flaky()
    store.strangers = 1
    log = RequestLog(store, lambda rows: None)
    for number in range(3):
        log.put(row(number))
    assert not log.close()
    assert (log.rows_written, log.rows_lost) == (2, 1)
    assert "other requests have their ids" in capsys.readouterr().err
