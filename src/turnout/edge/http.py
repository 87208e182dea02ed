"""The inbound HTTP/1.1 protocol: httptools on an asyncio transport, spoken to the application as ASGI.

It is plugged into uvicorn's server (`http=`), which keeps what it does well: sockets, signals, graceful shutdown, workers.
Why not uvicorn's own protocol: measured on one core, it costs about 20 µs a request more, has no limit on the size or the
duration of a request head, and tells an application that the client left only if a second task waits for it.

Promises:
- memory per connection is bounded: request head, unread body, unsent response and pipelined requests each have a limit;
- a client that leaves cancels the task that serves it, at once; a slow one is cut off by the sweep, one timer for all;
- a response that ends before its request was read is still delivered: the rest of the request is discarded for a
  bounded time and number of bytes before the socket closes;
- a response header can hold no line break;
- connections are bounded: one too many is told so in one write and closed, very many too many are closed unheard.

It must not know what is served. Request bodies are handed over as they come; limits on them belong to the application.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote

import httptools
from msgspec import Struct

from turnout.edge.exchange import STATUS_LINES, Exchange, Scope

if TYPE_CHECKING:
    from turnout.edge.websocket import Socket

_SWEEP_S = 0.5
GOING_AWAY = 1001
_LENGTH = re.compile(rb"\r\n(content-length: )(\d{1,15})\r\n", re.IGNORECASE)
_UNALIKE_MAX = 8
_REFUSING_MAX = 1024  # connections that are being told there is no room
_REFUSING_S = 1.0
_CHUNK_FRAMING_BYTES = 32
_FULL_BODY = (
    b'{"error":{"message":"Too many connections.","type":"overloaded_error","code":"too_many_connections"}}'
)
_FULL = (
    STATUS_LINES[503]
    + b"content-type: application/json\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
    % (len(_FULL_BODY), _FULL_BODY)
)


class HttpLimits(Struct, frozen=True):
    """Per connection. Times in seconds, sizes in bytes."""

    head_bytes_max: int = 64 * 1024
    unread_body_bytes_max: int = 1024 * 1024
    pipelined_requests_max: int = 16
    unsent_bytes_high_water: int = 256 * 1024
    head_s: float = 10.0
    body_s: float = 60.0
    keep_alive_s: float = 75.0
    unsent_s: float = 60.0
    linger_s: float = 5.0
    linger_bytes_max: int = 256 * 1024 * 1024
    socket_s: float = 3600.0
    message_bytes_max: int = 32 * 1024 * 1024
    connections_max: int = 20_000  # of all together


class Door(Struct):
    """What became of those who were one too many. Shared by the connections of one server."""

    refused: int = 0


class ServerState(Protocol):
    """The part of uvicorn's server state that a protocol shares."""

    total_requests: int
    connections: set[Any]
    tasks: set[asyncio.Task[None]]


class SeenHead(Struct, frozen=True):
    """A request head that was parsed, but for the digits of its content length: `before` and `after` are the bytes around them.

    A client sends the same head again and again. Equal bytes mean the same request line and headers, so a request whose head is
    equal is not parsed again (measured: 12 µs a request, with what the application notes in `notes`). `length_at` is the
    place of the content length among the headers.
    """

    before: bytes
    after: bytes
    scope: Scope
    length_at: int
    notes: dict[str, Any]

    def match(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Is this one whole request with this head and nothing behind it? Its content length, as sent, and its body."""
        if not data.startswith(self.before):
            return None
        begin = len(self.before)
        end = data.find(b"\r", begin, begin + 16)
        digits = data[begin:end]
        if end < 0 or not digits.isdigit() or not data.startswith(self.after, end):
            return None
        body = data[end + len(self.after) :]
        return (digits, body) if len(body) == int(digits) else None


class Connection(asyncio.Protocol):
    """One client connection. uvicorn makes one a socket; requests on it are served in order."""

    def __init__(
        self,
        config: Any,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: HttpLimits,
        sweeper: Sweeper,
        door: Door,
    ) -> None:
        self.app = config.loaded_app
        self.state = server_state
        self.loop = _loop or asyncio.get_running_loop()
        self.limits = limits
        self.sweeper = sweeper
        self.door = door
        self.parser = httptools.HttpRequestParser(self)
        self.transport: asyncio.Transport | None = None
        self.client: tuple[str, int] | None = None
        self.current: Exchange | None = None  # being served
        self.incoming: Exchange | None = None  # being read
        self.waiting: deque[Exchange] = deque()  # read, behind `current`
        self.deadline = 0.0
        self.task: asyncio.Task[None] | None = None
        self.idle: asyncio.Future[None] | None = None
        self.drained: asyncio.Future[None] | None = None
        self.drained_since = 0.0
        self.paused = False
        self.lingering = False
        self.discarded = 0
        self.shutting_down = False
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.head_bytes = 0
        self.read_bytes = 0
        self.hosts = 0
        self.body_bytes = 0  # of the request that is being read, as are the next two
        self.chunks = 0
        self.framing_bytes = 0
        self.expect_continue = False
        self.in_head = False
        self.upgrade: Scope | None = None  # of a request to become a WebSocket
        self.socket: Socket | None = None  # what the connection has become
        self.seen: SeenHead | None = None
        self.unalike = 0  # heads in a row that were not like the one before

    # -- asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        socket_ = cast(asyncio.Transport, transport)
        socket_.set_write_buffer_limits(high=self.limits.unsent_bytes_high_water)
        self.transport = socket_
        peer = transport.get_extra_info("peername")
        self.client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else None
        excess = len(self.state.connections) - self.limits.connections_max
        self.state.connections.add(self)
        if excess >= 0:
            self._turn_away(excess)
            return
        self.sweeper.add(self)
        self.deadline = self.loop.time() + self.limits.head_s

    def _turn_away(self, excess: int) -> None:
        """There are as many connections as there may be. This one is not read: what it sends is dropped for a moment, so that
        the answer is not lost with it."""
        self.door.refused += 1
        if excess >= _REFUSING_MAX:
            self.abort()
            return
        self.sweeper.add(self)
        self.write(_FULL)
        self._close(False)
        self.deadline = self.loop.time() + _REFUSING_S

    def connection_lost(self, exc: Exception | None) -> None:
        self.state.connections.discard(self)
        self.sweeper.discard(self)
        self.transport = None
        if self.drained is not None and not self.drained.done():
            self.drained.set_result(None)
        self.drained = None
        for exchange in (self.current, self.incoming):
            if exchange is not None and not exchange.finished:
                exchange.left = True
                exchange.wake()
        if self.socket is not None:
            self.socket.lost()  # its application is told, and ends by itself
        elif self.task is not None:
            self.task.cancel()
        self.waiting.clear()

    def eof_received(self) -> bool:
        """A client that stops sending has left. HTTP would let it read on, but nothing tells a half-close from a close
        before bytes are written into the void, and a model that works for nobody costs money."""
        return False

    def data_received(self, data: bytes) -> None:
        if self.lingering:
            self._discard(len(data))
            return
        if self.socket is not None:
            self.socket.feed(data)
            return
        seen = self.seen
        if seen is not None and self.current is None and not self.in_head and not self.shutting_down:
            found = seen.match(data)
            if found is not None:
                self._again(seen, *found)
                return
        continued = self.in_head
        first = not continued and self.current is None
        self.read_bytes = len(data)
        reading, body_bytes = self.incoming, self.body_bytes
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._become(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if not self.lingering:
                self._refuse(400, "The request is not valid HTTP/1.1.")
        else:
            if (
                continued and self.in_head
            ):  # a head of many reads; one of a single read is measured when it is whole
                self.head_bytes += len(data)
                if self.head_bytes > self.limits.head_bytes_max:
                    self._refuse(431, "The request's headers are too large.")
            if reading is not None and self.incoming is reading:
                self._measure(len(data) - (self.body_bytes - body_bytes))
            if first and self.unalike < _UNALIKE_MAX:
                self._remember(data)

    def _measure(self, framing_bytes: int) -> None:
        """Of a body that goes on: chunk sizes and extensions, or trailers, none of which anybody reads."""
        self.framing_bytes += framing_bytes
        if self.framing_bytes > self.limits.head_bytes_max + self.chunks * _CHUNK_FRAMING_BYTES:
            self._refuse(400, "The request body's framing is too large.")

    def _again(self, seen: SeenHead, digits: bytes, body: bytes) -> None:
        """A whole request whose head is known."""
        self.unalike = 0
        scope = seen.scope.copy()
        headers = scope["headers"]
        if headers[seen.length_at][1] != digits:
            scope["headers"] = headers = headers.copy()
            headers[seen.length_at] = (b"content-length", digits)
        exchange = Exchange(self, scope, True, False)
        scope["extensions"] = _extensions(exchange, seen.notes)
        if body:
            exchange.body.append(body)
            exchange.size = len(body)
        exchange.body_done = True
        self._serve(exchange)

    def _remember(self, data: bytes) -> None:
        """Keep the head of the request that `data` was, if it was one whole request whose connection stays open."""
        self.unalike += 1
        exchange = self.current
        if exchange is None or not exchange.body_done or not exchange.keep_alive or self.waiting:
            return
        end = data.find(b"\r\n\r\n") + 4
        length = _LENGTH.search(data, 0, end)
        if length is None or exchange.expect_continue or end + int(length[2]) != len(data):
            return
        scope = exchange.scope
        names = [name for name, _ in scope["headers"]]
        if names.count(b"content-length") != 1 or b"transfer-encoding" in names:
            return
        kept = {name: value for name, value in scope.items() if name != "extensions"}
        notes = scope["extensions"]["turnout.notes"]
        at = names.index(b"content-length")
        self.seen = SeenHead(data[: length.start(2)], data[length.end(2) : end], kept, at, notes)

    def pause_writing(self) -> None:
        if self.drained is None:
            self.drained = self.loop.create_future()
            self.drained_since = self.loop.time()

    def resume_writing(self) -> None:
        if self.drained is not None and not self.drained.done():
            self.drained.set_result(None)
        self.drained = None

    # -- httptools callbacks
    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.head_bytes = self.hosts = self.body_bytes = self.chunks = self.framing_bytes = 0
        self.expect_continue = False
        self.in_head = True
        if self.current is None:
            self.deadline = self.loop.time() + self.limits.head_s

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            return  # a trailer: it comes too late to mean anything
        name = name.lower()
        if name == b"host":
            self.hosts += 1
        self.headers.append((name, value))
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_continue = True

    def on_chunk_header(self) -> None:
        self.chunks += 1

    def on_headers_complete(self) -> None:
        self.in_head = False
        if (
            self.read_bytes + self.head_bytes > self.limits.head_bytes_max
            and self._head_size() > self.limits.head_bytes_max
        ):
            self._refuse(431, "The request's headers are too large.")
            raise ValueError("head too large")
        parser = self.parser
        if self.hosts > 1 or (self.hosts == 0 and parser.get_http_version() == "1.1"):
            self._refuse(400, "The request must have exactly one Host header.")
            raise ValueError("host")
        path, _, query = self.url.partition(b"?")
        scope: Scope = {
            "type": "http",
            "http_version": parser.get_http_version(),
            "method": parser.get_method().decode("ascii"),
            "path": _path(path),
            "raw_path": path,
            "query_string": query,
            "headers": self.headers,
            "client": self.client,
        }
        if parser.should_upgrade() and self.current is None and _wants_websocket(self.headers):
            self.upgrade = scope
            return
        self.incoming = exchange = Exchange(
            self, scope, parser.should_keep_alive() and not self.shutting_down, self.expect_continue
        )
        scope["extensions"] = _extensions(exchange, {})
        if self.current is None:
            self._serve(self.incoming)
        else:
            self.waiting.append(self.incoming)
            if len(self.waiting) >= self.limits.pipelined_requests_max:
                self.pause_reading()

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)
        exchange = self.incoming
        if exchange is not None and not exchange.finished:
            exchange.feed(body)

    def on_message_complete(self) -> None:
        exchange, self.incoming = self.incoming, None
        if exchange is None:
            return
        exchange.end_of_body()
        if exchange is self.current:
            self.deadline = float("inf")
        if exchange.finished:
            self._next()

    # -- upgrading
    def _become(self, rest: bytes) -> None:
        """Every byte from now on is the WebSocket's."""
        scope, self.upgrade = self.upgrade, None
        if scope is None or self.shutting_down:
            self._refuse(501, "This connection cannot be upgraded.")
            return
        from turnout.edge.websocket import Socket  # 70 ms to import, and few clients ask

        self.socket = Socket(self, scope, self.limits.message_bytes_max)
        self.deadline = self.loop.time() + self.limits.socket_s
        self.state.total_requests += 1
        if self.task is not None:
            self.state.tasks.discard(self.task)
            self.task.cancel()
        self.task = self.loop.create_task(self.socket.run())
        self.state.tasks.add(self.task)
        self.task.add_done_callback(self.state.tasks.discard)
        if rest:
            self.socket.feed(rest)

    def refuse_upgrade(self, status: int, body: bytes, lines: bytes = b"") -> None:
        """Answer a request to become a WebSocket with something else, and close."""
        head = STATUS_LINES.get(status) or b"HTTP/1.1 %d -\r\n" % status
        self.write(b"%b%bconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (head, lines, len(body), body))
        self._close(True)

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def end_soon(self) -> None:
        """The WebSocket's closing handshake is done, or was given up: the client has a moment to close first."""
        self.deadline = self.loop.time() + self.limits.linger_s

    # -- serving
    def _serve(self, exchange: Exchange) -> None:
        self.current = exchange
        self.deadline = self.loop.time() + self.limits.body_s if not exchange.body_done else float("inf")
        self.state.total_requests += 1
        if self.task is None:
            self.task = self.loop.create_task(self._work())
            self.state.tasks.add(self.task)
        elif self.idle is not None and not self.idle.done():
            self.idle.set_result(None)

    async def _work(self) -> None:
        """Serve this connection's requests, one after another: one task for all of them is 4 µs a request less than one each."""
        try:
            while self.transport is not None:
                exchange = self.current
                if exchange is None or exchange.served:
                    self.idle = self.loop.create_future()
                    await self.idle
                else:
                    exchange.served = True
                    try:
                        await self.app(exchange.scope, exchange.receive, exchange.send)
                    except asyncio.CancelledError:
                        if not exchange.left:
                            self.abort()
                            raise
                    except Exception as error:  # noqa: BLE001 - the last line of defence: log it, tell the client, keep serving
                        report = {"message": "the application raised", "exception": error}
                        self.loop.call_exception_handler(report)
                        self._rescue(exchange)
                    else:
                        if not exchange.finished and not exchange.left:
                            self._rescue(exchange)
                    # The extensions hold the exchange and it holds them: unhooked here, nothing is left to the collector.
                    exchange.scope.pop("extensions", None)
        finally:
            if self.task is not None:
                self.state.tasks.discard(self.task)

    def _rescue(self, exchange: Exchange) -> None:
        """The application broke: say so if nothing was said yet, else cut the connection so that it shows."""
        if exchange.head or not exchange.started:
            self._refuse(500, "Internal error.")
        else:
            self.abort()

    def exchange_finished(self, exchange: Exchange) -> None:
        """The response is written: go on with the next request, or close."""
        if not exchange.keep_alive:
            self._close(exchange.body_done)
        elif exchange.body_done:
            self._next()

    def _next(self) -> None:
        self.current = None
        if self.shutting_down and not self.waiting:
            self._close(True)
            return
        self.deadline = self.loop.time() + self.limits.keep_alive_s
        if self.waiting:
            self.resume_reading()
            self._serve(self.waiting.popleft())

    def _close(self, request_read: bool) -> None:
        if self.transport is None:
            return
        if request_read:
            self.transport.close()
            return
        self.lingering = True
        self.deadline = self.loop.time() + self.limits.linger_s
        self.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _discard(self, size: int) -> None:
        self.discarded += size
        if self.discarded > self.limits.linger_bytes_max:
            self.abort()

    def _refuse(self, status: int, message: str) -> None:
        """Answer what is not a request of any dialect, and close."""
        if self.transport is None or self.lingering:
            return
        body = b'{"error":{"message":"%b","type":"invalid_request_error","code":"http_%d"}}' % (
            message.encode(),
            status,
        )
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
            body
        )
        if self.current is None or not self.current.started or self.current.head:
            self.transport.write(STATUS_LINES[status] + head + body)
        if self.current is not None:
            self.current.finished = True
        self._close(False)

    # -- small things
    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def pause_reading(self) -> None:
        if not self.paused and self.transport is not None:
            self.paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.paused and self.transport is not None:
            self.paused = False
            self.transport.resume_reading()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def shutdown(self) -> None:
        """uvicorn asks to finish: idle connections close now, others after their response."""
        self.shutting_down = True
        if self.socket is not None:
            self.socket.close(GOING_AWAY, "The gateway is shutting down.")
        elif self.current is None:
            if self.transport is not None:
                self.transport.close()
        else:
            self.current.keep_alive = False

    def sweep(self, now: float) -> None:
        """Called twice a second: is this connection late?"""
        if self.drained is not None and now - self.drained_since > self.limits.unsent_s:
            self.abort()
        elif now > self.deadline:
            self._late()

    def _late(self) -> None:
        exchange = self.current
        if self.lingering:
            self.abort()
        elif self.socket is not None:
            if self.transport is not None and self.socket.ended:
                self.transport.close()
            else:
                self.socket.close(GOING_AWAY, "The connection has been open too long.")
        elif exchange is not None and not exchange.body_done:
            self.deadline = float("inf")
            exchange.late = True
            exchange.wake()
        elif self.in_head:
            self._refuse(408, "The request's headers did not arrive in time.")
        elif self.transport is not None:
            self.transport.close()


class Sweeper:
    """One timer that looks at every connection; armed while there are any."""

    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._handle: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self._handle is None:
            self._handle = connection.loop.call_later(_SWEEP_S, self._tick, connection.loop)

    def discard(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._connections):
            connection.sweep(now)
        self._handle = loop.call_later(_SWEEP_S, self._tick, loop) if self._connections else None


def protocol_class(limits: HttpLimits, door: Door | None = None) -> Callable[..., Connection]:
    """The protocol for `uvicorn.Config(http=…)`, with these limits."""
    sweeper, counted = Sweeper(), door or Door()

    class LimitedConnection(Connection):
        def __init__(
            self,
            config: Any,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(
                config, server_state, app_state, _loop, limits=limits, sweeper=sweeper, door=counted
            )

    return LimitedConnection


def _extensions(exchange: Exchange, notes: dict[str, Any]) -> dict[str, Any]:
    """What `exchange` offers beyond ASGI. `turnout.notes` is kept for the next request with the same head on this connection."""
    return {
        "turnout.respond": exchange.respond,
        "turnout.body": exchange.take,
        "turnout.push": exchange.push,
        "turnout.abort": exchange.abort,
        "turnout.notes": notes,
    }


def _wants_websocket(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in headers)


def _path(raw: bytes) -> str:
    """The decoded path; absolute-form targets lose scheme and authority."""
    if raw.startswith(b"http"):
        raw = b"/" + raw.split(b"/", 3)[3] if raw.count(b"/") > 2 else b"/"
    text = raw.decode("ascii", "replace")
    return unquote(text) if "%" in text else text
