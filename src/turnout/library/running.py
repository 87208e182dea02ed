"""A gateway without a socket, running in the caller's event loop.

Promise: what a configuration may be given as (a file, a dictionary, a `Config`, nothing) is read by the code that reads it for
`turnout serve` and `turnout run`; whatever is wrong with it is a `ConfigurationError` and leaves nothing behind. What is open belongs to one
loop; after `close` every log row is stored and every connection closed. It must not know what is asked.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from turnout.config import schema
from turnout.config.defaults import demo_config, with_known_keys
from turnout.config.load import ConfigError, load_file, load_text
from turnout.core.call import Principal
from turnout.edge.app import Gateway
from turnout.edge.inside import OPERATOR
from turnout.edge.principals import principals
from turnout.edge.simulation import Simulation
from turnout.library.asking import Flow
from turnout.library.errors import ConfigurationError
from turnout.library.streams import P, Serve
from turnout.store.ports import StoreError
from turnout.upstream.catalog import CatalogError
from turnout.upstream.known import Known, load_known

Source = str | Path | Mapping[str, Any] | schema.Config | None
CUT_S = 2.0  # for calls under way to be told


class Running:
    """Make it once, open it once, close it once; `gateway` is there in between."""

    def __init__(self, source: Source, environ: Mapping[str, str] | None) -> None:
        self._source = source
        self._environ = environ
        self._state = "not open yet: use `async with`, or `await client.open()`"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gateway: Gateway | None = None
        self._simulation: Simulation | None = None
        self._flows: set[asyncio.Task[None]] = set()

    @property
    def gateway(self) -> Gateway:
        """Raises `RuntimeError` where it is not open, or belongs to another event loop."""
        if self._gateway is None:
            raise RuntimeError(f"the client is {self._state}")
        self._check_loop()
        return self._gateway

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                "the client was opened in another event loop; open one there, or use `turnout.SyncClient`"
            )

    async def open(self) -> None:
        """Raises `ConfigurationError`, or `RuntimeError` for a second time."""
        if self._loop is not None:
            raise RuntimeError(
                "the client is open already" if self._gateway else f"the client is {self._state}"
            )
        self._loop = asyncio.get_running_loop()
        self._state = "not open: it could not start"
        environ = dict(os.environ) if self._environ is None else dict(self._environ)
        known = load_known()
        simulation = Simulation(known)
        try:
            config = await simulation.under(_configuration(self._source, known, environ))
            self._gateway = Gateway(config, known=known, environ=environ)
        except (ConfigError, CatalogError, StoreError, OSError, ValueError) as error:
            await simulation.close()
            raise ConfigurationError(str(error)) from error
        self._simulation = simulation

    async def close(self) -> bool:
        """Cut what is under way, store the log. False when rows were lost; harmless a second time."""
        if self._gateway is None:
            return True
        self._check_loop()
        gateway, self._gateway = self._gateway, None
        self._state = "closed"
        gateway.gate.draining = True
        for task in self._flows:
            task.cancel()
        gateway.cut()
        await gateway.gate.empty(CUT_S)
        kept = await gateway.close()
        if self._simulation is not None:
            await self._simulation.close()
        return kept

    def flow(self, serve: Serve[P]) -> Flow[P]:
        """A task that `close` ends. Raises `RuntimeError` as `gateway` does."""
        _ = self.gateway
        flow = Flow(serve)
        self._flows.add(flow.task)
        flow.task.add_done_callback(self._flows.discard)
        return flow

    def principal(self, key: str | None) -> Principal:
        """Who a configured key's calls are from; the operator where none is named.

        Raises `ConfigurationError`, and `RuntimeError` as `gateway` does.
        """
        gateway = self.gateway
        if key is None:
            return OPERATOR
        found = {principal.key: principal for _, principal in principals(gateway.config)}
        if key not in found:
            names = ", ".join(found) or "none"
            raise ConfigurationError(
                f"`key` is the name of a configured key, and there is no such one; there are: {names}"
            )
        return found[key]


def _configuration(source: Source, known: Known, environ: Mapping[str, str]) -> schema.Config:
    """Raises `ConfigError`, `ValueError` or `OSError`."""
    names = tuple(known.providers)
    if source is None:
        config = demo_config(known, dict.fromkeys(known.simulated), environ, today=datetime.now(UTC).date())
        if not config.models:
            raise ValueError("the environment has a provider's key, but no model is known that needs no more")
        return config
    if isinstance(source, schema.Config):
        config = source
    elif isinstance(source, str | Path):
        config = _of_file(source, environ, names)
    else:
        text = msgspec.json.format(msgspec.json.encode(source), indent=2).decode()
        config = load_text(text, "the configuration given", environ, names)
    return with_known_keys(config, known, environ)


def _of_file(path: str | Path, environ: Mapping[str, str], names: tuple[str, ...]) -> schema.Config:
    try:
        return load_file(path, environ, names)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
