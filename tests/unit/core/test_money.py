"""Amounts are exact integers; a usage costs what its classes cost, rounded once."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.core.events import Usage
from turnout.core.money import (
    NANO_PER_USD,
    USD_MAX,
    MediaRates,
    Price,
    Rates,
    Step,
    cost_nano,
    counted_cost_nano,
    format_usd,
    usd_per_mtok,
    usd_to_nano,
)

PLAIN = Price(Rates(input=2_000_000, output=10_000_000))
FULL = Price(
    Rates(
        input=3_000_000,
        output=15_000_000,
        cache_read=300_000,
        cache_write_5m=3_750_000,
        cache_write_1h=6_000_000,
        input_audio=40_000_000,
        output_audio=80_000_000,
    )
)
COUNTS = st.integers(0, 10_000_000)
USAGES = st.builds(
    Usage, input=COUNTS, cache_read=COUNTS, cache_write_5m=COUNTS, cache_write_1h=COUNTS, output=COUNTS
)


@pytest.mark.parametrize(
    ("value", "pico"),
    [("2.5", 2_500_000), ("0.0375", 37_500), (Decimal("75"), 75_000_000), (0, 0), ("0.000001", 1)],
)
def test_published_prices_are_whole_pico_dollars(value: Decimal | str | int, pico: int) -> None:
    assert usd_per_mtok(value) == pico


@pytest.mark.parametrize("value", ["-1", "0.0000001", Decimal("1e-9")])
def test_a_price_that_is_none(value: Decimal | str) -> None:
    with pytest.raises(ValueError, match="pico-dollars"):
        usd_per_mtok(value)


@pytest.mark.parametrize(
    ("usage", "price", "nano"),
    [
        (Usage(), PLAIN, 0),
        (Usage(input=1000, output=100), PLAIN, 3_000_000),
        (Usage(input=1000, output=100, reasoning=60), PLAIN, 3_000_000),
        (Usage(cache_read=10, cache_write_5m=20, cache_write_1h=30), PLAIN, 120_000),
        (Usage(cache_read=10, cache_write_5m=20, cache_write_1h=30), FULL, 258_000),
        (Usage(cache_write_1h=4), Price(Rates(input=1000, output=0, cache_write_5m=2000)), 8),
        (Usage(input=100, input_audio=40), PLAIN, 200_000),
        (Usage(input=100, input_audio=40, output=10, output_audio=10), FULL, 2_580_000),
        (Usage(input=1, cache_read=99, input_audio=100), FULL, 69_700),
        (Usage(), Price(Rates(0, 0), request_pico=5_000_000), 5_000),
        (Usage(web_searches=3), Price(Rates(0, 0), web_search_pico=10_000_000_000), 30_000_000),
        (Usage(web_searches=3), PLAIN, 0),
        (Usage(input=1), Price(Rates(input=499, output=0)), 0),
        (Usage(input=1), Price(Rates(input=500, output=0)), 1),
        (Usage(input=1, output=1), Price(Rates(input=499, output=1)), 1),
    ],
)
def test_cost(usage: Usage, price: Price, nano: int) -> None:
    assert cost_nano(usage, price) == nano


@pytest.mark.parametrize(
    ("prompt", "rate"), [(0, 1000), (100, 1000), (101, 2000), (200, 2000), (201, 3000), (10**9, 3000)]
)
def test_a_step_holds_for_the_whole_request(prompt: int, rate: int) -> None:
    price = Price(Rates(1000, 0), (Step(100, Rates(2000, 0)), Step(200, Rates(3000, 0))))
    cached = Usage(input=prompt // 2, cache_read=prompt - prompt // 2)
    assert cost_nano(Usage(input=prompt), price) == prompt * rate // 1000
    assert cost_nano(cached, price) == prompt * rate // 1000


@given(USAGES, USAGES)
def test_costs_add_up(one: Usage, other: Usage) -> None:
    """Splitting a usage changes its cost by no more than the rounding of each part."""
    fields = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    both = Usage(**{field: getattr(one, field) + getattr(other, field) for field in fields})
    assert abs(cost_nano(both, FULL) - cost_nano(one, FULL) - cost_nano(other, FULL)) <= 1


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_audio_never_makes_a_request_free(text: int, cached: int, audio: int, rate: int) -> None:
    """Whatever a provider reports, and whether audio costs more or less than text."""
    price = Price(Rates(input=rate, output=rate, cache_read=0, input_audio=rate // 2, output_audio=rate // 2))
    usage = Usage(input=text, cache_read=cached, output=text, input_audio=audio, output_audio=audio)
    assert cost_nano(usage, price) >= 2 * text * (rate // 2) // 1000


@given(USAGES)
def test_more_tokens_never_cost_less(usage: Usage) -> None:
    more = Usage(input=usage.input + 1, cache_read=usage.cache_read, output=usage.output)
    less = Usage(input=usage.input, cache_read=usage.cache_read, output=usage.output)
    assert cost_nano(more, FULL) >= cost_nano(less, FULL)


@given(st.integers(0, USD_MAX * NANO_PER_USD))
def test_amounts_survive_being_written(nano: int) -> None:
    text = format_usd(nano)
    assert usd_to_nano(text) == nano
    assert "e" not in text.lower()


@pytest.mark.parametrize(
    ("nano", "text"),
    [(0, "0"), (1, "0.000000001"), (210_000, "0.00021"), (1_500_000_000, "1.5"), (-5, "-0.000000005")],
)
def test_writing(nano: int, text: str) -> None:
    assert format_usd(nano) == text


def test_amounts_are_rounded_half_up() -> None:
    assert usd_to_nano("0.0000000005") == 1
    assert usd_to_nano("0.00000000049") == 0


@pytest.mark.parametrize("value", ["-0.01", "nan", "inf", "one", "", "1000000001"])
def test_an_amount_that_is_none(value: str) -> None:
    with pytest.raises(ValueError, match="not an amount of money"):
        usd_to_nano(value)


# -- what few models are sold by
MEDIA = Price(
    Rates(
        5_000_000,
        10_000_000,
        media=MediaRates(input_image=8_000_000, output_image=32_000_000, character=15_000_000),
    )
)
SPEECH = Price(Rates(0, 0, media=MediaRates(character=15_000_000)))
HOURS = Price(Rates(0, 0, media=MediaRates(audio_hour=360_000_000_000)))
FREE = Price(Rates(0, 0))


def test_images_characters_and_hours() -> None:
    usage = Usage(input=100, input_image=40, output=50, output_image=30, characters=7)
    assert cost_nano(usage, MEDIA) == 60 * 5000 + 40 * 8000 + 20 * 10_000 + 30 * 32_000 + 7 * 15_000
    assert cost_nano(Usage(characters=1_000_000), SPEECH) == 15 * NANO_PER_USD
    assert cost_nano(Usage(audio_ms=3_600_000), HOURS) == 360_000_000
    assert cost_nano(Usage(audio_ms=1), HOURS) == 100


def test_no_more_images_than_there_are_tokens() -> None:
    usage = Usage(input=10, input_image=99, output=10, output_image=99)
    assert cost_nano(usage, MEDIA) == 10 * 8000 + 10 * 32_000


@pytest.mark.parametrize(
    ("usage", "price", "cost"),
    [
        (Usage(), SPEECH, None),
        (Usage(input=5, output=5), SPEECH, None),
        (Usage(characters=2), SPEECH, 30_000),
        (Usage(characters=5), HOURS, None),
        (Usage(audio_ms=10), HOURS, 1000),
        (Usage(characters=5), MEDIA, None),
        (Usage(input=1, output=1), MEDIA, None),
        (Usage(characters=5), Price(Rates(5, 5)), None),
        (Usage(), FREE, 0),
    ],
)
def test_what_was_not_counted_is_unknown(usage: Usage, price: Price, cost: int | None) -> None:
    assert counted_cost_nano(usage, price) == cost
