"""`turnout run` and `turnout serve`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from turnout.cli.setup import today
from turnout.cli.terminal import counted
from turnout.config import schema
from turnout.config.defaults import demo_config, providers_with_keys, with_known_keys
from turnout.config.load import ConfigError, Loaded, read_file
from turnout.edge.app import Gateway, say
from turnout.edge.serve import Reload, StartError, bind, guard, run_many, run_one
from turnout.edge.simulation import Simulation
from turnout.store.ports import StoreError
from turnout.upstream.catalog import CatalogError
from turnout.upstream.known import Known, load_known


def serve(path: Path, host: str | None, port: int | None, workers: int) -> int:
    environ = dict(os.environ)
    known = load_known()
    found: Loaded

    def load() -> schema.Config:
        nonlocal found
        found = read_file(path, environ, tuple(known.providers))
        return _with_address(with_known_keys(found.config, known, environ), host, port)

    try:
        config = load()
        listener = bind(config.server.host, config.server.port)
        guard(config, listener)
    except FileNotFoundError:
        say(f"there is no configuration file {path}; make one with `turnout init`, or try `turnout run`")
        return 2
    except (ConfigError, StartError, OSError) as error:
        say(str(error))
        return 2

    def one(worker: int, shared: Path | None = None) -> int:
        simulation = Simulation(known)

        async def source() -> schema.Config:
            return await simulation.under(config)

        async def again() -> schema.Config:
            return await simulation.under(load())

        return _guarded(
            lambda: run_one(
                source,
                listener,
                environ=environ,
                ready=_ready if worker else lambda gateway, port: _warned(gateway, port, found),
                reloading=Reload(path, again),
                worker=worker,
                shared=shared,
            )
        )

    return one(0) if workers == 1 else run_many(workers, one)


def run(host: str, port: int, seed: int, speed: float, simulate: bool) -> int:
    environ = dict(os.environ)
    known = load_known()
    simulation = Simulation(known, seed, speed)
    config = demo_config(known, dict.fromkeys(known.simulated), environ, simulate, today())
    config = _with_address(config, host, port)
    try:
        if not config.models:
            raise StartError(_nothing_to_serve(known, environ))
        listener = bind(host, port)
        guard(config, listener)
    except StartError as error:
        say(str(error))
        return 2

    async def source() -> schema.Config:
        return await simulation.under(config)

    return _guarded(lambda: run_one(source, listener, environ=environ, ready=_ready))


def _nothing_to_serve(known: Known, environ: dict[str, str]) -> str:
    names = providers_with_keys(known, environ)
    variables = dict.fromkeys(str(known.providers[name].key_variable) for name in names)
    return (
        f"{', '.join(variables)} is set, but no model of {', '.join(names)} is known that needs nothing more (an address, a name): "
        "write a file with `turnout init`, or add simulated providers with `turnout run --simulate`"
    )


def _guarded(serve: Callable[[], int]) -> int:
    try:
        return serve()
    except (CatalogError, StoreError, StartError) as error:
        say(str(error))
        return 2


def _with_address(config: schema.Config, host: str | None, port: int | None) -> schema.Config:
    """The command line's address wins."""
    server = replace(
        config.server,
        host=config.server.host if host is None else host,
        port=config.server.port if port is None else port,
    )
    return replace(config, server=server)


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
        + _simulated_text(gateway)
    )


def _simulated_text(gateway: Gateway) -> str:
    cards = gateway.app.engine.catalog.cards.values()
    simulated = sorted({card.provider for card in cards if card.simulated})
    if not simulated:
        return ""
    if all(card.simulated for card in cards):
        return ", all simulated: their answers are invented"
    return f"; simulated, so that their answers are invented: {', '.join(simulated)}"
