"""Fetching media from real servers with real certificates: what is taken, and which bounds hold."""

from __future__ import annotations

import asyncio
import base64
import gzip
import ssl
from collections.abc import Awaitable, Sequence

import pytest
import trustme

from tests.contract.rawserver import Client, Script, Server, reply, serving
from turnout.core.model import Inline
from turnout.upstream.fetching import CACHE_S, Fetcher, FetchFailed, FetchRules
from turnout.upstream.transport import Address, Origin, resolve_here

HOST = "media.example"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PDF = b"%PDF-1.7\n" + b"x" * 100
PNG_TYPE = b"content-type: image/png"
AUTHORITY = trustme.CA()


def server_side(name: str = HOST) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name).configure_cert(context)
    return context


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


async def on_loopback(origin: Origin, loop: asyncio.AbstractEventLoop) -> Sequence[Address]:
    return await resolve_here(Origin(origin.scheme, "127.0.0.1", origin.port), loop)


def fetcher(server: Server, **rules: object) -> Fetcher:
    """One that knows `HOST` to be at the server, and takes loopback for public."""
    settings = FetchRules(hosts=frozenset({f"{HOST}:{server.port}"}), **rules)  # type: ignore[arg-type]
    return Fetcher(
        settings, lookup=on_loopback, public=lambda address: address.is_loopback, ssl_context=trusting()
    )


def url(server: Server, path: str = "/x.png") -> str:
    return f"https://{HOST}:{server.port}{path}"


def answering(*answers: bytes) -> Script:
    """Answers the first request with the first answer, and so on; the last one serves the rest."""
    left = list(answers)

    async def script(client: Client) -> None:
        await client.request()
        await client.send(left.pop(0) if len(left) > 1 else left[0])
        await client.gone()

    return script


async def refused(waiting: Awaitable[Inline]) -> str:
    with pytest.raises(FetchFailed) as caught:
        await asyncio.wait_for(waiting, 20)
    return caught.value.reason


async def test_an_image() -> None:
    heads: list[bytes] = []

    async def script(client: Client) -> None:
        heads.append((await client.request())[0])
        await client.send(reply(PNG, b"content-type: Image/PNG; charset=binary"))
        await client.gone()

    async with serving(script, server_side()) as server:
        found = await fetcher(server).fetch(url(server, "/a?token=b%20c"), "image")
    assert found == Inline("image/png", base64.b64encode(PNG).decode())
    lines = heads[0].decode().lower().split("\r\n")
    assert lines[0] == "get /a?token=b%20c http/1.1"
    assert f"host: {HOST}:{server.port}" in lines
    assert not any(line.startswith(("authorization", "cookie", "referer")) for line in lines)


@pytest.mark.parametrize(
    ("kind", "said", "body", "media_type"),
    [
        ("image", b"image/jpeg", PNG, "image/png"),  # of the same family: what it is counts
        ("image", b"application/octet-stream", PNG, "image/png"),
        ("image", b"", PNG, "image/png"),
        ("document", b"application/pdf", PDF, "application/pdf"),
        ("document", b"binary/octet-stream", PDF, "application/pdf"),
        ("audio", b"audio/x-wav", b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
    ],
)
async def test_types_that_are_taken(kind: str, said: bytes, body: bytes, media_type: str) -> None:
    headers = (b"content-type: " + said,) if said else ()
    async with serving(answering(reply(body, *headers)), server_side()) as server:
        found = await fetcher(server).fetch(url(server), kind)  # type: ignore[arg-type]
    assert (found.media_type, base64.b64decode(found.data)) == (media_type, body)


@pytest.mark.parametrize(
    ("kind", "said", "body"),
    [
        ("image", b"text/html", b"<html>"),
        ("image", b"text/html", PNG),
        ("image", b"image/png", b"<html>"),
        ("image", b"image/png", b""),
        ("image", b"image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("image", b"application/octet-stream", b"-----BEGIN PRIVATE KEY-----"),
        ("image", b"application/pdf", PDF),
        ("image", b"image/png", PDF),
        ("document", b"image/png", PNG),
        ("audio", b"image/png", PNG),
        ("image", b"audio/mpeg", PNG),
    ],
)
async def test_types_that_are_not(kind: str, said: bytes, body: bytes) -> None:
    async with serving(answering(reply(body, b"content-type: " + said)), server_side()) as server:
        reason = await refused(fetcher(server).fetch(url(server), kind))  # type: ignore[arg-type]
    assert "KEY" not in reason


@pytest.mark.parametrize(
    "status", [b"206 Partial", b"204 No Content", b"401 No", b"404 Not Found", b"500 Oh"]
)
async def test_only_200_will_do(status: bytes) -> None:
    answer = (
        b"HTTP/1.1 204 No Content\r\n\r\n" if status[:3] == b"204" else reply(PNG, PNG_TYPE, status=status)
    )
    async with serving(answering(answer), server_side()) as server:
        assert status[:3].decode() in await refused(fetcher(server).fetch(url(server), "image"))


# -- bounds
async def test_a_size_that_is_announced_is_refused_unread() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\ncontent-type: image/png\r\n\r\n" + PNG
    async with serving(answering(answer), server_side()) as server:
        assert "larger than 1000 bytes" in await refused(
            fetcher(server, bytes_max=1000).fetch(url(server), "image")
        )


async def test_a_body_without_end_is_cut_at_the_limit() -> None:
    sent = 0

    async def script(client: Client) -> None:
        nonlocal sent
        await client.request()
        await client.send(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n")
        while not client.writer.is_closing() and sent < 64 * 1024 * 1024:
            await client.send(b"10000\r\n" + PNG.ljust(0x10000, b"\0") + b"\r\n")
            await asyncio.sleep(0)
            sent += 0x10000

    async with serving(script, server_side()) as server:
        assert "larger than" in await refused(fetcher(server, bytes_max=200_000).fetch(url(server), "image"))
    assert sent < 16 * 1024 * 1024


async def test_a_bomb_is_cut_at_the_limit() -> None:
    packed = gzip.compress(PNG + bytes(8 * 1024 * 1024))
    assert len(packed) < 20_000
    answer = reply(packed, PNG_TYPE, b"content-encoding: gzip")
    async with serving(answering(answer), server_side()) as server:
        assert "larger than" in await refused(fetcher(server, bytes_max=100_000).fetch(url(server), "image"))


async def test_a_compressed_body_within_the_limit_is_opened() -> None:
    answer = reply(gzip.compress(PNG), PNG_TYPE, b"content-encoding: gzip")
    async with serving(answering(answer), server_side()) as server:
        found = await fetcher(server).fetch(url(server), "image")
    assert base64.b64decode(found.data) == PNG


async def silent(client: Client) -> None:
    await client.request()
    await client.gone()


async def dripping(client: Client) -> None:
    """Never silent for long, never done: only a bound on the whole ends it."""
    await client.request()
    await client.send(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 100000\r\n\r\n")
    for byte in PNG * 1000:
        await client.send(bytes([byte]))
        await asyncio.sleep(0.02)


async def dripping_head(client: Client) -> None:
    await client.request()
    for byte in b"HTTP/1.1 200 OK\r\nx: " + b"a" * 10_000:
        await client.send(bytes([byte]))
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("script", [silent, dripping, dripping_head], ids=lambda script: script.__name__)
async def test_slow_servers(script: Script) -> None:
    async with serving(script, server_side()) as server:
        assert "too long" in await refused(fetcher(server, timeout_s=0.3).fetch(url(server), "image"))


async def test_a_caller_may_allow_less_time() -> None:
    async with serving(silent, server_side()) as server:
        assert "too long" in await refused(fetcher(server).fetch(url(server), "image", within_s=0.2))


async def test_a_resolver_that_never_answers() -> None:
    async def never(origin: Origin, loop: asyncio.AbstractEventLoop) -> Sequence[Address]:
        await asyncio.sleep(3600)
        return ()

    patience = Fetcher(FetchRules(timeout_s=0.1), lookup=never)
    assert "too long" in await refused(patience.fetch("https://a.example/x", "image"))


async def test_no_more_at_a_time_than_allowed_and_the_wait_counts() -> None:
    now = most = 0
    release = asyncio.Event()

    async def script(client: Client) -> None:
        nonlocal now, most
        await client.request()
        now, most = now + 1, max(most, now + 1)
        await release.wait()
        await client.send(reply(PNG, PNG_TYPE))
        now -= 1
        await client.gone()

    async with serving(script, server_side()) as server:
        few = fetcher(server, concurrent_max=2)
        tasks = [asyncio.create_task(few.fetch(url(server, f"/{n}"), "image")) for n in range(6)]
        impatient = await refused(few.fetch(url(server, "/late"), "image", within_s=0.2))
        release.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 20)
    assert most == 2
    assert "too long" in impatient


async def test_a_fetch_that_is_cancelled_leaves_nothing() -> None:
    noticed = asyncio.Event()

    async def script(client: Client) -> None:
        await client.request()
        await client.gone()
        noticed.set()

    async with serving(script, server_side()) as server:
        few = fetcher(server, concurrent_max=1)
        task = asyncio.create_task(few.fetch(url(server), "image"))
        while not server.accepted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(noticed.wait(), 10)
        assert "too long" in await refused(
            few.fetch(url(server), "image", within_s=0.2)
        )  # its turn was given back
        assert server.accepted == 2


# -- trust
async def test_a_certificate_of_another_host() -> None:
    async with serving(answering(reply(PNG, PNG_TYPE)), server_side("other.example")) as server:
        assert HOST in await refused(fetcher(server).fetch(url(server), "image"))


async def test_a_certificate_of_nobody() -> None:
    async with serving(answering(reply(PNG, PNG_TYPE)), server_side()) as server:
        rules = FetchRules(hosts=frozenset({f"{HOST}:{server.port}"}))
        stranger = Fetcher(rules, lookup=on_loopback, public=lambda address: True)
        await refused(stranger.fetch(url(server), "image"))


# -- what is kept
async def test_the_same_url_again_is_not_fetched_again() -> None:
    async with serving(answering(reply(PNG, PNG_TYPE)), server_side()) as server:
        remembering = fetcher(server)
        first = await remembering.fetch(url(server), "image")
        assert await remembering.fetch(url(server), "image") == first
        assert server.accepted == 1
        assert "no document" in await refused(remembering.fetch(url(server), "document"))
        await remembering.fetch(url(server, "/other"), "image")
        assert server.accepted == 2


@pytest.mark.parametrize(("cache_bytes_max", "fetches"), [(0, 3), (400, 3), (2000, 2)])
async def test_what_is_kept_is_bounded(cache_bytes_max: int, fetches: int) -> None:
    async with serving(answering(reply(PNG, PNG_TYPE)), server_side()) as server:
        small = fetcher(server, cache_bytes_max=cache_bytes_max)
        for path in ("/a", "/b", "/a"):
            await small.fetch(url(server, path), "image")
        assert server.accepted == fetches


async def test_what_is_kept_is_kept_for_a_short_time() -> None:
    from turnout.upstream.fetching import _Cache

    cache = _Cache(1000)
    cache.put("u", Inline("image/png", "AAAA"), 100.0 + CACHE_S)
    assert cache.get("u", 100.0 + CACHE_S - 1) is not None
    assert cache.get("u", 100.0 + CACHE_S + 1) is None


async def test_a_failure_is_not_kept() -> None:
    answers = answering(reply(b"", PNG_TYPE, status=b"500 Oh"), reply(PNG, PNG_TYPE))
    async with serving(answers, server_side()) as server:
        again = fetcher(server)
        await refused(again.fetch(url(server), "image"))
        assert (await again.fetch(url(server), "image")).media_type == "image/png"
