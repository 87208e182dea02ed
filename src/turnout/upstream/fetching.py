"""Fetching media from an address that a caller gave: the one place where a caller decides whom the gateway connects to.

Promises:
- a URL is https, on port 443, without credentials; http, other ports and private addresses are for hosts that the configuration
  names, and nothing leads to a metadata service or a link-local address;
- a host is looked up once, *all* of its addresses must pass, and the connection goes to one of the addresses that were checked: a
  name that changes its mind between check and connection changes nothing. The certificate is checked against the URL's host;
- redirects are not followed: they would be a second URL that nobody checked;
- a reply has 200, one of the allowed media types, first bytes that agree with it, and a bounded size, compressed or not;
- time in total and fetches at once are bounded, and nothing of a connection outlives its fetch;
- what a caller is told does not say why a host could not be reached: the gateway is not a probe for the network around it.

Proxies are not used, since a proxy would resolve the name by itself. Each fetch has a transport of its own, so that hosts which
callers invent leave no pools behind.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import re
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import SplitResult, quote, urlsplit

from msgspec import Struct

from turnout.core.model import Inline
from turnout.upstream.addresses import IPAddress, is_public, is_usable_inside
from turnout.upstream.sniffing import HEAD_BYTES, sniff
from turnout.upstream.transport import (
    Address,
    Limits,
    Origin,
    Resolve,
    Response,
    Timeouts,
    Transport,
    TransportError,
)
from turnout.wire.media import MediaKind

URL_CHARS_MAX = 8192
CACHE_S = 60.0
_HEAD_BYTES_MAX = 32 * 1024
_CONNECT_S_MAX = 5.0
_UNSAID = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Types by which a file store says that it does not know."""

_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")

Judge = Callable[[IPAddress], bool]


class FetchFailed(Exception):
    """`reason` is for the caller: a clause that follows the part's name. It holds nothing of the URL but its host."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FetchRules(Struct, frozen=True):
    """`hosts`: if any, only these (`name` or `name:port`). `inside`: hosts for which http and private addresses are allowed."""

    bytes_max: int = 20 * 1024 * 1024
    timeout_s: float = 10.0
    concurrent_max: int = 16
    hosts: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()
    cache_bytes_max: int = 64 * 1024 * 1024


class Place(Struct, frozen=True):
    """A URL that the rules allow: where to connect, and what to ask for there."""

    origin: Origin
    target: str
    inside: bool


def place_of(url: str, rules: FetchRules) -> Place:
    """Raises `FetchFailed`."""
    if len(url) > URL_CHARS_MAX:
        raise FetchFailed(f"has a URL of more than {URL_CHARS_MAX} characters")
    if any(character <= " " or character in "\\\x7f" for character in url):
        raise FetchFailed("has a URL with a space, a backslash or a control character")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _host(parts.hostname or "")
    except ValueError:
        raise FetchFailed("has a URL that cannot be read") from None
    return _allowed(parts, host, port, rules)


def _host(name: str) -> str:
    """An address of version 6, or a name in its ASCII form. Raises `ValueError`."""
    if ":" in name:
        return str(_without_zone(ipaddress.IPv6Address(name)))
    host = name.rstrip(".").encode("idna").decode("ascii").lower()
    if _HOST.fullmatch(host) is None:
        raise ValueError("not a host name")
    return host


def _allowed(parts: SplitResult, host: str, port: int | None, rules: FetchRules) -> Place:
    if parts.scheme not in ("http", "https") or not host:
        raise FetchFailed("has a URL that is not https")
    if "@" in parts.netloc:
        raise FetchFailed("has a URL with credentials in it")
    usual = 443 if parts.scheme == "https" else 80
    name = f"[{host}]" if ":" in host else host
    names = (f"{name}:{port or usual}", *((name,) if port in (None, usual) else ()))
    inside = not rules.inside.isdisjoint(names)
    listed = inside or not rules.hosts.isdisjoint(names)
    if parts.scheme == "http" and not inside:
        raise FetchFailed("has a URL that is not https")
    if rules.hosts and not listed:
        raise FetchFailed(f"is at {host}, which is not one of `media.hosts`")
    if names[-1] != name and not listed:
        raise FetchFailed("has a URL with a port other than 443")
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        target += "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=~-._[]{}|^`\"<>")
    return Place(Origin(parts.scheme, host, port or usual), target, inside)


def _without_zone(address: ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    if address.scope_id is not None:
        raise ValueError("an address with a zone")
    return address


class Lookup:
    """The system's resolver, in threads of its own: names that never resolve keep nobody else waiting for a thread."""

    def __init__(self, threads_max: int = 4) -> None:
        self._threads = ThreadPoolExecutor(threads_max, "media-names")

    async def __call__(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> Sequence[Address]:
        ask = partial(socket.getaddrinfo, origin.host, origin.port, type=socket.SOCK_STREAM)
        found = await loop.run_in_executor(self._threads, ask)
        return [(family, proto, address) for family, _, proto, _, address in found]


class Fetcher:
    """Fetches media under one set of rules. Use from one event loop.

    `lookup` and `public` are the resolver and the judge of addresses, `ssl_context` whom to trust: tests bring their own.
    """

    def __init__(
        self,
        rules: FetchRules,
        *,
        lookup: Resolve | None = None,
        public: Judge = is_public,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.rules = rules
        self._lookup = Lookup() if lookup is None else lookup
        self._public = public
        self._ssl = ssl_context
        self._turns = asyncio.Semaphore(rules.concurrent_max)
        self._cache = _Cache(rules.cache_bytes_max)

    async def fetch(self, url: str, kind: MediaKind, within_s: float | None = None) -> Inline:
        """The media at `url`, which must be of this kind. `within_s` shortens the time allowed. Raises `FetchFailed`."""
        place = place_of(url, self.rules)
        now = asyncio.get_running_loop().time()
        kept = self._cache.get(url, now)
        if kept is None:
            seconds = self.rules.timeout_s if within_s is None else min(self.rules.timeout_s, within_s)
            try:
                async with asyncio.timeout(seconds), self._turns:
                    kept = await self._get(place, seconds)
            except TimeoutError:
                raise FetchFailed(_late(place)) from None
            self._cache.put(url, kept, now + CACHE_S)
        if not _fits(kept.media_type, kind):
            raise FetchFailed(f"is {kept.media_type}, which is no {kind} that can be sent on")
        return kept

    async def _get(self, place: Place, seconds: float) -> Inline:
        addresses = await self._checked(place)

        async def resolve(origin: Origin, loop: asyncio.AbstractEventLoop) -> Sequence[Address]:
            return addresses

        limits = Limits(
            head_bytes_max=_HEAD_BYTES_MAX, body_bytes_max=self.rules.bytes_max, idle_per_origin_max=0
        )
        transport = Transport(limits, ssl_context=self._context(place), resolve=resolve)
        connect_s = min(seconds, _CONNECT_S_MAX)
        timeouts = Timeouts(connect_s, connect_s, seconds, seconds, seconds)
        try:
            response = await transport.request(place.origin, _head(place), b"", timeouts)
            return await self._read(response, place)
        except TransportError as error:
            raise FetchFailed(self._told(error, place)) from None
        finally:
            await transport.close()

    async def _checked(self, place: Place) -> Sequence[Address]:
        """Every address of the host, all of them allowed. Raises `FetchFailed`."""
        judge = is_usable_inside if place.inside else self._public
        try:
            found = await self._lookup(place.origin, asyncio.get_running_loop())
            if found and all(judge(ipaddress.ip_address(where[0])) for _, _, where in found):
                return found
        except (OSError, ValueError):  # no such host, or an address that is none
            pass
        raise FetchFailed(_unreachable(place))

    async def _read(self, response: Response, place: Place) -> Inline:
        try:
            if response.status != 200:
                raise FetchFailed(_refused(place, response.status))
            length = response.header(b"content-length") or b""
            if length.isdigit() and int(length[:20]) > self.rules.bytes_max:
                raise FetchFailed(self._too_large())
            declared = _declared(response)
            body = await response.read_all()
        except BaseException:
            response.abort()
            raise
        found = sniff(body[:HEAD_BYTES])
        if found is None or (declared not in _UNSAID and _family(found) != _family(declared)):
            raise FetchFailed(
                f"is not what {place.origin.host} says it is, or of no type that can be sent on"
            )
        return Inline(found, base64.b64encode(body).decode())

    def _context(self, place: Place) -> ssl.SSLContext | None:
        """One for all fetches: to make one means to read all authorities."""
        if self._ssl is None and place.origin.scheme == "https":
            self._ssl = ssl.create_default_context()
        return self._ssl

    def _told(self, error: TransportError, place: Place) -> str:
        if error.phase == "too_large":
            return self._too_large()
        if error.phase in ("first_byte_timeout", "stall", "total"):
            return _late(place)
        return _unreachable(place)

    def _too_large(self) -> str:
        return f"is larger than {self.rules.bytes_max} bytes"


def _head(place: Place) -> bytes:
    origin = place.origin
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    usual = 443 if origin.scheme == "https" else 80
    named = host if origin.port == usual else f"{host}:{origin.port}"
    lines = (
        f"GET {place.target} HTTP/1.1",
        f"host: {named}",
        "accept: image/*, application/pdf, audio/*",
        "accept-encoding: identity",
        "connection: close",
        "user-agent: turnout",
    )
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _declared(response: Response) -> str:
    """The media type that the server says. Raises `FetchFailed` for one that is not taken."""
    said = (response.header(b"content-type") or b"").partition(b";")[0].strip().lower()
    declared = said.decode("ascii", "replace")
    if declared in _UNSAID or declared == "application/pdf" or declared.startswith(("image/", "audio/")):
        return declared
    raise FetchFailed("is neither an image nor a PDF nor audio")


def _family(media_type: str) -> str:
    return media_type if media_type == "application/pdf" else media_type.partition("/")[0]


def _fits(media_type: str, kind: MediaKind) -> bool:
    wanted = "application/pdf" if kind == "document" else kind
    return _family(media_type) == wanted


def _unreachable(place: Place) -> str:
    return f"could not be fetched: {place.origin.host} has no public address or does not answer"


def _late(place: Place) -> str:
    return f"could not be fetched: {place.origin.host} took too long"


def _refused(place: Place, status: int) -> str:
    if 300 <= status < 400:
        return f"could not be fetched: {place.origin.host} redirects, and redirects are not followed"
    return f"could not be fetched: {place.origin.host} answered {status}"


class _Cache:
    """The last media fetched, for a short time: the turns of a conversation, and its fallbacks, name the same URL again."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[str, tuple[Inline, float]] = OrderedDict()  # the oldest first

    def get(self, url: str, now: float) -> Inline | None:
        self._expire(now)
        entry = self._kept.get(url)
        return None if entry is None else entry[0]

    def put(self, url: str, value: Inline, until: float) -> None:
        """`until` never goes back from one call to the next."""
        if len(value.data) > self._bytes_max:
            return
        if url in self._kept:
            self._drop(url)
        self._kept[url] = (value, until)
        self._bytes += len(value.data)
        while self._bytes > self._bytes_max:
            self._drop(next(iter(self._kept)))

    def _expire(self, now: float) -> None:
        while self._kept:
            url, (_, until) = next(iter(self._kept.items()))
            if until > now:
                return
            self._drop(url)

    def _drop(self, url: str) -> None:
        value, _ = self._kept.pop(url)
        self._bytes -= len(value.data)
