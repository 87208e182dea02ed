"""How many calls one provider's model is given at a time: additive increase, multiplicative decrease.

Promise: without a sign of overload there is no limit that anybody feels. At a 429 or 503 the limit becomes a part of
what was in flight at that moment, and grows back by one for each limit's worth of successes: the provider's real
capacity is found by asking, since none of them publishes it. The limit never falls below `LEAST`, so that a candidate is
never starved by its own past.

Pure; counts only.
"""

from __future__ import annotations

LEAST = 4
MOST = 10_000
KEPT_SHARE = 0.75


class Limit:
    __slots__ = ("_good", "in_flight", "value")

    def __init__(self) -> None:
        self.in_flight = 0
        self.value = MOST
        self._good = 0

    @property
    def full(self) -> bool:
        return self.in_flight >= self.value

    def overloaded(self) -> None:
        """The provider said that it was too much; `in_flight` counts the refused one too."""
        self.value = max(LEAST, int(min(self.value, self.in_flight) * KEPT_SHARE))
        self._good = 0

    def lift(self) -> None:
        self.value = MOST
        self._good = 0

    def succeeded(self) -> None:
        if self.value >= MOST:
            return
        self._good += 1
        if self._good >= self.value:
            self._good = 0
            self.value += max(1, self.value // 8)
