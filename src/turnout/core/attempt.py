"""One try at one candidate, from its beginning to its end: the record that log, ledger, metrics and traces read.

Promise: whatever belongs to a try is here and not on the call, so tries may run beside each other. Each field has one writer:
`failover` begins and ends a try, `upstream` notes what it sent and what the provider reported, the tap settles the
try that answered. Times are nanoseconds of the monotonic clock; money is nano-dollars.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from turnout.core.card import Card
from turnout.core.errors import Failure
from turnout.core.events import Usage

Cause = Literal["first", "fallback", "retry", "hedge", "resume"]


class Attempt(Struct, gc=False, eq=False):
    """Mutable, and compared by identity: two tries at one card are two tries.

    `sent`: some of the request may have left. `resent_ns`: when it was sent a second time because the kept connection that took it
    had been closed (0: it was not). `waited_ns`: how long the gateway waited for the provider. `dropped`: what the provider's dialect
    could not say; `guessed_max` the largest output that was asked for because the dialect demands a number and nobody had one. `limits`: the
    provider's headers of rate limits, which a client of the same dialect gets. `usage` is what the provider reported, `cost_nano`
    what the try cost; `None` where nobody knows.
    """

    card: Card
    cause: Cause
    begun_ns: int
    ended_ns: int = 0
    waited_ns: int = 0
    sent: bool = False
    resent_ns: int = 0
    dropped: tuple[str, ...] = ()
    guessed_max: int | None = None
    limits: tuple[tuple[bytes, bytes], ...] = ()
    failure: Failure | None = None
    usage: Usage | None = None
    cost_nano: int | None = None
