"""Google's typed error details (`google.rpc`), which come in Google's own dialect and in those that Google speaks besides (OpenAI's, Anthropic's).

Promise: a violated quota, a delay and a reason are read from the details, whatever else stands there; a detail of another shape is skipped. What is
typed is not looked for in prose. It must not know the envelope that the details came in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from turnout.core.errors import Kind
from turnout.wire.overflow import overflows
from turnout.wire.prose import unquoted

WORDS = frozenset({"RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"})
"""Status words that cover several conditions, so that only details or prose tell them apart."""

_BAD_KEY = re.compile(
    r"api[ _]key (?:not valid|not found|expired|is invalid)|(?:invalid|expired) api[ _]key", re.IGNORECASE
)
_BAD_KEY_REASONS = frozenset(
    {"API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED", "BILLING_DISABLED"}
)
_NO_CREDIT = re.compile(
    r"\bprepay|credits? (?:are|is|has|have|balance)|\bbilling (?:account|is|has)[^.]{0,40}(?:disabled|closed|not (?:been )?enabled|past due)"
    r"|spend(?:ing)? (?:cap|limit)",
    re.IGNORECASE,
)
_LONG_PERIOD = re.compile(r"per_?(?:day|month|week)", re.IGNORECASE)
_FILTERED = re.compile(r"content policy|safety (?:filter|polic)|responsible ai|prohibited use", re.IGNORECASE)
_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


class Violation(Struct, rename="camel"):
    field: str | None = None
    quota_id: str | None = None
    quota_metric: str | None = None
    quota_value: str | int | None = None


class Detail(Struct, rename="camel"):
    type: str | None = msgspec.field(name="@type", default=None)
    reason: str | None = None
    retry_delay: str | None = None
    violations: list[Violation] | None = None
    field_violations: list[Violation] | None = None


def read_details(details: object) -> list[Detail]:
    """From a decoded `details` member, whatever it is."""
    found = []
    for item in details if isinstance(details, list) else ():
        try:
            found.append(msgspec.convert(item, Detail))
        except msgspec.ValidationError:
            continue  # a kind of detail that has these members in another shape
    return found


def delay_s(details: Sequence[Detail]) -> float | None:
    """`RetryInfo.retryDelay`, a duration such as `15.002s`."""
    for detail in details:
        match = _DELAY.fullmatch(detail.retry_delay or "")
        if match is not None:
            return float(match[1])
    return None


def refined(kind: Kind, message: str, details: Sequence[Detail]) -> Kind:
    """Conditions that share the words RESOURCE_EXHAUSTED and INVALID_ARGUMENT: by their details, else by their prose."""
    if kind is Kind.UPSTREAM_BAD_REQUEST:
        return _bad_request(message, details)
    if kind is Kind.RATE_LIMITED and _is_used_up(message, details):
        return Kind.QUOTA_EXHAUSTED
    return kind


def _bad_request(message: str, details: Sequence[Detail]) -> Kind:
    reasons = {detail.reason for detail in details if detail.reason}
    if reasons & _BAD_KEY_REASONS:
        return Kind.UPSTREAM_AUTH
    if any(detail.field_violations for detail in details):  # a field of the request is at fault
        return Kind.CONTEXT_TOO_LONG if overflows(unquoted(message)) else Kind.UPSTREAM_BAD_REQUEST
    prose = unquoted(message)
    if _BAD_KEY.search(prose):
        return Kind.UPSTREAM_AUTH
    if overflows(prose):
        return Kind.CONTEXT_TOO_LONG
    if _NO_CREDIT.search(prose):
        return Kind.QUOTA_EXHAUSTED
    return Kind.CONTENT_FILTERED if _FILTERED.search(prose) else Kind.UPSTREAM_BAD_REQUEST


def _is_used_up(message: str, details: Sequence[Detail]) -> bool:
    """A quota for a day or more, a quota of zero, or money: waiting a minute does not help."""
    violations = [violation for detail in details for violation in detail.violations or ()]
    if violations:
        return any(
            str(violation.quota_value) == "0"
            or _LONG_PERIOD.search(f"{violation.quota_id} {violation.quota_metric}") is not None
            for violation in violations
        )
    return delay_s(details) is None and _NO_CREDIT.search(unquoted(message)) is not None
