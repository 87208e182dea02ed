"""The request log's writer: from the hot path to the store without making anybody wait.

Promise: `put` never blocks and never raises; every row put before `close` is in the store after it, unless the store is
out of order, in which case at most `queue_rows_max` rows wait and further ones are counted as lost, loudly. Why a
thread: the store's driver blocks. Why batches handed over by the loop: a thread that is woken for every row would fight
the event loop for the interpreter's lock. The writer knows nothing of what a row says.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from turnout.core.record import LogRow
from turnout.store.ports import LogStore, StoreError

Observer = Callable[[Sequence[LogRow]], None]


class RowLog(Protocol):
    """Where rows go."""

    rows_written: int
    rows_lost: int

    @property
    def rows_waiting(self) -> int: ...
    def put(self, row: LogRow) -> None: ...
    def flush(self) -> None: ...
    def drained(self, timeout_s: float) -> bool: ...
    async def end(self) -> bool:
        """Write what is left and stop. False when rows were lost."""
        ...


class DirectLog:
    """Rows are seen by `observe` as they come, and kept by whoever that is: no thread, no store, no waiting."""

    def __init__(self, observe: Observer) -> None:
        self._observe = observe
        self.rows_written = self.rows_lost = self.rows_waiting = 0

    def put(self, row: LogRow) -> None:
        self.rows_written += 1
        self._observe((row,))

    def flush(self) -> None: ...

    def drained(self, timeout_s: float) -> bool:
        return True

    async def end(self) -> bool:
        return True


class RequestLog:
    """Rows in, batches out. `observe` sees every row exactly once, in batches, on the thread that calls `flush` or `put`."""

    def __init__(
        self,
        store: LogStore,
        observe: Observer,
        *,
        queue_rows_max: int = 100_000,
        batch_rows: int = 512,
        retry_s: float = 0.5,
        later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        """`later` calls a function on the thread of `put` in a few milliseconds: how long a row waits at most to be handed over.

        Without it somebody must call `flush`.
        """
        self._later = later
        self._store = store
        self._observe = observe
        self._queue_rows_max = queue_rows_max
        self._batch_rows = batch_rows
        self._retry_s = retry_s
        self._fresh: list[LogRow] = []
        self._queued: list[LogRow] = []
        self._ready = threading.Condition()
        self._closing = False
        self._settled = 0  # rows that left the queue, stored or lost
        self.rows_written = 0
        self.rows_lost = 0
        self._thread = threading.Thread(target=self._run, name="turnout-log", daemon=True)
        self._thread.start()

    def put(self, row: LogRow) -> None:
        """Take one row. To be called from one thread (the event loop's)."""
        self._fresh.append(row)
        count = len(self._fresh)
        if count >= self._batch_rows:
            self.flush()
        elif count == 1 and self._later is not None:
            self._later(self.flush)

    def flush(self) -> None:
        """Hand the rows put so far to the writer."""
        batch, self._fresh = self._fresh, []
        if not batch:
            return
        self._observe(batch)
        with self._ready:
            room = self._queue_rows_max - len(self._queued)
            if room < len(batch):
                self._lose(len(batch) - max(room, 0))
            self._queued.extend(batch[: max(room, 0)])
            self._ready.notify()

    @property
    def rows_waiting(self) -> int:
        """Put and not stored yet: many, when the store is locked or its disk is full."""
        return len(self._fresh) + len(self._queued)

    def _lose_strangers(self, rows: int) -> None:
        self.rows_lost += rows
        sys.stderr.write(f"turnout: {rows} log rows lost: other requests have their ids\n")

    def _lose(self, rows: int) -> None:
        if self.rows_lost == 0:
            sys.stderr.write(
                "turnout: the request log's store does not keep up or is down; rows are being lost\n"
            )
        self.rows_lost += rows

    def close(self, timeout_s: float = 10.0) -> bool:
        """Write what is left and stop. False when the store did not take everything in time."""
        self.flush()
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and self.rows_lost == 0

    async def end(self) -> bool:
        return await asyncio.to_thread(self.close)

    def drained(self, timeout_s: float) -> bool:
        """Wait until everything put before is stored (for readers that want to see their own writes)."""
        self.flush()
        with self._ready:
            target = self._settled + len(self._queued)
            return self._ready.wait_for(lambda: self._settled >= target, timeout_s)

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._queued and not self._closing:
                    self._ready.wait()
                if not self._queued:
                    return
                batch = self._queued[:4096]
            stored = self._write(batch)
            with self._ready:
                del self._queued[: len(batch)]
                self._settled += len(batch)
                self.rows_written += stored
                self._ready.notify_all()

    def _write(self, batch: list[LogRow]) -> int:
        """Try until it is stored, or until closing makes it the last try. How many rows were stored."""
        waiting = False
        while True:
            try:
                strangers = self._store.append(batch)
                if strangers:
                    self._lose_strangers(strangers)
                if waiting:
                    sys.stderr.write("turnout: the request log's store takes rows again\n")
                return len(batch) - strangers
            except StoreError as error:
                if not waiting and not error.permanent:
                    waiting = True
                    sys.stderr.write(f"turnout: the request log's store takes no rows, they wait: {error}\n")
                if error.permanent or self._closing:
                    self._lose(len(batch))
                    sys.stderr.write(f"turnout: {len(batch)} log rows lost: {error}\n")
                    return 0
            time.sleep(self._retry_s)
