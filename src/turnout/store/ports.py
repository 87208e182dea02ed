"""What the program asks of a store, and nothing of how a store does it.

Every engine passes the same contract suite. A store is never on the path of a request: rows are handed over in
batches by a writer that can wait, and readers are people and reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from turnout.core.record import LogRow


class StoreError(Exception):
    """The store could not do it now; `permanent` when trying again is of no use."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class LogFilter(Struct, frozen=True):
    """Which rows; all conditions must hold. `after` and `before` are request ids, exclusive, for paging and following.

    `tags` are name and value, or a name and `None` for any value. `errors` keeps failed requests only. `limit` is the most rows returned, newest first unless `oldest_first`.
    """

    request_id: str | None = None
    model: str | None = None
    provider: str | None = None
    user: str | None = None
    key: str | None = None
    team: str | None = None
    cost_center: str | None = None
    tags: tuple[tuple[str, str | None], ...] = ()
    task: str | None = None
    tier: str | None = None
    status: int | None = None
    errors: bool = False
    since_ms: int | None = None
    until_ms: int | None = None
    after: str | None = None
    before: str | None = None
    limit: int = 50
    oldest_first: bool = False


class Totals(Struct, frozen=True):
    """Sums over rows. `input_tokens` are all prompt tokens, cached ones included. What is `None` in a row adds nothing to a sum:
    `uncounted` and `unpriced` say in how many rows that was so for tokens and for costs.
    """

    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    cost_nano: int = 0
    uncounted: int = 0
    unpriced: int = 0


class LogStore(Protocol):
    def node(self) -> int:
        """A number that no other process with this store has had: one more at every call. Raises `StoreError`."""
        ...

    def append(self, rows: Sequence[LogRow]) -> int:
        """Store rows in one transaction: all or none. How many had an id that another row has: those are not stored.

        A row that is there already, as after a commit whose answer was lost, is left as it is and is no such row.
        Raises `StoreError`.
        """
        ...

    def query(self, filter: LogFilter) -> list[LogRow]:
        """Raises `StoreError`."""
        ...

    def totals(self, filter: LogFilter) -> Totals:
        """Of all rows that match, whatever `limit` says. Raises `StoreError`."""
        ...

    def purge(self, before_ms: int | None, rows_max: int) -> int:
        """Delete, of the oldest `rows_max` rows, those that arrived before a time (`None`: all); how many it deleted.

        Raises `StoreError`.
        """
        ...

    def size_bytes(self) -> int:
        """What the rows take up, without space that is free to be used again. Raises `StoreError`."""
        ...

    def shrink(self, bytes_max: int) -> int:
        """Give at most this much free space back to the system; how much it gave. Raises `StoreError`."""
        ...

    def close(self) -> None: ...
