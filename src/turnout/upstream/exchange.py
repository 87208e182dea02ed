"""One request and its response on one HTTP/1.1 connection. Part of the outbound transport; nobody else imports it.

Promises:
- `Response.read` gives bytes as they arrived and `b""` only at an end that is proven; a body that ends early is an error;
- memory is bounded: the head, what is read ahead (reading pauses above the high water), what a compressed body opens to;
- bytes that no request asked for cost the connection, never the next caller: a connection is kept only when its response
  ended exactly where the bytes did;
- whoever waits and is cancelled closes the socket at once.

httptools parses, strictly, and all that is left is bookkeeping. A response that arrives in one piece costs one wake-up: the
callbacks run inside `data_received`, so head, body and end are all there before the waiting task runs. There is one future
for a wait, no task and no timer: times are floats that the transport's sweep compares.
"""

from __future__ import annotations

import asyncio
from typing import Literal, Protocol, cast

import httptools
from msgspec import Struct

from turnout.upstream.inflating import Inflater, Unreadable

_INFORMATIONAL_MAX = 8

Phase = Literal[
    "connect",
    "tls",
    "connect_timeout",
    "tls_timeout",
    "write",
    "first_byte_timeout",
    "stall",
    "total",
    "reset",
    "truncated",
    "malformed",
    "too_large",
    "closed",
]


class TransportError(Exception):
    """`request_sent`: may any byte of the request have left? `reason` is for the operator; it holds no request data."""

    def __init__(self, phase: Phase, reason: str, *, request_sent: bool, bytes_received: int = 0) -> None:
        super().__init__(f"{phase}: {reason}")
        self.phase: Phase = phase
        self.reason = reason
        self.request_sent = request_sent
        self.bytes_received = bytes_received


class Trace(Protocol):
    """What a request's maker is told while it is under way. `sent`: some of it may have left. `resent_ns`: when it was sent
    again because the kept connection had been closed; monotonic, 0: never."""

    sent: bool
    resent_ns: int


class Timeouts(Struct, frozen=True):
    """Seconds. `connect_s` includes names, the wait for a free connection and a proxy. `stall_s` is the longest that a
    `read` waits for bytes, until the caller sets the response's `deadline`. `total_s` runs from the call to the last byte."""

    connect_s: float = 5.0
    tls_s: float = 5.0
    first_byte_s: float = 60.0
    stall_s: float = 30.0
    total_s: float = 600.0


class Limits(Struct, frozen=True):
    """`head_bytes_max` includes informational responses before the head. `body_bytes_max` bounds `read_all`, and what a
    compressed body opens to."""

    head_bytes_max: int = 64 * 1024
    headers_max: int = 256
    buffered_bytes_high_water: int = 256 * 1024
    body_bytes_max: int = 64 * 1024 * 1024
    idle_per_origin_max: int = 256
    idle_s: float = 60.0
    connections_per_origin_max: int = 4096


class Owner(Protocol):
    """Who keeps the connections."""

    limits: Limits

    def release(self, connection: Connection) -> None:
        """The connection may serve another request."""

    def lost(self, connection: Connection) -> None:
        """The connection is gone. May be told twice."""


_NO_HEADERS: list[
    tuple[bytes, bytes]
] = []  # until the head has arrived, when the response gets a list of its own


class Response:
    """A response whose head has arrived. Read it to its end, or abort it: until then it holds its connection."""

    __slots__ = (
        "_buffered",
        "_connection",
        "_drained",
        "_error",
        "_inflater",
        "_limits",
        "_parts",
        "_stall_s",
        "_total_at",
        "_waiter",
        "automatic",
        "bytes_received",
        "complete",
        "deadline",
        "deadline_phase",
        "headers",
        "status",
    )

    def __init__(self, connection: Connection, timeouts: Timeouts, total_at: float, now: float) -> None:
        self._connection: Connection | None = connection
        self._limits = connection.limits
        self._stall_s = timeouts.stall_s
        self._total_at = total_at
        self.automatic = True  # bytes that arrive move the deadline; the caller may keep that to himself
        self.deadline = now + timeouts.first_byte_s  # loop time at which a waiting `read` fails
        self._parts: list[bytes] = []
        self._buffered = 0
        self._drained = True  # what had arrived was taken, what a compressed body holds back included
        self._error: TransportError | None = None
        self._inflater: Inflater | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.deadline_phase: Phase = "first_byte_timeout"
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.bytes_received = 0
        self.complete = False

    @property
    def framed(self) -> bool:
        """Does the response say where its body ends? If not, its end is that of the connection, and proves nothing."""
        if self.status in (204, 304) or self.header(b"content-length") is not None:
            return True
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        return bool(codings) and codings[-1].rsplit(b",", 1)[-1].strip().lower() == b"chunked"

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; `name` in lower case."""
        for found, value in self.headers:
            if found == name:
                return value
        return None

    async def read(self) -> bytes:
        """What has arrived since the last call, or wait for more; `b""` exactly at the clean end. Raises `TransportError`."""
        while (data := self.take()) is None:
            waiting = self.arrival()
            if waiting is not None:
                try:
                    await waiting
                except asyncio.CancelledError:
                    self.abort()
                    raise
        return data

    def take(self) -> bytes | None:
        """The same without waiting: `None` while nothing has arrived."""
        while True:
            if self._inflater is not None and (data := self._inflated(self._inflater)):
                return data
            if self._parts:
                data = self._taken()
                if self._inflater is None:
                    return data
                self._inflater.feed(data)
            elif self._connection is not None:
                self._drained = True
                return None
            elif self._error is not None:
                raise self._error
            else:
                return b""

    def arrival(self) -> asyncio.Future[None] | None:
        """What to await before the next `take`; `None` if that has something to say already. One at a time."""
        connection = self._connection
        if connection is None or self._parts or (self._inflater is not None and not self._drained):
            return None
        return self._wait(connection)

    def take_all(self) -> bytes:
        """The rest of the body if all of it is here, else nothing: `read_all` then waits, and judges."""
        if self.complete and self._inflater is None and self._buffered <= self._limits.body_bytes_max:
            return self._taken()
        return b""

    async def read_all(self) -> bytes:
        """The rest of the body, bounded by `Limits.body_bytes_max`. Raises `TransportError`."""
        if whole := self.take_all():
            return whole
        parts: list[bytes] = []
        size = 0
        while data := await self.read():
            parts.append(data)
            size += len(data)
            if size > self._limits.body_bytes_max:
                self.abort()
                raise self._failure("too_large", f"a body of more than {self._limits.body_bytes_max} bytes")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def abort(self) -> None:
        """Close the connection at once. Idempotent; harmless after the end."""
        if self._connection is not None:
            self._connection.fail("closed", "aborted")

    def _taken(self) -> bytes:
        parts = self._parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts = []
        self._buffered = 0
        if self._connection is not None and self._connection.paused:
            self._connection.resume_reading()
        return data

    def _inflated(self, inflater: Inflater) -> bytes:
        """The next piece of a compressed body, or `b""` when more bytes are needed. Raises `TransportError`."""
        try:
            data = inflater.step()
            if not data and self.complete and not self._parts:
                inflater.end()
            return data
        except Unreadable as error:
            self.abort()
            self._error = self._failure(error.phase, error.reason)
            raise self._error from None

    def _failure(self, phase: Phase, reason: str) -> TransportError:
        return TransportError(phase, reason, request_sent=True, bytes_received=self.bytes_received)

    def _wait(self, connection: Connection) -> asyncio.Future[None]:
        """A future that is done when something arrives or ends."""
        loop = connection.loop
        if self.automatic and self.status:
            self.deadline = loop.time() + self._stall_s
        self._waiter = waiter = loop.create_future()
        return waiter

    async def begin(self) -> TransportError | None:
        """Wait for the head. Returns why there is none."""
        while self._connection is not None and self.status == 0:
            try:
                await self._wait(self._connection)
            except asyncio.CancelledError:
                self.abort()
                raise
        return None if self.status else self._error

    # -- from the connection and the transport
    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def begun(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The head is whole."""
        self.status = status
        self.headers = headers
        self.deadline_phase = "stall"
        encoding = self.header(b"content-encoding")
        if encoding is not None and encoding.lower() not in (b"", b"identity"):
            self._inflater = Inflater(encoding.lower(), self._limits.body_bytes_max)

    def arrived(self, body: bytes) -> int:
        """Take body bytes; returns how many are waiting to be read."""
        self._parts.append(body)
        self._drained = False
        self._buffered += len(body)
        return self._buffered

    def ended(self, error: TransportError | None) -> None:
        """The connection has no more for this response."""
        self._connection = None
        self._error = error
        self.complete = error is None
        self.wake()

    def late(self, now: float) -> Phase | None:
        """What has taken too long, if anything. A reader that does not read is not the provider's fault."""
        if now > self._total_at:
            return "total"
        return self.deadline_phase if now > self.deadline and self._waiter is not None else None


class Connection(asyncio.Protocol):
    """One socket to one server; serves one request at a time."""

    __slots__ = (
        "_barren_bytes",
        "_complete",
        "_headers",
        "_in_head",
        "_informational",
        "_keep_alive",
        "_owner",
        "_parser",
        "_transport",
        "_writing",
        "idle_since",
        "limits",
        "loop",
        "paused",
        "pool",
        "response",
        "reused",
    )

    def __init__(self, owner: Owner, pool: object, loop: asyncio.AbstractEventLoop) -> None:
        self.limits = owner.limits
        self.loop = loop
        self.pool = pool  # whose it is; the owner knows what that means
        self.response: Response | None = None
        self.reused = False
        self.idle_since = 0.0
        self.paused = False
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._writing = False
        self._in_head = True
        self._headers: list[tuple[bytes, bytes]] = []
        self._complete = False
        self._keep_alive = False
        self._informational = 0
        self._barren_bytes = 0

    def send(self, response: Response, payload: bytes) -> None:
        """Begin an exchange. What goes wrong is told to the response."""
        self.response = response
        self._in_head = True
        self._headers = []
        self._complete = False
        transport = self._transport
        if transport is None or transport.is_closing():
            self.fail("reset", "the connection was closed", sent=False)
        else:
            transport.write(payload)

    def fail(self, phase: Phase, reason: str, *, sent: bool = True) -> None:
        """End the exchange, if there is one, and the connection."""
        response, self.response = self.response, None
        if response is not None:
            received = response.bytes_received
            response.ended(TransportError(phase, reason, request_sent=sent, bytes_received=received))
        self.drop()

    def drop(self) -> None:
        """Close the socket at once. Idempotent."""
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
        self._transport.set_write_buffer_limits(high=1, low=0)  # `_writing`: not all of the request has left

    def pause_writing(self) -> None:
        self._writing = True

    def resume_writing(self) -> None:
        self._writing = False

    def data_received(self, data: bytes) -> None:
        response = self.response
        if response is None:
            self.drop()
            return
        response.bytes_received += len(data)
        unread = response._buffered
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._complete and self.response is response:  # what came after it is no part of it
                self._finish(response, keep=False)
            else:
                self.fail("malformed", f"not HTTP/1.1: {error if error.args else type(error).__name__}")
            return
        if self.response is not response:  # a callback ended it
            return
        if self._complete:
            self._finish(response, keep=self._keep_alive)
        elif self._in_head:
            if response.bytes_received > self.limits.head_bytes_max:
                self.fail("malformed", "the response's head is too large")
        elif response._buffered > unread:
            self._barren_bytes = 0
            response.wake()
        else:
            self._no_body_in(len(data))

    def _no_body_in(self, size: int) -> None:
        """Chunk extensions and trailers are bounded too."""
        self._barren_bytes += size
        if self._barren_bytes > self.limits.head_bytes_max:
            self.fail("malformed", "too much between the chunks of the body")

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost(self)
        self._transport = None
        response = self.response
        if response is not None:
            self._cut(response, exc)
        del self._parser  # it refers back to us; nobody should need the garbage collector

    def _cut(self, response: Response, exc: Exception | None) -> None:
        if response.bytes_received == 0:
            if self._writing:
                self.fail("write", "the connection was closed before all of the request had left")
            else:
                self.fail("reset", "the connection was closed before an answer")
        elif not self._in_head and exc is None and not response.framed:
            self.response = None
            response.ended(None)
        else:
            self.fail("truncated", "the connection was closed in the middle of an answer")

    # -- httptools
    def on_message_begin(self) -> None:
        response = self.response
        if response is None:
            self.drop()
        elif self._complete:  # a second response to one request: the first is whole
            self._finish(response, keep=False)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        response = self.response
        if response is None:
            return
        status: int = self._parser.get_status_code()
        if not 200 <= status < 600:
            self._no_answer(response, status)
            return
        headers, self._headers = self._headers, []  # from here on it takes trailers, which nobody reads
        self._in_head = False
        self._barren_bytes = 0
        self._informational = 0
        limits = self.limits
        if len(headers) > limits.headers_max or (
            response.bytes_received > limits.head_bytes_max and _size(headers) > limits.head_bytes_max
        ):
            self.fail("malformed", "the response's head is too large")
            return
        response.begun(status, headers)
        response.wake()

    def _no_answer(self, response: Response, status: int) -> None:
        """An informational response, to skip; or nonsense."""
        self._informational += 1
        self._headers = []
        if not 100 <= status < 200 or status == 101:
            self.fail("malformed", f"status {status}, which makes no sense here")
        elif self._informational > _INFORMATIONAL_MAX:
            self.fail("malformed", "too many informational responses")

    def on_body(self, body: bytes) -> None:
        response = self.response
        if response is not None and response.arrived(body) > self.limits.buffered_bytes_high_water:
            self._pause_reading()

    def on_message_complete(self) -> None:
        if not self._in_head:  # else it was informational, and the answer follows
            self._complete = True
            self._keep_alive = self._parser.should_keep_alive()

    # -- endings
    def _finish(self, response: Response, *, keep: bool) -> None:
        self.response = None
        if self.paused:
            self.resume_reading()
        transport = self._transport
        if keep and not self._writing and transport is not None and not transport.is_closing():
            self._owner.release(self)
        else:
            self.drop()
        response.ended(None)

    def _pause_reading(self) -> None:
        if not self.paused and self._transport is not None:
            self.paused = True
            self._transport.pause_reading()


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)
