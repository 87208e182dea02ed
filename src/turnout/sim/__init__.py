"""Simulated providers: real HTTP servers that speak the real wire formats.

For a demo without keys, for tests with the official SDKs, for outages on demand. They are deterministic by seed, answer
sensibly, and share no code with the gateway's own codecs, so that a mistake in one shows against the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from turnout.sim.control import Control
from turnout.sim.faults import Fault, Match, Rule
from turnout.sim.models import SIM_MODELS, SIM_PROVIDERS, SimModel
from turnout.sim.server import Listener
from turnout.sim.service import Service

__all__ = [
    "SIM_MODELS",
    "SIM_PROVIDERS",
    "Control",
    "Fault",
    "Match",
    "Rule",
    "SimConfig",
    "SimModel",
    "SimServer",
    "start",
    "start_in_memory",
]


class SimConfig(Struct, frozen=True):
    """`ports` by provider name; absent ones are chosen by the system. `speed` 1 is real time, 0 no delay.

    `epoch_s` is the Unix time at which the event loop's clock was 0; without it replies carry the real date.
    """

    seed: int = 1
    host: str = "127.0.0.1"
    ports: dict[str, int] = {}
    speed: float = 1.0
    epoch_s: float | None = None


class SimServer:
    """Running providers. `base_urls` and `control` by provider name; the URLs are as the provider's own SDK takes them."""

    def __init__(self) -> None:
        self.control: dict[str, Control] = {}
        self.base_urls: dict[str, str] = {}
        self.servers: dict[str, Callable[[], asyncio.Protocol]] = {}
        self._listeners: list[Listener] = []

    async def add(self, service: Service, host: str, port: int) -> None:
        listener = Listener(service, service.counters)
        bound = await listener.open(host, port)
        self._listeners.append(listener)
        provider = service.provider
        self.control[provider.name] = service.control
        self.base_urls[provider.name] = f"http://{host}:{bound}{provider.base_path}"

    def add_in_memory(self, service: Service) -> None:
        """Without a socket: connect a protocol from `servers[host]` to a client's, by whatever means."""
        provider = service.provider
        host = f"{provider.name}.sim"
        listener = Listener(service, service.counters)
        self._listeners.append(listener)
        self.servers[host] = listener.connection
        self.control[provider.name] = service.control
        self.base_urls[provider.name] = f"http://{host}{provider.base_path}"

    async def close(self) -> None:
        """Stop listening and end every connection."""
        for listener in self._listeners:
            await listener.close()


def start_in_memory(config: SimConfig) -> SimServer:
    """All providers, without sockets: see `SimServer.servers`."""
    server = SimServer()
    for provider in SIM_PROVIDERS:
        server.add_in_memory(Service(provider, config.seed, config.speed, config.epoch_s))
    return server


async def start(config: SimConfig) -> SimServer:
    """Start all providers in the running event loop. Raises `OSError` when a port is taken."""
    server = SimServer()
    try:
        for provider in SIM_PROVIDERS:
            service = Service(provider, config.seed, config.speed, config.epoch_s)
            await server.add(service, config.host, config.ports.get(provider.name, 0))
    except OSError:
        await server.close()
        raise
    return server
