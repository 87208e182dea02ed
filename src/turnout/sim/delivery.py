"""Sending a reply at a model's speed, with the faults that were asked for.

Events leave on an absolute schedule, so that a thousand streams side by side keep their pace without drifting.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from turnout.sim.faults import Fault
from turnout.sim.server import Exchange

STALL_S = 3600.0
PING_S = 0.2
SSE_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class Pace(Struct, frozen=True):
    """Seconds; `token_s` between two pieces of content. All zero: as fast as it goes."""

    first_s: float
    token_s: float


class Stream(Struct):
    """A stream as events. `head` comes before content, `tail` after it and holds the terminal marker as its last."""

    head: list[bytes]
    content: list[bytes]
    tail: list[bytes]
    ping: bytes
    error: bytes
    end_events: int = 1


async def send_whole(
    exchange: Exchange, body: bytes, headers: dict[str, str], seconds: float, fault: Fault | None
) -> None:
    """A JSON reply; it takes as long as the stream would have."""
    if seconds > 0:
        await asyncio.sleep(seconds)
    if fault is not None and fault.kind == "malformed_json":
        body = body[: len(body) // 2]
    elif fault is not None and fault.kind == "garbage":
        body = b"\x00\x01garbage\xff" * 20
    kind = "text/plain" if fault is not None and fault.kind == "wrong_content_type" else "application/json"
    if fault is not None and fault.kind in ("cut_after", "stall_after", "error_event"):
        exchange.raw(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        )
        exchange.raw(body[: len(body) // 2])
        if fault.kind == "stall_after":
            await asyncio.sleep(STALL_S)
        exchange.close()
        return
    exchange.send(200, {"content-type": kind, **headers}, body)


async def send_stream(
    exchange: Exchange, stream: Stream, headers: dict[str, str], pace: Pace, fault: Fault | None
) -> None:
    loop = asyncio.get_running_loop()
    if pace.first_s > 0:
        await asyncio.sleep(pace.first_s)
    kind = {"content-type": "text/plain"} if fault is not None and fault.kind == "wrong_content_type" else {}
    exchange.start(200, {**SSE_HEADERS, **headers, **kind})
    if fault is not None and fault.kind in ("garbage", "malformed_json"):
        await exchange.write(
            b'data: {"broken\n\n' if fault.kind == "malformed_json" else b"data: \x00\xff garbage\n\n"
        )
        exchange.end()
        return
    for event in stream.head:
        await exchange.write(event)
    begun = loop.time()
    for number, event in enumerate(stream.content):
        if fault is not None and number == fault.chunks and await _broken(exchange, stream, fault):
            return
        if pace.token_s > 0:
            due = begun + number * pace.token_s
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
        await exchange.write(event)
    if fault is not None and len(stream.content) <= fault.chunks and await _broken(exchange, stream, fault):
        return
    for event in stream.tail:
        await exchange.write(event)
    exchange.end()


async def _broken(exchange: Exchange, stream: Stream, fault: Fault) -> bool:
    """Do to the stream what the fault says; False when it says nothing about streams."""
    if fault.kind == "cut_after":
        if fault.clean:
            exchange.end()
        else:
            exchange.close()
        return True
    if fault.kind == "error_event":
        await exchange.write(stream.error)
        exchange.end()
        return True
    if fault.kind == "stall_after":
        for _ in range(int(STALL_S / PING_S)):
            await asyncio.sleep(PING_S)
            if fault.pings:
                await exchange.write(stream.ping)
        return True
    return False
