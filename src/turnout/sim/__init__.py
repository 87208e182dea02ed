"""Simulated providers: real HTTP servers that speak the real wire formats.

For a demo without keys, for tests with the official SDKs, for outages on demand. They are deterministic by seed, answer
sensibly, and share no code with the gateway's own codecs, so that a mistake in one shows against the other.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from turnout.sim.models import SIM_MODELS, SIM_PROVIDERS, SimModel
from turnout.sim.server import listen
from turnout.sim.service import Service

__all__ = ["SIM_MODELS", "SIM_PROVIDERS", "SimConfig", "SimModel", "SimServer", "start"]


class SimConfig(Struct, frozen=True):
    """`ports` by provider name; absent ones are chosen by the system. `speed` 1 is real time, 0 no delay."""

    seed: int = 1
    host: str = "127.0.0.1"
    ports: dict[str, int] = {}
    speed: float = 1.0


class SimServer:
    """Running providers. `base_urls` by provider name, as the provider's own SDK takes them."""

    def __init__(self) -> None:
        self.base_urls: dict[str, str] = {}
        self.services: dict[str, Service] = {}
        self._servers: list[asyncio.Server] = []

    async def add(self, service: Service, host: str, port: int) -> None:
        server = await listen(service, service.counters, host, port)
        self._servers.append(server)
        bound = server.sockets[0].getsockname()[1]
        provider = service.provider
        self.services[provider.name] = service
        self.base_urls[provider.name] = f"http://{host}:{bound}{provider.base_path}"

    async def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()


async def start(config: SimConfig) -> SimServer:
    """Start all providers in the running event loop. Raises `OSError` when a port is taken."""
    server = SimServer()
    for provider in SIM_PROVIDERS:
        service = Service(provider, config.seed, config.speed)
        await server.add(service, config.host, config.ports.get(provider.name, 0))
    return server
