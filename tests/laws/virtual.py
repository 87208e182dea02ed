"""The whole gateway in virtual time: real core, layers, codecs, transport and simulated providers; no socket, no thread, no wall clock."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from turnout.config import schema
from turnout.config.defaults import demo_config
from turnout.core.clock import Clock
from turnout.core.record import LogRow
from turnout.edge.app import Gateway
from turnout.sim import SimConfig, SimServer, start_in_memory
from turnout.sim.clock import VirtualLoop
from turnout.telemetry.request_log import DirectLog, Observer, RowLog
from turnout.upstream.dialing import Origin
from turnout.upstream.known import load_known
from turnout.upstream.memory import MemoryTransport

EPOCH_S = 1_796_000_000.0

Change = Callable[[schema.Config], schema.Config]


class World:
    """A gateway and its providers on `loop`, which must be running. Everything random comes from `seed`."""

    def __init__(
        self, loop: VirtualLoop, seed: int, change: Change = lambda config: config, speed: float = 1.0
    ) -> None:
        self.loop = loop
        self.rows: list[LogRow] = []
        self.simulated: SimServer = start_in_memory(SimConfig(seed=seed, speed=speed, epoch_s=EPOCH_S))
        self.servers = {Origin("http", host, 80): make for host, make in self.simulated.servers.items()}
        clock = Clock(loop.now_ns, lambda: EPOCH_S + loop.time())
        config = demo_config(load_known(), self.simulated.base_urls, {})
        self.gateway = Gateway(
            change(replace(config, store="sqlite://")),
            environ={},
            clock=clock,
            jitter=random.Random(seed).random,
            transport=MemoryTransport(self.servers, loop.now_ns, latency_s=0.001),
            make_log=self._log,
        )

    def _log(self, observe: Observer) -> RowLog:
        def seen(rows: Sequence[LogRow]) -> None:
            observe(rows)
            self.rows.extend(rows)

        return DirectLog(seen)

    def down(self, provider: str) -> None:
        """Its address refuses connections."""
        self.servers.pop(Origin("http", f"{provider}.sim", 80), None)

    def up(self, provider: str) -> None:
        host = f"{provider}.sim"
        self.servers[Origin("http", host, 80)] = self.simulated.servers[host]

    async def ask(
        self, body: dict[str, Any], path: str = "/v1/chat/completions", **headers: str
    ) -> tuple[int, bytes]:
        """Status and body, through the ASGI application."""
        data = json.dumps(body).encode()
        messages: list[dict[str, Any]] = []
        names = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(data)),
                *names,
            ],
            "client": ("127.0.0.1", 1),
        }
        pieces = [{"type": "http.request", "body": data, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if pieces:
                return pieces.pop()
            await self.loop.create_future()
            raise AssertionError("unreachable")

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        await self.gateway.app(scope, receive, send)
        return messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])

    async def close(self) -> None:
        await self.gateway.close()
        await self.simulated.close()
        await asyncio.sleep(1)
