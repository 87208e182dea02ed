"""How much extra work trouble may cause: token buckets for further attempts and for hedges.

Promise: over any stretch of traffic the attempts beyond one a request stay below a share of the requests (`share`), plus a reserve
for the quiet hour in which a single request needs one. When everything is down, retrying is what keeps it down; so
the budget is spent by retries, fallbacks and hedges alike, and an empty one means that the first failure is the answer.

Hedges have two more of their own: a share of requests, and a share of money, in nano-dollars.

Pure: time is an argument in seconds. One bucket a process.
"""

from __future__ import annotations


class Bucket:
    """`share` of each deposit can be withdrawn, up to `burst` at once; `floor_per_s` flows in by itself."""

    __slots__ = ("_at", "burst", "floor_per_s", "level", "share")

    def __init__(self, share: float, burst: float, floor_per_s: float = 0.0) -> None:
        self.share = share
        self.burst = burst
        self.floor_per_s = floor_per_s
        self.level = burst
        self._at: float | None = None

    def deposit(self, amount: float = 1.0) -> None:
        """A request came in (or its cost)."""
        self.level = min(self.burst, self.level + amount * self.share)

    def has(self, amount: float, now: float) -> bool:
        """Is there enough? Takes nothing."""
        if self._at is not None and self.floor_per_s:
            self.level = min(self.burst, self.level + (now - self._at) * self.floor_per_s)
        self._at = now
        return self.level >= amount

    def withdraw(self, amount: float, now: float) -> bool:
        """Take it if it is there."""
        if not self.has(amount, now):
            return False
        self.level -= amount
        return True
