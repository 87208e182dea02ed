"""Simulated providers, really listening, in a thread of the test process; and the official SDKs that talk to them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import anthropic
import openai
import pytest
import uvloop

from turnout.sim import Control, SimConfig, SimServer, start

KEY = "sim-key-0123456789"


class Providers:
    """Use as a context manager. `urls` and `control` by provider."""

    def __init__(self, config: SimConfig) -> None:
        self._config = config
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._main()), daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._server: SimServer

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._server = await start(self._config)
        self._started.set()
        await self._stop.wait()
        await self._server.close()

    def __enter__(self) -> Providers:
        self._thread.start()
        assert self._started.wait(10), "the simulated providers did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the simulated providers did not stop"

    @property
    def urls(self) -> dict[str, str]:
        return self._server.base_urls

    @property
    def control(self) -> dict[str, Control]:
        return self._server.control

    def origin(self, provider: str) -> str:
        return "/".join(self.urls[provider].split("/")[:3])

    def openai(self, provider: str = "openai", key: str = KEY) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.urls[provider], api_key=key, max_retries=0, timeout=10)

    def anthropic(self, key: str = KEY) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=self.urls["anthropic"], api_key=key, max_retries=0, timeout=10)


@pytest.fixture(scope="session")
def shared() -> Iterator[Providers]:
    with Providers(SimConfig(seed=1, speed=0)) as running:
        yield running


@pytest.fixture
def providers(shared: Providers) -> Iterator[Providers]:
    """The shared ones, with every fault that the test sets taken away after it."""
    yield shared
    for control in shared.control.values():
        control.faults.rules.clear()
