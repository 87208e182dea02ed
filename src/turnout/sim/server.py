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
PIPELINED_REQUESTS_MAX = 64


class Request(Struct):
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool = True


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
            self._connection.counters.bytes_out += len(data)
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
        self.bytes_in = 0
        self.bytes_out = 0


class _Connection(asyncio.Protocol):
    def __init__(self, handler: Handler, counters: Counters, open_ones: set[_Connection]) -> None:
        self._open = open_ones
        self._handler = handler
        self.counters = counters
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
        self._open.add(self)
        self.counters.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._open.discard(self)
        self.counters.connections -= 1
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> asyncio.Task[None] | None:
        """Close at once; the task that was answering, if any, is told to stop."""
        if self.transport is not None:
            self.transport.abort()
        if self._task is not None:
            self._task.cancel()
        return self._task

    def data_received(self, data: bytes) -> None:
        self.counters.bytes_in += len(data)
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
        if self._headers.get("expect", "").lower() == "100-continue" and self.transport is not None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > BODY_BYTES_MAX and self.transport is not None:
            self.transport.abort()
        self._body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self._url.partition(b"?")
        request = Request(
            self._parser.get_method().decode(),
            path.decode("latin-1"),
            query.decode("latin-1"),
            self._headers,
            b"".join(self._body),
            self._parser.should_keep_alive(),
        )
        self._queue.append(request)
        if len(self._queue) > PIPELINED_REQUESTS_MAX and self.transport is not None:
            self.transport.abort()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        try:
            while self._queue and self.transport is not None:
                request = self._queue.pop(0)
                await self._answer(Exchange(self, request))
                if not request.keep_alive and self.transport is not None:
                    self.transport.close()
        finally:
            self._task = None

    async def _answer(self, exchange: Exchange) -> None:
        self.counters.open += 1
        try:
            await self._handler(exchange)
        except asyncio.CancelledError:
            self.counters.cancelled += 1
            raise
        except Exception as error:  # noqa: BLE001 - reported here; without an answer its client would wait for ever
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"simulated provider: {exchange.request.path}", "exception": error}
            )
            if not exchange.started:
                exchange.send(500, {"content-type": "text/plain"}, b"internal error of the simulation")
            exchange.close()
        finally:
            self.counters.open -= 1


class Listener:
    """A listening socket and the connections that came through it."""

    def __init__(self, handler: Handler, counters: Counters) -> None:
        self._handler = handler
        self._counters = counters
        self._open: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; the port that it is, port 0 lets the system choose. Raises `OSError`."""
        self._server = await asyncio.get_running_loop().create_server(
            self.connection, host, port, backlog=4096
        )
        return int(self._server.sockets[0].getsockname()[1])

    def connection(self) -> asyncio.Protocol:
        """The protocol of one client's connection."""
        return _Connection(self._handler, self._counters, self._open)

    async def close(self) -> None:
        """Stop listening and end every connection, whatever it is in the middle of."""
        if self._server is not None:
            self._server.close()
        tasks = [
            task for task in (connection.abort() for connection in tuple(self._open)) if task is not None
        ]
        await asyncio.gather(*tasks, return_exceptions=True)
