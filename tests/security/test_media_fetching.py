"""A caller's URL must not lead where the caller could not go: no inner network, no metadata, no second thoughts of a resolver."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.contract.rawserver import reply, serving
from tests.contract.test_fetching import (
    HOST,
    PNG,
    PNG_TYPE,
    answering,
    on_loopback,
    refused,
    server_side,
    trusting,
    url,
)
from turnout.upstream.addresses import IPAddress
from turnout.upstream.fetching import Fetcher, FetchRules
from turnout.upstream.transport import Address, Origin

OTHER = "127.0.0.2"  # stands for a public address; 127.0.0.1 for the inner network


def is_other(address: IPAddress) -> bool:
    return str(address) == OTHER


class Names:
    """A resolver that gives one answer after the other; the last one serves the rest."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> Sequence[Address]:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [_address(text, origin.port) for text in answer]


def _address(text: str, port: int) -> Address:
    if ipaddress.ip_address(text).version == 6:
        return socket.AF_INET6, socket.IPPROTO_TCP, (text, port, 0, 0)
    return socket.AF_INET, socket.IPPROTO_TCP, (text, port)


def guarded(port: int, names: Names, **rules: object) -> Fetcher:
    settings = FetchRules(hosts=frozenset({f"{HOST}:{port}"}), cache_bytes_max=0, **rules)  # type: ignore[arg-type]
    return Fetcher(settings, lookup=names, public=is_other, ssl_context=trusting())


@contextlib.asynccontextmanager
async def public_server(port: int) -> AsyncIterator[list[bytes]]:
    """A server at the address that stands for a public one; gives the heads that it saw."""
    heads: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(reply(PNG, PNG_TYPE))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, OTHER, port, ssl=server_side())
    try:
        yield heads
    finally:
        server.close()


async def test_a_name_that_changes_its_mind_never_leads_inside() -> None:
    async with (
        serving(answering(reply(PNG, PNG_TYPE)), server_side()) as inner,
        public_server(inner.port) as heads,
    ):
        names = Names([OTHER], ["127.0.0.1"])
        fetcher = guarded(inner.port, names)
        assert (await fetcher.fetch(url(inner), "image")).media_type == "image/png"
        assert names.asked == 1  # what was checked is what was connected to
        await refused(fetcher.fetch(url(inner), "image"))
        assert names.asked == 2
        assert (len(heads), inner.accepted) == (1, 0)


@pytest.mark.parametrize("answer", [[OTHER, "127.0.0.1"], ["127.0.0.1", OTHER], [OTHER, OTHER, "::1"], []])
async def test_one_inner_address_among_public_ones_is_enough_to_refuse(answer: Sequence[str]) -> None:
    async with (
        serving(answering(reply(PNG, PNG_TYPE)), server_side()) as inner,
        public_server(inner.port) as heads,
    ):
        await refused(guarded(inner.port, Names(answer)).fetch(url(inner), "image"))
        assert (len(heads), inner.accepted) == (0, 0)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "localhost.",
        "LOCALHOST",
    ],
)
async def test_every_spelling_of_an_inner_address(host: str) -> None:
    """With the real resolver and the real judge, as in production. The server counts connections, before any TLS."""
    async with serving(answering(reply(PNG, PNG_TYPE))) as inner:
        for port in ("", f":{inner.port}"):
            name = f"[{ipaddress.ip_address(host[1:-1])}]" if host[0] == "[" else host.lower().rstrip(".")
            rules = FetchRules(timeout_s=5, hosts=frozenset({f"{name}{port}"} if port else ()))
            assert "no public address" in await refused(
                Fetcher(rules).fetch(f"https://{host}{port}/x.png", "image")
            )
        await asyncio.sleep(0.01)
        assert inner.accepted == 0


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See", b"307 Same", b"308 Same"])
async def test_a_redirect_is_not_followed(status: bytes) -> None:
    async with serving(answering(reply(PNG, PNG_TYPE)), server_side()) as inner:
        location = b"location: https://127.0.0.1:%d/secret" % inner.port
        async with serving(answering(reply(b"", location, status=status)), server_side()) as outer:
            fetcher = Fetcher(
                FetchRules(hosts=frozenset({f"{HOST}:{outer.port}"})),
                lookup=on_loopback,
                public=lambda address: True,
                ssl_context=trusting(),
            )
            assert "redirects" in await refused(fetcher.fetch(url(outer), "image"))
            assert (outer.accepted, inner.accepted) == (1, 0)


async def test_what_is_told_does_not_say_what_is_inside() -> None:
    """An inner host, a host that does not exist, a closed port and a wrong certificate are told alike."""
    told: set[str] = set()
    async with serving(answering(reply(PNG, PNG_TYPE)), server_side("other.example")) as inner:
        for names, judge in (
            (Names(["127.0.0.1"]), is_other),
            (Names([]), is_other),
            (Names([OTHER]), is_other),
            (Names(["127.0.0.1"]), lambda address: True),
        ):
            rules = FetchRules(hosts=frozenset({f"{HOST}:{inner.port}"}))
            fetcher = Fetcher(rules, lookup=names, public=judge, ssl_context=trusting())
            told.add(await refused(fetcher.fetch(url(inner), "image")))
    assert len(told) == 1
    assert "127.0.0" not in told.pop()


async def test_a_host_of_the_own_network_is_reached_when_named_and_only_then() -> None:
    async with serving(answering(reply(PNG, PNG_TYPE))) as inner:
        address = f"http://127.0.0.1:{inner.port}/x.png"
        named = Fetcher(FetchRules(inside=frozenset({f"127.0.0.1:{inner.port}"})))
        assert (await named.fetch(address, "image")).media_type == "image/png"
        for inside in ((), ("127.0.0.1",), ("localhost",)):
            await refused(Fetcher(FetchRules(inside=frozenset(inside))).fetch(address, "image"))
        assert inner.accepted == 1


@pytest.mark.parametrize("host", ["169.254.169.254", "100.100.100.200", "[fd00:ec2::254]"])
async def test_metadata_is_not_reached_even_when_named(host: str) -> None:
    fetcher = Fetcher(FetchRules(timeout_s=5, inside=frozenset({host})))
    assert "no public address" in await refused(fetcher.fetch(f"http://{host}/latest/meta-data", "image"))


async def test_the_environment_s_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name again, out of our sight."""
    async with serving(answering(reply(PNG, PNG_TYPE))) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await refused(guarded(443, Names(["127.0.0.1"])).fetch(f"https://{HOST}/x", "image"))
        assert proxy.accepted == 0
