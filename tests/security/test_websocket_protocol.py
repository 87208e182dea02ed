"""WebSockets on real sockets, spoken by a real client: messages, limits, goodbyes, refusals."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from turnout.edge.http import HttpLimits, protocol_class

LIMITS = HttpLimits(
    unread_body_bytes_max=64 * 1024, unsent_bytes_high_water=64 * 1024, socket_s=2.0, message_bytes_max=200_000,
    unsent_s=1.0, linger_s=1.0,
)  # fmt: skip


class World:
    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"ws://127.0.0.1:{port}"
        self.codes: list[int] = []
        self.taken = 0
        self.blocked = asyncio.Event()

    async def app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        assert (await receive())["type"] == "websocket.connect"
        if scope["path"] == "/refuse":
            await send(
                {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"key")]}
            )
            await send({"type": "websocket.http.response.body", "body": b'{"error":"no"}'})
            return
        if scope["path"] == "/close":
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept"})
        if scope["path"] == "/raise":
            raise RuntimeError("bug")
        if scope["path"] == "/flood":
            with contextlib.suppress(asyncio.CancelledError):
                for _ in range(10_000):
                    await send({"type": "websocket.send", "bytes": b"x" * 65536})
                    self.taken += 1
            return
        if scope["path"] == "/deaf":
            await self.blocked.wait()
        while (message := await receive())["type"] == "websocket.receive":
            self.taken += 1
            if message.get("text") == "bye":
                await send({"type": "websocket.close", "code": 4000, "reason": "as you like"})
            elif "text" in message:
                await send({"type": "websocket.send", "text": message["text"]})
            else:
                await send({"type": "websocket.send", "bytes": message["bytes"]})
        self.codes.append(message["code"])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    world = World(listener.getsockname()[1])
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    config = uvicorn.Config(
        world.app,
        http=protocol_class(LIMITS),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    yield world
    server.should_exit = True
    await asyncio.wait_for(task, 10)


async def test_messages_both_ways(world: World) -> None:
    async with connect(world.url + "/echo?a=b", proxy=None) as ws:
        for message in ("text", "ü" * 1000, b"\x00\xff" * 100, "x" * 150_000, ""):
            await ws.send(message)
            assert await asyncio.wait_for(ws.recv(), 5) == message
        await ws.send(["in ", "three ", "fragments"])
        assert await asyncio.wait_for(ws.recv(), 5) == "in three fragments"
        pong = await ws.ping()
        await asyncio.wait_for(pong, 5)
    for _ in range(200):
        if world.codes:
            break
        await asyncio.sleep(0.01)
    assert world.codes == [1000]


async def test_without_compression_and_after_other_requests_on_the_connection(world: World) -> None:
    async with connect(world.url + "/echo", proxy=None, compression=None) as ws:
        await ws.send("plain")
        assert await asyncio.wait_for(ws.recv(), 5) == "plain"
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"ok"), 5)).startswith(b"HTTP/1.1 200")
    writer.write(
        b"GET /echo HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x82\x00\x00\x00\x00hi"
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert b"101 Switching" in head
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert await asyncio.wait_for(reader.readexactly(4), 5) == b"\x81\x02hi"
    writer.close()


async def test_the_application_may_close_refuse_or_break(world: World) -> None:
    async with connect(world.url + "/echo", proxy=None) as ws:
        await ws.send("bye")
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(ws.recv(), 5)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "as you like")
    with pytest.raises(InvalidStatus) as refused:
        await connect(world.url + "/refuse", proxy=None)
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["x-why"] == "key"
    assert refused.value.response.body == b'{"error":"no"}'
    with pytest.raises(InvalidStatus) as refused:
        await connect(world.url + "/close", proxy=None)
    assert refused.value.response.status_code == 403
    async with connect(world.url + "/raise", proxy=None) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(ws.recv(), 5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011


async def test_a_message_that_is_too_large_ends_the_socket(world: World) -> None:
    async with connect(world.url + "/echo", proxy=None, compression=None) as ws:
        await ws.send("x" * (LIMITS.message_bytes_max + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(ws.recv(), 5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    async with connect(world.url + "/echo", proxy=None) as ws:  # and one that is small until it is opened
        await ws.send("x" * 10_000_000)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(ws.recv(), 5)


async def test_what_nobody_reads_stops_the_other_side(world: World) -> None:
    async with connect(world.url + "/deaf", proxy=None, compression=None, write_limit=1024) as ws:
        sent = 0
        with contextlib.suppress(TimeoutError):
            for _ in range(1000):
                await asyncio.wait_for(ws.send(b"x" * 65536), 0.5)
                sent += 1
        assert sent < 500
        world.blocked.set()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(
        b"GET /flood HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(0.5)
    assert world.taken < 5_000
    writer.close()


async def test_a_socket_does_not_live_for_ever(world: World) -> None:
    async with connect(world.url + "/echo", proxy=None) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(ws.recv(), LIMITS.socket_s + 5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


@pytest.mark.parametrize(
    "head",
    [
        b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 8\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n",
        b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: short\r\n",
        b"upgrade: h2c\r\nconnection: upgrade\r\n",
    ],
)
async def test_bad_handshakes(world: World, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"GET /echo HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n")
    reply = await asyncio.wait_for(reader.read(), 5)
    assert reply.split(b" ", 2)[1] in (b"400", b"426", b"501")
    writer.close()


async def test_frames_that_break_the_rules(world: World) -> None:
    for garbage in (b"\x83\x80\x00\x00\x00\x00", b"\x81\x02hi", b"\xff\xff\xff\xff"):
        async with connect(world.url + "/echo", proxy=None, compression=None) as ws:
            ws.transport.write(garbage)
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(ws.recv(), 5)
