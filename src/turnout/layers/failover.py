"""Failover: the only loop over candidates, a thin race over a `Schedule`.

Promise: every attempt is written on the call when it begins and settled when it ends, whatever ends it; losers are cancelled. Before
the commit point nothing was sent to the client, so failover is invisible but for a notice. Whom to ask, until when to wait and when
to stop is the schedule's word; who is sick the board's; whether a late one gets a second beside it that of `hedging`.

It must not know how an attempt is made, nor wire formats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from turnout.core.attempt import Attempt, Cause
from turnout.core.call import Call, Connect, Notice, Reply, Service
from turnout.core.card import TIERS, Card
from turnout.core.errors import CallFailed, Failure, Kind
from turnout.core.events import Usage
from turnout.core.money import cost_nano
from turnout.layers.hedging import Hedge, HedgePolicy, Hedges
from turnout.resilience.board import Board
from turnout.resilience.budgets import Bucket
from turnout.resilience.latency import SLOW_FLOOR_MS
from turnout.resilience.refusals import another_may_take
from turnout.resilience.schedule import RetryRules, Schedule, Start, WaitUntil

RETRY_AFTER_S_MIN = 1.0
BYTES_PER_TOKEN = 4
OUTPUT_TOKENS_UNKNOWN = 300
_SUPERSEDED = Failure(Kind.SUPERSEDED, "Another candidate answered first.")
_LEFT = Failure(Kind.CLIENT_DISCONNECT, "The client closed the connection.")
_LATE = Failure(Kind.DEADLINE, "The request's own deadline has passed.")


class RetryPolicy(Struct, frozen=True):
    """`share` of all calls may have a further attempt, `burst` at once, `floor_per_s` in the quiet hour."""

    rules: RetryRules = RetryRules()
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
        "_call",
        "_connect",
        "_empty",
        "_first",
        "_home",
        "_policy",
        "_schedule",
        "_wanted",
        "hedge_won",
    )

    def __init__(self, home: Failover, call: Call, connect: Connect, policy: RetryPolicy) -> None:
        assert call.plan is not None
        self._home = home
        self._call = call
        self._connect = connect
        self._policy = policy
        cards = call.plan.candidates
        self._wanted = cards[0]
        if call.controls.degrade == "forbid":
            least = TIERS.index(self._wanted.tier)
            cards = tuple([card for card in cards if TIERS.index(card.tier) >= least])
        deadline_ms = call.controls.deadline_ms
        deadline = None if deadline_ms is None else call.arrived_ns / 1e9 + deadline_ms / 1000
        self._schedule = Schedule(cards, policy.rules, home.board, home.further, deadline)
        self._first: CallFailed | None = None
        self._empty: tuple[Attempt, Reply] | None = None
        self.hedge_won = False

    async def run(self) -> Reply:
        """Raises `CallFailed` when nobody committed."""
        while True:
            now = self._home.now_ns() / 1e9
            step = self._schedule.next(now)
            if type(step) is Start:
                reply = await self._attempt(step)
                if reply is not None:
                    return reply
            elif type(step) is WaitUntil:
                await self._pause(step.at - now)
            else:
                return self._give_up()

    async def _pause(self, seconds: float) -> None:
        begun_ns = self._home.now_ns()
        await asyncio.sleep(seconds)
        self._call.waited_ns += self._home.now_ns() - begun_ns

    # -- attempts

    async def _attempt(self, step: Start) -> Reply | None:
        """One candidate, and perhaps a second beside it. `None`: both failed, and what that means is noted."""
        attempt = self._begin(step.card, step.cause)
        hedge = self._hedge_for(step.card)
        if hedge is None:
            try:
                return self._take(attempt, await self.ask(attempt))
            except CallFailed:
                return None
        try:
            return self._take(attempt, await self.ask(attempt))
        except CallFailed as error:
            if error.failure.row.fall_back == "no" and not self._may_pardon(attempt, error.failure):
                return None
            begun_ns = self._home.now_ns()
            reply = await hedge.reply()
            self._call.waited_ns += self._home.now_ns() - begun_ns
            return None if reply is None else self._take(hedge.attempt, reply)
        except asyncio.CancelledError:
            reply = hedge.won()
            if reply is None:
                raise
            return self._take(hedge.attempt, reply)
        finally:
            hedge.settle()

    def _begin(self, card: Card, cause: Cause) -> Attempt:
        attempt = Attempt(card, cause, self._home.now_ns())
        self._call.attempts.append(attempt)
        return attempt

    async def ask(self, attempt: Attempt) -> Reply:
        """Make an attempt; it is settled whatever becomes of it, and the board told. Raises `CallFailed`."""
        home, card = self._home, attempt.card
        home.board.began(card)
        try:
            reply = await self._connect(self._call, attempt)
        except CallFailed as error:
            self._failed(attempt, error)
            raise
        except asyncio.CancelledError:
            home.board.abandoned(card)
            if not attempt.ended_ns:  # a hedge that lost was ended by who cancelled it
                self._end(attempt, _SUPERSEDED if self.hedge_won else _LEFT)
            raise
        except BaseException:
            home.board.abandoned(card)
            self._end(attempt, Failure(Kind.INTERNAL, "Internal error."))
            raise
        self._succeeded(attempt, reply)
        return reply

    def _succeeded(self, attempt: Attempt, reply: Reply) -> None:
        home, card = self._home, attempt.card
        attempt.ended_ns = now_ns = home.now_ns()
        if attempt.cause != "hedge":
            self._call.waited_ns += attempt.waited_ns
        ms = (now_ns - attempt.begun_ns) / 1e6
        home.board.succeeded(card, ms, reply.streamed, now_ns / 1e9)
        if ms > SLOW_FLOOR_MS:
            home.board.compare(card, self._twins(card), reply.streamed, now_ns / 1e9)

    def _take(self, attempt: Attempt | None, reply: Reply) -> Reply:
        """This attempt's reply is the call's: a hedge that committed has won only now."""
        assert attempt is not None
        call, card = self._call, attempt.card
        call.serving = attempt
        if card is not self._wanted:
            call.notices.append(_notice(self._wanted, card, hedged=attempt.cause == "hedge"))
        if attempt.guessed_max is not None:
            call.notices.append(_default_max(attempt.guessed_max, card))
        return reply

    def _failed(self, attempt: Attempt, error: CallFailed) -> None:
        failure, home = error.failure, self._home
        now = home.now_ns() / 1e9
        home.board.failed(attempt.card, failure, now)
        if failure.kind is Kind.DEADLINE and not attempt.sent:  # too late to ask anybody: nobody was asked
            self._call.attempts.remove(attempt)
        reply: Reply | None = getattr(error, "reply", None)
        if reply is not None:
            self._empty = attempt, reply
        self._end(attempt, failure)
        hedged = attempt.cause == "hedge"
        if not hedged:
            self._first = self._first or error
        pardoned = self._may_pardon(attempt, failure)
        self._schedule.failed(attempt.card, failure, now, home.jitter(), hedged=hedged, pardoned=pardoned)

    def _may_pardon(self, attempt: Attempt, failure: Failure) -> bool:
        call, card = self._call, attempt.card
        assert call.plan is not None
        chosen = call.plan.tier is not None or card is not self._wanted
        return another_may_take(failure, chosen=chosen, translated=card.dialect != call.dialect)

    def _end(self, attempt: Attempt, failure: Failure) -> None:
        """Settle an attempt that did not answer, with what it cost where that is known."""
        attempt.ended_ns = self._home.now_ns()
        attempt.failure = failure
        if attempt.cause != "hedge":
            self._call.waited_ns += attempt.waited_ns
        attempt.cost_nano = _cost_of(self._call, attempt, failure)

    def _twins(self, card: Card) -> list[Card]:
        """Who may be compared with it: other deployments of the model; where the choice was ours, its tier."""
        assert self._call.plan is not None
        ours = self._call.plan.tier is not None
        return [
            other
            for other in self._call.plan.candidates
            if other.label != card.label and (other.id == card.id or (ours and other.tier == card.tier))
        ]

    # -- hedging

    def now_ns(self) -> int:
        return self._home.now_ns()

    def superseded(self, attempt: Attempt) -> None:
        """A hedge lost, and is being cancelled."""
        self._end(attempt, _SUPERSEDED)

    def _hedge_for(self, card: Card) -> Hedge | None:
        """Armed where the model's usual time is known and somebody stands ready; costs nothing else."""
        policy = self._policy.hedge
        if not policy.on or not self._schedule.queue or self._call.controls.priority == "low":
            return None
        after_s = self._home.board.hedge_after_s(card, self._call.envelope.stream)
        if after_s is None:
            return None
        return Hedge(self, after_s)

    def hedge_with(self) -> Attempt | None:
        """An attempt to make beside a slow one, its candidate taken from the queue; `None` where money, budget or health say no.

        Called when the moment has come, not before.
        """
        least, call, home = TIERS.index(self._wanted.tier), self._call, self._home
        now = home.now_ns() / 1e9
        for index, card in enumerate(self._schedule.queue):
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
            return self._begin(self._schedule.hedge(index), "hedge")
        return None

    # -- the end

    def _give_up(self) -> Reply:
        """Nobody committed. The caller is told what the model that was wanted said, not what a stand-in did.

        An empty completion is still a model's answer: when nobody has done better, the caller gets it as it is, and is told so. When
        every candidate is known to be down, the answer is 503 and when to ask again.
        """
        if self._empty is not None:
            attempt, reply = self._empty
            self._call.notices.append(Notice("empty", f"{attempt.card.label} returned an empty completion."))
            return self._take(attempt, reply)
        if self._first is None:  # the deadline had passed before anybody was asked
            raise CallFailed(_LATE)
        raise self._outage(self._first) or self._first

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


def _cost_of(call: Call, attempt: Attempt, failure: Failure) -> int | None:
    """Of a try that did not answer: by what the provider reported; an estimate where it was left working; else unknown."""
    price = attempt.card.price
    if not attempt.sent or failure.row.billed == "no":
        return 0
    if attempt.usage is not None and price is not None:
        return cost_nano(attempt.usage, price)
    return estimated_cost_nano(call, attempt.card) if failure.row.billed == "yes" else None


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


def _default_max(tokens: int, card: Card) -> Notice:
    return Notice(
        "default-max-tokens",
        f"No largest output was asked for, and that of {card.label} is not known: it was asked for {tokens} tokens at most.",
    )


def _notice(wanted: Card, served: Card, *, hedged: bool) -> Notice:
    if hedged:
        return Notice("hedged", f"{wanted.label} was slow; {served.label} answered first.")
    if TIERS.index(served.tier) < TIERS.index(wanted.tier):
        return Notice(
            "downgraded-unavailable",
            f"{wanted.label} could not answer; the smaller {served.label} did.",
        )
    return Notice("fallback", f"{wanted.label} could not answer; {served.label} did.")
