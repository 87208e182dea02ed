"""Providers over a WebSocket: the Responses API's, whose messages are the events of its HTTP stream.

Promise: `request` gives the same `Response` as `Transport.request` does, with the events as the server-sent events they would have been,
so that decoding, relaying, deadlines and failures are one code for both. A connection serves one request at a time and is kept for the
next one only when its response ended in the way that leaves nothing behind; whoever gives up closes the socket, which is the only way to
tell the provider. Deadlines run inside the session: first event, stall and total are a request's own.

Framing is the `websockets` package's, without its I/O (see docs/decisions/0005); it is imported when the first such provider is asked. It must
not know what the events mean, but for which of them is the last.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

import msgspec
from msgspec import Raw, Struct

from turnout.upstream.exchange import Connection, Phase, Response, Timeouts, TransportError
from turnout.upstream.transport import SWEEP_S, Origin, Transport

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame

IDLE_PER_TARGET_MAX = 32
IDLE_S = 60.0
AGE_S_MAX = 50 * 60.0  # providers close after an hour
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed"})
_LEFT_OUT = frozenset({b"host", b"content-type", b"accept", b"accept-encoding", b"connection", b"upgrade"})
_EVENTS = [(b"content-type", b"text/event-stream"), (b"transfer-encoding", b"chunked")]
_JSON = [(b"content-type", b"application/json"), (b"transfer-encoding", b"chunked")]


class _Message(Struct):
    type: str = ""
    status: int | None = None
    error: Raw = Raw(b"null")


_message = msgspec.json.Decoder(_Message)
_members = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode

_Target = tuple[Origin, bytes]


class Sockets:
    """Connections to providers that are asked over WebSockets. Use from one event loop."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._idle: dict[_Target, list[SocketConnection]] = {}
        self._all: set[SocketConnection] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    async def request(self, origin: Origin, head: bytes, body: bytes, timeouts: Timeouts) -> Response:
        """As `Transport.request`: `head` is that of a POST to the same path. Raises `TransportError`."""
        loop = asyncio.get_running_loop()
        total_at = loop.time() + timeouts.total_s
        message = _create(body)
        connection = self._reuse((origin, head))
        if connection is not None:
            response = await self._ask(connection, message, timeouts, total_at)
            if response.status or response.bytes_received:
                return response
        connection = await self._open((origin, head), timeouts, loop)
        if connection.refusal is not None:
            return connection.refused(timeouts, total_at)
        response = await self._ask(connection, message, timeouts, total_at)
        if not response.status:
            raise TransportError(
                response.failed_phase or "reset", "the socket was closed before an answer", request_sent=True
            )
        return response

    async def _ask(
        self, connection: SocketConnection, message: bytes, timeouts: Timeouts, total_at: float
    ) -> _Response:
        response = _Response(cast(Connection, connection), timeouts, total_at, connection.loop.time())
        connection.ask(response, message)
        error = await response.begin()
        if error is not None:
            if error.phase not in ("reset", "write"):
                raise error
            response.failed_phase = error.phase
        return response

    def _reuse(self, target: _Target) -> SocketConnection | None:
        idle = self._idle.get(target, [])
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.usable and now - connection.opened_at < AGE_S_MAX:
                return connection
            connection.drop()
        return None

    async def _open(
        self, target: _Target, timeouts: Timeouts, loop: asyncio.AbstractEventLoop
    ) -> SocketConnection:
        connection = SocketConnection(self, target, loop)
        connect_by = loop.time() + min(timeouts.connect_s, timeouts.total_s)
        try:
            await self._transport.dial(cast(Connection, connection), target[0], connect_by, timeouts.tls_s)
            self._all.add(connection)
            if self._sweeping is None:
                self._sweeping = loop.call_later(SWEEP_S, self._sweep, loop)
            async with asyncio.timeout(min(timeouts.first_byte_s, timeouts.total_s)):
                await connection.opened
        except TimeoutError:
            connection.drop()
            raise TransportError("connect_timeout", "no handshake in time", request_sent=False) from None
        except BaseException:
            connection.drop()
            raise
        return connection

    # -- from a connection
    def release(self, connection: SocketConnection) -> None:
        idle = self._idle.setdefault(connection.target, [])
        if connection.usable and len(idle) < IDLE_PER_TARGET_MAX:
            connection.idle_since = connection.loop.time()
            idle.append(connection)
        else:
            connection.drop()

    def lost(self, connection: SocketConnection) -> None:
        self._all.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.get(connection.target, []).remove(connection)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._all):
            response = connection.response
            if response is not None:
                if (phase := response.late(now)) is not None:
                    connection.fail(phase, "too late")
            elif connection.usable and now - connection.idle_since > IDLE_S:
                connection.drop()
        self._idle = {target: idle for target, idle in self._idle.items() if idle}
        self._sweeping = loop.call_later(SWEEP_S, self._sweep, loop) if self._all else None

    def cut(self) -> None:
        """Requests under way fail with `closed`."""
        for connection in list(self._all):
            connection.fail("closed", "the transport is closed")

    async def close(self) -> None:
        self.cut()
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None


class _Response(Response):
    """A response on a socket that may have gone stale: then it failed before it began."""

    __slots__ = ("failed_phase",)

    def __init__(self, connection: Connection, timeouts: Timeouts, total_at: float, now: float) -> None:
        super().__init__(connection, timeouts, total_at, now)
        self.failed_phase: Phase | None = None


class SocketConnection(asyncio.Protocol):
    """One WebSocket. To a `Response` it is what an HTTP connection is."""

    def __init__(self, owner: Sockets, target: _Target, loop: asyncio.AbstractEventLoop) -> None:
        self.limits = owner._transport.limits
        self.loop = loop
        self.target = target
        self.paused = False
        self.response: _Response | None = None
        self.opened: asyncio.Future[None] = loop.create_future()
        self.opened_at = self.idle_since = loop.time()
        self.refusal: tuple[int, list[tuple[bytes, bytes]], bytes] | None = None
        self._owner = owner
        self._protocol = _protocol(target)
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []

    @property
    def usable(self) -> bool:
        transport = self._transport
        return self.opened.done() and transport is not None and not transport.is_closing()

    def ask(self, response: _Response, message: bytes) -> None:
        self.response = response
        if not self.usable:
            self.fail("reset", "the connection was closed")
            return
        self._protocol.send_text(message)
        self._flush()

    def refused(self, timeouts: Timeouts, total_at: float) -> Response:
        """The provider's answer to the handshake, as a response."""
        assert self.refusal is not None
        status, headers, body = self.refusal
        response = _Response(cast(Connection, self), timeouts, total_at, self.loop.time())
        response.begun(status, [*headers, (b"content-length", b"%d" % len(body))])
        response.arrived(body)
        response.ended(None)
        self.drop()
        return response

    # -- what a response asks of its connection
    def fail(self, phase: Phase, reason: str, *, sent: bool = True) -> None:
        response, self.response = self.response, None
        self.drop()
        if response is not None:
            received = response.bytes_received
            response.ended(TransportError(phase, reason, request_sent=sent, bytes_received=received))

    def drop(self) -> None:
        self._owner.lost(self)
        if self._transport is not None:
            self._transport.abort()

    def resume_reading(self) -> None:
        self.paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # -- asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        request = self._protocol.connect()
        for name, value in _headers(self.target[1]):
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if hasattr(event, "opcode"):
                self._frame(cast("Frame", event))
            elif not self.opened.done():
                self._shaken()
        self._flush()

    def _shaken(self) -> None:
        from websockets.exceptions import InvalidStatus

        error = self._protocol.handshake_exc
        if error is None:
            self.opened.set_result(None)
        elif isinstance(error, InvalidStatus):
            found = error.response
            headers = [(name.lower().encode(), value.encode()) for name, value in found.headers.raw_items()]
            kept = [pair for pair in headers if pair[0] not in (b"content-length", b"transfer-encoding")]
            self.refusal = (found.status_code, kept, bytes(found.body or b""))
            self.opened.set_result(None)
        else:
            self._unopened("malformed", "the handshake was not answered by a WebSocket")

    def _unopened(self, phase: Phase, reason: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(TransportError(phase, reason, request_sent=False))

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost(self)
        self._transport = None
        if not self.opened.done():  # a refusal's body may end with the connection
            self._protocol.receive_eof()
            self._protocol.events_received()
            if self._protocol.handshake_exc is not None:
                self._shaken()
            self._unopened("reset", "the connection was closed in the handshake")
        response, self.response = self.response, None
        if response is not None:
            phase: Phase = "truncated" if response.bytes_received else "reset"
            received = response.bytes_received
            response.ended(
                TransportError(phase, "the socket was closed", request_sent=True, bytes_received=received)
            )

    # -- messages
    def _frame(self, frame: Frame) -> None:
        from websockets.frames import Opcode

        if frame.opcode is Opcode.TEXT:
            self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT and self._parts:
            self._parts.append(bytes(frame.data))
        else:
            return  # pings and closes were answered; binary messages have no meaning here
        if frame.fin:
            data, self._parts = b"".join(self._parts), []
            self._told(data)

    def _told(self, data: bytes) -> None:
        response = self.response
        if response is None:  # a message that nobody asked for costs the connection, never the next caller
            self.drop()
            return
        response.bytes_received += len(data)
        try:
            message = _message.decode(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            message = _Message("")
        if response.status == 0 and message.type == "error":
            response.begun(_status(message.status), list(_JSON))
            response.arrived(b'{"error":%b}' % bytes(message.error))
            self._ended(response, keep=True)
            return
        if response.status == 0:
            response.begun(200, list(_EVENTS))
        unread = response.arrived(b"event: %b\ndata: %b\n\n" % (message.type.encode(), data))
        if message.type in _LAST or message.type == "error":
            self._ended(response, keep=message.type != "error")  # more may follow an error in midstream
            return
        if unread > self.limits.buffered_bytes_high_water and self._transport is not None:
            self.paused = True
            self._transport.pause_reading()
        response.wake()

    def _ended(self, response: _Response, *, keep: bool) -> None:
        self.response = None
        if self.paused:
            self.resume_reading()
        if keep:
            self._owner.release(self)
        else:
            self.drop()
        response.ended(None)

    def _flush(self) -> None:
        transport = self._transport
        for data in self._protocol.data_to_send():
            if transport is None:
                return
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()


def _protocol(target: _Target) -> ClientProtocol:
    from websockets.client import ClientProtocol
    from websockets.uri import parse_uri

    origin, head = target
    path = head[: head.index(b"\r\n")].split(b" ")[1].decode("latin-1")
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    scheme = "wss" if origin.scheme == "https" else "ws"
    return ClientProtocol(parse_uri(f"{scheme}://{host}:{origin.port}{path}"), max_size=MESSAGE_BYTES_MAX)


def _headers(head: bytes) -> list[tuple[str, str]]:
    found = []
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b": ")
        if name and name.lower() not in _LEFT_OUT:
            found.append((name.decode("latin-1"), value.decode("latin-1")))
    return found


def _create(body: bytes) -> bytes:
    """A body of `POST /responses` as the message that asks for the same."""
    members: dict[str, Raw] = {"type": Raw(b'"response.create"'), **_members.decode(body)}
    for name in ("stream", "background", "stream_options"):
        members.pop(name, None)
    return _encode(members)


def _status(given: int | None) -> int:
    return given if given is not None and 400 <= given < 600 else 500
