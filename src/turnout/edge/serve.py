"""Running the gateway as a process: sockets, signals, workers, reload, an orderly end.

Promise: when `serve` says that it is ready, a request is answered; what the socket really listens on decides whether keys are needed, at
the start and at every reload, and no reload takes authentication away; on SIGTERM or SIGINT no new call is taken, those in flight end or
are cut after `server.drain_ms`, and every log row is stored before the process ends. A changed configuration file is
taken as a whole or refused as a whole, loudly, with the old one in force. Several workers share one listening socket;
one that dies is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import uvicorn
import uvloop

from turnout.config import schema
from turnout.config.exposure import PLACEHOLDER_KEYS, is_loopback
from turnout.config.load import ConfigError
from turnout.config.watch import Watcher
from turnout.edge.app import Gateway, http_limits, say
from turnout.edge.http import protocol_class
from turnout.upstream.catalog import CatalogError

WATCH_S = 1.0
SETTLE_S = 0.2
RESPAWN_S = 1.0
CUT_S = 2  # for clients to be told
GC_ALLOCATIONS = 50_000
BACKLOG = 2048

Ready = Callable[[Gateway, int], None]
Source = Callable[[], Awaitable[schema.Config]]


class Reload(NamedTuple):
    """Where the configuration comes from: a file to watch, and how to read it (raises `ConfigError` or `StartError`)."""

    path: Path
    load: Source


class StartError(Exception):
    """The gateway cannot start; the message says why and what to do."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `StartError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = "; choose another with --port" if port else ""
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}{hint}") from None
    listener.setblocking(False)
    return listener


def guard(config: schema.Config, listener: socket.socket) -> None:
    """Raises `StartError` where the socket is open to others and the configuration would let anybody in."""
    address: str = listener.getsockname()[0]
    if is_loopback(address):
        return
    if not config.keys:
        raise StartError(
            f"refusing to listen on {address} without keys: add `keys` to the configuration, or listen on 127.0.0.1"
        )
    published = [key.name for key in config.keys if key.key in PLACEHOLDER_KEYS]
    if published:
        raise StartError(
            f"refusing to listen on {address} with a key that stands in Turnout's documents: change that of {', '.join(published)}"
        )


class _Server(uvicorn.Server):
    """uvicorn's server with our signals: a drain closes the gate first, and ends in a clean exit."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._ready = ready
        self._drain: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self, number: int) -> None:
        """The first signal begins the drain; a second one ends it."""
        if self._drain is not None:
            self._drain.cancel()
            self.handle_exit(number, None)
            return
        self._gateway.gate.draining = True
        self._drain = asyncio.get_running_loop().create_task(self._drained())

    async def _drained(self) -> None:
        """The socket stays open meanwhile: who asks is told that the gateway is going, and balancers see it at `/readyz`."""
        server, gate = self._gateway.config.server, self._gateway.gate
        await asyncio.sleep(server.linger_ms / 1000)
        if not await gate.empty(server.drain_ms / 1000):
            self._gateway.cut()
            await gate.empty(CUT_S)
        self.should_exit = True


async def _serve(gateway: Gateway, listener: socket.socket, reloading: Reload | None, ready: Ready) -> bool:
    server_config = gateway.config.server
    config = uvicorn.Config(
        gateway.app,
        http=protocol_class(http_limits(server_config), gateway.door),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=CUT_S,  # everything has ended, or was cut
        backlog=BACKLOG,
    )
    port: int = listener.getsockname()[1]
    server = _Server(config, gateway, lambda: ready(gateway, port))
    watch = _watching(gateway, listener, reloading) if reloading is not None else None
    try:
        await server.serve(sockets=[listener])
    finally:
        if watch is not None:
            watch.cancel()
        kept = await gateway.close()
    return kept


class Rest:
    """When to read a file that somebody may still be writing: when a look finds it as the look before did, or at once if asked to."""

    def __init__(self) -> None:
        self.wait_s = WATCH_S

    def reached(self, *, changed: bool, asked: bool) -> bool:
        """Told of each look; `wait_s` is then the time until the next."""
        changing = self.wait_s != WATCH_S
        self.wait_s = SETTLE_S if changed and not asked else WATCH_S
        return asked or (changing and not changed)


def _watching(gateway: Gateway, listener: socket.socket, reloading: Reload) -> asyncio.Task[None]:
    """From now on, and not from when the task first runs: who is told that the gateway is ready may send SIGHUP at once."""
    hangup = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    return asyncio.create_task(_watch(gateway, listener, reloading, Watcher(reloading.path), hangup))


async def _watch(
    gateway: Gateway, listener: socket.socket, reloading: Reload, watcher: Watcher, hangup: asyncio.Event
) -> None:
    """Reload when the file changes or SIGHUP comes. A file that is still being written is left until it rests."""
    rest = Rest()
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hangup.wait(), rest.wait_s)
        asked = hangup.is_set()
        hangup.clear()
        if rest.reached(changed=watcher.changed(), asked=asked):
            await reload(gateway, listener, reloading)


async def reload(gateway: Gateway, listener: socket.socket, reloading: Reload) -> bool:
    """Read the file and serve by it; on any problem say so and keep what is in force."""
    try:
        config = await reloading.load()
        guard(config, listener)
        _refuse_loss(gateway.config, config)
        stale = gateway.reload(config)
    except (ConfigError, CatalogError, StartError, OSError) as error:
        gateway.config_refused = True
        say(f"the changed configuration is refused, the old one stays in force:\n{error}")
        return False
    gateway.config_refused = False
    say(f"configuration reloaded from {reloading.path}")
    if config.server.port == listener.getsockname()[1]:
        stale = [name for name in stale if name != "server.port"]
    if stale:
        say(f"a restart is needed for: {', '.join(stale)}")
    return True


def _refuse_loss(old: schema.Config, new: schema.Config) -> None:
    """An emptied or half-written file must not open the gateway to everybody, nor leave it without models. Raises `StartError`."""
    if old.keys and not new.keys:
        raise StartError("it has no `keys` any more: to serve without any, restart")
    if old.models and not new.models:
        raise StartError("it has no `models` any more")


def run_one(
    source: Source,
    listener: socket.socket,
    *,
    environ: Mapping[str, str],
    ready: Ready,
    reloading: Reload | None = None,
    worker: int = 0,
    shared: Path | None = None,
) -> int:
    """Serve until told to stop, in this process. Returns an exit status. `shared` is a folder that all workers have."""

    async def main() -> bool:
        gateway = Gateway(await source(), worker=worker, environ=environ, shared=shared)
        # What lives now lives as long as the process: the collector need not look at it again. A request's own objects hold no
        # cycles worth a collection every 700 allocations (measured: 5 to 10 % of the processor).
        gc.freeze()
        gc.set_threshold(GC_ALLOCATIONS, 20, 50)
        return await _serve(gateway, listener, reloading, ready)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return 0 if runner.run(main()) else 1


def run_many(workers: int, serve: Callable[[int, Path], int]) -> int:
    """Fork `workers` processes that run `serve(index, folder)`; replace the dead, pass signals on, wait for all at the end.

    The folder is theirs together, and gone afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="turnout-") as folder:
        return _run_many(workers, serve, Path(folder))


def _run_many(workers: int, serve: Callable[[int, Path], int], folder: Path) -> int:
    children: dict[int, int] = {}
    stopping = False

    def stop(number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def hang_up(number: int, _frame: object) -> None:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def spawn(index: int) -> None:
        pid = os.fork()
        if pid == 0:
            os.setpgrp()  # a terminal's Ctrl-C reaches the parent alone, which passes it on once
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            status = 1
            try:
                status = serve(index, folder)
            finally:
                sys.stderr.flush()
                os._exit(status)
        children[pid] = index

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, hang_up)
    for index in range(workers):
        spawn(index)
    worst = 0
    while children:
        pid, status = os.wait()
        index = children.pop(pid)
        if stopping:
            worst = max(worst, os.waitstatus_to_exitcode(status))
            continue
        say(f"worker {index} ended with status {os.waitstatus_to_exitcode(status)}; starting another")
        time.sleep(RESPAWN_S)
        if not stopping:
            spawn(index)
    return worst
