"""`python -m bench.micro_transport`: processor time of the outbound client alone, on loopback, under uvloop.

A trivial upstream runs in a process of its own. `bare` is a protocol that writes the same request and takes the same
answer without knowing HTTP: sockets, event loop and one future. What the client costs is the difference.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import cast

import uvloop

from turnout.upstream.transport import Origin, Timeouts, Transport

HEAD = (
    b"POST /%b HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer key\r\ncontent-type: application/json\r\n"
    b"accept: application/json\r\naccept-encoding: identity\r\nuser-agent: turnout\r\n"
)
BODY = b"x" * 1024
ANSWER_HEAD = (
    b"HTTP/1.1 200 OK\r\ndate: Mon, 23 Nov 2026 00:00:00 GMT\r\ncontent-type: application/json\r\n"
    b"content-length: 600\r\nserver: upstream\r\nx-request-id: 0123456789abcdef\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 149984\r\n\r\n"
)
ANSWER = ANSWER_HEAD + b"y" * 600
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nserver: upstream\r\n\r\n"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]}\n\n'
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
CHUNKS = 200
TIMEOUTS = Timeouts()


class Upstream(asyncio.Protocol):
    """Answers what arrives, without parsing it; a stream gets one chunk each turn of the loop."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"POST /stream"):
            self.transport.write(ANSWER)
            return
        self.transport.write(STREAM_HEAD)
        self.loop.call_soon(self.step, CHUNKS)

    def step(self, left: int) -> None:
        if left == 0:
            self.transport.write(b"0\r\n\r\n")
            return
        self.transport.write(CHUNK)
        self.loop.call_soon(self.step, left - 1)


class Bare(asyncio.Protocol):
    """The least that a client on this loop can cost."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.loop = asyncio.get_running_loop()
        self.answered: asyncio.Future[bytes] = self.loop.create_future()

    def data_received(self, data: bytes) -> None:
        self.answered.set_result(data)

    async def ask(self, payload: bytes) -> bytes:
        self.answered = self.loop.create_future()
        self.transport.write(payload)
        return await self.answered


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


Work = Callable[[], Awaitable[int]]


async def cost(work: Work, at_once: int, seconds: float) -> tuple[float, float]:
    """Processor µs a unit, and units a second. `work` does some units and returns how many."""
    until = time.perf_counter() + seconds

    async def repeat() -> int:
        units = 0
        while time.perf_counter() < until:
            units += await work()
        return units

    begun, begun_cpu = time.perf_counter(), time.process_time()
    units = sum(await asyncio.gather(*[repeat() for _ in range(at_once)]))
    cpu, wall = time.process_time() - begun_cpu, time.perf_counter() - begun
    return cpu / units * 1e6, units / wall


async def bare(port: int, at_once: int, seconds: float) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    made = [(await loop.create_connection(Bare, "127.0.0.1", port))[1] for _ in range(at_once)]
    payload = HEAD % b"unary" + b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
    free = list(made)

    async def work() -> int:
        protocol = free.pop()
        for _ in range(50):
            await protocol.ask(payload)
        free.append(protocol)
        return 50

    figures = await cost(work, at_once, seconds)
    for protocol in made:
        protocol.transport.close()
    return figures


async def unary(port: int, at_once: int, seconds: float) -> tuple[float, float]:
    transport, origin = Transport(), Origin("http", "127.0.0.1", port)
    head = HEAD % b"unary"

    async def work() -> int:
        for _ in range(50):
            response = await transport.request(origin, head, BODY, TIMEOUTS)
            await response.read_all()
        return 50

    figures = await cost(work, at_once, seconds)
    await transport.close()
    return figures


async def streams(port: int, at_once: int, seconds: float) -> tuple[tuple[float, float], float]:
    """Cost of a chunk, and chunks a read."""
    transport, origin = Transport(), Origin("http", "127.0.0.1", port)
    head = HEAD % b"stream"
    reads = chunks = 0

    async def work() -> int:
        nonlocal reads, chunks
        response = await transport.request(origin, head, BODY, TIMEOUTS)
        while await response.read():
            reads += 1
        chunks += CHUNKS
        return CHUNKS

    figures = await cost(work, at_once, seconds)
    await transport.close()
    return figures, chunks / reads


async def measure(port: int, seconds: float) -> None:
    for at_once in (1, 32):
        (floor, floor_rate), (ours, rate) = (
            await bare(port, at_once, seconds),
            await unary(port, at_once, seconds),
        )
        print(
            f"unary, {at_once:2} at once: {ours:5.1f} µs CPU a request ({rate:,.0f}/s); "
            f"bare {floor:5.1f} µs ({floor_rate:,.0f}/s); the client {ours - floor:4.1f} µs"
        )
    for at_once in (1, 16, 128):
        (ours, rate), chunks = await streams(port, at_once, seconds)
        print(
            f"stream, {at_once:3} at once: {ours:4.1f} µs CPU a chunk ({rate:,.0f}/s, {chunks:.1f} chunks a read)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.micro_transport", description=(__doc__ or "").split("\n")[2]
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(serve())
        return
    command = [sys.executable, "-m", "bench.micro_transport", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as upstream:
        assert upstream.stdout is not None
        try:
            uvloop.run(measure(int(upstream.stdout.readline()), options.seconds))
        finally:
            upstream.terminate()


if __name__ == "__main__":
    main()
