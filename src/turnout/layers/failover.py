"""Failover: the only loop over candidates.

Promise: the candidates of the plan are asked in order until one commits; whether a failure may move on, and to whom, is
the failure table's word and not this file's. Who is known to be sick is asked last, by the board's word. Before the commit point
nothing was sent to the client, so failover is invisible but for a notice. A candidate is tried again only after everybody
else was: another provider's answer now is better than the same provider's apology later.

What trouble may cost is bounded three times: attempts a call, the caller's deadline, and a budget of further attempts that all
calls share, because when everything is down it is the retrying that keeps it down.

A call that waits longer than the model usually takes may have a second candidate started beside the first (see `hedging`); the
first that commits answers. It must not know how an attempt is made, nor wire formats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from turnout.core.call import Attempt, Call, Connect, Notice, Reply, Service
from turnout.core.card import TIERS, Card
from turnout.core.errors import CallFailed, Failure, Kind
from turnout.core.events import Usage
from turnout.core.money import cost_nano
from turnout.layers.hedging import Hedge, HedgePolicy, Hedges
from turnout.resilience.board import Board
from turnout.resilience.budgets import Bucket
from turnout.resilience.latency import SLOW_FLOOR_MS

RETRY_AFTER_S_MAX = 20.0
RETRY_AFTER_S_MIN = 1.0
BYTES_PER_TOKEN = 4
OUTPUT_TOKENS_UNKNOWN = 300
_SUPERSEDED = Failure(Kind.SUPERSEDED, "Another candidate answered first.")
_LEFT = Failure(Kind.CLIENT_DISCONNECT, "The client closed the connection.")


class RetryPolicy(Struct, frozen=True):
    """`rounds` further passes over the candidates whose failure allows it, after a pause that doubles at random.

    `share` of all calls may have a further attempt, `burst` at once, `floor_per_s` in the quiet hour.
    """

    attempts_max: int = 6
    rounds: int = 1
    backoff_s: float = 0.1
    share: float = 0.15
    burst: float = 20.0
    floor_per_s: float = 0.5
    hedge: HedgePolicy = HedgePolicy()


class Failover:
    """Made once for a process, so that health and budgets outlive a configuration; `service` serves one of them."""

    def __init__(self, board: Board, now_ns: Callable[[], int], jitter: Callable[[], float]) -> None:
        """`jitter` gives numbers in [0, 1)."""
        self.board = board
        self.now_ns = now_ns
        self.jitter = jitter
        self.further = Bucket(0.0, 0.0)
        self.hedges = Hedges()

    def service(self, connect: Connect, policy: RetryPolicy) -> Service:
        """The innermost service."""
        further = self.further
        if (further.share, further.burst) != (policy.share, policy.burst):
            self.further = further = Bucket(policy.share, policy.burst, policy.floor_per_s)

        async def served(call: Call) -> Reply:
            further.deposit()
            return await Pursuit(self, call, connect, policy).run()

        return served

    def forget(self) -> None:
        """Hold nothing against anybody: what an operator does who knows that a provider is back."""
        self.board.forget()
        self.further.level = self.further.burst

    def ended(self, card: Card, failure: Failure | None, cost_nano: int) -> None:
        """A reply ended that had begun: its failure is its giver's too, and its cost lets hedges be paid for."""
        self.hedges.deposit(cost_nano)
        if failure is not None and failure.row.health != "none":
            self.board.broke(card, failure, self.now_ns() / 1e9)


class Pursuit:
    """One call's search for somebody who answers."""

    __slots__ = (
        "_again",
        "_call",
        "_connect",
        "_first",
        "_home",
        "_last",
        "_pause_s",
        "_policy",
        "_queue",
        "_rounds",
        "_wanted",
        "hedge_won",
    )

    def __init__(self, home: Failover, call: Call, connect: Connect, policy: RetryPolicy) -> None:
        assert call.plan is not None
        self._home = home
        self._call = call
        self._connect = connect
        self._policy = policy
        self._queue = list(call.plan.candidates)
        self._wanted = self._queue[0]
        if call.controls.degrade == "forbid":
            least = TIERS.index(self._wanted.tier)
            self._queue = [card for card in self._queue if TIERS.index(card.tier) >= least]
        self._again: list[Card] = []  # may be tried once more when everybody was
        self._first: CallFailed | None = None
        self._last: CallFailed | None = None
        self._pause_s = 0.0
        self._rounds = 0
        self.hedge_won = False

    async def run(self) -> Reply:
        """Raises `CallFailed` when nobody committed."""
        while True:
            reply = await self._attempt(self._next())
            if reply is not None:
                return reply
            if not self._may_go_on() or not await self._rested():
                return self._give_up()

    def _next(self) -> Card:
        queue = self._queue
        index, _ = self._home.board.pick(queue, self._home.now_ns() / 1e9)
        return queue.pop(index)

    def _may_go_on(self) -> bool:
        """Is anybody left, and does the budget allow it? With only the sick left it must be half full."""
        if len(self._call.attempts) >= self._policy.attempts_max:
            return False
        if not self._queue and (not self._again or self._rounds == self._policy.rounds):
            return False
        now = self._home.now_ns() / 1e9
        further = self._home.further
        left = self._queue or self._again
        all_sick = len(self._home.board.sick(left)) == len({card.label for card in left})
        if all_sick and not further.has(further.burst / 2, now):
            return False
        return further.withdraw(1.0, now)

    async def _rested(self) -> bool:
        """Before another round: wait, unless the wait is too long for anybody to sit through."""
        if self._queue:
            return True
        most = self._policy.backoff_s * 2**self._rounds
        seconds = max(self._pause_s, most * (0.5 + self._home.jitter() / 2))
        self._queue, self._again = self._again, []
        self._pause_s, self._rounds = 0.0, self._rounds + 1
        if seconds > RETRY_AFTER_S_MAX:
            return False
        deadline_ms = self._call.controls.deadline_ms
        if deadline_ms is not None:
            left_s = deadline_ms / 1000 - (self._home.now_ns() - self._call.arrived_ns) / 1e9
            if seconds >= left_s:
                return False
        await asyncio.sleep(seconds)
        return True

    # -- attempts

    async def _attempt(self, card: Card) -> Reply | None:
        """One candidate, and perhaps a second beside it. `None`: both failed, and what that means is noted."""
        hedge = self._hedge_for(card)
        if hedge is None:
            try:
                return await self.ask(card)
            except CallFailed:
                return None
        try:
            return await self.ask(card)
        except CallFailed:
            return await hedge.reply() if self._queue_open() else None
        except asyncio.CancelledError:
            reply = hedge.won()
            if reply is None:
                raise
            return reply
        finally:
            hedge.settle()

    def _queue_open(self) -> bool:
        return self._last is None or self._last.failure.row.fall_back != "no"

    async def ask(self, card: Card, *, hedged: bool = False) -> Reply:
        """One attempt, noted on the call and on the board whatever becomes of it. Raises `CallFailed`."""
        home, call = self._home, self._call
        begun_ns = home.now_ns()
        home.board.began(card)
        try:
            reply = await self._connect(call, card)
        except CallFailed as error:
            now_ns = home.now_ns()
            home.board.failed(card, error.failure, now_ns / 1e9)
            self._note(card, begun_ns, now_ns, error.failure)
            self._learn(card, error, hedged=hedged)
            raise
        except asyncio.CancelledError:
            home.board.abandoned(card)
            if not hedged:  # a hedge that lost is noted by who cancelled it
                self._note(card, begun_ns, home.now_ns(), _SUPERSEDED if self.hedge_won else _LEFT)
            raise
        except BaseException:
            home.board.abandoned(card)
            raise
        now_ns = home.now_ns()
        ms = (now_ns - begun_ns) / 1e6
        home.board.succeeded(card, ms, reply.streamed, now_ns / 1e9)
        if ms > SLOW_FLOOR_MS:
            home.board.compare(card, self._twins(card), reply.streamed, now_ns / 1e9)
        self._note(card, begun_ns, now_ns, None)
        if card is not self._wanted:
            call.notices.append(_notice(self._wanted, card, hedged=hedged))
        return reply

    def _twins(self, card: Card) -> list[Card]:
        """Who may be compared with it: other deployments of the model; where the choice was ours, its tier."""
        assert self._call.plan is not None
        ours = self._call.plan.tier is not None
        return [
            other
            for other in self._call.plan.candidates
            if other.label != card.label and (other.id == card.id or (ours and other.tier == card.tier))
        ]

    def _learn(self, card: Card, error: CallFailed, *, hedged: bool) -> None:
        """What a failure means for those who are left."""
        if not hedged:
            self._last = error
            self._first = self._first or error
        failure, row = error.failure, error.failure.row
        if row.retry_same:
            self._again.append(card)
            self._pause_s = max(self._pause_s, failure.retry_after_s or 0.0)
        if row.fall_back == "no" and not hedged:
            self._queue.clear()
            self._again.clear()
        elif row.fall_back == "larger":
            self._queue = [other for other in self._queue if _larger(other, card)]

    def _note(self, card: Card, begun_ns: int, ended_ns: int, failure: Failure | None) -> None:
        """Attempts are kept in the order in which they began."""
        arrived, attempts = self._call.arrived_ns, self._call.attempts
        begun_ms, ended_ms = (begun_ns - arrived) / 1e6, (ended_ns - arrived) / 1e6
        if failure is None:
            attempt = Attempt(card.label, begun_ms, ended_ms)
        else:
            cost = estimated_cost_nano(self._call, card) if failure.kind is Kind.SUPERSEDED else None
            attempt = Attempt(card.label, begun_ms, ended_ms, failure.kind, failure.status, cost)
        attempts.append(attempt)
        if len(attempts) > 1 and attempts[-2].started_ms > begun_ms:
            attempts.sort(key=lambda one: one.started_ms)

    # -- hedging

    def now_ns(self) -> int:
        return self._home.now_ns()

    def superseded(self, card: Card, begun_ns: int) -> None:
        """A hedge lost, and is being cancelled."""
        self._note(card, begun_ns, self._home.now_ns(), _SUPERSEDED)

    def _hedge_for(self, card: Card) -> Hedge | None:
        """Armed where the model's usual time is known and somebody stands ready; costs nothing else."""
        policy = self._policy.hedge
        if not policy.on or not self._queue or self._call.controls.priority == "low":
            return None
        after_s = self._home.board.hedge_after_s(card, self._call.envelope.stream)
        if after_s is None:
            return None
        return Hedge(self, after_s)

    def hedge_with(self) -> Card | None:
        """The candidate to start beside a slow one, taken from the queue; `None` where money, budget or health say no.

        Called when the moment has come, not before.
        """
        least, call, home = TIERS.index(self._wanted.tier), self._call, self._home
        now = home.now_ns() / 1e9
        for index, card in enumerate(self._queue):
            if TIERS.index(card.tier) < least or not home.board.well(card):
                continue
            cost = estimated_cost_nano(call, card)
            budget = call.controls.budget_nano
            if budget is not None and (
                cost is None or cost + (estimated_cost_nano(call, self._wanted) or budget) > budget
            ):
                continue
            if not home.hedges.take(self._policy.hedge, cost or 0, now):
                return None
            return self._queue.pop(index)
        return None

    # -- the end

    def _give_up(self) -> Reply:
        """Nobody committed. The caller is told what the model that was wanted said, not what a stand-in did.

        An empty completion is still a model's answer: when it is the last word, the caller gets it as it is. When every
        candidate is known to be down, the answer is 503 and when to ask again.
        """
        assert self._last is not None
        reply: Reply | None = getattr(self._last, "reply", None)
        if reply is not None:
            return reply
        first = self._first or self._last
        raise self._outage(first) or first

    def _outage(self, first: CallFailed) -> CallFailed | None:
        assert self._call.plan is not None
        candidates = self._call.plan.candidates
        if len(candidates) < 2 or first.failure.row.health != "hard":
            return None
        if len(self._home.board.sick(candidates)) < len({card.label for card in candidates}):
            return None
        failure = first.failure
        return CallFailed(
            replace(
                failure,
                kind=Kind.ALL_DOWN,
                message=f"No provider can answer at the moment. {failure.message}",
                retry_after_s=max(failure.retry_after_s or 0.0, RETRY_AFTER_S_MIN),
                told=None,
                log=f"No provider can answer at the moment. {failure.logged}",
            )
        )


def estimated_cost_nano(call: Call, card: Card) -> int | None:
    """What an attempt at `card` would cost, nano-dollars; from the plan's tokens, else from the body's size."""
    if card.price is None:
        return None
    tokens = None if call.plan is None else call.plan.tokens
    if tokens is None:
        usage = Usage(input=len(call.envelope.body) // BYTES_PER_TOKEN, output=OUTPUT_TOKENS_UNKNOWN)
    else:
        usage = Usage(input=tokens.input, output=tokens.output_expected)
    return cost_nano(usage, card.price)


def _larger(card: Card, than: Card) -> bool:
    if card.context_window is None or than.context_window is None:
        return card.context_window is None
    return card.context_window > than.context_window


def _notice(wanted: Card, served: Card, *, hedged: bool) -> Notice:
    if hedged:
        return Notice("hedged", f"{wanted.label} was slow; {served.label} answered first.")
    if TIERS.index(served.tier) < TIERS.index(wanted.tier):
        return Notice(
            "downgraded-unavailable",
            f"{wanted.label} could not answer; the smaller {served.label} did.",
        )
    return Notice("fallback", f"{wanted.label} could not answer; {served.label} did.")
