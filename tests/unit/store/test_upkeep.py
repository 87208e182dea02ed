"""The log's bounds, on a real SQLite store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.test_log_store import row
from turnout.store.ports import LogFilter
from turnout.store.sqlite import SqliteStore
from turnout.store.upkeep import PIECE_ROWS, Upkeep

DAY_MS = 86_400_000
NOW_S = 1_800_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(f"sqlite:///{tmp_path}/log.db")
    yield opened
    opened.close()


def aged(store: SqliteStore, count: int, per_day: int) -> None:
    """The newest row is of now; id order is time order."""
    begin_ms = int(NOW_S * 1000) - (count - 1) * DAY_MS // per_day
    store.append([row(n + 1, time_ms=begin_ms + n * DAY_MS // per_day) for n in range(count)])


def ids(store: SqliteStore) -> list[int]:
    return [each.id for each in store.query(LogFilter(limit=100_000, oldest_first=True))]


def test_what_is_too_old_goes(store: SqliteStore) -> None:
    aged(store, 3500, per_day=10)
    gone = Upkeep(store, lambda: NOW_S, 0).round(keep_days=90, bytes_max=None)
    assert gone == 3500 - 901
    assert ids(store) == list(range(2600, 3501))


def test_what_is_too_much_goes_oldest_first(store: SqliteStore) -> None:
    aged(store, 6000, per_day=10_000)
    bound = store.size_bytes() // 2
    gone = Upkeep(store, lambda: NOW_S, 0).round(keep_days=90, bytes_max=bound)
    assert store.size_bytes() <= bound
    assert ids(store) == list(range(gone + 1, 6001))
    assert 0 < gone <= 3000 + PIECE_ROWS
    assert store.shrink(1) == 0 and store.shrink(1 << 30) == 0, "free space is given back already"


def test_a_log_within_its_bounds_is_left_alone(store: SqliteStore) -> None:
    aged(store, 500, per_day=10)
    assert Upkeep(store, lambda: NOW_S, 0).round(keep_days=90, bytes_max=1 << 30) == 0
    assert Upkeep(store, lambda: NOW_S, 0).round(keep_days=None, bytes_max=None) == 0
    assert len(ids(store)) == 500


def test_rows_can_be_written_between_two_pieces(store: SqliteStore) -> None:
    aged(store, 5 * PIECE_ROWS, per_day=1)

    class Watched(SqliteStore):
        def purge(self, before_ms: int | None, rows_max: int) -> int:
            assert rows_max <= PIECE_ROWS
            gone = store.purge(before_ms, rows_max)
            writer = threading.Thread(
                target=store.append, args=([row(10_000 + gone, time_ms=int(NOW_S * 1000))],)
            )
            writer.start()
            writer.join(10)
            assert not writer.is_alive()
            return gone

    assert (
        Upkeep(Watched("sqlite://"), lambda: NOW_S, 0).round(keep_days=1, bytes_max=None)
        == 5 * PIECE_ROWS - 2
    )


def test_a_stopped_round_ends_between_two_pieces(store: SqliteStore) -> None:
    aged(store, 5 * PIECE_ROWS, per_day=1)
    upkeep = Upkeep(store, lambda: NOW_S, pause_s=3600)
    worker = threading.Thread(target=upkeep.round, args=(1, None))
    worker.start()
    while len(ids(store)) == 5 * PIECE_ROWS:
        pass
    upkeep.stop()
    worker.join(10)
    assert not worker.is_alive()
    assert len(ids(store)) == 4 * PIECE_ROWS
    assert upkeep.round(1, None) == 0


def test_a_store_that_is_gone_is_said(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    closed = SqliteStore("sqlite://")
    closed.close()
    assert Upkeep(closed).round(1, None) == 0
    assert "could not be cleared" in capsys.readouterr().err
