"""A gateway and simulated providers, really running: real sockets, real SQLite, in a thread of the test process."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
import uvloop
from msgspec.structs import replace

from turnout.config import schema
from turnout.config.defaults import demo_config
from turnout.core.record import LogRow
from turnout.edge.app import Gateway, http_limits
from turnout.edge.http import protocol_class
from turnout.sim import SimConfig, SimServer, start
from turnout.store.ports import LogFilter
from turnout.upstream.known import load_known

Change = Callable[[schema.Config, dict[str, str]], schema.Config]


def unchanged(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
    return config


class Running:
    """Use as a context manager. `url` is the gateway's; `provider_urls` are the simulated providers'."""

    def __init__(self, folder: Path, change: Change = unchanged, speed: float = 0.0) -> None:
        self._folder = folder
        self._change = change
        self._speed = speed
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        self._server: uvicorn.Server
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self.gateway: Gateway
        self.simulated: SimServer
        self.url = ""
        self.provider_urls: dict[str, str] = {}

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._started.wait(30), "the gateway did not start"
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "the gateway did not stop"

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - handed to the test's thread
            self._error = error
            self._started.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.simulated = await start(SimConfig(seed=1, speed=self._speed))
        self.provider_urls = dict(self.simulated.base_urls)
        config = demo_config(load_known(), self.simulated.base_urls, {})
        config = replace(config, store=f"sqlite:///{self._folder}/turnout.db")
        config = self._change(config, self.provider_urls)
        self.gateway = Gateway(config, environ={})
        board = (
            self.gateway._failover.board
        )  # on a busy machine a hedge would answer in place of the fault that is looked at
        board.policy = replace(board.policy, hedge_ms_min=5_000.0)
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        listener.setblocking(False)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.gateway.app,
                http=protocol_class(http_limits(config.server), self.gateway.door),  # type: ignore[arg-type]
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=5,
            )
        )
        serving = asyncio.create_task(self._server._serve([listener]))
        while not self._server.started and not serving.done():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        self._started.set()
        await serving
        await self.gateway.close()
        await self.simulated.close()

    # -- looking inside
    def rows(self, **conditions: Any) -> list[LogRow]:
        """Log rows, newest first, once everything so far is stored."""
        future: Any = asyncio.run_coroutine_threadsafe(self._flush(), self._loop)
        future.result(10)
        assert self.gateway.log.drained(10)
        return self.gateway.store.query(LogFilter(**conditions))

    async def _flush(self) -> None:
        self.gateway.log.flush()

    def row(self, request_id: str) -> LogRow:
        (found,) = self.rows(request_id=request_id)
        return found

    # -- the simulated providers' control
    def control(self, provider: str, method: str, path: str, body: Any = None) -> Any:
        parts = urlsplit(self.provider_urls[provider])
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{parts.scheme}://{parts.netloc}/_sim/{path}",
            data=data,
            method=method,
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def fault(self, provider: str, fault: dict[str, Any], model: str = "*", times: int | None = None) -> None:
        self.control(provider, "POST", "faults", {"match": {"model": model}, "fault": fault, "times": times})

    def heal_faults_only(self) -> None:
        """The providers are well; what the gateway holds against them stays."""
        for provider in self.provider_urls:
            self.control(provider, "DELETE", "faults")

    def heal(self) -> None:
        self.heal_faults_only()
        self.forget()

    def forget(self) -> None:
        """Nothing is held against any provider: the next test begins where the first did."""
        asyncio.run_coroutine_threadsafe(self._forget(), self._loop).result(10)

    async def _forget(self) -> None:
        self.gateway.forget_health()
