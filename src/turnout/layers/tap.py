"""The tap: the one place that sees every event of every call, and writes its one row.

Promise: exactly one `LogRow` a call, whatever happens to it: answered, refused, failed, cut, left by its client, cancelled. Metrics,
cost and the reply's own metadata are derived from what is gathered here. It asserts the event grammar on live traffic; a
breach is a defect of ours and ends the stream with an error rather than passing for an answer.

The row of a reply is written when whoever reads it lets go of it (`Reply.abort`): only then is it known whether it could be handed on.

Usage that the provider did not report, that cannot be (no tokens beside text, a prompt of none), or that a cut kept from arriving is estimated from
the text and marked as such: a stream that somebody stopped half-way has been paid for all the same. Zeros that follow counts do not undo them. The tap is outermost: what it measures includes everything. It
must not change what passes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import cast

from msgspec.structs import replace

from turnout.core.call import PASSED, Call, Notice, Outcome, Plan, Reply, Service
from turnout.core.card import Card
from turnout.core.errors import CallFailed, Failure, Kind, Violation
from turnout.core.events import (
    Automaton,
    Event,
    Failed,
    Finished,
    Frame,
    GrammarError,
    ReasoningDelta,
    Stop,
    TextDelta,
    ToolDelta,
    Usage,
)
from turnout.core.model import DialectName
from turnout.core.money import cost_nano, counted_cost_nano
from turnout.core.record import LogRow, attempt_rows
from turnout.routing.tokens import estimate_tokens

CHARACTERS_PER_TOKEN = 4
_LEFT = Failure(Kind.CLIENT_DISCONNECT, "The client closed the connection.")
_NO_TOKENS = Usage()
_TEXT = ("chat", "completions")


class Tap:
    """Made once for a process; `layer` wraps the services of each configuration."""

    def __init__(
        self,
        put: Callable[[LogRow], None],
        worker: int,
        now_ns: Callable[[], int],
        ended: Callable[[Card, Failure | None, int], None] | None = None,
    ) -> None:
        """`ended` hears of every reply that ended: who gave it, how it failed if it did, and what it cost in nano-dollars."""
        self._ended = ended
        self._put = put
        self._worker = worker
        self._now_ns = now_ns

    def layer(self, service: Service) -> Service:
        async def tapped(call: Call) -> Reply:
            try:
                reply = await service(call)
            except CallFailed as error:
                self.refuse(call, error.failure)
                raise
            except asyncio.CancelledError:
                self.refuse(call, _LEFT)
                raise
            except Exception:
                self.refuse(call, Failure(Kind.INTERNAL, "Internal error."))
                raise
            return TappedReply(self, call, reply)

        return tapped

    def refuse(self, call: Call, failure: Failure) -> None:
        """Write the row of a call that got no reply; nothing if it has its row."""
        if call.outcome is not None:
            return
        costs = [attempt.cost_nano for attempt in call.attempts]
        known = [cost for cost in costs if cost is not None]
        if len(known) < len(costs):
            self._put(self._finish(call, None, None, failure, None, None, "unknown"))
            return
        price = call.attempts[-1].card.price if sum(known) else None
        source = "none" if price is None else price.source
        self._put(self._finish(call, None, None, failure, None, sum(known), source))

    def counted(self, call: Call, card: Card, tokens: int) -> None:
        """Write the row of a count that Turnout made itself: no provider was asked, nothing was charged."""
        usage = Usage(input=tokens, estimated=True)
        self._put(self._finish(call, card, usage, None, None, 0, "none"))

    def close(self, call: Call, reply: TappedReply, failure: Failure | None) -> LogRow:
        """The row of a call whose reply ended, well or not."""
        card, usage = reply.card, reply.usage
        if failure is None and reply.stop is not None and reply.stop.reason == "other" and call.op == "chat":
            call.notices.append(
                Notice("broken-off", f"{card.label} ended its answer with {reply.stop.raw[:64]!r}.")
            )
        price = card.price
        cost: int | None
        if call.op == "count_tokens":  # no provider charges for it
            self._settle(call, usage, 0, failure)
            return self._finish(
                call, card, usage, failure, reply.stop, 0, "none", reply.first_ns, reply.began
            )
        if call.op in PASSED and call.op != "completions":  # pictures and sound have no text to estimate from
            cost = None if price is None else counted_cost_nano(usage or _NO_TOKENS, price)
        else:
            cut = failure is not None and reply.stop is None  # counts before the end are provisional
            usage = _believed(call, usage, reply, cut=cut)
            cost = None if price is None else cost_nano(usage, price)
        if self._ended is not None:
            self._ended(card, failure, cost or 0)
        self._settle(call, usage, cost, failure)
        if cost is not None and len(call.attempts) > 1:
            cost = sum([attempt.cost_nano or 0 for attempt in call.attempts])
        source = "unknown" if price is None or cost is None else price.source
        return self._finish(call, card, usage, failure, reply.stop, cost, source, reply.first_ns, reply.began)

    def let_go(self, call: Call, reply: TappedReply, row: LogRow, failure: Failure | None) -> None:
        """Write the row of a reply; `failure`: how handing it on failed, where it had ended well."""
        if failure is not None and row.error is None:
            status = 200 if reply.began else _status(call, failure)
            row = replace(row, error=failure.kind.value, error_message=failure.logged, status=status)
        self._put(row)

    def _settle(self, call: Call, usage: Usage | None, cost: int | None, failure: Failure | None) -> None:
        """The attempt that answered has ended, too."""
        attempt = call.serving
        if attempt is None:
            return
        attempt.ended_ns, attempt.usage, attempt.cost_nano = self._now_ns(), usage, cost
        if failure is not None:
            attempt.failure = failure

    def _finish(
        self,
        call: Call,
        card: Card | None,
        usage: Usage | None,
        failure: Failure | None,
        stop: Stop | None,
        cost: int | None,
        source: str,
        first_ns: int | None = None,
        began: bool = False,
    ) -> LogRow:
        now = self._now_ns()
        total_ms = (now - call.arrived_ns) / 1e6
        first_ms = None if first_ns is None else (first_ns - call.arrived_ns) / 1e6
        overhead_ms = call.overhead_ns(now) / 1e6
        reason = None if stop is None else stop.reason
        call.outcome = Outcome(usage, cost, source, reason, failure, first_ms, total_ms)
        plan, principal, controls = call.plan, call.principal, call.controls
        tier = task = None
        if plan is not None:
            tier = plan.tier.name if plan.tier is not None else (card.tier if card is not None else None)
            task = plan.task.name if plan.task is not None else None
        counted = usage or _NO_TOKENS
        known = usage is not None
        status = 200 if failure is None or began or call.answering else _status(call, failure)
        if card is None and call.attempts:
            card = call.attempts[-1].card
        return LogRow(
            id=call.number,
            time_ms=int(call.arrived_unix_s * 1000),
            worker=self._worker,
            key=principal.key,
            user=principal.user,
            team=principal.team,
            cost_center=controls.cost_center or principal.cost_center,
            dialect=call.dialect,
            op=call.op,
            stream=int(call.envelope.stream),
            priority=controls.priority,
            requested_model=call.envelope.model[:256],
            served_model=None if card is None else card.label,
            provider=None if card is None else card.provider,
            tier=tier,
            task=task or controls.task,
            input_tokens=counted.input if known else None,
            cache_read_tokens=counted.cache_read if known else None,
            cache_write_5m_tokens=counted.cache_write_5m if known else None,
            cache_write_1h_tokens=counted.cache_write_1h if known else None,
            output_tokens=counted.output if known else None,
            reasoning_tokens=counted.reasoning if known else None,
            input_audio_tokens=counted.input_audio if known else None,
            output_audio_tokens=counted.output_audio if known else None,
            usage_estimated=int(counted.estimated),
            first_token_ms=first_ms,
            total_ms=total_ms,
            overhead_ms=overhead_ms,
            cost_nano=cost,
            price_source=source,
            attempts=attempt_rows(call.attempts, call.arrived_ns),
            finish_reason=reason,
            cache_status=call.cache,
            status=status,
            error=None if failure is None else failure.kind.value,
            error_message=None if failure is None else failure.logged,
            notices=tuple([notice.code for notice in call.notices]),
            tags=controls.tags,
            violations=_violations(plan, failure),
            simulated=int(card is not None and card.simulated),
        )


def _violations(plan: Plan | None, failure: Failure | None) -> tuple[Violation, ...]:
    """Those of the decision; where there was none, those it was refused for."""
    if plan is not None:
        return plan.violations
    return failure.violations if failure is not None else ()


def _status(call: Call, failure: Failure) -> int:
    """What the client gets: the provider's own status where its refusal is passed on, else the table's."""
    told = failure.told
    return told.status if told is not None and told.dialect == call.dialect else failure.row.status


def _believed(call: Call, usage: Usage | None, reply: TappedReply, *, cut: bool) -> Usage:
    """What was reported, and an estimate for what was not or cannot be. A filter that blocked the prompt may have counted nothing."""
    output = -(-reply.characters // CHARACTERS_PER_TOKEN)
    if usage is None:
        return Usage(input=_prompt_estimate(call), output=output, estimated=True)
    blocked = reply.stop is not None and reply.stop.reason in _BLOCKED
    no_prompt = usage.prompt == 0 and not blocked
    no_output = usage.output == 0 and output > 0 and not blocked
    if cut or no_prompt or no_output:
        return replace(
            usage,
            input=_prompt_estimate(call) if no_prompt else usage.input,
            output=max(output, usage.output) if cut or no_output else usage.output,
            estimated=True,
        )
    return usage


_BLOCKED = frozenset({"content_filter", "refusal"})


def _prompt_estimate(call: Call) -> int:
    try:
        return estimate_tokens(call.request) if call.op in _TEXT else len(call.envelope.body) // 4
    except CallFailed:
        return len(call.envelope.body) // CHARACTERS_PER_TOKEN


def _later(old: Usage | None, new: Usage) -> Usage:
    """Each report replaces the one before it, but nothing undoes what was counted."""
    if old is None or ((new.prompt or not old.prompt) and (new.output or not old.output)):
        return new
    if not new.output:
        new = replace(new, output=old.output, reasoning=old.reasoning, output_audio=old.output_audio)
    if not new.prompt:
        new = replace(
            new,
            input=old.input,
            cache_read=old.cache_read,
            cache_write_5m=old.cache_write_5m,
            cache_write_1h=old.cache_write_1h,
            input_audio=old.input_audio,
        )
    return new


class TappedReply:
    """A reply under observation."""

    __slots__ = (
        "_automaton",
        "_call",
        "_reply",
        "_row",
        "_tap",
        "arrival",
        "card",
        "characters",
        "dialect",
        "first_ns",
        "stop",
        "streamed",
        "usage",
    )

    def __init__(self, tap: Tap, call: Call, reply: Reply) -> None:
        self._tap = tap
        self._call = call
        self._reply = reply
        self._automaton = Automaton()
        self._row: LogRow | None = None
        self.arrival = reply.arrival
        self.card = reply.card
        self.dialect: DialectName = reply.dialect
        self.streamed = reply.streamed
        self.first_ns = call.committed_ns = tap._now_ns()
        self.characters = 0
        self.usage: Usage | None = None
        self.stop: Stop | None = None

    @property
    def over(self) -> bool:
        return self._reply.over and self._automaton.ended

    @property
    def began(self) -> bool:
        """Is the client's answer one that begins before the reply has ended? Then its status was 200, however it goes on."""
        return self.streamed if self._call.op in PASSED else self._call.envelope.stream

    @property
    def content_type(self) -> bytes:
        return self._reply.content_type

    def ready(self) -> Sequence[Frame]:
        frames = self._reply.ready()
        automaton = self._automaton
        if not frames and (automaton.ended or not self._reply.over):
            return frames
        try:
            for frame in frames:
                for event in frame.events:
                    kind = type(event)
                    if not automaton.open:
                        self._see(event)
                    elif kind is TextDelta:  # most of a stream
                        self.characters += len(cast(TextDelta, event).text)
                    elif kind is Usage:
                        self.usage = _later(self.usage, cast(Usage, event))
                    elif kind is Stop:
                        self.stop = cast(Stop, event)
                    else:
                        self._see(event)
            if not frames:
                raise GrammarError("a reply without a terminal event")
        except GrammarError as error:
            return (self._breach(error),)
        return frames

    def _see(self, event: Event) -> None:
        self._automaton.accept(event)
        kind = type(event)
        if kind is Finished:
            self._row = self._tap.close(self._call, self, None)
        elif kind is Failed:
            self._row = self._tap.close(self._call, self, cast(Failed, event).failure)
        elif kind is TextDelta or kind is ReasoningDelta:
            self.characters += len(cast(TextDelta, event).text)
        elif kind is ToolDelta:
            self.characters += len(cast(ToolDelta, event).arguments)

    def _breach(self, error: GrammarError) -> Frame:
        """A codec of ours broke its law: say so on the error stream, and end the reply as failed."""
        sys.stderr.write(f"turnout: {self._call.id}: {self.card.label}: {error}\n")
        failure = Failure(Kind.INTERNAL, "Internal error.", provider=self.card.provider)
        self._reply.abort()
        if not self._automaton.ended:
            self._automaton.accept(Failed(failure))
            self._row = self._tap.close(self._call, self, failure)
        self._write(failure)
        return Frame(b"", (Failed(failure),))

    def abort(self, failure: Failure | None = None) -> None:
        self._reply.abort(failure)
        if not self._automaton.ended:
            why = failure or _LEFT
            self._automaton.accept(Failed(why))
            self._row = self._tap.close(self._call, self, why)
        self._write(failure)

    def _write(self, failure: Failure | None) -> None:
        """The row, once."""
        row, self._row = self._row, None
        if row is not None:
            self._tap.let_go(self._call, self, row, failure)
