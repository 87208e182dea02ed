"""What commands share: the configuration in force, its catalog, and printing."""

from __future__ import annotations

import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from turnout.config import schema
from turnout.config.defaults import demo_config, with_known_keys
from turnout.config.load import ConfigError, load_file
from turnout.edge.app import routing_table
from turnout.routing.plan import Planner
from turnout.upstream.catalog import Catalog, CatalogError, build
from turnout.upstream.known import load_known
from turnout.upstream.prices import PriceBook
from turnout.wire.registry import PROVIDERS

CONFIG_DEFAULT = Path("turnout.yaml")


class CommandError(Exception):
    """A command cannot do it; the message says why and what to do next."""


def today() -> date:
    return datetime.now(UTC).date()


def configuration(path: Path | None) -> schema.Config:
    """The file given, else `turnout.yaml` here, else what `turnout run` would serve. Raises `CommandError`."""
    known = load_known()
    if path is None and not CONFIG_DEFAULT.exists():
        return demo_config(known, dict.fromkeys(known.simulated), dict(os.environ), today=today())
    try:
        config = load_file(path or CONFIG_DEFAULT, dict(os.environ), tuple(known.providers))
        return with_known_keys(config, known, os.environ)
    except FileNotFoundError:
        raise CommandError(f"there is no file {path}; make one with `turnout init`") from None
    except (ConfigError, OSError) as error:
        raise CommandError(str(error)) from None


def catalog_of(config: schema.Config) -> tuple[Catalog, Planner]:
    """Raises `CommandError`."""
    try:
        catalog = build(config, load_known(), PriceBook(), PROVIDERS, datetime.now(UTC))
        return catalog, Planner(routing_table(config, catalog))
    except CatalogError as error:
        raise CommandError(str(error)) from None


def complain(error: Exception) -> int:
    """Say what is wrong on standard error; the exit status for it."""
    sys.stderr.write(f"turnout: {error}\n")
    return 2


def print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_table(
    title: str, columns: list[str], rows: list[list[str]], right: frozenset[str] = frozenset()
) -> None:
    """A table on standard output, as wide as it needs when that is not a terminal."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)
