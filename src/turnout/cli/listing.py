"""`turnout models` and `turnout providers`."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from turnout.cli.setup import catalog_of, configuration, loaded
from turnout.cli.terminal import counted, print_json, print_table
from turnout.config.schema import Provider
from turnout.core.card import Card
from turnout.core.money import PICO_PER_USD_PER_MTOK
from turnout.upstream.known import load_known


class ModelRow(Struct, frozen=True):
    """Prices in USD per million tokens; `None` is unknown."""

    name: str
    provider: str
    id: str
    dialect: str
    tier: str
    context_window: int | None
    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None
    price_source: str | None
    capabilities: tuple[str, ...]
    fallbacks: tuple[str, ...]
    simulated: bool
    aliases: tuple[str, ...]
    retires: str | None


class ProviderRow(Struct, frozen=True):
    name: str
    dialect: str
    base_url: str
    key: str
    models: int
    tags: tuple[str, ...]
    simulated: bool = False


def models(path: Path | None, as_json: bool) -> int:
    config = configuration(path)
    catalog, _ = catalog_of(config)
    rows = [_model_row(card, config.models[card.name].aliases) for card in catalog.cards.values()]
    if as_json:
        print_json(rows)
        return 0
    print_table(
        counted(len(rows), "model"),
        ["model", "aliases", "provider", "tier", "window", "in $/M", "out $/M", "fallbacks"],
        [
            [
                _dated(row.name, card),
                ", ".join(row.aliases),
                _marked(row.provider, row.simulated),
                row.tier,
                f"{row.context_window:,}" if row.context_window else "?",
                _price(row.input_usd_per_mtok),
                _price(row.output_usd_per_mtok),
                ", ".join(row.fallbacks),
            ]
            for row, card in zip(rows, catalog.cards.values(), strict=True)
        ],
        frozenset({"window", "in $/M", "out $/M"}),
    )
    return 0


def _model_row(card: Card, aliases: tuple[str, ...]) -> ModelRow:
    price = card.price
    return ModelRow(
        name=card.name,
        provider=card.provider,
        id=card.id,
        dialect=card.dialect,
        tier=card.tier,
        context_window=card.context_window,
        input_usd_per_mtok=price.rates.input / PICO_PER_USD_PER_MTOK if price else None,
        output_usd_per_mtok=price.rates.output / PICO_PER_USD_PER_MTOK if price else None,
        price_source=price.source if price else None,
        capabilities=tuple(sorted(card.capabilities)),
        fallbacks=card.fallbacks,
        simulated=card.simulated,
        aliases=aliases,
        retires=card.retirement.on if card.retirement else None,
    )


def _dated(name: str, card: Card) -> str:
    end = card.retirement
    return name if end is None else f"{name} ({'retired' if end.past else 'until'} {end.on})"


def _marked(provider: str, simulated: bool) -> str:
    return f"{provider} (simulated)" if simulated else provider


def _price(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _key(entry: Provider | None, unset: str | None) -> str:
    if entry is not None and entry.api_key:
        return "set"
    return "none" if unset is None else f"{unset} is not set"


def providers(path: Path | None, known: bool, as_json: bool) -> int:
    shipped = load_known().providers
    if known:
        rows = [
            ProviderRow(
                name,
                provider.dialect or "",
                provider.base_url or "",
                provider.key_variable or "",
                0,
                tuple(provider.tags),
            )
            for name, provider in shipped.items()
        ]
    else:
        config = configuration(path)
        catalog, _ = catalog_of(config)
        found = loaded(path)
        unset = found.reader.unset if found is not None else {}
        rows = []
        for name in dict.fromkeys([*config.providers, *(card.provider for card in catalog.cards.values())]):
            cards = [card for card in catalog.cards.values() if card.provider == name]
            entry = config.providers.get(name)
            fact = shipped.get(name)
            simulated = entry is not None and entry.simulated
            rows.append(
                ProviderRow(
                    name,
                    (entry and entry.dialect) or (fact and fact.dialect) or "",
                    (entry and entry.base_url) or ("" if simulated else fact and fact.base_url) or "",
                    _key(entry, unset.get(("providers", name, "api_key"))),
                    len(cards),
                    tuple(sorted(cards[0].tags)) if cards else (),
                    simulated,
                )
            )
    if as_json:
        print_json(rows)
        return 0
    heading = "key variable" if known else "key"
    print_table(
        counted(len(rows), "provider"),
        ["provider", "dialect", "base URL", heading, *([] if known else ["models"]), "tags"],
        [
            [
                _marked(row.name, row.simulated),
                row.dialect,
                row.base_url,
                row.key,
                *([] if known else [str(row.models)]),
                ", ".join(row.tags),
            ]
            for row in rows
        ],
        frozenset({"models"}),
    )
    return 0
