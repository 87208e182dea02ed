"""What the library raises: one tree, with branches only where a program would do different things.

    TurnoutError
    ├── BadRequest          change the request: it is malformed, too long, refused, or names what is not there
    ├── NoCandidate         the rules (of the key, a policy, a compliance tag) leave no model for it
    ├── BudgetExceeded      every model that may answer costs more than is allowed
    ├── RateLimited         the providers refuse for now, or a quota is used up; see `retry_after_s`
    ├── Timeout             a deadline passed, the caller's own or a configured one
    ├── Unavailable         no provider could answer, or the reply broke; trying again later may help
    └── ConfigurationError  the client cannot start

What is the program's own mistake (a client that is not open, an unknown keyword) is Python's `RuntimeError` or `TypeError`.
"""

from __future__ import annotations

from turnout.core.errors import Failure, Kind


class TurnoutError(Exception):
    """A call that failed; raised as such for defects of Turnout itself only (`internal`).

    `code`: stable word for the kind, the same that the gateway answers with. `status`: the HTTP status the gateway would answer
    with (a provider's own, where its refusal is passed on). `message`: a sentence for people, perhaps in the provider's words. `retry_after_s`: seconds to wait, where the provider said
    so. `request_id`: the row in the request log; empty where there is none. `failure`: everything that is known of it.
    """

    def __init__(self, failure: Failure, request_id: str = "", status: int | None = None) -> None:
        super().__init__(failure, request_id, status)
        self.failure = failure
        self.request_id = request_id
        self.status = failure.row.status if status is None else status

    @property
    def code(self) -> str:
        return self.failure.code

    @property
    def message(self) -> str:
        return self.failure.message

    @property
    def retry_after_s(self) -> float | None:
        return self.failure.retry_after_s

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({self.request_id})" if self.request_id else "")


class BadRequest(TurnoutError):
    """The request itself is at fault; `failure.param` names the member, where one is known."""


class NoCandidate(TurnoutError):
    """The rules leave no model; `failure.details` count what each filter removed."""


class BudgetExceeded(TurnoutError):
    """Nothing was sent: every model that may answer would cost more than the budget or the price ceiling allows."""


class RateLimited(TurnoutError):
    """The providers refuse for now (`rate_limited`), or a quota is used up (`quota_exhausted`)."""


class Timeout(TurnoutError):
    """A deadline passed: `deadline_exceeded` is the caller's own `deadline_ms`."""


class Unavailable(TurnoutError):
    """No provider could answer, the reply broke, or this client is closing or full."""


class ConfigurationError(TurnoutError):
    """The client cannot start: the message says what is wrong, with file and line where a file was read."""

    def __init__(self, message: str) -> None:
        super().__init__(Failure(Kind.INTERNAL, message))
        self.args = (message,)

    @property
    def code(self) -> str:
        return "bad_configuration"


_OF_KIND: dict[Kind, type[TurnoutError]] = {
    Kind.NO_CANDIDATE: NoCandidate,
    Kind.FORBIDDEN: NoCandidate,
    Kind.BUDGET_EXCEEDED: BudgetExceeded,
    Kind.RATE_LIMITED: RateLimited,
    Kind.QUOTA_EXHAUSTED: RateLimited,
    Kind.INTERNAL: TurnoutError,
    **dict.fromkeys(
        (
            Kind.BAD_REQUEST,
            Kind.UNAUTHENTICATED,
            Kind.UNKNOWN_MODEL,
            Kind.UNKNOWN_ROUTE,
            Kind.UNSUPPORTED,
            Kind.TOO_LARGE,
            Kind.CONTEXT_TOO_LONG,
            Kind.CONTENT_FILTERED,
            Kind.UPSTREAM_BAD_REQUEST,
        ),
        BadRequest,
    ),
    **dict.fromkeys(
        (
            Kind.UNSUPPORTED_CODING,
            Kind.BODY_TIMEOUT,
            Kind.CONNECT_TIMEOUT,
            Kind.FIRST_TOKEN_TIMEOUT,
            Kind.STALLED,
            Kind.DEADLINE,
        ),
        Timeout,
    ),
}


def error_of(failure: Failure, request_id: str = "", status: int | None = None) -> TurnoutError:
    """The exception for a failure; what is not the caller's and no defect of ours is `Unavailable`.

    `status`: where it is not the one of the failure's kind.
    """
    return _OF_KIND.get(failure.kind, Unavailable)(failure, request_id, status)
