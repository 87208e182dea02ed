"""What tests and people do to a provider behind its back: set faults and limits, read counters, look at what arrived.

The same object serves `/_sim/…` on the provider's own origin and, in process, whoever holds the `SimServer`.
"""

from __future__ import annotations

from collections import deque

import msgspec
from msgspec import Struct

from turnout.sim.faults import Faults, Rule
from turnout.sim.limits import Limits
from turnout.sim.server import Counters, Request

KEPT_REQUESTS_MAX = 200
KEPT_BODY_BYTES_MAX = 64 * 1024
_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"})


class Seen(Struct, frozen=True):
    """A request that arrived. Keys are masked; a long body is cut at `KEPT_BODY_BYTES_MAX`."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class Stats(Struct, frozen=True):
    """`open` requests are being answered now; `cancelled` ones lost their client before the answer was whole."""

    requests: int
    open: int
    cancelled: int
    connections: int
    bytes_in: int
    bytes_out: int


class Limit(Struct, frozen=True):
    model: str
    requests_per_minute: int


class Control:
    """One provider's. `faults.add(Rule(Fault("hang"), times=1))`, `limits.set("gpt-4o", 2)`."""

    def __init__(self, seed: int, *, binding: bool) -> None:
        self.counters = Counters()
        self.faults = Faults(seed)
        self.limits = Limits(binding=binding)
        self._seen: deque[Seen] = deque(maxlen=KEPT_REQUESTS_MAX)

    def remember(self, request: Request) -> None:
        headers = {
            name: "***" if name in _SECRET_HEADERS else value for name, value in request.headers.items()
        }
        body = request.body[:KEPT_BODY_BYTES_MAX].decode("utf-8", "replace")
        self._seen.append(Seen(request.method, request.path, headers, body))

    def requests(self, last: int = KEPT_REQUESTS_MAX) -> list[Seen]:
        """The most recent ones, oldest first."""
        return list(self._seen)[-last:] if last else []

    def stats(self, *, asking: int = 0) -> Stats:
        """`asking` requests are about this very question and do not count as open."""
        now = self.counters
        return Stats(
            now.requests, now.open - asking, now.cancelled, now.connections, now.bytes_in, now.bytes_out
        )

    def serve(self, request: Request) -> tuple[int, bytes]:
        """Status and body of a request to `/_sim/…`."""
        try:
            return self._answer(request)
        except (ValueError, msgspec.MsgspecError) as problem:
            return 400, msgspec.json.encode({"error": str(problem)})

    def _answer(self, request: Request) -> tuple[int, bytes]:
        match request.method, request.path.removeprefix("/_sim/"):
            case "GET", "stats":
                return 200, msgspec.json.encode(self.stats(asking=1))
            case "GET", "requests":
                last = request.query.removeprefix("last=")
                seen = self.requests(int(last) if last.isdigit() else KEPT_REQUESTS_MAX)
                return 200, msgspec.json.encode({"requests": seen})
            case "DELETE", "requests":
                self._seen.clear()
            case "GET", "faults":
                return 200, msgspec.json.encode({"faults": self.faults.rules})
            case "POST", "faults":
                self.faults.read(request.body)
            case "DELETE", "faults":
                self.faults.rules.clear()
            case "POST", "limits":
                limit = msgspec.json.decode(request.body, type=Limit)
                self.limits.set(limit.model, limit.requests_per_minute)
            case _:
                return 404, b'{"error":"there are stats, requests, faults and limits"}'
        return 200, b"{}"


__all__ = ["Control", "Limit", "Rule", "Seen", "Stats"]
