"""Cards, calls and a scripted provider for layer tests: the layers take functions, so no socket is needed here."""

from __future__ import annotations

import time
from collections.abc import Sequence

from turnout.core.attempt import Attempt
from turnout.core.call import ANONYMOUS, Call, Controls, Envelope, Plan, Reply
from turnout.core.card import Card, Tier
from turnout.core.errors import CallFailed, Failure, Kind
from turnout.core.events import Event, Finished, Frame, Started, Stop, TextDelta, Usage
from turnout.core.model import DialectName, Message, Request, Text
from turnout.core.money import Price, Rates

PRICE = Price(Rates(input=1_000_000, output=2_000_000), source="test")


def card(
    name: str, *, tier: Tier = "standard", window: int | None = None, price: Price | None = PRICE
) -> Card:
    return Card(name, "p-" + name, name, "openai_chat", tier, context_window=window, price=price)


def a_call(*cards: Card, deadline_ms: int | None = None, stream: bool = True) -> Call:
    body = b'{"model":"m"}'
    call = Call(
        number=1,
        op="chat",
        dialect="openai_chat",
        envelope=Envelope("m", stream, False, {}, body),
        controls=Controls(deadline_ms=deadline_ms),
        principal=ANONYMOUS,
        decode=lambda _: Request("openai_chat", "m", (Message("user", (Text("hello there"),)),)),
        arrived_ns=time.perf_counter_ns(),
        arrived_unix_s=time.time(),
    )
    call.plan = Plan(cards or (card("a"),))
    return call


def kind_of(attempt: Attempt) -> Kind | None:
    return None if attempt.failure is None else attempt.failure.kind


def failed(kind: Kind, retry_after_s: float | None = None) -> CallFailed:
    return CallFailed(Failure(kind, kind.value, retry_after_s=retry_after_s))


HELLO: tuple[Event, ...] = (
    Started("id", "m"),
    TextDelta("Hello"),
    TextDelta(" you"),
    Stop("stop", "stop"),
    Usage(input=10, output=2),
    Finished(),
)


class ScriptedReply:
    """A reply that delivers its events one frame each."""

    streamed = True
    dialect: DialectName = "openai_chat"

    def __init__(self, model: Card, events: Sequence[Event] = HELLO) -> None:
        self.card = model
        self.left = [Frame(b"x", (event,)) for event in events]
        self.aborted = False
        self.content_type = b""

    @property
    def over(self) -> bool:
        return not self.left

    def arrival(self) -> None:
        return None

    def ready(self) -> Sequence[Frame]:
        return (self.left.pop(0),) if self.left else ()

    def abort(self, failure: Failure | None = None) -> None:
        self.aborted = True
        self.left = []


class Script:
    """`connect` by a list of steps for each card: an exception to raise, or a reply to give."""

    def __init__(self, steps: dict[str, list[CallFailed | Reply]]) -> None:
        self.steps = steps
        self.asked: list[str] = []

    async def connect(self, call: Call, attempt: Attempt) -> Reply:
        attempt.sent = True
        self.asked.append(attempt.card.name)
        step = self.steps[attempt.card.name].pop(0)
        if isinstance(step, CallFailed):
            raise step
        return step
