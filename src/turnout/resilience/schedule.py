"""Whom to ask next, until when to wait, and when to stop: the whole policy of failing over, for one call.

Promise: the candidates are asked in order, the sick after the well; nobody is asked again before everybody was asked once; whoever may
be asked again is asked when *his* pause is over and not when another's is. What a failure allows is the failure table's word:
one that forbids going on ends everything, retries included; one that needs a larger window leaves nobody in whose window is not
larger. Trouble is bounded by attempts a call, the caller's deadline, and a budget of further attempts that all calls share,
because when everything is down it is the retrying that keeps it down.

Pure: the clock's reading (seconds) and the random number come as arguments. It must not know how an attempt is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from turnout.core.attempt import Cause
from turnout.core.card import Card
from turnout.core.errors import Failure
from turnout.resilience.board import Board
from turnout.resilience.budgets import Bucket

PAUSE_S_MAX = 20.0  # longer than anybody would sit through


class RetryRules(Struct, frozen=True):
    """`attempts_max` a call; `retries` more of one candidate, after a pause of `backoff_s` that doubles each time."""

    attempts_max: int = 6
    retries: int = 1
    backoff_s: float = 0.1


class Start(NamedTuple):
    """Ask this one now."""

    card: Card
    cause: Cause


class WaitUntil(NamedTuple):
    """Ask nobody before this time, seconds."""

    at: float


class Stop(NamedTuple):
    """Ask nobody any more. `late`: because the call's deadline has passed."""

    late: bool = False


class _Again(NamedTuple):
    due: float
    card: Card


class Schedule:
    """One call's. `deadline` is when the caller stops waiting, seconds, `None`: never."""

    __slots__ = (
        "_again",
        "_board",
        "_deadline",
        "_further",
        "_pardoned",
        "_rules",
        "_started",
        "_tries",
        "queue",
    )

    def __init__(
        self,
        cards: Iterable[Card],
        rules: RetryRules,
        board: Board,
        further: Bucket,
        deadline: float | None = None,
    ) -> None:
        self.queue = list(cards)  # not asked yet
        self._rules = rules
        self._board = board
        self._further = further
        self._deadline = deadline
        self._again: list[_Again] = []
        self._tries: dict[str, int] | None = None  # of those that failed, by name
        self._started = 0
        self._pardoned = False

    def next(self, now: float) -> Start | WaitUntil | Stop:
        """What to do now, with nothing under way."""
        if self._deadline is not None and now >= self._deadline:
            return Stop(late=True)
        if self._started >= self._rules.attempts_max:
            return Stop()
        if self.queue:
            if self._started and not self._may_spend(self.queue, now):
                return Stop()
            index, _ = self._board.pick(self.queue, now)
            return self._start(self.queue.pop(index), "fallback" if self._started else "first")
        return self._next_again(now)

    def _next_again(self, now: float) -> Start | WaitUntil | Stop:
        if not self._again:
            return Stop()
        first = min(self._again, key=_due)
        if first.due - now > PAUSE_S_MAX or (self._deadline is not None and first.due >= self._deadline):
            return Stop()
        if first.due > now:
            return WaitUntil(first.due)
        if not self._may_spend([one.card for one in self._again], now):
            return Stop()
        self._again.remove(first)
        return self._start(first.card, "retry")

    def _start(self, card: Card, cause: Cause) -> Start:
        self._started += 1
        return Start(card, cause)

    def _may_spend(self, left: list[Card], now: float) -> bool:
        """Does the shared budget allow another attempt? With only the sick left it must be half full."""
        further = self._further
        all_sick = len(self._board.sick(left)) == len({card.label for card in left})
        if all_sick and not further.has(further.burst / 2, now):
            return False
        return further.withdraw(1.0, now)

    def hedge(self, index: int) -> Card:
        """The candidate at `index` of the queue is started beside the one under way."""
        self._started += 1
        return self.queue.pop(index)

    def failed(
        self,
        card: Card,
        failure: Failure,
        now: float,
        jitter: float,
        *,
        hedged: bool = False,
        pardoned: bool = False,
    ) -> None:
        """An attempt at `card` failed; `jitter` is in [0, 1). A hedge's failure forbids nothing: the first may still answer.

        `pardoned`: a failure that forbids going on is not the request's fault. That is believed once a call.
        """
        row = failure.row
        if row.fall_back == "no" and pardoned and not hedged and not self._pardoned:
            self._pardoned = True
            return
        if row.fall_back == "no" and not hedged:
            self.queue.clear()
            self._again.clear()
            return
        if row.fall_back == "larger":
            self.queue = [other for other in self.queue if _larger(other, card)]
            self._again = [one for one in self._again if _larger(one.card, card)]
        if row.retry_same:
            self._note_again(card, failure, now, jitter)

    def _note_again(self, card: Card, failure: Failure, now: float, jitter: float) -> None:
        tries = self._tries = self._tries if self._tries is not None else {}
        count = tries[card.name] = tries.get(card.name, 0) + 1
        if count > self._rules.retries:
            return
        backoff_s = self._rules.backoff_s * 2 ** (count - 1) * (0.5 + jitter / 2)
        self._again.append(_Again(now + max(failure.retry_after_s or 0.0, backoff_s), card))


def _due(one: _Again) -> float:
    return one.due


def _larger(card: Card, than: Card) -> bool:
    if card.context_window is None or than.context_window is None:
        return card.context_window is None
    return card.context_window > than.context_window
