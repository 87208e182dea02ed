"""A small HTTP/1.1 server for simulated providers: one protocol object a connection, one task a request.

It can do what a well-behaved server cannot: close without a word, send half a body, stop in the middle. Independent of the gateway's own
protocol on purpose, so that a mistake there does not cancel out here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast

import httptools
from msgspec import Struct

BODY_BYTES_MAX = 64 * 1024 * 1024


class Request(Struct):
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class Exchange:
    """One request being answered."""

    __slots__ = ("_connection", "request", "started")

    def __init__(self, connection: _Connection, request: Request) -> None:
        self._connection = connection
        self.request = request
        self.started = False

    def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """A whole response."""
        self.started = True
        self.raw(_head(status, {**headers, "content-length": str(len(body))}) + body)

    def start(self, status: int, headers: dict[str, str]) -> None:
        """The head of a chunked response."""
        self.started = True
        self.raw(_head(status, {**headers, "transfer-encoding": "chunked"}))

    async def write(self, data: bytes) -> None:
        self.raw(b"%x\r\n%b\r\n" % (len(data), data))
        await self._connection.drained()

    def end(self) -> None:
        self.raw(b"0\r\n\r\n")

    def raw(self, data: bytes) -> None:
        transport = self._connection.transport
        if transport is not None:
            transport.write(data)

    def reset(self) -> None:
        """Close at once, whatever was sent."""
        if self._connection.transport is not None:
            self._connection.transport.abort()

    def close(self) -> None:
        """Close after what was sent has left."""
        if self._connection.transport is not None:
            self._connection.transport.close()


Handler = Callable[[Exchange], Awaitable[None]]


def _head(status: int, headers: dict[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *[f"{name}: {value}" for name, value in headers.items()]]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


class Counters:
    """What `GET /_sim/stats` tells. `cancelled`: clients that left before their answer was whole."""

    def __init__(self) -> None:
        self.requests = 0
        self.open = 0
        self.cancelled = 0
        self.connections = 0


class _Connection(asyncio.Protocol):
    def __init__(self, handler: Handler, counters: Counters) -> None:
        self._handler = handler
        self._counters = counters
        self._parser = httptools.HttpRequestParser(self)
        self._queue: list[Request] = []
        self._task: asyncio.Task[None] | None = None
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._writable: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None

    # -- asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._counters.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._counters.connections -= 1
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self.transport is not None:
                self.transport.write(_head(400, {"content-length": "0", "connection": "close"}))
                self.transport.close()

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    async def drained(self) -> None:
        if self._writable is not None:
            await self._writable

    # -- httptools
    def on_message_begin(self) -> None:
        self._url, self._headers, self._body, self._size = b"", {}, [], 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect") and self.transport is not None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > BODY_BYTES_MAX and self.transport is not None:
            self.transport.abort()
        self._body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self._url.partition(b"?")
        method = self._parser.get_method().decode()
        request = Request(
            method, path.decode("latin-1"), query.decode("latin-1"), self._headers, b"".join(self._body)
        )
        self._queue.append(request)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        counters = self._counters
        try:
            while self._queue and self.transport is not None:
                counters.open += 1
                try:
                    await self._handler(Exchange(self, self._queue.pop(0)))
                except asyncio.CancelledError:
                    counters.cancelled += 1
                    raise
                finally:
                    counters.open -= 1
        finally:
            self._task = None


async def listen(handler: Handler, counters: Counters, host: str, port: int) -> asyncio.Server:
    """Serve `handler` on a socket; port 0 lets the system choose."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Connection(handler, counters), host, port, backlog=4096)
