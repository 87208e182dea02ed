"""A virtual clock for asyncio: time passes when everybody waits, and not otherwise.

Promise: code that only ever waits through the event loop (sleep, timers, futures) runs unchanged, a day of waiting in a moment, and
twice in the same order. The selector is where a loop waits for the world; this one has no world, so that it answers at
once and moves the clock by what it was told to wait. A loop that would wait for ever has nobody left who could wake it: that is
an error in the program under test, and said so.

No sockets, threads or signals may be used on this loop.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlocked(RuntimeError):
    """Everybody waits for somebody else."""


class _NoWorld(selectors.BaseSelector):
    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlocked("nothing is left to happen, and somebody still waits")
        if timeout > 0:
            self.now += timeout
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0.0 seconds."""

    def __init__(self) -> None:
        self._world = _NoWorld()
        super().__init__(self._world)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._world.now

    def now_ns(self) -> int:
        return round(self._world.now * 1e9)


def run(main: Coroutine[Any, Any, T], loop: VirtualLoop | None = None) -> T:
    """Run to the end on a virtual clock. Raises `Deadlocked` when that cannot come."""
    loop = loop or VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        leftover = asyncio.all_tasks(loop)
        for task in leftover:
            task.cancel()
        if leftover:
            loop.run_until_complete(asyncio.gather(*leftover, return_exceptions=True))
        loop.close()
