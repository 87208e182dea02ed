"""`turnout run` and `turnout serve`."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from turnout.cli.terminal import counted
from turnout.config import schema
from turnout.config.defaults import demo_config, with_known_keys
from turnout.config.load import ConfigError, Loaded, read_file
from turnout.edge.app import Gateway, say
from turnout.edge.serve import Reload, StartError, bind, run_many, run_one
from turnout.store.ports import StoreError
from turnout.upstream.catalog import CatalogError
from turnout.upstream.known import load_known


def serve(path: Path, host: str | None, port: int | None, workers: int) -> int:
    environ = dict(os.environ)
    found: Loaded

    def load() -> schema.Config:
        known = load_known()
        nonlocal found
        found = read_file(path, environ, tuple(known.providers))
        return _with_address(with_known_keys(found.config, known, environ), host, port)

    try:
        config = load()
        listener = bind(config.server.host, config.server.port)
    except FileNotFoundError:
        say(f"there is no configuration file {path}; make one with `turnout init`, or try `turnout run`")
        return 2
    except (ConfigError, StartError, OSError) as error:
        say(str(error))
        return 2

    async def source() -> schema.Config:
        return config

    def one(worker: int) -> int:
        return _guarded(
            lambda: run_one(
                source,
                listener,
                environ=environ,
                ready=_ready if worker else lambda gateway, port: _warned(gateway, port, found),
                reloading=Reload(path, load),
                worker=worker,
            )
        )

    return one(0) if workers == 1 else run_many(workers, one)


def run(host: str, port: int, seed: int, speed: float) -> int:
    from turnout.sim import SimConfig, start

    environ = dict(os.environ)
    try:
        listener = bind(host, port)
    except StartError as error:
        say(str(error))
        return 2

    async def source() -> schema.Config:
        simulated = await start(SimConfig(seed=seed, speed=speed))
        config = demo_config(load_known(), simulated.base_urls, environ)
        return _with_address(config, host, port)

    return _guarded(lambda: run_one(source, listener, environ=environ, ready=_ready))


def _guarded(serve: Callable[[], int]) -> int:
    try:
        return serve()
    except (CatalogError, StoreError, StartError) as error:
        say(str(error))
        return 2


def _with_address(config: schema.Config, host: str | None, port: int | None) -> schema.Config:
    """The command line's address wins. Raises `StartError` for one that would be open to everybody without a key."""
    server = replace(
        config.server,
        host=config.server.host if host is None else host,
        port=config.server.port if port is None else port,
    )
    if not config.keys and not _is_loopback(server.host):
        raise StartError(
            f"refusing to listen on {server.host} without keys: add `keys` to the configuration, or listen on 127.0.0.1"
        )
    return replace(config, server=server)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _warned(gateway: Gateway, port: int, found: Loaded) -> None:
    from turnout.cli.advice import advice

    for warning in advice(found, gateway.config, gateway.app.engine.catalog, load_known()):
        say(f"warning: {warning}")
    _ready(gateway, port)


def _ready(gateway: Gateway, port: int) -> None:
    cards = gateway.app.engine.catalog.cards
    providers = sorted({card.provider for card in cards.values()})
    host = gateway.config.server.host
    say(
        f"ready on http://{f'[{host}]' if ':' in host else host}:{port} with {counted(len(cards), 'model')} of {counted(len(providers), 'provider')}"
    )
