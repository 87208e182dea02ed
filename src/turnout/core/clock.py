"""The one clock: who needs to know what time it is, is handed it.

With another in its place the whole program runs in virtual time: waiting is the event loop's affair, reading the time this one's.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Clock(Struct, frozen=True):
    """`now_ns` is monotonic, from any origin, for durations; `unix_s` is for dates and calendar windows."""

    now_ns: Callable[[], int]
    unix_s: Callable[[], float]

    def now_s(self) -> float:
        """`now_ns` in seconds."""
        return self.now_ns() / 1e9
