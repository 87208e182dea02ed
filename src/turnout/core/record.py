"""One row a request: the single schema of the request log, whatever the provider and the dialect.

Everything that reports on traffic (log pages, metrics, spend, alerts) is derived from these rows, so nothing
is counted twice or in two ways. Prompts and replies are never in a row.
"""

from __future__ import annotations

from msgspec import Struct

from turnout.core.attempt import Attempt, Cause
from turnout.core.call import request_id_text
from turnout.core.errors import Kind, Violation


class AttemptRow(Struct, frozen=True, gc=False, omit_defaults=True):
    """One try as it is kept. Offsets are milliseconds from the call's arrival; `failure` is `None` on success.

    A reply that broke after it had begun has its failure too. `cost_nano` is what this try cost, `None` where nobody knows.
    """

    model: str
    started_ms: float
    ended_ms: float
    failure: Kind | None = None
    status: int | None = None
    cost_nano: int | None = None
    cause: Cause = "first"


def attempt_rows(attempts: list[Attempt], arrived_ns: int) -> tuple[AttemptRow, ...]:
    """Tries as they are kept; one that was sent twice is two."""
    rows: list[AttemptRow] = []
    for one in attempts:
        begun_ns, cause = one.begun_ns, one.cause
        if one.resent_ns:
            begun_ms, resent_ms = (begun_ns - arrived_ns) / 1e6, (one.resent_ns - arrived_ns) / 1e6
            rows.append(AttemptRow(one.card.label, begun_ms, resent_ms, Kind.TRUNCATED, cause=cause))
            begun_ns, cause = one.resent_ns, "retry"
        failure = one.failure
        rows.append(
            AttemptRow(
                one.card.label,
                (begun_ns - arrived_ns) / 1e6,
                ((one.ended_ns or begun_ns) - arrived_ns) / 1e6,
                None if failure is None else failure.kind,
                None if failure is None else failure.status,
                one.cost_nano,
                cause,
            )
        )
    return tuple(rows)


class LogRow(Struct, frozen=True, gc=False, array_like=True):
    """Times: `time_ms` Unix milliseconds at arrival; durations in milliseconds. Money in nano-dollars.

    `cost_nano` is `None` when no price is known (`price_source` then says `unknown`); it is 0 only when nothing was
    charged, and includes what tries that did not answer cost. `served_model` and `provider` are who answered, or, when nobody did, who
    was asked last. `violations` are attempts to use what a rule forbids, whoever answered in the end. Token columns are
    `None` when nobody counted; `usage_estimated` marks counts that Turnout made itself. What a `simulated` model answered
    and cost is invented.
    `id` is a 63-bit integer that grows with time; `request_id` is its public spelling.
    """

    id: int
    time_ms: int
    worker: int
    key: str
    user: str | None
    team: str | None
    cost_center: str | None
    dialect: str
    op: str
    stream: int
    priority: str
    requested_model: str
    served_model: str | None
    provider: str | None
    tier: str | None
    task: str | None
    input_tokens: int | None
    cache_read_tokens: int | None
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    input_audio_tokens: int | None
    output_audio_tokens: int | None
    usage_estimated: int
    first_token_ms: float | None
    total_ms: float
    overhead_ms: float
    cost_nano: int | None
    price_source: str
    attempts: tuple[AttemptRow, ...]
    finish_reason: str | None
    cache_status: str
    status: int
    error: str | None
    error_message: str | None
    notices: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    violations: tuple[Violation, ...] = ()
    simulated: int = 0

    @property
    def request_id(self) -> str:
        return request_id_text(self.id)
