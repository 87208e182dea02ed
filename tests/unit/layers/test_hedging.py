"""Hedging on a virtual clock: who wins, who pays, who is told, and what it never does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.layers.support import ScriptedReply, a_call, card, kind_of
from turnout.core.attempt import Attempt
from turnout.core.call import Call, Reply
from turnout.core.errors import CallFailed, Failure, Kind
from turnout.core.model import DialectName
from turnout.layers.failover import Failover, RetryPolicy
from turnout.layers.hedging import HedgePolicy
from turnout.resilience.board import Board, HealthPolicy
from turnout.resilience.schedule import RetryRules
from turnout.sim.clock import VirtualLoop, run

A, B = card("a"), card("b")
USUAL_S = 0.1


class Slow:
    """Candidates that answer or fail after a time; remembers who was cancelled."""

    def __init__(
        self,
        times: dict[str, float],
        failing: frozenset[str] = frozenset(),
        kind: Kind = Kind.UPSTREAM_ERROR,
    ) -> None:
        self.times = times
        self.failing = failing
        self.kind = kind
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.replies: list[ScriptedReply] = []

    async def connect(self, call: Call, attempt: Attempt) -> Reply:
        attempt.sent, model = True, attempt.card
        self.asked.append(model.name)
        try:
            await asyncio.sleep(self.times[model.name])
        except asyncio.CancelledError:
            self.cancelled.append(model.name)
            raise
        if model.name in self.failing:
            raise CallFailed(Failure(self.kind, "max_tokens: no"))
        reply = ScriptedReply(model)
        self.replies.append(reply)
        return reply


def home_of(loop: VirtualLoop) -> Failover:
    board = Board(HealthPolicy(slow_factor=0))
    for _ in range(40):
        for one in (A, B):
            board.began(one)
            board.succeeded(one, USUAL_S * 1000, True, 0.0)
    return Failover(board, loop.now_ns, lambda: 0.0)


def on_virtual_clock(test: Callable[[VirtualLoop], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    run(test(loop), loop)


async def ask(loop: VirtualLoop, slow: Slow, call: Call, home: Failover, policy: HedgePolicy) -> Reply:
    call.arrived_ns = loop.now_ns()
    return await home.service(slow.connect, RetryPolicy(RetryRules(backoff_s=0.0), hedge=policy))(call)


def test_the_faster_one_answers_and_the_slow_one_is_cancelled() -> None:
    async def story(loop: VirtualLoop) -> None:
        slow, call, home = Slow({"a": 5.0, "b": 0.2}), a_call(A, B), home_of(loop)
        reply = await ask(loop, slow, call, home, HedgePolicy())
        assert reply.card is B
        assert loop.time() == pytest.approx(USUAL_S + 0.2)
        assert slow.cancelled == ["a"]
        assert [(a.card.label, kind_of(a)) for a in call.attempts] == [
            ("p-a/a", Kind.SUPERSEDED),
            ("p-b/b", None),
        ]
        assert call.attempts[0].cost_nano is not None and call.attempts[0].cost_nano > 0
        assert [notice.code for notice in call.notices] == ["hedged"]
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0
        await asyncio.sleep(10)  # no cancellation comes late

    on_virtual_clock(story)


def test_the_first_wins_if_it_is_first() -> None:
    async def story(loop: VirtualLoop) -> None:
        slow, call, home = Slow({"a": 0.3, "b": 5.0}), a_call(A, B), home_of(loop)
        reply = await ask(loop, slow, call, home, HedgePolicy())
        assert reply.card is A
        assert [(a.card.label, kind_of(a)) for a in call.attempts] == [
            ("p-a/a", None),
            ("p-b/b", Kind.SUPERSEDED),
        ]
        assert call.notices == []
        await asyncio.sleep(0)
        assert slow.cancelled == ["b"]

    on_virtual_clock(story)


def test_a_usual_answer_is_not_hedged() -> None:
    async def story(loop: VirtualLoop) -> None:
        slow, call = Slow({"a": USUAL_S / 2, "b": 0.1}), a_call(A, B)
        await ask(loop, slow, call, home_of(loop), HedgePolicy())
        assert slow.asked == ["a"]

    on_virtual_clock(story)


def test_an_error_never_wins() -> None:
    async def story(loop: VirtualLoop) -> None:
        slow = Slow({"a": 2.0, "b": 0.1}, failing=frozenset({"b"}))
        reply = await ask(loop, slow, a_call(A, B), home_of(loop), HedgePolicy())
        assert reply.card is A
        assert loop.time() == pytest.approx(2.0)

    on_virtual_clock(story)


def test_a_failed_first_waits_for_the_hedge_under_way() -> None:
    async def story(loop: VirtualLoop) -> None:
        slow, call = Slow({"a": 0.5, "b": 1.0}, failing=frozenset({"a"})), a_call(A, B)
        reply = await ask(loop, slow, call, home_of(loop), HedgePolicy())
        assert reply.card is B
        assert slow.asked == ["a", "b"]
        assert loop.time() == pytest.approx(USUAL_S + 1.0)

    on_virtual_clock(story)


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic"])
def test_a_refused_first_waits_for_the_hedge_if_the_request_was_translated(dialect: DialectName) -> None:
    async def story(loop: VirtualLoop) -> None:
        slow = Slow({"a": 0.5, "b": 1.0}, frozenset({"a"}), Kind.UPSTREAM_BAD_REQUEST)
        call = a_call(A, B)
        call.dialect = dialect
        if dialect == A.dialect:
            with pytest.raises(CallFailed):
                await ask(loop, slow, call, home_of(loop), HedgePolicy())
            return
        assert (await ask(loop, slow, call, home_of(loop), HedgePolicy())).card is B

    on_virtual_clock(story)


def test_a_client_that_leaves_cancels_both() -> None:
    async def story(loop: VirtualLoop) -> None:
        slow, call, home = Slow({"a": 5.0, "b": 5.0}), a_call(A, B), home_of(loop)
        task = asyncio.ensure_future(ask(loop, slow, call, home, HedgePolicy()))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert sorted(slow.cancelled) == ["a", "b"]
        assert sorted(str(kind_of(a)) for a in call.attempts) == [
            "Kind.CLIENT_DISCONNECT",
            "Kind.SUPERSEDED",
        ]
        assert home.board.standings(0.0)["p-a/a"].in_flight == 0
        assert home.board.standings(0.0)["p-b/b"].in_flight == 0

    on_virtual_clock(story)


def test_hedges_stay_inside_their_share() -> None:
    async def story(loop: VirtualLoop) -> None:
        slow, home = Slow({"a": 1.0, "b": 0.1}), home_of(loop)
        policy = HedgePolicy(burst=5.0, burst_nano=1e12)
        for _ in range(400):
            await ask(loop, slow, a_call(A, B), home, policy)
            home.ended(A, None, 1_000)
        assert slow.asked.count("b") <= 400 * 0.05 + 5

    on_virtual_clock(story)


def test_hedges_stay_inside_their_money() -> None:
    async def story(loop: VirtualLoop) -> None:
        slow, home = Slow({"a": 1.0, "b": 0.1}), home_of(loop)
        policy = HedgePolicy(share=1.0, burst=1e9, burst_nano=0.0)
        await ask(loop, slow, a_call(A, B), home, policy)
        assert "b" not in slow.asked

    on_virtual_clock(story)


def test_no_hedge_over_the_callers_budget_or_for_low_priority_or_when_off() -> None:
    async def story(loop: VirtualLoop) -> None:
        for controls, policy in (
            ({"budget_nano": 1_000}, HedgePolicy()),
            ({"priority": "low"}, HedgePolicy()),
            ({}, HedgePolicy(on=False)),
        ):
            slow, call = Slow({"a": 1.0, "b": 0.1}), a_call(A, B)
            call.controls = replace(call.controls, **controls)
            await ask(loop, slow, call, home_of(loop), policy)
            assert slow.asked == ["a"], controls

    on_virtual_clock(story)


def test_no_hedge_with_a_smaller_model() -> None:
    async def story(loop: VirtualLoop) -> None:
        small = card("s", tier="light")
        slow = Slow({"a": 1.0, "s": 0.1})
        await ask(loop, slow, a_call(A, small), home_of(loop), HedgePolicy())
        assert slow.asked == ["a"]

    on_virtual_clock(story)


def test_both_commit_at_the_same_moment_and_one_is_let_go() -> None:
    async def story(loop: VirtualLoop) -> None:
        slow, call = Slow({"a": 1.0, "b": 1.0 - USUAL_S}), a_call(A, B)
        reply = await ask(loop, slow, call, home_of(loop), HedgePolicy())
        await asyncio.sleep(1)
        others = [one for one in slow.replies if one is not reply]
        assert all(one.aborted for one in others)
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0

    on_virtual_clock(story)
