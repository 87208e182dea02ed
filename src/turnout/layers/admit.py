"""Admission: who is calling, and is there room?

Promise: a call without a valid key costs one hash and one lookup and nothing else: it is refused before its body is
read. Keys are held as SHA-256 digests, so that neither a memory dump nor a timing of the lookup tells a key. The gate bounds
the calls in flight, and refuses new ones while the process drains. It must not know models, prices or providers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from hashlib import sha256

from turnout.core.call import ANONYMOUS, Principal
from turnout.core.errors import Kind, fail


class Keyring:
    """Keys → principals. Without any key it is open: everybody is anonymous."""

    def __init__(self, keys: Iterable[tuple[str, Principal]]) -> None:
        self._principals = {sha256(secret.encode()).digest(): principal for secret, principal in keys}

    @property
    def open(self) -> bool:
        return not self._principals

    def admit(self, *credentials: bytes) -> Principal:
        """The first that is known counts, whatever else the client carries. Raises `CallFailed(UNAUTHENTICATED)`."""
        if not self._principals:
            return ANONYMOUS
        if not credentials:
            raise fail(
                Kind.UNAUTHENTICATED,
                "No API key was given: send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'.",
            )
        for credential in credentials:
            principal = self._principals.get(sha256(credential).digest())
            if principal is not None:
                return principal
        raise fail(Kind.UNAUTHENTICATED, "The API key is not valid.")


class Gate:
    """Counts calls in flight in this process."""

    __slots__ = ("_emptied", "calls_max", "draining", "in_flight")

    def __init__(self, calls_max: int) -> None:
        self.calls_max = calls_max
        self.in_flight = 0
        self.draining = False
        self._emptied: asyncio.Event | None = None

    def leave(self) -> None:
        """A call that was counted has ended."""
        self.in_flight -= 1
        if self._emptied is not None and self.in_flight == 0:
            self._emptied.set()

    async def empty(self, timeout_s: float) -> bool:
        """Wait until no call is in flight; False when some still are after that time."""
        self._emptied = asyncio.Event()
        if self.in_flight == 0:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._emptied.wait(), timeout_s)
        return self.in_flight == 0

    def check(self) -> None:
        """Raises `CallFailed` when there is no room."""
        if self.draining:
            raise fail(Kind.SHUTTING_DOWN, "The gateway is shutting down; try again.")
        if self.in_flight >= self.calls_max:
            raise fail(Kind.OVERLOADED_HERE, "The gateway has too many requests in flight; try again.")
