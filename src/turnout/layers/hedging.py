"""A second candidate beside a slow first one; the first that commits answers.

Promise: the timer is the model's own 95th percentile to first content, so about one call in twenty gets here, and the budget keeps
it so whatever happens to that percentile: `share` of the calls, `money_share` of the money. The winner is the first to *commit*,
that is to send content: an error or an empty answer never wins. The loser is cancelled at once, is noted with what it may have
cost, and says nothing of anybody's health.

The first attempt runs in the caller's own task, so that a call whose timer never fires costs one timer and no task. When the
hedge wins, that task is cancelled out of its wait and told so; a cancellation that was meant (the client left) is told apart
by counting (`Task.uncancel`). It must not know health, prices or wire formats: `Pursuit` answers for these.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from turnout.core.attempt import Attempt
from turnout.core.call import Reply
from turnout.core.errors import CallFailed
from turnout.resilience.budgets import Bucket

if TYPE_CHECKING:
    from turnout.layers.failover import Pursuit


class HedgePolicy(Struct, frozen=True):
    """`share` of calls that may be hedged, `money_share` of what calls cost; `burst` hedges and `burst_nano` at once."""

    on: bool = True
    share: float = 0.05
    money_share: float = 0.05
    burst: float = 10.0
    burst_nano: float = 50_000_000.0  # 5 cents


class Hedges:
    """The budgets, one pair a process."""

    def __init__(self) -> None:
        self._of = HedgePolicy()
        self._calls = Bucket(self._of.share, self._of.burst)
        self._money = Bucket(self._of.money_share, self._of.burst_nano)
        self.begun = self.won = 0

    def deposit(self, cost_nano: int) -> None:
        """A call was answered for so much."""
        self._calls.deposit()
        self._money.deposit(float(cost_nano))

    def take(self, policy: HedgePolicy, cost_nano: int, now: float) -> bool:
        """Reserve one hedge of such a cost, if both budgets have it."""
        if policy != self._of:
            self._of = policy
            self._calls = Bucket(policy.share, policy.burst)
            self._money = Bucket(policy.money_share, policy.burst_nano)
        if not self._calls.has(1.0, now) or not self._money.has(float(cost_nano), now):
            return False
        self._calls.withdraw(1.0, now)
        self._money.withdraw(float(cost_nano), now)
        self.begun += 1
        return True


class Hedge:
    """Armed when made; `settle` must be called when the first attempt is over, however it ended."""

    __slots__ = (
        "_main",
        "_pursuit",
        "_settled",
        "_task",
        "_timer",
        "_waited_for",
        "_winner",
        "attempt",
    )

    def __init__(self, pursuit: Pursuit, after_s: float) -> None:
        self._pursuit = pursuit
        self._main = asyncio.current_task()
        self._task: asyncio.Task[Reply] | None = None
        self.attempt: Attempt | None = None
        self._winner: Reply | None = None
        self._settled = self._waited_for = False
        self._timer = asyncio.get_running_loop().call_later(after_s, self._begin)

    def _begin(self) -> None:
        self.attempt = attempt = self._pursuit.hedge_with()
        if attempt is None:
            return
        self._task = asyncio.get_running_loop().create_task(self._pursuit.ask(attempt))
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Reply]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            if not isinstance(error, CallFailed):
                self._report(error)
            return
        if self._settled:  # both committed at the same moment
            task.result().abort()
            self._lost()
        elif not self._waited_for:
            self._winner = task.result()
            self._pursuit.hedge_won = True
            if self._main is not None:
                self._main.cancel()

    def _report(self, error: BaseException) -> None:
        context = {"message": "a hedge broke", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)

    def won(self) -> Reply | None:
        """The winner, after the caller's task was cancelled out of its wait; `None`: the cancellation was meant."""
        winner = self._winner
        if winner is None:
            return None
        assert self._main is not None
        if self._main.uncancel() > 0:
            winner.abort()
            return None
        return winner

    async def reply(self) -> Reply | None:
        """The first attempt failed: what became of the second, if there is one. `None` if it failed too."""
        if self._task is None:
            return None
        self._waited_for = True
        await asyncio.wait((self._task,))
        if self._task.cancelled() or self._task.exception() is not None:
            return None
        return self._task.result()

    def settle(self) -> None:
        """No hedge from now on; one under way is cancelled, and noted at once: the call's row may be written next."""
        self._settled = True
        self._timer.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            self._lost()

    def _lost(self) -> None:
        assert self.attempt is not None
        self._pursuit.superseded(self.attempt)
