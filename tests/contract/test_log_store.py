"""What every log store must do, run on each engine there is."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from turnout.core.call import request_id_text
from turnout.core.errors import Kind, Violation
from turnout.core.record import AttemptRow, LogRow
from turnout.store.ports import LogFilter, LogStore, StoreError, Totals
from turnout.store.sqlite import SqliteStore, path_of


def row(number: int, **changes: object) -> LogRow:
    base = LogRow(
        id=number,
        time_ms=1_700_000_000_000 + number,
        worker=0,
        key="app",
        user="u",
        team=None,
        cost_center=None,
        dialect="openai_chat",
        op="chat",
        stream=1,
        priority="normal",
        requested_model="auto",
        served_model="openai/gpt-4o",
        provider="openai",
        tier="light",
        task="extraction",
        input_tokens=10,
        cache_read_tokens=0,
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=5,
        reasoning_tokens=0,
        input_audio_tokens=0,
        output_audio_tokens=0,
        usage_estimated=0,
        first_token_ms=12.5,
        total_ms=40.0,
        overhead_ms=0.1,
        cost_nano=75_000,
        price_source="test",
        attempts=(
            AttemptRow("openai/gpt-4o", 0.1, 12.0, Kind.RATE_LIMITED, 429),
            AttemptRow("openai/gpt-4o", 12.0, 40.0),
        ),
        finish_reason="stop",
        cache_status="off",
        status=200,
        error=None,
        error_message=None,
        notices=("fallback",),
        tags=(("team", "é\"'"),),
        violations=(Violation("policy:eu", "gpt-4o"),),
    )
    return replace(base, **changes)


@pytest.fixture(params=["sqlite-file", "sqlite-memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogStore]:
    url = "sqlite://" if request.param == "sqlite-memory" else f"sqlite:///{tmp_path}/log.db"
    opened = SqliteStore(url)
    yield opened
    opened.close()


def test_rows_come_back_as_they_went(store: LogStore) -> None:
    rows = [row(1), row(2, cost_nano=None, error="truncated", input_tokens=None, tags=(), attempts=())]
    store.append(rows)
    assert store.query(LogFilter(oldest_first=True)) == rows


def test_many_rows_in_one_batch(store: LogStore) -> None:
    store.append([row(n) for n in range(1, 1001)])
    assert len(store.query(LogFilter(limit=2000))) == 1000


def test_a_batch_that_is_stored_again_changes_nothing(store: LogStore) -> None:
    store.append([row(1), row(2)])
    store.append([row(1), row(2), row(3)])
    assert [r.id for r in store.query(LogFilter(oldest_first=True))] == [1, 2, 3]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (LogFilter(model="gpt-4o"), {1, 2}),
        (LogFilter(model="groq/llama"), {3}),
        (LogFilter(model="auto"), {1, 2, 3, 4}),
        (LogFilter(provider="groq"), {3}),
        (LogFilter(errors=True), {2}),
        (LogFilter(status=503), {4}),
        (LogFilter(key="other"), {4}),
        (LogFilter(tier="large"), {4}),
        (LogFilter(task="translation"), {3}),
        (LogFilter(user="nobody"), set()),
        (LogFilter(team="search"), {3}),
        (LogFilter(cost_center="R+D"), {3}),
        (LogFilter(tags=(("env", "prod"),)), {3}),
        (LogFilter(tags=(("env", None),)), {3, 4}),
        (LogFilter(tags=(("env", None), ("app", "x"))), {4}),
        (LogFilter(tags=(("prod", None),)), set()),
        (LogFilter(tags=(("team", "é\"'"),)), {1, 2}),
        (LogFilter(since_ms=1_700_000_000_003), {3, 4}),
        (LogFilter(until_ms=1_700_000_000_003), {1, 2}),
        (LogFilter(request_id=request_id_text(3)), {3}),
        (LogFilter(after=request_id_text(2)), {3, 4}),
        (LogFilter(before=request_id_text(2)), {1}),
        (LogFilter(limit=1), {4}),
        (LogFilter(limit=1, oldest_first=True), {1}),
        (LogFilter(model="gpt-4o", errors=True), {2}),
    ],
)
def test_filters(store: LogStore, filter: LogFilter, expected: set[int]) -> None:
    store.append(
        [
            row(1),
            row(2, error="stalled"),
            row(
                3,
                provider="groq",
                served_model="groq/llama",
                task="translation",
                team="search",
                cost_center="R+D",
                tags=(("env", "prod"),),
            ),
            row(
                4,
                status=503,
                key="other",
                tier="large",
                served_model=None,
                provider=None,
                tags=(("env", "test"), ("app", "x")),
            ),
        ]
    )
    assert {r.id for r in store.query(filter)} == expected


def test_totals_say_what_is_not_in_them(store: LogStore) -> None:
    assert store.totals(LogFilter()) == Totals()
    store.append(
        [
            row(1, cache_read_tokens=7),
            row(2, cost_nano=None, error="stalled"),
            row(3, input_tokens=None, output_tokens=None, cache_read_tokens=None),
            row(4, team="search", cost_nano=9_000_000_000_000_000),
        ]
    )
    assert store.totals(LogFilter(limit=1)) == Totals(
        requests=4,
        errors=1,
        input_tokens=37,
        cache_read_tokens=7,
        output_tokens=15,
        cost_nano=9_000_000_000_150_000,
        uncounted=1,
        unpriced=1,
    )
    assert store.totals(LogFilter(team="search")).requests == 1


@pytest.mark.parametrize(
    "text", ["req_1", "x" * 40, "req_zzzzzzzzzzzzzzzz", "'; DROP TABLE request_rows; --"]
)
def test_a_malformed_id_is_refused(store: LogStore, text: str) -> None:
    with pytest.raises(StoreError) as caught:
        store.query(LogFilter(request_id=text))
    assert caught.value.permanent


def test_purge_is_bounded(store: LogStore) -> None:
    store.append([row(n) for n in range(1, 11)])
    assert store.purge(1_700_000_000_009, 5) == 5
    assert store.purge(1_700_000_000_009, 5) == 3
    assert [r.id for r in store.query(LogFilter(oldest_first=True))] == [9, 10]


def test_purge_by_rank_takes_the_oldest(store: LogStore) -> None:
    store.append([row(n) for n in range(1, 11)])
    assert store.purge(None, 4) == 4
    assert store.purge(1, 100) == 0
    assert [r.id for r in store.query(LogFilter(oldest_first=True))] == [5, 6, 7, 8, 9, 10]
    assert store.purge(None, 100) == 6
    assert store.purge(None, 100) == 0


def test_deleted_rows_make_room_that_can_be_given_back(store: LogStore) -> None:
    store.append([row(n, error_message="x" * 300) for n in range(1, 3001)])
    full = store.size_bytes()
    assert full > 3000 * 600
    store.purge(None, 2500)
    rest = store.size_bytes()
    assert rest < full / 4
    assert store.shrink(256 * 1024) == 256 * 1024
    while store.shrink(256 * 1024):
        pass
    assert store.size_bytes() == rest
    assert len(store.query(LogFilter(limit=5000))) == 500


def test_a_file_gets_smaller(tmp_path: Path) -> None:
    file = tmp_path / "log.db"
    store = SqliteStore(f"sqlite:///{file}")
    store.append([row(n, error_message="x" * 300) for n in range(1, 3001)])
    checkpoint(file)
    full = file.stat().st_size
    store.purge(None, 2500)
    while store.shrink(1024 * 1024):
        pass
    checkpoint(file)
    assert file.stat().st_size < full / 4
    store.close()


def test_a_file_of_an_earlier_version_uses_its_room_again(tmp_path: Path) -> None:
    file = tmp_path / "log.db"
    made = sqlite3.connect(file)
    made.execute("PRAGMA auto_vacuum=NONE")
    made.execute('CREATE TABLE request_rows (id INTEGER PRIMARY KEY, "row" TEXT NOT NULL)')
    made.execute("CREATE VIEW request_log AS SELECT id FROM request_rows")
    made.execute("PRAGMA user_version = 1")
    made.close()
    store = SqliteStore(f"sqlite:///{file}")
    rows = [row(n, error_message="x" * 300) for n in range(1, 3001)]
    store.append(rows)
    full = store.size_bytes()
    store.purge(None, 3000)
    assert store.shrink(1024 * 1024) == 0
    store.append([replace(each, id=each.id + 3000) for each in rows])
    checkpoint(file)
    assert file.stat().st_size < full * 1.1
    store.close()


def checkpoint(file: Path) -> None:
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = SqliteStore(f"sqlite:///{tmp_path}/log.db")
        store.append([row(1)])
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("log.db", "log.db-wal", "log.db-shm"), 0o600)
    store.close()


def test_the_view_names_every_field(tmp_path: Path) -> None:
    store = SqliteStore(f"sqlite:///{tmp_path}/log.db")
    store.append([row(5)])
    store.close()
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.row_factory = sqlite3.Row
    (found,) = connection.execute("SELECT * FROM request_log").fetchall()
    connection.close()
    plain = asdict(row(5))
    for name in set(plain) - {"attempts", "notices", "tags", "violations"}:
        assert found[name] == plain[name], name
    assert found["request_id"] == request_id_text(5)


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    script = (
        "import sys; from tests.contract.test_log_store import row; from turnout.store.sqlite import SqliteStore\n"
        f"s = SqliteStore({url!r})\n"
        "for n in range(50): s.append([row(int(sys.argv[1]) * 1000 + n)])\n"
        "s.close()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script, str(n)]) for n in (1, 2, 3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    store = SqliteStore(url)
    assert len(store.query(LogFilter(limit=1000))) == 150
    store.close()


def test_a_killed_writer_loses_no_committed_batch(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    script = (
        "import os; from tests.contract.test_log_store import row; from turnout.store.sqlite import SqliteStore\n"
        f"s = SqliteStore({url!r}); s.append([row(n) for n in range(1, 301)]); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 9
    store = SqliteStore(url)
    assert len(store.query(LogFilter(limit=1000))) == 300
    store.close()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError) as caught:
        SqliteStore(f"sqlite:///{tmp_path}/log.db")
    assert caught.value.permanent


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        SqliteStore(f"sqlite:///{tmp_path}/no/such/folder/log.db")


def test_urls() -> None:
    assert path_of("sqlite:///a.db") == "a.db"
    assert path_of("sqlite:////var/a.db") == "/var/a.db"
    assert path_of("sqlite://") == ":memory:"
    with pytest.raises(StoreError):
        path_of("mysql://x")


def test_a_row_stored_twice_is_no_stranger_and_another_under_its_id_is_one(store: LogStore) -> None:
    assert store.append([row(1), row(2)]) == 0
    assert store.append([row(2), row(3)]) == 0  # as after a commit whose answer was lost
    assert store.append([row(3, key="somebody else"), row(4)]) == 1
    assert [found.key for found in store.query(LogFilter(oldest_first=True))] == ["app"] * 4


def test_no_two_processes_get_the_same_number(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    code = "from turnout.store.sqlite import SqliteStore; s = SqliteStore(%r); print(*[s.node() for _ in range(50)])"
    running = [
        subprocess.Popen([sys.executable, "-c", code % url], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    numbers = [number for one in running for number in one.communicate(timeout=60)[0].split()]
    assert len(set(numbers)) == len(numbers) == 200
