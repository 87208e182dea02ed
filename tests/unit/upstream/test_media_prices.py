"""Models sold by the character, by the hour and by the picture's token: configured, and known by their price alone."""

from __future__ import annotations

from datetime import UTC, datetime

from turnout.config import schema
from turnout.core.call import PASSED
from turnout.core.card import Card
from turnout.core.money import MediaRates
from turnout.upstream.catalog import Catalog, build
from turnout.upstream.known import load_known
from turnout.upstream.prices import PriceBook
from turnout.wire.registry import PROVIDERS


def catalog(**models: schema.Model) -> Catalog:
    house = schema.Provider(dialect="openai_chat", base_url="http://127.0.0.1:9/v1", prices_from="openai")
    claude = schema.Provider(dialect="anthropic", base_url="http://127.0.0.1:9")
    config = schema.Config(providers={"house": house, "claude": claude}, models=models)
    return build(config, load_known(), PriceBook(), PROVIDERS, datetime(2026, 11, 24, tzinfo=UTC))


def card(model: schema.Model) -> Card:
    return catalog(m=model).cards["m"]


def test_a_configured_price() -> None:
    price = schema.Price(
        input=5, output=40, input_image=10, output_image=32, input_characters=15, audio_hour=0.36
    )
    found = card(schema.Model("house", id="x", price=price))
    assert found.price is not None
    assert found.price.rates.media == MediaRates(10_000_000, 32_000_000, 15_000_000, 360_000_000_000)
    plain = card(schema.Model("house", id="x", price=schema.Price(input=5, output=40)))
    assert plain.price is not None and plain.price.rates.media is None


def test_what_a_model_is_sold_by_says_what_it_does() -> None:
    assert card(schema.Model("house", id="tts-1-hd")).capabilities == {"speech"}
    assert card(schema.Model("house", id="gpt-transcribe")).capabilities == {"transcriptions"}
    assert card(schema.Model("house", id="gpt-image-1.5")).capabilities == frozenset()
    assert card(schema.Model("house", id="tts-1-hd", capabilities=("tools",))).capabilities == {"tools"}


def test_only_the_dialect_that_passes_has_the_way_there() -> None:
    routes = catalog(m=schema.Model("house"), c=schema.Model("claude")).routes
    assert routes["m"].passing is not None and routes["c"].passing is None
    for op in PASSED:
        assert b"accept: */*\r\n" in routes["m"].heads[op, False]
        assert (op, False) not in routes["c"].heads
