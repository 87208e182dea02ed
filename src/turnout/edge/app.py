"""The composition root: the one file that knows which concrete parts are plugged together.

    edge -> tap -> route -> failover -> upstream

Promise: a `Gateway` is a configuration turned into a running application. A new configuration is built aside and swapped in
as a whole, or refused as a whole: a call keeps the engine it began with, connections to providers are shared by all. What
cannot change while running (address, store) is said so. Nothing here runs on the hot path.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from turnout.config import schema
from turnout.core.call import compose
from turnout.core.clock import Clock
from turnout.core.record import LogRow
from turnout.edge.http import Door, HttpLimits
from turnout.edge.ids import id_maker
from turnout.edge.ingress import Engine, Ingress, labels_of
from turnout.edge.principals import cost_center_limits, keyring
from turnout.layers.admit import Gate
from turnout.layers.failover import Failover, RetryPolicy
from turnout.layers.route import route
from turnout.layers.tap import Tap
from turnout.resilience.board import Board, HealthPolicy
from turnout.resilience.schedule import RetryRules
from turnout.routing.plan import Planner
from turnout.routing.table import PolicyRule, RoutingTable, build_table
from turnout.store.ports import LogStore, StoreError
from turnout.store.sqlite import SqliteStore
from turnout.store.upkeep import Upkeep
from turnout.telemetry.complaints import Complaints
from turnout.telemetry.metrics import Metrics
from turnout.telemetry.request_log import Observer, RequestLog, RowLog
from turnout.telemetry.shared import SharedMetrics
from turnout.upstream.catalog import Catalog, CatalogError, build
from turnout.upstream.client import Upstream
from turnout.upstream.fetching import Fetcher, FetchRules
from turnout.upstream.known import Known, load_known
from turnout.upstream.prices import PriceBook
from turnout.upstream.sockets import Sockets
from turnout.upstream.transport import Transport
from turnout.wire.registry import CODECS, PROVIDERS

FLUSH_S = 0.01  # what a row waits for at most before it is handed to the store
TICK_S = 0.25
SYSTEM = Clock(time.perf_counter_ns, time.time)
UPKEEP_EVERY_S = 60.0


def routing_table(config: schema.Config, catalog: Catalog) -> RoutingTable:
    """What the configuration means for routing. Raises `CatalogError` on a name that no model has."""
    cards, names = catalog.cards, catalog.names
    try:
        return build_table(
            list(cards.values()),
            aliases=names,
            tiers=config.routing.tiers,
            tasks=config.routing.tasks,
            policies={name: _rule(policy) for name, policy in config.policies.items()},
            long_context_tokens=config.routing.long_context_tokens,
            cost_centers=cost_center_limits(config),
        )
    except ValueError as error:
        raise CatalogError(str(error)) from None


def _rule(policy: schema.Policy) -> PolicyRule:
    return PolicyRule(
        require_tags=frozenset(policy.require_tags),
        require_any_tags=frozenset(policy.require_any_tags),
        forbid_tags=frozenset(policy.forbid_tags),
        allow_models=None if policy.allow_models is None else frozenset(policy.allow_models),
        deny_models=frozenset(policy.deny_models),
        allow_providers=None if policy.allow_providers is None else frozenset(policy.allow_providers),
        deny_providers=frozenset(policy.deny_providers),
    )


def fetcher_of(media: schema.Media) -> Fetcher | None:
    """What fetches media that callers give by URL; `None` where nothing may."""
    if not media.fetch:
        return None
    rules = FetchRules(
        bytes_max=media.bytes_max,
        timeout_s=media.timeout_ms / 1000,
        concurrent_max=media.concurrent_max,
        hosts=frozenset(media.hosts),
        inside=frozenset(media.allow_http_hosts),
        cache_bytes_max=media.cache_bytes_max,
    )
    return Fetcher(rules)


def open_store(url: str) -> LogStore:
    """Raises `StoreError`."""
    return SqliteStore(url)


class Gateway:
    """A configuration, running. `app` is the ASGI application. Make it inside a running event loop."""

    def __init__(
        self,
        config: schema.Config,
        *,
        worker: int = 0,
        store: LogStore | None = None,
        known: Known | None = None,
        prices: PriceBook | None = None,
        environ: Mapping[str, str] | None = None,
        shared: Path | None = None,
        clock: Clock = SYSTEM,
        jitter: Callable[[], float] = random.random,
        transport: Transport | None = None,
        make_log: Callable[[Observer], RowLog] | None = None,
    ) -> None:
        """`shared` is a folder in which the workers of one gateway tell each other what they counted.

        With a `clock`, `jitter`, `transport` and log of its own, on a loop of virtual time, it does the same every time.

        Raises `CatalogError` or `StoreError`.
        """
        self._loop = asyncio.get_running_loop()
        self._known = known or load_known()
        self._prices = prices or PriceBook()
        self._clock = clock
        self._transport = transport or Transport.from_environment(os.environ if environ is None else environ)
        self._sockets = Sockets(self._transport)
        self.config = config
        self._chore_trouble = ""
        self._begun = config  # what cannot change while running is as it is here
        self.config_refused = False  # the file that was read last
        self.metrics = Metrics()
        self._complaints = Complaints(say, self._loop.time)
        self.gate = Gate(config.server.calls_max)
        self.door = Door()
        engine_parts = self._parts(config)  # a bad configuration fails before the store is opened
        self.store = store or open_store(config.store)
        self.log: RowLog = (
            make_log(self._observe)
            if make_log is not None
            else RequestLog(
                self.store,
                self._observe,
                queue_rows_max=config.log.queue_rows_max,
                later=lambda flush: self._loop.call_later(FLUSH_S, flush),
            )
        )
        self._failover = Failover(Board(HealthPolicy()), clock.now_ns, jitter)
        self._tap = Tap(self.log.put, worker, clock.now_ns, self._failover.ended)
        node = self._node()
        self.app = Ingress(
            self._engine(config, *engine_parts),
            CODECS,
            self._tap,
            self.gate,
            id_maker(node, clock.unix_s),
            self._metrics_text,
            clock,
        )
        self._gauges()
        self._shared = SharedMetrics(self.metrics, shared, worker) if shared is not None else None
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._worker = worker
        self._upkeep = Upkeep(self.store) if make_log is None else None
        self._upkeep_at = 0.0
        self._until = engine_parts[0].prices_until

    def _node(self) -> int:
        """Leased from the store, so that no two processes that share it make the same id; a guess while it takes no writes."""
        try:
            return self.store.node()
        except StoreError as error:
            say(f"the store cannot be written, request ids may be those of another process: {error}")
            return random.SystemRandom().randrange(1 << 12)

    # -- configuration
    def _parts(self, config: schema.Config) -> tuple[Catalog, Planner]:
        catalog = build(config, self._known, self._prices, PROVIDERS, self._today())
        return catalog, Planner(routing_table(config, catalog))

    def _engine(self, config: schema.Config, catalog: Catalog, planner: Planner) -> Engine:
        resilience = config.resilience
        upstream = Upstream(
            self._transport,
            catalog.routes,
            self._loop.time,
            self._clock.now_ns,
            fetcher_of(config.media),
            self._sockets,
        )
        rules = RetryRules(resilience.attempts_max, resilience.retries_same, resilience.backoff_ms / 1000)
        service = compose(
            [self._tap.layer, route(planner)],
            self._failover.service(upstream.connect, RetryPolicy(rules)),
        )
        return Engine(
            catalog=catalog,
            planner=planner,
            keyring=keyring(config),
            service=service,
            labels=labels_of(catalog.cards),
            annotate=config.server.annotate_body,
            body_bytes_max=config.server.body_bytes_max,
            depth_max=config.server.depth_max,
            early_head_s=config.server.early_head_ms / 1000,
            cors_origins=frozenset(config.server.cors_origins),
        )

    def reload(self, config: schema.Config) -> list[str]:
        """Serve new calls by another configuration. Returns what needs a restart to take effect.

        Raises `CatalogError`, and then nothing has changed.
        """
        catalog, planner = self._parts(config)
        self.app.engine = self._engine(config, catalog, planner)
        self.gate.calls_max = config.server.calls_max
        self._until = catalog.prices_until
        self.config = config
        old = self._begun
        fixed = ("host", "port", "head_bytes_max", "head_ms", "body_ms", "connections_max")
        stale = [
            f"server.{name}" for name in fixed if getattr(old.server, name) != getattr(config.server, name)
        ]
        return stale + (["store"] if old.store != config.store else [])

    def forget_health(self) -> None:
        """Hold nothing against any provider."""
        self._failover.forget()

    def _today(self) -> datetime:
        return datetime.fromtimestamp(self._clock.unix_s(), UTC)

    # -- housekeeping
    def _observe(self, rows: Sequence[LogRow]) -> None:
        self.metrics.observe(rows)
        self._complaints.observe(rows)

    def _tick(self) -> None:
        """Chores. One that fails is said once for a kind of error, does not keep the others from their turn, and is tried again."""
        self._timer = self._loop.call_later(TICK_S, self._tick)
        for chore in (self._refresh_prices, self._keep_up, self._publish):
            try:
                chore()
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                self._failed_chore(chore.__name__.strip("_"), error)

    def _failed_chore(self, chore: str, error: BaseException) -> None:
        what = f"{chore}: {type(error).__name__}: {error}"
        if what != self._chore_trouble:
            self._chore_trouble = what
            say(f"housekeeping failed, and is tried again: {what}")

    def _refresh_prices(self) -> None:
        if self._until is not None and self._today() >= self._until:
            self.reload(self.config)

    def _keep_up(self) -> None:
        """The log's bounds; one worker looks after the store that all share."""
        now = self._loop.time()
        if now >= self._upkeep_at and self._worker == 0 and self._upkeep is not None:
            self._upkeep_at = now + UPKEEP_EVERY_S
            log = self.config.log
            self._loop.run_in_executor(None, self._upkeep.round, log.keep_days, log.bytes_max)

    def _publish(self) -> None:
        if self._shared is not None:
            self._shared.publish()

    def _metrics_text(self) -> bytes:
        self.log.flush()
        return self.metrics.text() if self._shared is None else self._shared.text()

    def _gauges(self) -> None:
        gauge = self.metrics.gauge
        gauge("turnout_in_flight", "Calls being served.", lambda: float(self.gate.in_flight))
        gauge(
            "turnout_config_refused",
            "1 while the file that was read last is refused and an older one is in force.",
            lambda: float(self.config_refused),
        )
        gauge(
            "turnout_connections_refused",
            "Client connections closed because there were too many.",
            lambda: float(self.door.refused),
        )
        gauge("turnout_log_rows_written", "Log rows stored.", lambda: float(self.log.rows_written))
        gauge("turnout_log_rows_waiting", "Log rows not stored yet.", lambda: float(self.log.rows_waiting))
        gauge("turnout_log_rows_lost", "Log rows lost.", lambda: float(self.log.rows_lost))

    def cut(self) -> None:
        """End what is under way: every stream by an error in its client's dialect, every other call by a 503."""
        self._transport.cut()
        self._sockets.cut()

    async def close(self) -> bool:
        """Write what is left and let go of everything. False when log rows were lost."""
        self._timer.cancel()
        await self._sockets.close()
        await self._transport.close()
        kept = await self.log.end()
        if self._shared is not None:
            with contextlib.suppress(OSError):  # the folder goes when the last worker does
                self._shared.publish(last=True)
        if self._upkeep is not None:
            await asyncio.to_thread(self._upkeep.stop)
        self.store.close()
        return kept


def http_limits(server: schema.Server) -> HttpLimits:
    return HttpLimits(
        head_bytes_max=server.head_bytes_max,
        head_s=server.head_ms / 1000,
        body_s=server.body_ms / 1000,
        connections_max=server.connections_max,
    )


def say(text: str) -> None:
    """A line for the operator. Standard error, so that standard output stays for results."""
    sys.stderr.write(f"turnout: {text}\n")
