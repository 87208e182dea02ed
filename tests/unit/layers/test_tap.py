"""The tap: one row a call, whatever becomes of it."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.unit.layers.support import HELLO, ScriptedReply, a_call, card, failed
from turnout.core.attempt import Attempt
from turnout.core.call import Call, Reply, next_frames
from turnout.core.errors import CallFailed, Failure, Kind
from turnout.core.events import Event, Failed, Finished, Started, Stop, TextDelta, Usage
from turnout.core.record import LogRow
from turnout.layers.tap import Tap


async def served(
    reply: ScriptedReply | BaseException, call: Call | None = None
) -> tuple[list[LogRow], Reply, Call]:
    rows: list[LogRow] = []
    call = call or a_call()

    async def service(_: Call) -> Reply:
        if isinstance(reply, BaseException):
            raise reply
        return reply

    return rows, await Tap(rows.append, 7, time.perf_counter_ns).layer(service)(call), call


async def drain(reply: Reply) -> None:
    while await next_frames(reply):
        pass
    reply.abort()


async def test_an_answer_is_costed_and_logged_once() -> None:
    rows, reply, call = await served(ScriptedReply(card("a")))
    await drain(reply)
    reply.abort()
    (row,) = rows
    assert (row.input_tokens, row.output_tokens, row.cost_nano) == (10, 2, 10 * 1000 + 2 * 2000)
    assert (row.served_model, row.provider, row.finish_reason, row.status, row.error) == (
        "p-a/a",
        "p-a",
        "stop",
        200,
        None,
    )
    assert (row.worker, row.price_source, row.usage_estimated) == (7, "test", 0)
    assert call.outcome is not None
    assert call.outcome.cost_nano == row.cost_nano
    assert row.first_token_ms is not None
    assert row.total_ms >= row.first_token_ms


async def test_an_unknown_price_is_unknown_and_not_zero() -> None:
    rows, reply, _ = await served(ScriptedReply(card("a", price=None)))
    await drain(reply)
    assert (rows[0].cost_nano, rows[0].price_source) == (None, "unknown")


async def test_a_client_that_leaves_is_billed_by_estimate() -> None:
    inner = ScriptedReply(card("a"))
    rows, reply, _ = await served(inner)
    await next_frames(reply)
    await next_frames(reply)
    reply.abort()
    reply.abort()
    (row,) = rows
    assert inner.aborted
    assert (row.error, row.usage_estimated) == ("client_disconnect", 1)
    assert row.output_tokens == 2  # "Hello" at four characters a token
    assert row.input_tokens
    assert row.cost_nano


async def test_a_cut_stream_keeps_the_providers_input_count() -> None:
    cut = Failed(Failure(Kind.TRUNCATED, "cut"))
    events = (Started(), Usage(input=1000), TextDelta("12345678"), cut)
    rows, reply, _ = await served(ScriptedReply(card("a"), events))
    await drain(reply)
    assert (rows[0].input_tokens, rows[0].output_tokens, rows[0].usage_estimated) == (1000, 2, 1)
    assert rows[0].error == "truncated"


@pytest.mark.parametrize(("kind", "charged"), [(Kind.RATE_LIMITED, False), (Kind.FIRST_TOKEN_TIMEOUT, True)])
async def test_a_refused_call_costs_nothing_unless_somebody_may_have_charged(
    kind: Kind, charged: bool
) -> None:
    rows: list[LogRow] = []
    call = a_call()
    attempt = Attempt(card("m"), "first", 0, 1, sent=True, failure=Failure(kind, kind.value))
    attempt.cost_nano = None if charged else 0
    call.attempts.append(attempt)
    with pytest.raises(CallFailed):

        async def service(_: Call) -> Reply:
            raise failed(kind)

        await Tap(rows.append, 0, time.perf_counter_ns).layer(service)(call)
    assert rows[0].cost_nano == (None if charged else 0)
    assert rows[0].error == kind.value
    assert rows[0].attempts[0].failure is kind


@pytest.mark.parametrize("error", [asyncio.CancelledError(), RuntimeError("bug")])
async def test_a_call_that_is_cancelled_or_breaks_has_its_row(error: BaseException) -> None:
    rows: list[LogRow] = []

    async def service(_: Call) -> Reply:
        raise error

    with pytest.raises(type(error)):
        await Tap(rows.append, 0, time.perf_counter_ns).layer(service)(a_call())
    assert len(rows) == 1
    assert rows[0].error in ("client_disconnect", "internal")


@pytest.mark.parametrize(
    "events",
    [
        (Started(), TextDelta("a"), Finished(), TextDelta("b")),
        (TextDelta("a"), Finished()),
        (Started(), TextDelta("a")),
        HELLO + HELLO,
    ],
)
async def test_a_breach_of_the_grammar_never_passes_for_an_answer(
    events: tuple[Started | TextDelta | Finished, ...],
) -> None:
    rows, reply, _ = await served(ScriptedReply(card("a"), events))
    seen = []
    while frames := await next_frames(reply):
        seen += [event for frame in frames for event in frame.events]
        if len(seen) > 50:
            break
    reply.abort()
    assert [row.error for row in rows] == ["internal"]
    assert isinstance(seen[-1], Failed)


@pytest.mark.parametrize(
    ("reported", "counts", "estimated"),
    [
        ((Usage(),), (True, 2), 1),  # all zeros beside text
        ((Usage(output=9),), (True, 9), 1),  # no prompt
        ((Usage(input=1000),), (1000, 2), 1),  # text without output
        ((Usage(input=1000, output=9), Usage()), (1000, 9), 0),  # later zeros
        ((Usage(input=1000, output=1), Usage(output=9)), (1000, 9), 0),
        ((Usage(input=10, cache_read=990, output=1), Usage(output=9)), (10, 9), 0),
        ((Usage(input=1000, output=1), Usage(input=900, output=9)), (900, 9), 0),
    ],
    ids=str,
)
async def test_usage_that_cannot_be(
    reported: tuple[Usage, ...], counts: tuple[int, int], estimated: int
) -> None:
    text, end = TextDelta("12345678"), (Stop("stop"), Finished())
    events: list[Event] = [Started(), *reported[:1], text, *reported[1:], *end]
    rows, reply, call = await served(ScriptedReply(card("a"), events))
    await drain(reply)
    (row,) = rows
    assert row.input_tokens == counts[0] or (counts[0] is True and row.input_tokens), row.input_tokens
    assert (row.output_tokens, row.usage_estimated) == (counts[1], estimated)
    assert call.outcome is not None and call.outcome.usage is not None
    assert call.outcome.usage.cache_read == max(usage.cache_read for usage in reported)


async def test_what_a_filter_blocked_may_count_nothing() -> None:
    events = (Started(), Usage(), TextDelta("Blocked."), Stop("content_filter"), Finished())
    rows, reply, _ = await served(ScriptedReply(card("a"), events))
    await drain(reply)
    assert (rows[0].input_tokens, rows[0].usage_estimated) == (0, 0)
