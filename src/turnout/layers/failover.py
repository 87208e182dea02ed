"""Failover: the only loop over candidates.

Promise: the candidates of the plan are tried in order until one commits; whether a failure may move on, and to whom, is
the failure table's word and not this file's. Before the commit point nothing was sent to the client, so failover is
invisible but for a notice. A candidate is tried again only after everybody else was: another provider's answer now is
better than the same provider's apology later. Attempts are bounded, in number and by the caller's deadline.

It must not know how an attempt is made, nor wire formats. Breakers, budgets and hedging join here later; the loop's
inputs (plan, table, clock) and outputs (attempts, notices, reply) stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from turnout.core.call import Attempt, Call, Connect, Notice, Reply, Service
from turnout.core.card import TIERS, Card
from turnout.core.errors import CallFailed, Failure

RETRY_AFTER_S_MAX = 20.0


class RetryPolicy(Struct, frozen=True):
    """`rounds` further passes over the candidates whose failure allows it, after a pause that doubles."""

    attempts_max: int = 6
    rounds: int = 1
    backoff_s: float = 0.1


def failover(
    connect: Connect, policy: RetryPolicy, now_ns: Callable[[], int], jitter: Callable[[], float]
) -> Service:
    """The innermost service. `jitter` gives numbers in [0, 1)."""

    async def service(call: Call) -> Reply:
        assert call.plan is not None
        first: CallFailed | None = None
        wanted = call.plan.candidates[0]
        queue = list(call.plan.candidates)
        again: list[Card] = []  # may be tried once more when everybody was
        pause_s, rounds = 0.0, 0
        while True:
            card = queue.pop(0)
            begun_ns = now_ns()
            try:
                reply = await connect(call, card)
            except CallFailed as error:
                last, first = error, first or error
                failure, row = error.failure, error.failure.row
                _note(call, card, begun_ns, now_ns(), failure)
                if row.retry_same:
                    again.append(card)
                    pause_s = max(pause_s, failure.retry_after_s or 0.0)
                if row.fall_back == "no":
                    queue.clear()
                elif row.fall_back == "larger":
                    queue = [other for other in queue if _larger(other, card)]
            else:
                _note(call, card, begun_ns, now_ns(), None)
                if card is not wanted:
                    call.notices.append(_notice(wanted, card))
                return reply
            if len(call.attempts) >= policy.attempts_max:
                return _give_up(first or last, last)
            if not queue:
                if not again or rounds == policy.rounds:
                    return _give_up(first or last, last)
                pause_s = max(pause_s, policy.backoff_s * 2**rounds)
                if not await _pause(call, pause_s, now_ns, jitter):
                    return _give_up(first or last, last)
                queue, again, pause_s, rounds = again, [], 0.0, rounds + 1

    return service


def _note(call: Call, card: Card, begun_ns: int, ended_ns: int, failure: Failure | None) -> None:
    arrived = call.arrived_ns
    kind, status = (None, None) if failure is None else (failure.kind, failure.status)
    call.attempts.append(
        Attempt(card.label, (begun_ns - arrived) / 1e6, (ended_ns - arrived) / 1e6, kind, status)
    )


def _give_up(first: CallFailed, last: CallFailed) -> Reply:
    """Nobody committed. The caller is told what the model that was wanted said, not what a stand-in did.

    An empty completion is still a model's answer: when it is the last word, the caller gets it as it is.
    """
    reply: Reply | None = getattr(last, "reply", None)
    if reply is None:
        raise first
    return reply


async def _pause(call: Call, seconds: float, now_ns: Callable[[], int], jitter: Callable[[], float]) -> bool:
    """Wait before another round, unless the wait is too long for anybody to sit through."""
    if seconds > RETRY_AFTER_S_MAX:
        return False
    seconds *= 1 + jitter() / 4
    if call.controls.deadline_ms is not None:
        left_s = call.controls.deadline_ms / 1000 - (now_ns() - call.arrived_ns) / 1e9
        if seconds >= left_s:
            return False
    await asyncio.sleep(seconds)
    return True


def _larger(card: Card, than: Card) -> bool:
    if card.context_window is None or than.context_window is None:
        return card.context_window is None
    return card.context_window > than.context_window


def _notice(wanted: Card, served: Card) -> Notice:
    if TIERS.index(served.tier) < TIERS.index(wanted.tier):
        return Notice(
            "downgraded-unavailable",
            f"{wanted.label} could not answer; the smaller {served.label} did.",
        )
    return Notice("fallback", f"{wanted.label} could not answer; {served.label} did.")
