"""From an origin to a connected socket: addresses, proxy, TLS. Part of the outbound transport; nobody else imports it.

Promises:
- a host with several addresses is tried at all of them, the next one a quarter of a second after the last, or as soon as that
  has failed; the first connection wins and the others are closed (RFC 8305 without its name-server half). Written out here
  because uvloop has no such option;
- a certificate is always checked against the host's name, and only HTTP/1.1 is offered;
- a proxy sees `CONNECT` for https and the absolute URL for http; nothing is sent through it until it has agreed.

The socket is plain until TLS starts, so the proxy's answer is read from the bare socket and needs no protocol of its own.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import itertools
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from turnout.upstream.exchange import Connection, Phase, TransportError

_ADDRESSES_MAX = 8
_NEXT_ADDRESS_S = 0.25
_PROXY_ANSWER_BYTES_MAX = 16 * 1024

Address = tuple[socket.AddressFamily, int, Any]  # family, protocol, what connect() takes


class Origin(Struct, frozen=True, cache_hash=True):
    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> tuple[Origin, str]:
        """`https://host/base` → origin and `/base` (no trailing slash). Raises `ValueError`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http(s) URL: {url[:100]!r}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(parts.scheme, parts.hostname, port), parts.path.rstrip("/")

    @property
    def authority(self) -> str:
        """Host and port as a request line has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Resolve = Callable[[Origin, asyncio.AbstractEventLoop], Awaitable[Sequence[Address]]]
"""Where an origin is. Who wants to decide that, to connect to addresses that were checked, brings their own."""


class Proxy(Struct, frozen=True):
    origin: Origin
    authorization: str  # a header line with its end, or nothing

    @classmethod
    def of(cls, url: str) -> Proxy:
        """`http://user:password@host:port`. Raises `ValueError`, without the password."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("a proxy must be given as http://host:port")
        origin = Origin("http", parts.hostname, parts.port or 80)
        if parts.username is None:
            return cls(origin, "")
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return cls(origin, f"proxy-authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n")

    def absolute(self, head: bytes, origin: Origin) -> bytes:
        """The head of a plain request, as this proxy wants it."""
        method, _, rest = head.partition(b" ")
        return b"%b http://%b%b%b" % (
            method,
            origin.authority.encode(),
            rest,
            self.authorization.encode(),
        )


class Exceptions:
    """`NO_PROXY`: hosts (with all below them), `host:port`, addresses, networks, or `*`; separated by commas."""

    def __init__(self, text: str) -> None:
        names = [part.strip().lower() for part in text.split(",") if part.strip()]
        self._names = frozenset(name.lstrip("*").lstrip(".") or "*" for name in names)
        self._networks = [network for name in names if (network := _network(name)) is not None]

    def cover(self, origin: Origin) -> bool:
        host = origin.host.lower()
        if not self._names.isdisjoint(("*", host, f"{host}:{origin.port}")):
            return True
        address = _network(host)
        if address is not None:
            return any(address[0] in network for network in self._networks)
        labels = host.split(".")
        return any(".".join(labels[n:]) in self._names for n in range(1, len(labels)))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


async def dial(
    connection: Connection,
    origin: Origin,
    proxy: Proxy | None,
    context: ssl.SSLContext | None,
    connect_by: float,
    tls_s: float,
    resolve: Resolve,
) -> None:
    """Connect `connection` to `origin`, at an address that `resolve` gives and at no other.

    `context` is given for https; `connect_by` is loop time. Raises `TransportError`.
    """
    loop = connection.loop
    phase: Phase = "connect"
    late: Phase = "connect_timeout"
    try:
        async with asyncio.timeout_at(connect_by):
            connected = await _reach(origin, proxy, loop, resolve)
        phase, late = "tls", "tls_timeout"
        async with asyncio.timeout(tls_s):
            await _adopt(connection, connected, context, origin.host, loop)
    except TimeoutError:
        what = "connection" if phase == "connect" else "TLS handshake"
        raise TransportError(late, f"no {what} in time", request_sent=False) from None
    except ssl.SSLCertVerificationError as error:
        raise TransportError("tls", error.verify_message or "certificate", request_sent=False) from None
    except ssl.SSLError as error:
        raise TransportError("tls", error.reason or "TLS failed", request_sent=False) from None
    except (OSError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise TransportError(phase, reason, request_sent=False) from None


async def _adopt(
    connection: Connection,
    connected: socket.socket,
    context: ssl.SSLContext | None,
    host: str,
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Hand the socket to the protocol, which then closes it."""
    try:
        await loop.create_connection(
            lambda: connection,
            sock=connected,
            ssl=context,
            server_hostname=host if context is not None else None,
        )
    except BaseException:
        connected.close()
        raise


async def _reach(
    origin: Origin, proxy: Proxy | None, loop: asyncio.AbstractEventLoop, resolve: Resolve
) -> socket.socket:
    target = origin if proxy is None else proxy.origin
    connected = await connect_first(await resolve(target, loop), loop)
    if proxy is None or origin.scheme == "http":
        return connected
    try:
        await _tunnel(connected, proxy, origin, loop)
    except BaseException:
        connected.close()
        raise
    return connected


async def resolve_here(origin: Origin, loop: asyncio.AbstractEventLoop) -> list[Address]:
    """Addresses in the system resolver's order, families taking turns. Raises `OSError` or `UnicodeError`."""
    try:  # an address needs no resolver and so no thread
        found = socket.getaddrinfo(
            origin.host, origin.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except socket.gaierror:
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    addresses: list[Address] = [(family, proto, address) for family, _, proto, _, address in found]
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    turns = itertools.chain.from_iterable(itertools.zip_longest(first, others))
    return [address for address in turns if address is not None][:_ADDRESSES_MAX]


async def connect_first(addresses: Sequence[Address], loop: asyncio.AbstractEventLoop) -> socket.socket:
    """Raises the last `OSError` when no address answers."""
    if len(addresses) == 1:
        return await _connect(addresses[0], loop)
    under_way: set[asyncio.Task[socket.socket]] = set()
    left = list(addresses)
    failure: BaseException = OSError(0, "no address")
    try:
        while left or under_way:
            if left:
                under_way.add(loop.create_task(_connect(left.pop(0), loop)))
            done, under_way = await asyncio.wait(
                under_way, timeout=_NEXT_ADDRESS_S if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            winner, failure = _first(done, failure)
            if winner is not None:
                return winner
        raise failure
    finally:
        for task in under_way:
            task.add_done_callback(_discard)
            task.cancel()


def _first(
    done: set[asyncio.Task[socket.socket]], failure: BaseException
) -> tuple[socket.socket | None, BaseException]:
    """One of the sockets that connected (the others are closed), or why none did."""
    winner: socket.socket | None = None
    for task in done:
        error = task.exception()
        if error is not None:
            failure = error
        elif winner is None:
            winner = task.result()
        else:
            task.result().close()
    return winner, failure


def _discard(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _connect(address: Address, loop: asyncio.AbstractEventLoop) -> socket.socket:
    family, proto, where = address
    made = socket.socket(family, socket.SOCK_STREAM, proto)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # a dead peer of a long silence is noticed
        await loop.sock_connect(made, where)
    except BaseException:
        made.close()
        raise
    return made


async def _tunnel(
    connected: socket.socket, proxy: Proxy, origin: Origin, loop: asyncio.AbstractEventLoop
) -> None:
    """Raises `OSError` unless the proxy agrees."""
    target = origin.authority
    await loop.sock_sendall(
        connected, f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{proxy.authorization}\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < _PROXY_ANSWER_BYTES_MAX:
        data = await loop.sock_recv(connected, 4096)
        if not data:
            raise ConnectionResetError(0, "the proxy closed the connection")
        answer += data
    version, _, rest = answer.partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/1.") or not code.isdigit() or not answer.endswith(b"\r\n\r\n"):
        raise ConnectionRefusedError(0, "the proxy's answer to CONNECT is not HTTP")
    if not code.startswith(b"2"):
        raise ConnectionRefusedError(0, f"the proxy answered {code.decode()} to CONNECT")
