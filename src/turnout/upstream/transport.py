"""The outbound HTTP/1.1 client: pools, deadlines, cancellation. The only way out of the program.

Promises:
- a request is sent at most once, with one exception: when a connection that was kept open turns out to have been closed before a
  single response byte came, the request goes out once more, on a fresh one;
- every wait has a deadline, and one sweep for all connections enforces them: no timer a request;
- cancelling the waiting task closes the socket at once, so a provider stops working for nobody;
- the connections to an origin are bounded; who has to wait for one is served in turn.

Why our own: it is what a gateway is for, and general clients cost two to three times the CPU. This file is the seam: who makes
requests imports it and nothing below it. `exchange` is one request on one connection, `dialing` is how to get one. None of them
knows what is in a request, or what a failure means.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping

from msgspec import Struct

from turnout.upstream.dialing import Address, Exceptions, Origin, Proxy, Resolve, dial, resolve_here
from turnout.upstream.exchange import Connection, Limits, Phase, Response, Timeouts, Trace, TransportError

__all__ = [
    "Address",
    "Limits",
    "Origin",
    "Phase",
    "Resolve",
    "Response",
    "Stats",
    "Timeouts",
    "Trace",
    "Transport",
    "TransportError",
    "resolve_here",
]

SWEEP_S = 0.05
_IDLE_SWEEPS = 10  # idle connections are looked at every so many sweeps
_STALE = ("reset", "write")  # phases in which a kept connection turns out to be closed
_LOOPBACK = "localhost,127.0.0.0/8,::1"


class Stats(Struct, frozen=True):
    """Connections now, and counters since the start."""

    open: int
    idle: int
    leased: int
    opened_total: int
    reused_total: int


class _Pool:
    """The connections to one origin. `idle` is a stack: the warmest is used first, the rest age out at the bottom.

    `slots_taken` counts connections open or being opened. Somebody waits only when all slots are taken and none is idle, and then
    gets a connection (or `None`: a slot, already counted) handed over, so that nobody can overtake.
    """

    __slots__ = ("idle", "slots_taken", "waiting")

    def __init__(self) -> None:
        self.idle: list[Connection] = []
        self.slots_taken = 0
        self.waiting: deque[asyncio.Future[Connection | None]] = deque()

    def hand_over(self, connection: Connection | None) -> bool:
        while self.waiting:
            waiter = self.waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False


class Transport:
    """Use from one event loop.

    `proxy` is one URL (`http://user:password@host:port`) for both schemes, or one for each; `no_proxy` lists exceptions as the
    environment does. `ssl_context` must check certificates and host names; it is told to offer HTTP/1.1 only. `resolve` says where
    a host is: connections go to the addresses that it gives and to no others.
    Raises `ValueError` for a proxy that cannot be used.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        *,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | Mapping[str, str] | None = None,
        no_proxy: str = "",
        resolve: Resolve = resolve_here,
        now_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.limits = limits
        self._now_ns = now_ns
        by_scheme = {"http": proxy, "https": proxy} if isinstance(proxy, str) else proxy or {}
        self._proxies = {scheme: Proxy.of(url) for scheme, url in by_scheme.items() if url}
        self._no_proxy = Exceptions(no_proxy)
        self._resolve = resolve
        self._ssl = ssl_context
        if ssl_context is not None:
            ssl_context.set_alpn_protocols(["http/1.1"])
        self._pools: dict[Origin, _Pool] = {}
        self._connections: set[Connection] = set()
        self._opened_total = 0
        self._reused_total = 0
        self._sweeps = 0
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], limits: Limits = Limits()) -> Transport:  # noqa: B008
        """`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in either case of letters. This machine itself needs no proxy."""

        def read(name: str) -> str:
            return environ.get(name.lower()) or environ.get(name) or ""

        proxies = {"https": read("HTTPS_PROXY"), "http": read("HTTP_PROXY")}
        return cls(limits, proxy=proxies, no_proxy=f"{_LOOPBACK},{read('NO_PROXY')}")

    @property
    def stats(self) -> Stats:
        count = len(self._connections)
        idle = sum(len(pool.idle) for pool in self._pools.values())
        return Stats(count, idle, count - idle, self._opened_total, self._reused_total)

    async def request(
        self, origin: Origin, head: bytes, body: bytes, timeouts: Timeouts, trace: Trace | None = None
    ) -> Response:
        """Send a request and wait for the response's head.

        `head` is the request line and headers, each line ended, without content length and closing blank line; the method is not
        HEAD or CONNECT. Raises `TransportError`.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._proxies:
            head = self._proxied(origin, head)
        payload = b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = _Pool()
        total_at = now + timeouts.total_s
        if pool.idle:
            connection = self._reuse(pool.idle.pop())
        else:
            connection = await self._acquire(pool, origin, timeouts, loop, fresh=False)
            now = loop.time()
        response = Response(connection, timeouts, total_at, now)
        if trace is not None:
            trace.sent = True
        connection.send(response, payload)
        error = await response.begin()
        if error is not None and connection.reused and error.phase in _STALE and not error.bytes_received:
            if trace is not None:
                trace.resent_ns = self._now_ns()
            connection = await self._acquire(pool, origin, timeouts, loop, fresh=True)
            response = Response(connection, timeouts, total_at, loop.time())
            connection.send(response, payload)
            error = await response.begin()
        if error is not None:
            raise error
        return response

    def cut(self) -> None:
        """Requests under way fail with `closed`, and so does every later one."""
        self._closed = True
        for connection in list(self._connections):
            connection.fail("closed", "the transport is closed")

    async def close(self) -> None:
        """Close every connection; requests under way fail with `closed`."""
        self.cut()
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        await asyncio.sleep(0)  # sockets close in the next turn of the loop

    # -- connections
    def _reuse(self, connection: Connection) -> Connection:
        connection.reused = True
        self._reused_total += 1
        return connection

    async def _acquire(
        self,
        pool: _Pool,
        origin: Origin,
        timeouts: Timeouts,
        loop: asyncio.AbstractEventLoop,
        *,
        fresh: bool,
    ) -> Connection:
        """A connection, new if `fresh`. Raises `TransportError`."""
        connect_by = loop.time() + min(timeouts.connect_s, timeouts.total_s)
        while pool.slots_taken >= self.limits.connections_per_origin_max:
            kept = pool.idle.pop(0) if pool.idle else await self._turn(pool, connect_by, loop)
            if kept is not None:
                if not fresh:
                    return self._reuse(kept)
                kept.drop()  # gives its slot up, to us unless somebody was waiting
            else:
                break
        else:
            pool.slots_taken += 1
        return await self._open(pool, origin, timeouts.tls_s, connect_by, loop)

    async def _turn(
        self, pool: _Pool, connect_by: float, loop: asyncio.AbstractEventLoop
    ) -> Connection | None:
        """Wait for a connection, or for a slot (then counted for us)."""
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        pool.waiting.append(waiter)
        try:
            async with asyncio.timeout_at(connect_by):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():  # it came too late: pass it on
                self._pass_on(pool, waiter.result())
            if isinstance(error, TimeoutError):
                reason = "no free connection in time"
                raise TransportError("connect_timeout", reason, request_sent=False) from None
            raise

    async def _open(
        self, pool: _Pool, origin: Origin, tls_s: float, connect_by: float, loop: asyncio.AbstractEventLoop
    ) -> Connection:
        """Use the slot that is counted for us."""
        connection = Connection(self, pool, loop)
        try:
            await self.dial(connection, origin, connect_by, tls_s)
        except BaseException:
            connection.drop()
            self._pass_on(pool, None)
            raise
        self._connections.add(connection)
        self._opened_total += 1
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP_S, self._sweep, loop)
        return connection

    async def dial(self, connection: Connection, origin: Origin, connect_by: float, tls_s: float) -> None:
        """Connect a connection, by this transport's proxy, names and certificates. Raises `TransportError`."""
        self._refuse_if_closed()
        context = self._context() if origin.scheme == "https" else None
        await dial(connection, origin, self._proxy_for(origin), context, connect_by, tls_s, self._resolve)
        self._refuse_if_closed()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise TransportError("closed", "the transport is closed", request_sent=False)

    def _context(self) -> ssl.SSLContext:
        if self._ssl is None:
            self._ssl = ssl.create_default_context()
            self._ssl.set_alpn_protocols(["http/1.1"])
        return self._ssl

    def _pass_on(self, pool: _Pool, connection: Connection | None) -> None:
        """A connection or a slot is free: to the first who waits, or back."""
        if pool.waiting and pool.hand_over(connection):
            return
        if connection is None:
            pool.slots_taken -= 1
        elif self._closed or len(pool.idle) >= self.limits.idle_per_origin_max:
            connection.drop()
        else:
            connection.idle_since = connection.loop.time()
            pool.idle.append(connection)

    def release(self, connection: Connection) -> None:
        """From a connection: its exchange has ended well."""
        self._pass_on(self._pool_of(connection), connection)

    def lost(self, connection: Connection) -> None:
        """From a connection: it is gone."""
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        pool = self._pool_of(connection)
        if connection in pool.idle:
            pool.idle.remove(connection)
        self._pass_on(pool, None)

    @staticmethod
    def _pool_of(connection: Connection) -> _Pool:
        pool = connection.pool
        assert isinstance(pool, _Pool)
        return pool

    # -- proxies
    def _proxy_for(self, origin: Origin) -> Proxy | None:
        proxy = self._proxies.get(origin.scheme)
        return None if proxy is None or self._no_proxy.cover(origin) else proxy

    def _proxied(self, origin: Origin, head: bytes) -> bytes:
        proxy = self._proxy_for(origin) if origin.scheme == "http" else None
        return head if proxy is None else proxy.absolute(head, origin)

    # -- time
    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._sweeps += 1
        for connection in list(self._connections):
            response = connection.response
            if response is not None:
                phase = response.late(now)
                if phase is not None:
                    connection.fail(phase, "too late")
        if self._sweeps % _IDLE_SWEEPS == 0:
            self._expire(now)
        self._sweeping = loop.call_later(SWEEP_S, self._sweep, loop) if self._connections else None

    def _expire(self, now: float) -> None:
        for pool in self._pools.values():
            for connection in [c for c in pool.idle if now - c.idle_since > self.limits.idle_s]:
                connection.drop()
