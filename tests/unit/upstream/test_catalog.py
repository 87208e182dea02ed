"""Configurations and shipped data, joined: what is built, and what is refused with which words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from turnout.config import schema
from turnout.config.addresses import blanks
from turnout.config.defaults import demo_config, with_known_keys
from turnout.core.card import Retirement
from turnout.upstream.catalog import Catalog, CatalogError, build
from turnout.upstream.known import load_known
from turnout.upstream.prices import PriceBook
from turnout.wire.registry import PROVIDERS

KNOWN = load_known()
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ALL_KEYS = {
    provider.key_variable: f"key-of-{name}"
    for name, provider in reversed(KNOWN.providers.items())
    if provider.key_variable
} | {name: "abc" for p in KNOWN.providers.values() if p.base_url for name in blanks(p.base_url)}


def built(config: schema.Config) -> Catalog:
    return build(config, KNOWN, PriceBook(), PROVIDERS, NOW)


def house(**members: object) -> schema.Config:
    provider = schema.Provider(dialect="openai_chat", base_url="http://127.0.0.1:9/v1", **members)  # type: ignore[arg-type]
    return schema.Config(providers={"house": provider}, models={"m": schema.Model("house")})


def test_with_every_key_set_shipped_data_alone_make_a_large_priced_catalog() -> None:
    catalog = built(demo_config(KNOWN, {}, ALL_KEYS))
    cards = catalog.cards.values()
    assert len(cards) >= 90
    assert len({card.provider for card in cards}) >= 20
    assert all(card.price is not None for card in cards)
    assert {card.tier for card in cards} == {"light", "standard", "large"}
    assert all(name in catalog.routes for name in catalog.cards)


@pytest.mark.parametrize("name", KNOWN.providers)
def test_every_shipped_provider_can_be_configured_by_its_name(name: str) -> None:
    fact = KNOWN.providers[name]
    if fact.dialect is None or fact.dialect not in PROVIDERS:
        pytest.skip(f"{fact.dialect} is not spoken yet")
    own = schema.Provider(base_url=None if fact.base_url else "http://127.0.0.1:9/v1")
    if fact.dialect.startswith("bedrock") and fact.signer is None:
        own = schema.Provider(api_key="AKID:secret")
    config = schema.Config(providers={name: own}, models={"m": schema.Model(name)})
    route = built(with_known_keys(config, KNOWN, ALL_KEYS)).routes["m"]
    head = route.heads["chat", False].decode()
    assert "{" not in head.split("HTTP/1.1")[0].replace("%7B", "{")
    if fact.key_variable and fact.base_url:
        assert f"{ALL_KEYS[fact.key_variable]}\r\n" in head


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "azure",
            r"providers\.azure: its address is https://\{AZURE_RESOURCE_NAME\}.* `base_url`, or `AZURE_RESOURCE_NAME` in",
        ),
        ("vertex", r"`GOOGLE_CLOUD_LOCATION` and `GOOGLE_CLOUD_PROJECT` in the environment"),
        ("gpustack", r"providers\.gpustack: .* needs `base_url`"),
        ("nobody", r"providers\.nobody: not a known provider, so it needs `dialect` and `base_url`"),
    ],
)
def test_a_provider_whose_address_is_the_users_says_so(name: str, words: str) -> None:
    with pytest.raises(CatalogError, match=words):
        built(schema.Config(models={"m": schema.Model(name)}))


def test_an_unknown_quirk_is_refused_with_the_words_that_there_are() -> None:
    words = r"providers\.house\.quirks: 'max_completion' means nothing to openai_chat; the words are .*max_completion_tokens"
    with pytest.raises(CatalogError, match=words):
        built(house(quirks=("top_k", "max_completion")))
    config = schema.Config(models={"m": schema.Model("anthropic", quirks=("no_done",))})
    with pytest.raises(CatalogError, match=r"models\.m\.quirks: 'no_done' means nothing to anthropic"):
        built(config)


def test_quirks_replace_those_of_the_provider_and_add_to_it_on_a_model() -> None:
    assert built(house(quirks=("top_k", "efforts.low.high"))).cards["m"].quirks == {
        "top_k",
        "efforts.low.high",
    }
    config = schema.Config(
        providers={"openai": schema.Provider(quirks=())},
        models={"gpt-5": schema.Model("openai", quirks=("no_seed",)), "groq": schema.Model("groq")},
    )
    cards = built(config).cards
    assert cards["gpt-5"].quirks == set(KNOWN.models["gpt-5"].quirks) | {"no_seed"}
    assert cards["groq"].quirks == set(KNOWN.providers["groq"].quirks)


def test_shipped_quirks_of_another_dialect_are_left_out() -> None:
    provider = schema.Provider(dialect="openai_chat", base_url="http://127.0.0.1:9/v1")
    config = schema.Config(providers={"vertex": provider}, models={"m": schema.Model("vertex")})
    assert built(config).cards["m"].quirks == frozenset()


def test_a_simulated_provider_that_nobody_started_is_nowhere() -> None:
    config = schema.Config(
        providers={"openai": schema.Provider(simulated=True)}, models={"m": schema.Model("openai")}
    )
    catalog = built(config)
    assert catalog.cards["m"].simulated
    assert catalog.routes["m"].origin.host == "simulated.invalid"
    assert not built(house()).cards["m"].simulated


def test_a_provider_that_cannot_be_simulated() -> None:
    config = schema.Config(
        providers={"cohere": schema.Provider(simulated=True)}, models={"m": schema.Model("cohere")}
    )
    with pytest.raises(CatalogError, match=r"providers\.cohere\.simulated: .*openai"):
        built(config)


def test_a_retirement_is_told_until_it_comes_and_after() -> None:
    models = {"old": schema.Model("deepseek", id="deepseek-chat"), "new": schema.Model("mistral")}
    config = schema.Config(models=models)
    before = build(config, KNOWN, PriceBook(), PROVIDERS, datetime(2026, 7, 23, 12, tzinfo=UTC))
    after = build(config, KNOWN, PriceBook(), PROVIDERS, datetime(2026, 7, 24, tzinfo=UTC))
    assert before.cards["old"].retirement == Retirement("2026-07-24", False, "deepseek-v4-flash")
    assert before.prices_until is not None and before.prices_until <= datetime(2026, 7, 24, tzinfo=UTC)
    assert after.cards["old"].retirement == Retirement("2026-07-24", True, "deepseek-v4-flash")
    assert after.cards["new"].retirement is None


def test_somebody_elses_model_of_the_same_name_is_not_retired() -> None:
    elsewhere = schema.Provider(base_url="http://127.0.0.1:9/v1")
    config = schema.Config(
        providers={"deepseek": elsewhere}, models={"old": schema.Model("deepseek", id="deepseek-chat")}
    )
    assert built(config).cards["old"].retirement is None
