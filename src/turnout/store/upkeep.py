"""Keeping the request log within its bounds: the oldest rows go, a few at a time.

Promise: after a round no row is older than it may be and the rows take no more than they may; a round works in small pieces with pauses, so
that the writer always has its turn, and it can be stopped between two pieces. It works on any store and runs beside
the event loop, in a thread.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from turnout.store.ports import LogStore, StoreError

PIECE_ROWS = 1000
PIECE_BYTES = 4 * 1024 * 1024
PAUSE_S = 0.05
_DAY_MS = 86_400_000


class Upkeep:
    """`now` is Unix time in seconds."""

    def __init__(
        self, store: LogStore, now: Callable[[], float] = time.time, pause_s: float = PAUSE_S
    ) -> None:
        self._store = store
        self._now = now
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._working = threading.Lock()

    def round(self, keep_days: int | None, bytes_max: int | None) -> int:
        """Delete what is too old, then what is too much, then give free space back. How many rows went; never raises.

        A round that finds another one at work does nothing.
        """
        if not self._working.acquire(blocking=False):
            return 0
        try:
            return self._deleted(keep_days, bytes_max)
        except StoreError as error:
            sys.stderr.write(f"turnout: the request log could not be cleared of old rows: {error}\n")
            return 0
        finally:
            self._working.release()

    def stop(self) -> None:
        """End a round that is under way, and have no further ones. Returns when the store is not in use."""
        self._stopping.set()
        with self._working:
            pass

    def _deleted(self, keep_days: int | None, bytes_max: int | None) -> int:
        gone = 0
        store = self._store
        if keep_days is not None:
            before_ms = int(self._now() * 1000) - keep_days * _DAY_MS
            while not self._stopping.is_set() and (rows := store.purge(before_ms, PIECE_ROWS)):
                gone += rows
                self._stopping.wait(self._pause_s)
        while bytes_max is not None and not self._stopping.is_set() and store.size_bytes() > bytes_max:
            if not (rows := store.purge(None, PIECE_ROWS)):
                break
            gone += rows
            self._stopping.wait(self._pause_s)
        while not self._stopping.is_set() and store.shrink(PIECE_BYTES):
            self._stopping.wait(self._pause_s)
        return gone
