"""What Turnout says beside the model's words: response headers and the `turnout` object.

Headers and object are made from the same facts, so they cannot disagree. Everything here is derived from the call; nothing is
remembered. Values that come from callers are never echoed into a header.
"""

from __future__ import annotations

import math

import msgspec
from msgspec import Struct

from turnout.core.call import Call
from turnout.core.card import Card
from turnout.core.errors import Failure, Kind
from turnout.core.money import format_usd

Header = tuple[bytes, bytes]
JSON_TYPE: Header = (b"content-type", b"application/json")


class NoticeText(Struct, frozen=True):
    code: str
    message: str


class Annotation(Struct, frozen=True, omit_defaults=True):
    """The `turnout` object of a body or of a stream's first and last chunk."""

    request_id: str
    model: str | None = None
    tier: str | None = None
    task: str | None = None
    attempts: int | None = None
    cache: str | None = None
    cost_usd: float | None = None
    price: str | None = None
    overhead_ms: float | None = None
    notices: tuple[NoticeText, ...] = ()
    dropped: tuple[str, ...] = ()
    simulated: bool = False
    usage_estimated: bool = False


_encode = msgspec.json.Encoder().encode


def card_label(card: Card) -> bytes:
    """`provider/model` as a header value."""
    return card.label.encode("ascii", "backslashreplace")


class Head:
    """Response header lines being written. `lines` counts them, so that a value with a line break is found out."""

    __slots__ = ("data", "lines")

    def __init__(self, data: bytes, lines: int) -> None:
        self.data = data
        self.lines = lines

    def add(self, name: bytes, value: bytes) -> None:
        self.data += b"%b: %b\r\n" % (name, value)
        self.lines += 1

    def pairs(self) -> list[Header]:
        """The same as ASGI wants it. Raises `ValueError` when a value holds a line break."""
        found = self.data.split(b"\r\n")[:-1]
        if len(found) != self.lines or self.data.count(b"\n") != self.lines:
            raise ValueError("a line break in a response header")
        return [(name, value) for name, _, value in (line.partition(b": ") for line in found)]


def reply_head(call: Call, card: Card, content_type: bytes, label: bytes) -> Head:
    """Header lines of an answered call."""
    request_id = call.id.encode()
    plan = call.plan
    head = Head(
        b"content-type: %b\r\nx-turnout-request-id: %b\r\nx-request-id: %b\r\nx-turnout-model: %b\r\nx-turnout-attempts: %d\r\n"
        b"x-turnout-cache: %b\r\nx-turnout-overhead-ms: %.3f\r\nx-turnout-tier: %b\r\n"
        % (
            content_type,
            request_id,
            request_id,
            label,
            call.tries,
            call.cache.encode(),
            call.overhead_ns(0) / 1e6,
            tier_of(call, card).encode(),
        ),
        8,
    )
    if card.simulated:
        head.add(b"x-turnout-simulated", b"true")
    if plan is not None and plan.task is not None:
        head.add(b"x-turnout-task", plan.task.name.encode())
    if call.dialect == "anthropic":
        head.add(b"request-id", request_id)
    for code in _codes(call) if call.notices else ():
        head.add(b"x-turnout-notice", code.encode())
    serving = call.serving
    if serving is not None and serving.limits and serving.card.dialect == call.dialect:
        for name, value in serving.limits:
            head.add(name, value)
    if call.dropped:
        head.add(b"x-turnout-dropped", ",".join(call.dropped).encode("ascii", "replace"))
    return head


def _codes(call: Call) -> list[str]:
    return list(dict.fromkeys(notice.code for notice in call.notices))


def tier_of(call: Call, card: Card) -> str:
    """The tier that was decided on; without a decision, the model's own."""
    plan = call.plan
    return plan.tier.name if plan is not None and plan.tier is not None else card.tier


def waiting_head(call: Call, content_type: bytes) -> Head:
    """Header lines of a stream whose model is not known yet."""
    request_id = call.id.encode()
    head = Head(b"content-type: %b\r\n" % content_type, 1)
    head.add(b"x-turnout-request-id", request_id)
    head.add(b"x-request-id", request_id)
    if call.dialect == "anthropic":
        head.add(b"request-id", request_id)
    head.add(b"cache-control", b"no-cache")
    head.add(b"x-accel-buffering", b"no")
    return head


def error_head(call: Call, failure: Failure | None) -> Head:
    """Header lines of a call that got no model's answer."""
    request_id = call.id.encode()
    head = Head(b"content-type: application/json\r\n", 1)
    head.add(b"x-turnout-request-id", request_id)
    head.add(b"x-request-id", request_id)
    head.add(b"x-turnout-attempts", b"%d" % call.tries)
    if call.dialect == "anthropic":
        head.add(b"request-id", request_id)
    if failure is not None:
        head.add(b"x-turnout-error", failure.code.encode())
        _add_return(head, call, failure)
    return head


def _add_return(head: Head, call: Call, failure: Failure) -> None:
    """When to come back, and whether an official SDK should do so by itself: it retries on top of Turnout.

    Where the provider's own refusal is passed on, its word on that is, too. SDKs sleep as long as they are told: the wait is bounded, and
    where it is long they are told not to.
    """
    wait_s = failure.retry_after_s
    if wait_s is not None:
        head.add(b"retry-after", b"%d" % max(1, math.ceil(min(wait_s, RETRY_AFTER_S_MAX))))
        if call.dialect in _OPENAI:
            head.add(b"retry-after-ms", b"%d" % max(1, math.ceil(min(wait_s, RETRY_AFTER_S_MAX) * 1000)))
    told = failure.told
    passed = told.headers if told is not None and told.dialect == call.dialect else ()
    for name, value in passed:
        head.add(name, value)
    if call.dialect not in _RETRYING or any(name == b"x-should-retry" for name, _ in passed):
        return
    again = should_retry(failure)
    if again is not None:
        head.add(b"x-should-retry", b"true" if again else b"false")


RETRY_AFTER_S_MAX = 120
RETRY_WITHIN_S = 60
_OPENAI = frozenset({"openai_chat", "openai_responses"})
_RETRYING = _OPENAI | {"anthropic"}
"""Dialects whose official SDKs obey `x-should-retry`."""
_PASSING = frozenset({Kind.OVERLOADED, Kind.OVERLOADED_HERE, Kind.RATE_LIMITED, Kind.SHUTTING_DOWN})
_UNDECIDED = frozenset({Kind.CONNECT, Kind.CONNECT_TIMEOUT, Kind.BODY_TIMEOUT})
"""Nothing was done and nothing charged: what a client does by itself is as good as any advice."""


def should_retry(failure: Failure) -> bool | None:
    """Does asking again soon promise anything, at no price? `None`: no advice.

    All that a refused credential, a bad request, a budget or a rule said is said again; what a provider may charge for would be
    charged twice, and Turnout has asked everybody who might answer.
    """
    if failure.retry_after_s is not None and failure.retry_after_s > RETRY_WITHIN_S:
        return False
    if failure.kind in _PASSING:
        return True
    return None if failure.kind in _UNDECIDED else False


def annotation(call: Call, card: Card, *, whole: bool, estimated: bool = False) -> bytes:
    """The `turnout` object; `whole` when the call has ended and its cost is known; `estimated`: are the counts so far?"""
    outcome = call.outcome if whole else None
    plan = call.plan
    cost = None if outcome is None or outcome.cost_nano is None else outcome.cost_nano / 1e9
    price = None if outcome is None else outcome.price_source
    task = plan.task.name if plan is not None and plan.task is not None else None
    overhead = round(call.overhead_ns(0) / 1e6, 3)
    notices = tuple([NoticeText(n.code, n.message) for n in call.notices]) if call.notices else ()
    return _encode(
        Annotation(
            call.id,
            card.label,
            tier_of(call, card),
            task,
            call.tries,
            call.cache,
            cost,
            price,
            overhead,
            notices,
            call.dropped,
            card.simulated,
            estimated if outcome is None else outcome.usage is not None and outcome.usage.estimated,
        )
    )


def cost_usd(call: Call) -> bytes | None:
    """What the call cost, as a plain decimal; `None` while or when that is unknown."""
    outcome = call.outcome
    if outcome is None or outcome.cost_nano is None:
        return None
    return format_usd(outcome.cost_nano).encode()
