"""Failover: whom it asks, in which order, when it stops, and what it tells."""

from __future__ import annotations

import time

import pytest

from tests.unit.layers.support import Script, ScriptedReply, a_call, card, failed, kind_of
from turnout.core.call import Call, Reply
from turnout.core.errors import TABLE, CallFailed, Failure, Kind
from turnout.layers.failover import Failover, RetryPolicy
from turnout.resilience.board import Board, HealthPolicy
from turnout.resilience.schedule import PAUSE_S_MAX, RetryRules
from turnout.upstream.client import EmptyCompletion

POLICY = RetryPolicy(RetryRules(attempts_max=6, retries=1, backoff_s=0.0))
A, B, C = card("a"), card("b"), card("c")


async def run(script: Script, call: Call, policy: RetryPolicy = POLICY) -> Reply:
    home = Failover(Board(HealthPolicy()), time.perf_counter_ns, lambda: 0.0)
    return await home.service(script.connect, policy)(call)


async def test_the_first_candidate_answers() -> None:
    script, call = Script({"a": [ScriptedReply(A)]}), a_call(A, B)
    assert (await run(script, call)).card is A
    assert [(a.card.label, kind_of(a)) for a in call.attempts] == [("p-a/a", None)]
    assert call.notices == []


@pytest.mark.parametrize("kind", [kind for kind, row in TABLE.items() if row.fall_back == "yes"])
async def test_every_failure_that_may_fall_back_does(kind: Kind) -> None:
    script, call = Script({"a": [failed(kind)], "b": [ScriptedReply(B)]}), a_call(A, B)
    assert (await run(script, call)).card is B
    assert [kind_of(a) for a in call.attempts] == [kind, None]
    assert [n.code for n in call.notices] == ["fallback"]


@pytest.mark.parametrize(
    "kind", [kind for kind, row in TABLE.items() if row.fall_back == "no" and not row.retry_same]
)
async def test_every_failure_that_may_not_fall_back_does_not(kind: Kind) -> None:
    script, call = Script({"a": [failed(kind)], "b": [ScriptedReply(B)]}), a_call(A, B)
    with pytest.raises(CallFailed) as caught:
        await run(script, call)
    assert caught.value.failure.kind is kind
    assert script.asked == ["a"]


async def test_context_too_long_goes_to_larger_windows_only() -> None:
    small, same, big = card("s", window=8000), card("t", window=8000), card("u", window=200_000)
    script = Script({"s": [failed(Kind.CONTEXT_TOO_LONG)], "u": [ScriptedReply(big)]})
    assert (await run(script, a_call(small, same, big))).card is big
    assert script.asked == ["s", "u"]


async def test_everybody_is_asked_before_anybody_is_asked_again() -> None:
    script = Script(
        {
            "a": [failed(Kind.OVERLOADED), failed(Kind.OVERLOADED)],
            "b": [failed(Kind.UPSTREAM_AUTH)],
            "c": [failed(Kind.RATE_LIMITED), ScriptedReply(C)],
        }
    )
    assert (await run(script, a_call(A, B, C))).card is C
    assert script.asked == ["a", "b", "c", "a", "c"]


async def test_attempts_are_bounded_and_the_wanted_models_failure_is_told() -> None:
    many = [card(f"m{n}") for n in range(10)]
    script = Script({c.name: [failed(Kind.UPSTREAM_ERROR)] for c in many})
    script.steps["m0"] = [failed(Kind.RATE_LIMITED)]
    call = a_call(*many)
    with pytest.raises(CallFailed) as caught:
        await run(script, call, RetryPolicy(RetryRules(attempts_max=4, retries=3, backoff_s=0)))
    assert caught.value.failure.kind is Kind.RATE_LIMITED
    assert len(call.attempts) == 4


async def test_no_round_is_waited_for_that_nobody_would_sit_through() -> None:
    script = Script({"a": [failed(Kind.RATE_LIMITED, PAUSE_S_MAX + 1)]})
    with pytest.raises(CallFailed):
        await run(script, a_call(A))
    assert script.asked == ["a"]


async def test_the_callers_deadline_ends_the_rounds() -> None:
    script = Script({"a": [failed(Kind.OVERLOADED)]})
    with pytest.raises(CallFailed):
        await run(script, a_call(A, deadline_ms=1), RetryPolicy(RetryRules(retries=4, backoff_s=5.0)))
    assert script.asked == ["a"]


async def test_a_smaller_stand_in_is_announced_as_a_downgrade() -> None:
    large, light = card("l", tier="large"), card("k", tier="light")
    call = a_call(large, light)
    await run(Script({"l": [failed(Kind.CONNECT)], "k": [ScriptedReply(light)]}), call)
    assert [n.code for n in call.notices] == ["downgraded-unavailable"]


async def test_an_empty_completion_that_nobody_betters_is_given_as_it_is() -> None:
    empty = ScriptedReply(A, ())
    failure = EmptyCompletion(Failure(Kind.EMPTY, "empty"), empty)
    again = EmptyCompletion(Failure(Kind.EMPTY, "empty"), empty)
    assert await run(Script({"a": [failure, again]}), a_call(A)) is empty
