"""A caller in the same process: the Python library.

Promise: what is asked from inside takes the way of every request (room, rules, log row) and differs in two things only: who asks is
given instead of a key, and what came of it is handed over as it is instead of being written as bytes. An `Inside` is the scope
extension `turnout.inside`, which no socket's scope has. It must not know what the caller makes of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from turnout.core.call import Call, Principal, Reply
from turnout.core.card import Card
from turnout.core.errors import Failure

OPERATOR = Principal(key="library")
"""Whoever runs the engine in a program of their own and names no key: under nobody's rules, and master of what providers keep."""


class Inside:
    """One request. `take`, if given, gets the reply at its commit point in place of a written response, and must end it."""

    __slots__ = ("call", "card", "failure", "principal", "request_id", "status", "take")

    def __init__(self, principal: Principal, take: Callable[[Reply], Awaitable[None]] | None = None) -> None:
        self.principal = principal
        self.take = take
        self.request_id = ""
        self.call: Call | None = None  # answered, by `card`'s model
        self.card: Card | None = None
        self.failure: Failure | None = None  # refused, or failed before anything was answered, with `status`
        self.status = 200

    def answered(self, call: Call, card: Card) -> None:
        self.request_id, self.call, self.card = call.id, call, card

    def failed(self, request_id: str, failure: Failure, status: int) -> None:
        self.request_id, self.failure, self.status = request_id, failure, status
