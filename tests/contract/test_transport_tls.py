"""TLS and proxies, under both event loops: who is believed, and what is told when nobody is."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trustme
import uvloop

from tests.contract.rawserver import Client, reply, serving
from turnout.upstream.dialing import Exceptions
from turnout.upstream.transport import Origin, Timeouts, Transport, TransportError

HEAD = b"POST /x HTTP/1.1\r\nhost: test\r\n"
PATIENT = Timeouts(connect_s=10, tls_s=10, first_byte_s=10, stall_s=10, total_s=20)
IMPATIENT = Timeouts(connect_s=0.2, tls_s=0.2)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def runner(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as loop:
            loop.run(asyncio.wait_for(main, 30))

    return runner


Run = Callable[[Coroutine[Any, Any, None]], None]


async def echo(client: Client) -> None:
    while True:
        _, body = await client.request()
        await client.send(reply(body))


async def failing(transport: Transport, origin: Origin, timeouts: Timeouts = PATIENT) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await transport.request(origin, HEAD, b"", timeouts)
    await transport.close()
    assert transport.stats.open == 0
    return caught.value


def test_a_good_certificate(run: Run, authority: trustme.CA) -> None:
    async def main() -> None:
        async with serving(echo, server_side(authority, "localhost")) as server:
            transport = Transport(ssl_context=trusting(authority))
            for _ in range(3):
                body = b"x" * 100_000
                assert await (await transport.request(server.origin, HEAD, body, PATIENT)).read_all() == body
            assert (server.accepted, transport.stats.idle) == (1, 1)
            await transport.close()

    run(main())


def test_only_http_1_1_is_offered(run: Run, authority: trustme.CA) -> None:
    async def main() -> None:
        agreed: list[str | None] = []

        async def script(client: Client) -> None:
            agreed.append(client.writer.get_extra_info("ssl_object").selected_alpn_protocol())
            await echo(client)

        context = server_side(authority, "localhost")
        context.set_alpn_protocols(["h2", "http/1.1"])
        async with serving(script, context) as server:
            transport = Transport(ssl_context=trusting(authority))
            assert await (await transport.request(server.origin, HEAD, b"q", PATIENT)).read_all() == b"q"
            await transport.close()
        assert agreed == ["http/1.1"]

    run(main())


def test_a_tls_stream_that_is_cut_or_cancelled(run: Run, authority: trustme.CA) -> None:
    async def main() -> None:
        noticed = asyncio.Event()

        async def script(client: Client) -> None:
            await client.request()
            await client.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
            if client.number == 1:
                client.writer.transport.abort()
                return
            await client.gone()
            noticed.set()

        async with serving(script, server_side(authority, "localhost")) as server:
            transport = Transport(ssl_context=trusting(authority))
            with pytest.raises(TransportError) as caught:
                await (await transport.request(server.origin, HEAD, b"", PATIENT)).read_all()
            assert caught.value.phase == "truncated"
            response = await transport.request(server.origin, HEAD, b"", PATIENT)
            task = asyncio.create_task(response.read_all())
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(noticed.wait(), 5)
            assert transport.stats.open == 0
            await transport.close()

    run(main())


def test_a_certificate_of_somebody_else_or_of_nobody(run: Run, authority: trustme.CA) -> None:
    async def main() -> None:
        async with serving(echo, server_side(authority, "other.example")) as server:
            error = await failing(Transport(ssl_context=trusting(authority)), server.origin)
            assert (error.phase, error.request_sent) == ("tls", False)
        async with serving(echo, server_side(authority, "localhost")) as server:
            assert (await failing(Transport(), server.origin)).phase == "tls"

    run(main())


def test_a_handshake_that_never_ends(run: Run, authority: trustme.CA) -> None:
    async def mute(client: Client) -> None:
        await client.gone()

    async def main() -> None:
        async with serving(mute) as server:
            origin = Origin("https", "localhost", server.port)
            error = await failing(Transport(ssl_context=trusting(authority)), origin, IMPATIENT)
            assert error.phase == "tls_timeout"

    run(main())


def test_plain_text_where_tls_was_meant(run: Run, authority: trustme.CA) -> None:
    async def plain(client: Client) -> None:
        await client.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def main() -> None:
        async with serving(plain) as server:
            origin = Origin("https", "localhost", server.port)
            assert (await failing(Transport(ssl_context=trusting(authority)), origin)).phase == "tls"

    run(main())


async def proxy(client: Client, seen: list[bytes]) -> None:
    """A real CONNECT proxy that asks for a password."""
    head = await client.reader.readuntil(b"\r\n\r\n")
    seen.append(head)
    wanted = b"proxy-authorization: Basic " + base64.b64encode(b"me:pass word")
    if wanted not in head:
        await client.send(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        return
    port = int(head.split(b" ")[1].rsplit(b":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await client.send(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    await asyncio.gather(pump(client.reader, writer), pump(reader, client.writer))


def test_a_proxy_with_a_password(run: Run, authority: trustme.CA) -> None:
    async def main() -> None:
        seen: list[bytes] = []
        async with (
            serving(echo, server_side(authority, "localhost")) as server,
            serving(lambda c: proxy(c, seen)) as via,
        ):
            url = f"http://me:pass%20word@127.0.0.1:{via.port}"
            transport = Transport(ssl_context=trusting(authority), proxy={"https": url})
            for _ in range(2):
                assert (
                    await (await transport.request(server.origin, HEAD, b"hi", PATIENT)).read_all() == b"hi"
                )
            assert len(seen) == 1
            assert seen[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % server.port)
            await transport.close()
            wrong = Transport(
                ssl_context=trusting(authority), proxy={"https": f"http://127.0.0.1:{via.port}"}
            )
            error = await failing(wrong, server.origin)
            assert (error.phase, "407" in error.reason) == ("connect", True)

    run(main())


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nextra", b"HTTP/1.1 200 OK\r\n" + b"a" * 100_000],
)
def test_a_proxy_that_is_none(run: Run, authority: trustme.CA, answer: bytes) -> None:
    async def odd(client: Client) -> None:
        await client.reader.readuntil(b"\r\n\r\n")
        await client.send(answer)
        if not answer:
            await client.gone()

    async def main() -> None:
        async with serving(odd) as via:
            transport = Transport(
                ssl_context=trusting(authority), proxy={"https": f"http://127.0.0.1:{via.port}"}
            )
            error = await failing(transport, Origin("https", "localhost", 1), IMPATIENT)
            assert error.phase in ("connect", "connect_timeout")

    run(main())


def test_a_proxy_for_plain_http_and_exceptions_to_it(run: Run) -> None:
    async def main() -> None:
        heads: list[bytes] = []

        async def script(client: Client) -> None:
            while True:
                head, body = await client.request()
                heads.append(head)
                await client.send(reply(body))

        async with serving(script) as via:
            environ = {"HTTP_PROXY": f"http://me:word@127.0.0.1:{via.port}", "NO_PROXY": "example.com"}
            transport = Transport.from_environment(environ)
            for host, shown in (("far.example", b"far.example"), ("2001:db8::1", b"[2001:db8::1]")):
                await (await transport.request(Origin("http", host, 81), HEAD, b"", PATIENT)).read_all()
                assert heads[-1].startswith(b"POST http://" + shown + b":81/x HTTP/1.1\r\n")
                assert b"\r\nproxy-authorization: Basic bWU6d29yZA==\r\n" in heads[-1]
                assert heads[-1].endswith(b"\r\ncontent-length: 0\r\n\r\n")
            await (await transport.request(via.origin, HEAD, b"", PATIENT)).read_all()
            assert heads[-1].startswith(b"POST /x HTTP/1.1\r\n")
            assert b"proxy-authorization" not in heads[-1]
            await transport.close()

    run(main())


@pytest.mark.parametrize(
    ("listed", "host", "covered"),
    [
        ("example.com", "example.com", True),
        ("example.com", "API.example.com", True),
        (".example.com", "api.example.com", True),
        ("*.example.com", "api.example.com", True),
        ("example.com", "notexample.com", False),
        ("example.com:81", "example.com", True),
        ("example.com:82", "example.com", False),
        ("10.0.0.0/8, other", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("::1", "::1", True),
        ("*", "anything", True),
        (" , ", "anything", False),
        ("", "anything", False),
    ],
)
def test_exceptions_to_the_proxy(listed: str, host: str, covered: bool) -> None:
    assert Exceptions(listed).cover(Origin("http", host, 81)) is covered


@pytest.mark.parametrize("url", ["https://user:secret@proxy:1", "socks5://user:secret@proxy:1", "http://"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="a proxy must be given as") as caught:
        Transport(proxy=url)
    assert "secret" not in str(caught.value)
