"""The SQLite store: the default, one file, no server.

Promise: batches are atomic, readers never block the writer (WAL), several worker processes may share the file, which is made for its
owner's eyes only, and the space of deleted rows can be given back. Rows
are inserted many to a statement: one step of the engine, so that the interpreter's lock is given up once a batch and not
once a row, which matters to the event loop beside it. A row is one JSON array with a view over it (see the
migration), measured at 3 µs a row against 6 for forty bound columns. It must not know what rows mean.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from turnout.core.call import request_id_number
from turnout.core.record import LogRow
from turnout.store.ports import LogFilter, StoreError, Totals

_MIGRATIONS = Path(__file__).parent / "migrations"
_ROWS_PER_STATEMENT = 256
_INCREMENTAL = 2  # what `PRAGMA auto_vacuum` says
_JOURNAL_BYTES_MAX = 64 * 1024 * 1024
_EQUALS = {
    "user": "user",
    "key": "key",
    "team": "team",
    "cost_center": "cost_center",
    "task": "task",
    "tier": "tier",
    "status": "status",
}


def _insert(rows: int) -> str:
    return f'INSERT OR IGNORE INTO request_rows (id, "row") VALUES {", ".join(["(?, ?)"] * rows)}'


_INSERT_MANY, _INSERT_ONE = _insert(_ROWS_PER_STATEMENT), _insert(1)
_PROMPT = "input_tokens + coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)"
_TOTALS = (
    f"SELECT count(*), count(error), coalesce(sum({_PROMPT}), 0), coalesce(sum(cache_read_tokens), 0), "
    "coalesce(sum(output_tokens), 0), coalesce(sum(cost_nano), 0), "
    "coalesce(sum(input_tokens IS NULL OR output_tokens IS NULL), 0), coalesce(sum(cost_nano IS NULL), 0) FROM request_log"
)
_HAS_TAG = "EXISTS (SELECT 1 FROM json_each(tags) AS tag WHERE json_extract(tag.value, '$[0]') = ?"
_encode = msgspec.json.Encoder().encode
_decode_row = msgspec.json.Decoder(LogRow).decode


def path_of(url: str) -> str:
    """`sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` (memory) → what `sqlite3.connect` takes."""
    if not url.startswith("sqlite://"):
        raise StoreError(f"not an sqlite URL: {url.split(':', 1)[0]}:…", permanent=True)
    rest = url.removeprefix("sqlite://")
    return rest.removeprefix("/") or ":memory:"


def _make_private(path: str) -> None:
    """A new file is its owner's alone; SQLite gives the `-wal` and `-shm` files beside it the same mode."""
    if path == ":memory:":
        return
    with suppress(OSError):  # SQLite says better what is wrong with a place
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


class SqliteStore:
    """One connection behind a lock: the writer thread and the occasional reader take turns."""

    def __init__(self, url: str, *, busy_timeout_ms: int = 5_000) -> None:
        self.path = path_of(url)
        self._lock = threading.Lock()
        if self.path != ":memory:" and not Path(self.path).parent.is_dir():
            raise StoreError(f"store: the folder {Path(self.path).parent} does not exist", permanent=True)
        _make_private(self.path)
        with _translated():
            self._connection = sqlite3.connect(
                self.path, timeout=busy_timeout_ms / 1000, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # of use to a new file only
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(f"PRAGMA journal_size_limit={_JOURNAL_BYTES_MAX}")
            _migrate(self._connection)

    def node(self) -> int:
        with self._lock, _translated(), _transaction(self._connection):
            now_ms = int(time.time() * 1000)
            cursor = self._connection.execute("INSERT INTO nodes (since_ms) VALUES (?)", (now_ms,))
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    def append(self, rows: Sequence[LogRow]) -> int:
        values: list[int | str] = []
        for row in rows:
            values.append(row.id)
            values.append(_encode(row).decode())
        per_statement = _ROWS_PER_STATEMENT * 2
        whole = len(values) - len(values) % per_statement
        with self._lock, _translated(), _transaction(self._connection):
            before = self._connection.total_changes
            for begin in range(0, whole, per_statement):
                self._connection.execute(_INSERT_MANY, values[begin : begin + per_statement])
            for begin in range(whole, len(values), 2):
                self._connection.execute(_INSERT_ONE, values[begin : begin + 2])
            if self._connection.total_changes - before == len(rows):
                return 0
            return self._strangers(values)

    def _strangers(self, values: Sequence[int | str]) -> int:
        """How many of these ids and rows found another row under their id."""
        same = 'SELECT 1 FROM request_rows WHERE id = ? AND "row" = ?'
        pairs = zip(values[::2], values[1::2], strict=True)
        return sum(self._connection.execute(same, pair).fetchone() is None for pair in pairs)

    def query(self, filter: LogFilter) -> list[LogRow]:
        where, arguments = _conditions(filter)
        order = "ASC" if filter.oldest_first else "DESC"
        sql = f'SELECT "row" FROM request_log{where} ORDER BY id {order} LIMIT ?'
        with self._lock, _translated():
            return [
                _decode_row(text) for (text,) in self._connection.execute(sql, [*arguments, filter.limit])
            ]

    def totals(self, filter: LogFilter) -> Totals:
        where, arguments = _conditions(filter)
        with self._lock, _translated():
            return Totals(*self._connection.execute(f"{_TOTALS}{where}", arguments).fetchone())

    def purge(self, before_ms: int | None, rows_max: int) -> int:
        # Only the left end of the table is looked at: asking all rows for their time would read all of them when none is old.
        oldest = "SELECT id, time_ms FROM request_log ORDER BY id LIMIT ?"
        sql = (
            f"DELETE FROM request_rows WHERE id IN (SELECT id FROM ({oldest}) WHERE ? IS NULL OR time_ms < ?)"
        )
        with self._lock, _translated(), _transaction(self._connection):
            return self._connection.execute(sql, (rows_max, before_ms, before_ms)).rowcount

    def size_bytes(self) -> int:
        with self._lock, _translated():
            return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def shrink(self, bytes_max: int) -> int:
        """A file that an earlier version made cannot shrink: its free pages are used again, and nothing else happens."""
        with self._lock, _translated():
            free, page_bytes = self._pragma("freelist_count"), self._pragma("page_size")
            pages = min(free, bytes_max // page_bytes)
            if pages == 0 or self._pragma("auto_vacuum") != _INCREMENTAL:
                return 0
            # `execute` steps a statement without columns once, which would free one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")
            return (free - self._pragma("freelist_count")) * page_bytes

    def _pragma(self, name: str) -> int:
        value: int = self._connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _conditions(filter: LogFilter) -> tuple[str, list[str | int]]:
    terms: list[str] = []
    arguments: list[str | int] = []

    def add(term: str, *values: str | int) -> None:
        terms.append(term)
        arguments.extend(values)

    for field, comparison in (("request_id", "="), ("after", ">"), ("before", "<")):
        text = getattr(filter, field)
        if text is not None:
            add(f"id {comparison} ?", _number(text))
    for field, column in _EQUALS.items():
        value = getattr(filter, field)
        if value is not None:
            add(f'"{column}" = ?', value)
    if filter.model is not None:
        add("(served_model = ? OR requested_model = ? OR served_model LIKE '%/' || ?)", *[filter.model] * 3)
    if filter.provider is not None:  # whoever answered, and whoever was asked
        add(
            "(provider = ? OR EXISTS (SELECT 1 FROM json_each(attempts) AS attempt"
            " WHERE substr(json_extract(attempt.value, '$.model'), 1, length(?) + 1) = ? || '/'))",
            *[filter.provider] * 3,
        )
    for name, value in filter.tags:
        if value is None:
            add(f"{_HAS_TAG})", name)
        else:
            add(f"{_HAS_TAG} AND json_extract(tag.value, '$[1]') = ?)", name, value)
    if filter.errors:
        add("error IS NOT NULL")
    if filter.since_ms is not None:
        add("time_ms >= ?", filter.since_ms)
    if filter.until_ms is not None:
        add("time_ms < ?", filter.until_ms)
    return (" WHERE " + " AND ".join(terms) if terms else ""), arguments


def _number(request_id: str) -> int:
    try:
        return request_id_number(request_id)
    except ValueError as error:
        raise StoreError(str(error), permanent=True) from error


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.NotSupportedError) as error:
        raise StoreError(str(error), permanent=True) from error
    except sqlite3.Error as error:
        raise StoreError(str(error)) from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _migrate(connection: sqlite3.Connection) -> None:
    """Apply the ordered files that this database has not seen; `user_version` counts them."""
    files = sorted(_MIGRATIONS.glob("*.sql"))
    if _version(connection) == len(files):
        return
    with _transaction(connection):
        done = _version(connection)  # again, now that we hold the lock: another worker may have been first
        if done > len(files):
            raise StoreError("the database was made by a newer version of Turnout", permanent=True)
        for file in files[done:]:
            for statement in _statements(file.read_text()):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(files)}")


def _statements(script: str) -> list[str]:
    lines = [line for line in script.splitlines() if not line.lstrip().startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
