"""What Turnout says beside the model's words: response headers and the `turnout` object.

Headers and object are made from the same facts, so they cannot disagree. Everything here is derived from the call; nothing is
remembered. Values that come from callers are never echoed into a header.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from turnout.core.call import Call
from turnout.core.card import Card
from turnout.core.errors import Failure
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
    if call.dropped:
        head.add(b"x-turnout-dropped", ",".join(call.dropped).encode("ascii", "replace"))
    return head


def _codes(call: Call) -> list[str]:
    return list(dict.fromkeys(notice.code for notice in call.notices))


def tier_of(call: Call, card: Card) -> str:
    """The tier that was decided on; without a decision, the model's own."""
    plan = call.plan
    return plan.tier.name if plan is not None and plan.tier is not None else card.tier


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
        if failure.retry_after_s is not None:
            head.add(b"retry-after", b"%d" % max(1, round(failure.retry_after_s)))
    return head


def annotation(call: Call, card: Card, *, whole: bool) -> bytes:
    """The `turnout` object; `whole` when the call has ended and its cost is known."""
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
        )
    )


def cost_usd(call: Call) -> bytes | None:
    """What the call cost, as a plain decimal; `None` while or when that is unknown."""
    outcome = call.outcome
    if outcome is None or outcome.cost_nano is None:
        return None
    return format_usd(outcome.cost_nano).encode()
