"""Asking the ingress in this process: a request without a socket, its answer whole or in pieces.

Promise: what is asked takes the very way of a request over HTTP, so there is no second path on which a rule, a budget or a log row could
be forgotten. Whoever waits and is cancelled cancels the provider. Of an answer in pieces, one piece is on its way at a
time, so that a slow reader slows the provider. It must not know what a body says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from msgspec import Struct

from turnout.core.errors import Failure, Kind
from turnout.edge.inside import Inside
from turnout.library.errors import TurnoutError, error_of
from turnout.library.replies import Response

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[dict[str, Any], Callable[[], Awaitable[Message]], Send], Awaitable[None]]
T = TypeVar("T")
Put = Callable[[T], Awaitable[None]]


class Asked(Struct, frozen=True):
    """A request as it would come over HTTP."""

    path: str
    body: bytes = b""
    method: str = "POST"
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)


async def run(app: App, inside: Inside, asked: Asked, send: Send) -> None:
    """Serve to the end. Raises `TurnoutError` for a call that was refused, or that failed before it was answered."""
    path, _, query = asked.path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": asked.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": asked.headers,
        "client": None,
        "extensions": {"turnout.inside": inside, "turnout.body": lambda: asked.body},
    }
    try:
        await app(scope, _Body(asked.body).receive, send)
    except Exception as error:
        failure = Failure(Kind.INTERNAL, "Internal error.")
        raise TurnoutError(failure, inside.request_id) from error
    if inside.failure is not None:
        raise error_of(inside.failure, inside.request_id, inside.status)


async def ask(app: App, inside: Inside, asked: Asked) -> Response:
    """The whole answer. Raises `TurnoutError`."""
    start: Message = {}
    parts: list[bytes] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            parts.append(message.get("body", b""))

    await run(app, inside, asked, send)
    return Response(start["status"], texts(start["headers"]), b"".join(parts))


def texts(headers: list[tuple[bytes, bytes]]) -> Mapping[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


class _Body:
    """The request's body, once; after that the client stays, and says nothing."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    async def receive(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            await asyncio.get_running_loop().create_future()
        return {"type": "http.request", "body": body, "more_body": False}


class Flow(Generic[T]):
    """A task that serves, and the handover of its pieces to one reader."""

    def __init__(self, serve: Callable[[Put[T]], Awaitable[None]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._piece: list[T] = []  # at most one
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self.task = self._loop.create_task(self._serve(serve))
        self.task.add_done_callback(self._ended)

    async def _serve(self, serve: Callable[[Put[T]], Awaitable[None]]) -> None:
        await serve(self._put)

    async def _put(self, piece: T) -> None:
        self._piece.append(piece)
        self._filled.set()
        self._emptied.clear()
        await self._emptied.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # whoever reads is told; nobody else need be
        self._filled.set()

    async def next(self) -> T | None:
        """The next piece; `None` at the end. Raises what the serving raised: `TurnoutError`."""
        while not self._piece:
            if self.task.done():
                if self.task.cancelled():
                    raise error_of(Failure(Kind.SHUTTING_DOWN, "The stream was closed before its end."))
                self.task.result()
                return None
            self._filled.clear()
            try:
                await self._filled.wait()
            except asyncio.CancelledError:
                self.task.cancel()
                raise
        self._emptied.set()
        return self._piece.pop()

    def drop(self) -> None:
        """Nobody reads any more. From any thread."""
        if not self.task.done() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.task.cancel)

    async def close(self) -> None:
        """End it; when this returns, the provider's connection is closed."""
        self.task.cancel()
        await asyncio.wait([self.task])
