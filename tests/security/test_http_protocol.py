"""The inbound protocol on real sockets: framing, limits, slow and rude clients, and who is told what."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from turnout.edge.http import Door, HttpLimits, protocol_class

LIMITS = HttpLimits(
    head_bytes_max=4096,
    unread_body_bytes_max=64 * 1024,
    pipelined_requests_max=4,
    unsent_bytes_high_water=64 * 1024,
    head_s=1.0,
    body_s=1.0,
    keep_alive_s=1.5,
    unsent_s=1.0,
    linger_s=1.0,
    linger_bytes_max=8 * 1024 * 1024,
    connections_max=12,
)

Serve = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class World:
    """A server on a free port, and what its application saw."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: list[dict[str, Any]] = []
        self.cancelled = asyncio.Event()
        self.late: list[bool] = []
        self.door = Door()
        self.server: uvicorn.Server

    async def app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.seen.append(scope)
        path = scope["path"]
        handler: Serve = getattr(self, "on_" + path.strip("/").replace("-", "_"), self.on_echo)
        await handler(scope, receive, send)

    async def _answer(self, send: Any, body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-length", b"%d" % len(body)), *headers],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def on_echo(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                self.late.append(message["late"])
                if message["late"]:
                    await self._answer(send, b"late", status=408)
                return
            body += message["body"]
            if not message["more_body"]:
                break
        await self._answer(send, body or b"empty")

    async def on_stream(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"chunk", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def on_hang(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def on_flood(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            for _ in range(10_000):
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def on_refuse(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self._answer(send, b"too large", status=413)

    async def on_inject(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self._answer(send, b"x", (b"x-a", b"1\r\nset-cookie: evil=1"))

    async def on_raise(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        raise RuntimeError("bug")

    async def on_raise_late(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise RuntimeError("bug")

    async def on_silent(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        return

    # -- client side
    async def talk(self, data: bytes, *, half_close: bool = False, wait_s: float = 10.0) -> bytes:
        """Send, then read until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
            if half_close:
                writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), wait_s)
        finally:
            writer.close()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    world = World(listener.getsockname()[1])
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    config = uvicorn.Config(
        world.app,
        http=protocol_class(LIMITS, world.door),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    world.server = uvicorn.Server(config)
    task = asyncio.create_task(world.server._serve([listener]))
    while not world.server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    yield world
    world.server.should_exit = True
    await asyncio.wait_for(task, 10)


CLOSE = b"connection: close\r\n"


def get(path: str, headers: bytes = CLOSE) -> bytes:
    return b"GET /%b HTTP/1.1\r\nhost: x\r\n%b\r\n" % (path.encode(), headers)


def post(path: str, body: bytes, headers: bytes = CLOSE) -> bytes:
    return b"POST /%b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n%b\r\n%b" % (
        path.encode(),
        len(body),
        headers,
        body,
    )


async def test_request_and_response(world: World) -> None:
    reply = await world.talk(post("echo?a=b%20c", b"hello"))
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
    assert reply.endswith(b"\r\n\r\nhello")
    assert world.seen[0]["path"] == "/echo"
    assert world.seen[0]["query_string"] == b"a=b%20c"
    assert (b"host", b"x") in world.seen[0]["headers"]


async def test_any_split_of_the_bytes_is_the_same_request(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    for byte in post("echo", b"hello"):
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"hello")
    writer.close()


async def test_chunked_bodies_and_keep_alive(world: World) -> None:
    chunked = (
        b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    )
    reply = await world.talk(chunked + post("echo", b"second"))
    assert reply.count(b"HTTP/1.1 200") == 2
    assert b"abc" in reply
    assert reply.endswith(b"second")


async def test_pipelined_requests_are_answered_in_order_beyond_the_bound(world: World) -> None:
    count = LIMITS.pipelined_requests_max * 5
    data = b"".join(post("echo", b"<%d>" % n, b"") for n in range(count)) + get("echo")
    reply = await world.talk(data)
    found = [reply.index(b"<%d>" % n) for n in range(count)]
    assert found == sorted(found)


async def test_streams_are_chunked_and_http_1_0_ends_by_closing(world: World) -> None:
    reply = await world.talk(get("stream"))
    assert b"transfer-encoding: chunked" in reply
    assert reply.endswith(b"5\r\nchunk\r\n0\r\n\r\n")
    old = await world.talk(b"GET /stream HTTP/1.0\r\nhost: x\r\n\r\n")
    assert b"chunked" not in old
    assert old.endswith(b"\r\n\r\nchunkchunkchunk")


async def test_head_has_no_body(world: World) -> None:
    reply = await world.talk(b"HEAD /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 200")
    assert reply.endswith(b"\r\n\r\n")


async def test_expect_continue(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"
    )
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ok")
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"ok")
    writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: a\rb\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\n x: folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\nHOST: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: 1\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_and_closed(world: World, data: bytes) -> None:
    reply = await world.talk(data)
    assert reply.startswith(b"HTTP/1.1 400 "), reply
    assert reply.count(b"HTTP/1.1 ") == 1


async def test_too_large_a_head(world: World) -> None:
    reply = await world.talk(get("echo", b"x-big: " + b"a" * 5000 + b"\r\n"))
    assert reply.startswith(b"HTTP/1.1 431 ")
    reply = await world.talk(get("a" * 5000))
    assert reply.startswith(b"HTTP/1.1 431 ")
    assert world.seen == []


async def test_an_endless_head_without_a_line_end_is_bounded(world: World) -> None:
    reply = await world.talk(b"GET /" + b"a" * 200_000)
    assert reply.startswith(b"HTTP/1.1 431 ")


async def test_a_slow_head_and_a_slow_body_are_timed_out(world: World) -> None:
    assert (await world.talk(b"GET / HTTP/1.1\r\nhost:")).startswith(b"HTTP/1.1 408 ")
    assert (await world.talk(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nab")).startswith(
        b"HTTP/1.1 408 "
    )
    assert world.late == [True]


async def test_idle_connections_are_closed(world: World) -> None:
    assert await world.talk(b"") == b""
    reply = await world.talk(get("echo", b""))
    assert reply.endswith(b"empty")


async def test_a_client_that_leaves_cancels_the_work(world: World) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(get("hang", b""))
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.transport.abort()
    await asyncio.wait_for(world.cancelled.wait(), 5)


async def test_a_client_that_does_not_read_is_cut_and_memory_is_bounded(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
    writer.write(get("flood", b""))
    await asyncio.wait_for(world.cancelled.wait(), 15)
    writer.close()
    assert reader is not None


async def test_an_early_answer_reaches_a_client_that_is_still_sending(world: World) -> None:
    body = b"x" * (3 * 1024 * 1024)
    reply = await world.talk(post("refuse", body))
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert reply.endswith(b"too large")


async def test_an_endless_body_after_the_answer_is_cut(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 64 * 1024 * 1024:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536
            if reader.at_eof():
                break
    assert sent < 64 * 1024 * 1024
    writer.close()


async def test_a_half_closed_client_counts_as_gone(world: World) -> None:
    assert await world.talk(get("hang", b""), half_close=True) == b""
    await asyncio.wait_for(world.cancelled.wait(), 5)


async def test_a_line_break_in_a_response_header_never_leaves(world: World) -> None:
    reply = await world.talk(get("inject"))
    assert b"set-cookie" not in reply
    assert reply.startswith(b"HTTP/1.1 500 ")


async def test_a_broken_application_is_an_error_or_a_visible_cut(world: World) -> None:
    assert (await world.talk(get("raise"))).startswith(b"HTTP/1.1 500 ")
    assert (await world.talk(get("silent"))).startswith(b"HTTP/1.1 500 ")
    cut = b""
    with contextlib.suppress(ConnectionError):
        cut = await world.talk(get("raise_late"))
    assert not cut.endswith(b"0\r\n\r\n")


async def test_upgrades_are_refused(world: World) -> None:
    reply = await world.talk(get("echo", b"connection: upgrade\r\nupgrade: h2c\r\n"))
    assert reply.startswith(b"HTTP/1.1 501 ")


async def test_absolute_targets_and_escapes(world: World) -> None:
    await world.talk(b"GET http://x:1/echo%41 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert world.seen[0]["path"] == "/echoA"


async def test_shutdown_lets_the_running_end_and_closes_the_idle(world: World) -> None:
    idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", world.port)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na")
    await asyncio.sleep(0.1)
    world.server.should_exit = True
    assert await asyncio.wait_for(idle_reader.read(), 5) == b""
    writer.write(b"b")
    reply = await asyncio.wait_for(reader.read(), 5)
    assert reply.endswith(b"ab")
    assert b"connection: close" in reply
    idle_writer.close()
    writer.close()


# -- heads that repeat


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    """One request alone on an open connection, and its reply."""
    writer.write(data)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return head + await asyncio.wait_for(reader.readexactly(length), 5)


def facts(scope: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scope.items() if name not in ("extensions", "client")}


A_KEY, B_KEY = b"authorization: Bearer a\r\n", b"authorization: Bearer b\r\n"
SEQUENCES = [
    [post("echo", b"one", A_KEY), post("echo", b"two", A_KEY), post("echo", b"a longer one" * 100, A_KEY)],
    [post("echo", b"one", A_KEY), post("echo", b"two", B_KEY), post("echo", b"six", A_KEY)],
    [post("echo", b"one", A_KEY), post("other", b"one", A_KEY), post("echo?key=b", b"one", A_KEY)],
    [post("echo", b"one", A_KEY), get("echo", b""), post("echo", b"", A_KEY), post("echo", b"one", A_KEY)],
    [post("echo", b"x" * 9), post("echo", b"x" * 10, b""), post("echo", b"x" * 10, b"")][1:],
    [post("echo", b"one", b"content-type: a\r\n"), post("echo", b"one", b"Content-Type: a\r\n")] * 2,
    [
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 003\r\n\r\nabc",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length:3\r\n\r\nabc",
        b"POST /echo HTTP/1.1\r\nhost: x\r\nCONTENT-LENGTH: 3\r\n\r\nabc",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nx-a: content-length: 4\r\n\r\nabc",
        b"POST /echo HTTP/1.1\r\nhost: x\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
]


@pytest.mark.parametrize("requests", SEQUENCES)
async def test_a_request_means_the_same_after_others_on_its_connection(
    world: World, requests: list[bytes]
) -> None:
    for data in requests:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        await exchange(reader, writer, data)
        writer.close()
    alone, world.seen = [facts(scope) for scope in world.seen], []
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    replies = [await exchange(reader, writer, data) for data in requests * 2]
    writer.close()
    assert [facts(scope) for scope in world.seen] == alone * 2
    bodies = [data.split(b"\r\n\r\n", 1)[1] or b"empty" for data in requests]
    assert all(
        reply.endswith(body) or body.startswith(b"3\r\n")
        for reply, body in zip(replies, bodies * 2, strict=True)
    )


async def test_a_repeated_head_is_noted_and_a_changed_one_is_not(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    await exchange(reader, writer, post("echo", b"one", A_KEY))
    first = world.seen[0]
    for body, key in ((b"two", A_KEY), (b"longer", A_KEY), (b"two", B_KEY)):
        await exchange(reader, writer, post("echo", body, key))
    writer.close()
    assert first is not world.seen[1]
    assert world.seen[1]["headers"] is first["headers"]  # not parsed again
    assert (b"content-length", b"6") in world.seen[2]["headers"]
    assert (b"content-length", b"3") in first["headers"]
    assert (b"authorization", b"Bearer b") in world.seen[3]["headers"]


@pytest.mark.parametrize(
    "tail",
    [
        b"content-length: 3, 3\r\n\r\nabc",
        b"content-length: +3\r\n\r\nabc",
        b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"content-length: \xb2\r\n\r\nab",
    ],
)
async def test_smuggling_is_refused_after_a_good_head_too(world: World, tail: bytes) -> None:
    start = b"POST /echo HTTP/1.1\r\nhost: x\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    for _ in range(2):
        await exchange(reader, writer, start + b"content-length: 3\r\n\r\nabc")
    writer.write(start + tail)
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 400")
    writer.close()
    assert len(world.seen) == 2 or world.seen[2]["headers"] != world.seen[1]["headers"]


async def test_a_known_head_with_more_or_less_than_its_body(world: World) -> None:
    request = post("echo", b"one", b"")
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    await exchange(reader, writer, request)
    writer.write(request[:-1])
    await asyncio.sleep(0.05)
    assert (await exchange(reader, writer, request[-1:])).endswith(b"one")
    writer.write(request + request)
    for _ in range(2):
        assert (await exchange(reader, writer, b"")).endswith(b"one")
    assert (await exchange(reader, writer, request)).endswith(b"one")
    writer.close()
    assert len(world.seen) == 5


# -- what frames a body, and who is one too many
CHUNKED = b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"


async def pour(world: World, start: bytes, piece: bytes, pieces: int) -> bytes:
    """Send, and read what is answered; a server that closes early ends the sending."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(start)
    with contextlib.suppress(ConnectionError):
        for _ in range(pieces):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"\r\n1;", b"a" * 1024),
        (b"\r\n", b"1;" + b"e" * 1000 + b"\r\nx\r\n"),
        (b"\r\n0\r\nx-trailer: ", b"a" * 1024),
        (b"\r\n0\r\n", b"x-a: 1\r\n" * 100),
    ],
    ids=["one extension", "many extensions", "one trailer", "many trailers"],
)
async def test_framing_without_end_is_refused(world: World, start: bytes, piece: bytes) -> None:
    reply = await pour(world, CHUNKED + start, piece, 4000)
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert reply.count(b"HTTP/1.1 ") == 1


async def test_many_small_chunks_are_no_offence(world: World) -> None:
    body = b"1;a=b\r\nx\r\n" * 10_000 + b"0\r\nx-checksum: 1\r\n\r\n"
    assert (await world.talk(CHUNKED + CLOSE + b"\r\n" + body)).endswith(b"x" * 10_000)


async def test_a_trailer_is_no_header(world: World) -> None:
    trailers = b"3\r\nabc\r\n0\r\nauthorization: Bearer stolen\r\nexpect: 100-continue\r\n\r\n"
    reply = await world.talk(CHUNKED + CLOSE + b"\r\n" + trailers)
    assert reply.endswith(b"abc")
    assert b"authorization" not in dict(world.seen[0]["headers"])


async def test_one_connection_too_many_is_told_so(world: World) -> None:
    open_now = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(LIMITS.connections_max)]
    for reader, writer in open_now:
        assert (await exchange(reader, writer, post("echo", b"a", b""))).endswith(b"a")
    reply = await world.talk(get("echo"))
    assert reply.startswith(b"HTTP/1.1 503 ")
    assert b"too_many_connections" in reply
    assert world.door.refused == 1
    open_now.pop()[1].close()
    for _ in range(200):
        reply = await world.talk(get("echo"))
        if reply.startswith(b"HTTP/1.1 200"):
            break
        await asyncio.sleep(0.01)
    assert reply.startswith(b"HTTP/1.1 200")
    for _, writer in open_now:
        writer.close()
