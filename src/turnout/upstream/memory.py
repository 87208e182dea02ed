"""Connections without sockets: the transport of a program that runs in virtual time.

Promise: everything above the socket is the real thing (pools, parsing, deadlines, failures); only `dial` differs, which connects
a request's protocol to a server's protocol in this process. Bytes arrive in a later turn of the loop, in order; a close
arrives after the bytes before it. Whoever is at no address here refuses connections. It must not know what is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from turnout.upstream.dialing import Origin
from turnout.upstream.exchange import Connection, Limits, TransportError
from turnout.upstream.transport import Transport

MakeServer = Callable[[], asyncio.Protocol]


class MemoryTransport(Transport):
    """`servers` may be changed while it runs: a server that is taken away refuses. `latency_s` is one way."""

    def __init__(
        self,
        servers: Mapping[Origin, MakeServer],
        now_ns: Callable[[], int],
        latency_s: float = 0.0,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__(limits, now_ns=now_ns)
        self._servers = servers
        self._latency_s = latency_s

    async def dial(self, connection: Connection, origin: Origin, connect_by: float, tls_s: float) -> None:
        self._refuse_if_closed()
        await asyncio.sleep(self._latency_s)
        make = self._servers.get(origin)
        if make is None:
            raise TransportError("connect", "Connection refused", request_sent=False)
        join(connection, make(), connection.loop, self._latency_s)
        self._refuse_if_closed()


def join(
    client: asyncio.Protocol,
    server: asyncio.Protocol,
    loop: asyncio.AbstractEventLoop,
    latency_s: float = 0.0,
) -> None:
    """Connect two protocols."""
    ends = _End(loop, client, latency_s), _End(loop, server, latency_s)
    ends[0].peer, ends[1].peer = ends[1], ends[0]
    server.connection_made(ends[1])
    client.connection_made(ends[0])


class _End(asyncio.Transport):
    """One end of a connection. There is no flow control: what is written is underway at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, latency_s: float) -> None:
        super().__init__()
        self.peer: _End
        self._loop = loop
        self._protocol = protocol
        self._latency_s = latency_s
        self._closing = self._lost = self._paused = False
        self._waiting: list[bytes | None] = []  # arrived while reading was paused; `None` is the end

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing and data:
            self._later(self.peer._arrived, bytes(data))

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._later(self.peer._arrived, None)
            self._loop.call_soon(self._lose)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self._loop.call_soon(self._arrived, data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def _later(self, call: Callable[[bytes | None], None], data: bytes | None) -> None:
        if self._latency_s:
            self._loop.call_later(self._latency_s, call, data)
        else:
            self._loop.call_soon(call, data)

    def _arrived(self, data: bytes | None) -> None:
        if self._lost:
            return
        if self._paused:
            self._waiting.append(data)
        elif data is None:
            self._closing = True
            self._lose()
        else:
            self._protocol.data_received(data)

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self._protocol.connection_lost(None)
