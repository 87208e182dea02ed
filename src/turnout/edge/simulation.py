"""Turnout's own simulated providers, for whoever serves a configuration that wants some.

Promise: none is started, nor its code imported, unless a configuration marks a provider as simulated and gives no address for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnout.config import schema
from turnout.config.defaults import unstarted, with_simulated
from turnout.upstream.known import Known

if TYPE_CHECKING:
    from turnout.sim import SimServer


class Simulation:
    """Started when a configuration first wants it, in the event loop that is running then."""

    def __init__(self, known: Known, seed: int = 1, speed: float = 1.0) -> None:
        self._known = known
        self._seed = seed
        self._speed = speed
        self._server: SimServer | None = None

    async def under(self, config: schema.Config) -> schema.Config:
        """The configuration with the addresses of those that it wants simulated."""
        if not unstarted(config):
            return config
        if self._server is None:
            from turnout.sim import SimConfig, start  # most gateways need none

            self._server = await start(SimConfig(seed=self._seed, speed=self._speed))
        return with_simulated(config, self._known, self._server.base_urls)

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close()
