"""The shipped data: providers and models that work by their name alone.

Promise: plain facts, read from one JSON file beside this module, once a process. A configuration overrides every one of them. Prices are
not here: they age faster than this file and come from `prices`. Nothing here decides anything.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from turnout.core.card import Capability, Tier
from turnout.core.model import DialectName

_FILE = Path(__file__).with_name("known.json")


class KnownProvider(Struct, frozen=True, forbid_unknown_fields=True):
    """`key_variable` is the environment variable that the provider's own SDK reads; absent: no key is needed, or it has no usual one.

    `base_url` may have blanks such as `{AZURE_RESOURCE_NAME}`, which environment variables fill. `prices_from` is the
    provider's id in the price data, where it differs; `unpriced` is said of servers of one's own. `simulated_dialect` is what
    the demo's simulation of the provider speaks, where it differs.
    """

    dialect: DialectName | None = None
    base_url: str | None = None
    key_variable: str | None = None
    tags: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()
    prices_from: str | None = None
    signer: str | None = None
    unpriced: bool = False
    simulated_dialect: DialectName | None = None
    note: str = ""


class KnownModel(Struct, frozen=True, forbid_unknown_fields=True):
    """`name` is what callers type, `id` what the provider calls it; windows are tokens. `demo`: served without any key, simulated."""

    name: str
    provider: str
    id: str
    tier: Tier | None = None
    capabilities: tuple[Capability, ...] = ()
    context_window: int | None = None
    max_output: int | None = None
    quirks: tuple[str, ...] = ()
    demo: bool = False


class KnownRetirement(Struct, frozen=True, forbid_unknown_fields=True):
    """Models that their maker takes away on a day, by the ids that callers use; not where others serve them, who have days of their own."""

    providers: tuple[str, ...]
    ids: tuple[str, ...]
    on: date
    successor: str | None = None


class Known(Struct, frozen=True):
    """Providers and models by name, in the order of preference; retirements by provider and id.

    `unlisted` are models that nobody is offered unasked; what is known of them holds where somebody configures one.
    """

    providers: dict[str, KnownProvider]
    models: dict[str, KnownModel]
    retirements: dict[tuple[str, str], KnownRetirement] = {}
    unlisted: tuple[KnownModel, ...] = ()

    def retired(self, today: date) -> frozenset[str]:
        """Names of the models that are no longer there."""
        found = {name: self.retirements.get((m.provider, m.id)) for name, m in self.models.items()}
        return frozenset(name for name, end in found.items() if end is not None and end.on <= today)

    @property
    def simulated(self) -> tuple[str, ...]:
        """The providers that Turnout can simulate: those of the demo's models."""
        return tuple(dict.fromkeys(model.provider for model in self.models.values() if model.demo))


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    providers: dict[str, KnownProvider]
    models: tuple[KnownModel, ...]
    unlisted: tuple[KnownModel, ...]
    retirements: tuple[KnownRetirement, ...]


@cache
def load_known() -> Known:
    """The shipped data, decoded once a process."""
    file = msgspec.json.decode(_FILE.read_bytes(), type=_File)
    ends = {(provider, id): end for end in file.retirements for provider in end.providers for id in end.ids}
    models = {model.name: model for model in file.models}
    return Known(file.providers, models, ends, file.unlisted)
