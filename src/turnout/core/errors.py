"""The failure table: every way a call can fail, and what each part of the program does about it.

This is the most important data in the program. A kind is decided once, where the failure is seen (a codec
reading a status and a body, the transport, the edge); nobody downstream looks at status codes again. Each row
says four things, apart on purpose because gateways that merge them get them wrong:

- `retry_same`: may the same candidate be asked again, after a pause and after everybody else was asked once?
- `fall_back`: may another candidate be asked? (`larger`: only one with a larger context window)
- `health`: what it says about the candidate. `soft` counts in the success rate only, `hard` may open a breaker,
  `credential` speaks of the key and not of the endpoint, `none` of nobody.
- `billed`: may the provider have charged for it?

and what the client sees: an HTTP status and a stable `code`. The code is the kind's value in the header, the log and the
metrics; a body uses the word of its dialect where clients look for one (OpenAI's `context_length_exceeded`). An upstream 401 is *our* credential's trouble: the
client sees 502, never 401. A cut stream, an empty completion, an error event after HTTP 200 are failures of full
standing.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Literal

from msgspec import Struct


class Kind(Enum):
    # the caller's
    BAD_REQUEST = "bad_request"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_ROUTE = "unknown_route"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    UNSUPPORTED_CODING = "unsupported_coding"
    BODY_TIMEOUT = "body_timeout"
    CONTEXT_TOO_LONG = "context_too_long"
    CLIENT_DISCONNECT = "client_disconnect"
    # decided by policy
    NO_CANDIDATE = "no_candidate"
    BUDGET_EXCEEDED = "budget_exceeded"
    CONTENT_FILTERED = "content_filtered"
    OVERLOADED_HERE = "overloaded_here"
    SHUTTING_DOWN = "shutting_down"
    ALL_DOWN = "providers_unavailable"
    SUPERSEDED = "superseded"
    # the provider's word
    UPSTREAM_BAD_REQUEST = "upstream_bad_request"
    UPSTREAM_AUTH = "upstream_auth"
    UPSTREAM_NOT_FOUND = "upstream_not_found"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    UPSTREAM_ERROR = "upstream_error"
    STREAM_ERROR = "stream_error"
    EMPTY = "empty_completion"
    # the wire
    CONNECT = "connect_failed"
    TLS = "tls_failed"
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"
    STALLED = "stalled"
    DEADLINE = "deadline_exceeded"
    TRUNCATED = "truncated"
    MALFORMED = "malformed_reply"
    # ours
    INTERNAL = "internal"


Fallback = Literal["no", "yes", "larger"]
Health = Literal["none", "soft", "hard", "credential"]
Billed = Literal["no", "maybe", "yes"]


class Row(Struct, frozen=True):
    """One row of the table; `status` is what the client gets when this is the last word."""

    retry_same: bool
    fall_back: Fallback
    health: Health
    billed: Billed
    status: int


TABLE: dict[Kind, Row] = {
    #                          retry  fall back  health        billed   status
    Kind.BAD_REQUEST:         Row(False, "no",     "none",       "no",    400),
    Kind.UNAUTHENTICATED:     Row(False, "no",     "none",       "no",    401),
    Kind.FORBIDDEN:           Row(False, "no",     "none",       "no",    403),
    Kind.UNKNOWN_MODEL:       Row(False, "no",     "none",       "no",    404),
    Kind.UNKNOWN_ROUTE:       Row(False, "no",     "none",       "no",    404),
    Kind.UNSUPPORTED:         Row(False, "yes",    "none",       "no",    400),
    Kind.TOO_LARGE:           Row(False, "no",     "none",       "no",    413),
    Kind.UNSUPPORTED_CODING:  Row(False, "no",     "none",       "no",    415),
    Kind.BODY_TIMEOUT:        Row(False, "no",     "none",       "no",    408),
    Kind.CONTEXT_TOO_LONG:    Row(False, "larger", "none",       "no",    400),
    Kind.CLIENT_DISCONNECT:   Row(False, "no",     "none",       "yes",   499),
    Kind.NO_CANDIDATE:        Row(False, "no",     "none",       "no",    422),
    Kind.BUDGET_EXCEEDED:     Row(False, "no",     "none",       "no",    402),
    Kind.CONTENT_FILTERED:    Row(False, "no",     "none",       "maybe", 400),
    Kind.OVERLOADED_HERE:     Row(False, "no",     "none",       "no",    503),
    Kind.SHUTTING_DOWN:       Row(False, "no",     "none",       "no",    503),
    Kind.ALL_DOWN:            Row(False, "no",     "none",       "maybe", 503),
    Kind.SUPERSEDED:          Row(False, "no",     "none",       "yes",   499),
    Kind.UPSTREAM_BAD_REQUEST: Row(False, "no",    "none",       "no",    400),
    Kind.UPSTREAM_AUTH:       Row(False, "yes",    "credential", "no",    502),
    Kind.UPSTREAM_NOT_FOUND:  Row(False, "yes",    "credential", "no",    404),
    Kind.RATE_LIMITED:        Row(True,  "yes",    "soft",       "no",    429),
    Kind.QUOTA_EXHAUSTED:     Row(False, "yes",    "credential", "no",    429),
    Kind.OVERLOADED:          Row(True,  "yes",    "soft",       "no",    503),
    Kind.UPSTREAM_ERROR:      Row(True,  "yes",    "hard",       "maybe", 502),
    Kind.STREAM_ERROR:        Row(True,  "yes",    "hard",       "maybe", 502),
    Kind.EMPTY:               Row(True,  "yes",    "soft",       "yes",   502),
    Kind.CONNECT:             Row(True,  "yes",    "hard",       "no",    502),
    Kind.TLS:                 Row(False, "yes",    "hard",       "no",    502),
    Kind.CONNECT_TIMEOUT:     Row(False, "yes",    "hard",       "no",    504),
    Kind.FIRST_TOKEN_TIMEOUT: Row(False, "yes",    "hard",       "maybe", 504),
    Kind.STALLED:             Row(False, "yes",    "hard",       "maybe", 504),
    Kind.DEADLINE:            Row(False, "no",     "none",       "maybe", 504),
    Kind.TRUNCATED:           Row(True,  "yes",    "hard",       "maybe", 502),
    Kind.MALFORMED:           Row(True,  "yes",    "hard",       "maybe", 502),
    Kind.INTERNAL:            Row(False, "no",     "none",       "maybe", 500),
}  # fmt: skip


class Told(Struct, frozen=True):
    """A provider's own refusal, as sent. A client of the same dialect gets these bytes: its SDK knows what they mean.

    `headers` are those of its headers that the SDK reads, lower case: whether to ask again, and how much is left.
    """

    dialect: str
    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Removal(Struct, frozen=True, gc=False):
    """How many models one filter removed, for a caller who is left without any."""

    filter: str
    models: int


class Violation(Struct, frozen=True, gc=False):
    """An attempt to use what a rule forbids: the rule's stable filter name, and the model that was asked for by name.

    It says nothing of how the call ended: a forbidden model's fallback may have answered instead.
    """

    filter: str
    model: str


_QUOTED = re.compile(r"'(?:[^'\s]{65,}|[^']*\s[^']*)'(?=[\s.,:;)]|$)|\"(?:[^\"\s]{65,}|[^\"]*\s[^\"]*)\"")
"""What is too long for a name, or is more than one word."""


class Failure(Struct, frozen=True):
    """One failure, safe to show to the client: no secret, no prompt, no upstream body in `message`.

    `status` is the provider's HTTP status when there was one; `provider_code` its own code word;
    `param` the request field at fault; `retry_after_s` what the provider asked for; `told` the provider's own
    refusal, kept only where it speaks of the request or of the provider and not of our credentials. `details` count what each
    filter removed where no model is left; `violations` are for the log and the metrics, not for the client. `log` is what the log
    says where the message is a provider's own, which may quote the prompt.
    """

    kind: Kind
    message: str
    status: int | None = None
    provider_code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    provider: str | None = None
    told: Told | None = None
    details: tuple[Removal, ...] = ()
    violations: tuple[Violation, ...] = ()
    log: str | None = None

    @property
    def logged(self) -> str:
        """A sentence that quotes nobody at length: for the log, and for whatever may be printed."""
        return _QUOTED.sub("'…'", self.message) if self.log is None else self.log

    @property
    def row(self) -> Row:
        return TABLE[self.kind]

    @property
    def code(self) -> str:
        return self.kind.value


class CallFailed(Exception):
    """Carries a `Failure` up to whoever can act on it. The edge turns the last one into a reply."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.kind.value}: {failure.logged}")
        self.failure = failure


def fail(
    kind: Kind,
    message: str,
    *,
    param: str | None = None,
    details: tuple[Removal, ...] = (),
    violations: tuple[Violation, ...] = (),
) -> CallFailed:
    """Shorthand to raise a failure that is decided here rather than by a provider."""
    return CallFailed(Failure(kind, message, param=param, details=details, violations=violations))
