"""What Turnout says beside the model's words: response headers and the `turnout` object.

Headers and object are made from the same facts, so they cannot disagree. Everything here is derived from the call; nothing is
remembered. Values that come from callers are never echoed into a header.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from turnout.core.call import Call, Reply
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


_encode = msgspec.json.Encoder().encode


def card_label(card: Card) -> bytes:
    """`provider/model` as a header value."""
    return card.label.encode("ascii", "backslashreplace")


def reply_headers(call: Call, reply: Reply, content_type: Header, label: bytes) -> list[Header]:
    """Response headers of an answered call."""
    request_id = call.id.encode()
    headers: list[Header] = [
        content_type,
        (b"x-turnout-request-id", request_id),
        (b"x-request-id", request_id),
        (b"x-turnout-model", label),
        (b"x-turnout-attempts", b"%d" % len(call.attempts)),
        (b"x-turnout-cache", call.cache.encode()),
        (b"x-turnout-overhead-ms", b"%.3f" % overhead_ms(call)),
    ]
    plan = call.plan
    headers.append((b"x-turnout-tier", tier_of(call, reply.card).encode()))
    if plan is not None and plan.task is not None:
        headers.append((b"x-turnout-task", plan.task.name.encode()))
    if call.dialect == "anthropic":
        headers.append((b"request-id", request_id))
    if call.notices:
        headers.extend((b"x-turnout-notice", code.encode()) for code in _codes(call))
    if call.dropped:
        headers.append((b"x-turnout-dropped", ",".join(call.dropped).encode("ascii", "replace")))
    return headers


def _codes(call: Call) -> list[str]:
    return list(dict.fromkeys(notice.code for notice in call.notices))


def tier_of(call: Call, card: Card) -> str:
    """The tier that was decided on; without a decision, the model's own."""
    plan = call.plan
    return plan.tier.name if plan is not None and plan.tier is not None else card.tier


def overhead_ms(call: Call) -> float:
    """Time from arrival to the attempt's end that was not spent waiting for a provider."""
    if not call.attempts:
        return 0.0
    return max(0.0, call.attempts[-1].ended_ms - call.upstream_ns / 1e6)


def error_headers(call: Call, failure: Failure | None) -> list[Header]:
    request_id = call.id.encode()
    headers: list[Header] = [
        JSON_TYPE,
        (b"x-turnout-request-id", request_id),
        (b"x-request-id", request_id),
        (b"x-turnout-attempts", b"%d" % len(call.attempts)),
    ]
    if failure is not None:
        headers.append((b"x-turnout-error", failure.code.encode()))
    if call.dialect == "anthropic":
        headers.append((b"request-id", request_id))
    if failure is not None and failure.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, round(failure.retry_after_s))))
    return headers


def annotation(call: Call, card: Card, *, whole: bool) -> bytes:
    """The `turnout` object; `whole` when the call has ended and its cost is known."""
    outcome = call.outcome if whole else None
    plan = call.plan
    return _encode(
        Annotation(
            request_id=call.id,
            model=card.label,
            tier=tier_of(call, card),
            task=plan.task.name if plan is not None and plan.task is not None else None,
            attempts=len(call.attempts),
            cache=call.cache,
            cost_usd=None if outcome is None or outcome.cost_nano is None else outcome.cost_nano / 1e9,
            price=None if outcome is None else outcome.price_source,
            overhead_ms=round(overhead_ms(call), 3),
            notices=tuple([NoticeText(n.code, n.message) for n in call.notices]),
            dropped=call.dropped,
        )
    )


def cost_header(call: Call) -> Header | None:
    outcome = call.outcome
    if outcome is None or outcome.cost_nano is None:
        return None
    return (b"x-turnout-cost-usd", format_usd(outcome.cost_nano).encode())
