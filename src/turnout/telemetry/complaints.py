"""What the operator is told of failing providers: one line for each provider and kind of failure, at most one a minute.

Promise: the first failure of a kind is told at once, those that follow are counted and told with the next line; nothing of a request is
in a line, and nothing that a provider wrote: the provider's name, the model, the failure's kind and the HTTP status. What says
nothing of a provider (a caller's mistake, a client that left) makes no line. Bounded by the providers and kinds there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from turnout.core.errors import TABLE, Kind
from turnout.core.record import AttemptRow, LogRow

QUIET_S = 60.0
PAIRS_MAX = 1_024


class _Told(Struct):
    at: float
    since: int = 0


class Complaints:
    """Fed with rows off the hot path. `say` writes a line; `now_s` is any monotonic clock."""

    def __init__(self, say: Callable[[str], None], now_s: Callable[[], float]) -> None:
        self._say = say
        self._now_s = now_s
        self._told: dict[tuple[str, Kind], _Told] = {}

    def observe(self, rows: Sequence[LogRow]) -> None:
        for row in rows:
            for attempt in row.attempts:
                if attempt.failure is not None and TABLE[attempt.failure].health != "none":
                    self._complain(attempt, attempt.failure, row.request_id)

    def _complain(self, attempt: AttemptRow, kind: Kind, request_id: str) -> None:
        provider = attempt.model.partition("/")[0]
        now = self._now_s()
        told = self._told.get((provider, kind))
        if told is not None and now - told.at < QUIET_S:
            told.since += 1
            return
        if told is None and len(self._told) >= PAIRS_MAX:
            self._told.clear()
        more = f", {told.since} more since the last such line" if told is not None and told.since else ""
        self._told[provider, kind] = _Told(now)
        status = f" (HTTP {attempt.status})" if attempt.status is not None else ""
        hint = "; check the provider's key" if TABLE[kind].health == "credential" else ""
        self._say(f"{provider}: {kind.value}{status} from {attempt.model}, in {request_id}{more}{hint}")
