"""What commands share: the configuration in force and its catalog."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from turnout.cli.terminal import CommandError
from turnout.config import schema
from turnout.config.addresses import blanks
from turnout.config.defaults import demo_config, with_known_keys
from turnout.config.load import ConfigError, Loaded, read_file
from turnout.edge.app import routing_table
from turnout.routing.plan import Planner
from turnout.upstream.catalog import Catalog, CatalogError, build
from turnout.upstream.known import Known, load_known
from turnout.upstream.prices import PriceBook
from turnout.wire.registry import PROVIDERS

CONFIG_DEFAULT = Path("turnout.yaml")


def loaded(path: Path | None) -> Loaded | None:
    """The file given, else `turnout.yaml` here, else nothing. A variable that is not set is no error: who only looks calls no
    provider. Raises `CommandError`."""
    if path is None and not CONFIG_DEFAULT.exists():
        return None
    try:
        return read_file(
            path or CONFIG_DEFAULT, dict(os.environ), tuple(load_known().providers), lenient=True
        )
    except FileNotFoundError:
        raise CommandError(f"there is no file {path}; make one with `turnout init`", "no_file") from None
    except ConfigError as error:
        raise CommandError(str(error), "bad_configuration", problems=error.problems) from None
    except OSError as error:
        raise CommandError(f"cannot read {path or CONFIG_DEFAULT}: {error.strerror}", "no_file") from None


def today() -> date:
    return datetime.now(UTC).date()


def configuration(path: Path | None) -> schema.Config:
    """As `loaded`, else what `turnout run` would serve; with the keys and addresses that the environment gives."""
    known, found = load_known(), loaded(path)
    if found is None:
        return demo_config(known, dict.fromkeys(known.simulated), dict(os.environ), today=today())
    return with_known_keys(found.config, known, _with_stand_ins(known))


def _with_stand_ins(known: Known) -> Mapping[str, str]:
    """The environment; what an address needs and is not there is a word that says so."""
    names = {
        name for provider in known.providers.values() for name in blanks(provider.base_url or "")
    } - os.environ.keys()
    words = {name: f"{name.lower().replace('_', '-')}-is-not-set" for name in names}
    return ChainMap(words, dict(os.environ))


def catalog_of(config: schema.Config) -> tuple[Catalog, Planner]:
    """Raises `CommandError`."""
    try:
        catalog = build(config, load_known(), PriceBook(), PROVIDERS, datetime.now(UTC))
        return catalog, Planner(routing_table(config, catalog))
    except (CatalogError, ValueError) as error:
        raise CommandError(str(error), "bad_configuration") from None
