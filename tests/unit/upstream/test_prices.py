"""Prices are those of the `genai-prices` package: every model, several usages, several dates."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from genai_prices import Usage as GenaiUsage
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, Provider

from turnout.core.events import Usage
from turnout.core.money import Price, Rates, cost_nano, counted_cost_nano
from turnout.upstream.known import load_known
from turnout.upstream.price_data import (
    FORMAT,
    UNPRICED,
    Clause,
    Condition,
    Entry,
    PriceData,
    ProviderPrices,
    extract,
    load,
    write,
)
from turnout.upstream.prices import PriceBook, cache_file, matches, source_name

PLENTY = Usage(input=10**6, output=10**6, characters=10**6, audio_ms=10**6)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DATES = (NOON, NOON + timedelta(hours=9), datetime(2025, 1, 1, tzinfo=UTC))
USAGES = (
    Usage(input=1234, output=567),
    Usage(input=10, cache_read=99, cache_write_5m=777, cache_write_1h=333, output=5),
    Usage(input=300_000, cache_read=1000, output=1000),
    Usage(input=900, input_audio=400, output=300, output_audio=120),
    Usage(input=199_000, cache_read=1000, output=1, web_searches=3),
    Usage(input=199_000, cache_read=1001, output=1),
    Usage(input=500, input_image=300, output=400, output_image=350),
    Usage(characters=1234),
    Usage(audio_ms=90_500),
)
COUNTED = ("input_mtok", "output_mtok", "input_mchars", "audio_hours", "input_audio_hours")
FREE = ("openai", "moderation")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cache") / "turnout" / "prices.json"
    assert write(extract(source_name()), path)
    return path


def every_model() -> Iterator[tuple[Provider, ModelInfo]]:
    """All that a lookup by the model's own id finds; the package has some that match other spellings only."""
    for provider in providers:
        for model in provider.models:
            if provider.find_model(model.id, all_providers=providers) is not None:
                yield provider, model


def is_counted(price: ModelPrice) -> bool:
    return any(getattr(price, name) is not None for name in COUNTED)


def genai_usage(usage: Usage) -> GenaiUsage:
    return GenaiUsage(
        input_tokens=usage.prompt,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        cache_write_5m_tokens=usage.cache_write_5m,
        cache_write_1h_tokens=usage.cache_write_1h,
        output_tokens=usage.output,
        input_audio_tokens=usage.input_audio,
        output_audio_tokens=usage.output_audio,
        web_searches=usage.web_searches,
        input_image_tokens=usage.input_image,
        output_image_tokens=usage.output_image,
        input_characters=usage.characters,
        audio_seconds=Decimal(usage.audio_ms) / 1000,
        input_audio_seconds=Decimal(usage.audio_ms) / 1000,
    )


def test_costs_are_those_of_the_package(file: Path) -> None:
    """Every third model. A model that is sold by nothing counted has no price here: unknown is not free."""
    book, compared = PriceBook(file), 0
    for provider, model in list(every_model())[::3]:
        for at in DATES:
            found = provider.find_model(model.id, all_providers=providers)
            assert found is not None
            price, fact = found.get_prices(at), book.lookup(provider.id, model.id, at)
            if not is_counted(price) and (provider.id, model.id) != FREE:
                assert fact is None, model.id
                continue
            assert fact is not None, model.id
            assert fact.context_window == found.context_window
            for usage in USAGES:
                expected = price.calc_price(genai_usage(usage))["total_price"] * 1_000_000_000
                assert abs(Decimal(cost_nano(usage, fact.price)) - expected) <= 1, (provider.id, model.id)
                compared += 1
    assert compared > 5000


def test_names_lead_to_the_models_that_the_package_finds(file: Path) -> None:
    """Names of all providers, in the spellings that others make of them, asked of every provider; seeded."""
    chance, book, found = random.Random(7), PriceBook(file), 0
    names = [model.id for _, model in every_model()]
    endings = ("", "", "-latest", "-20251211", "-2025-12-11", ":free", "-preview", "-x")
    usage = Usage(input=1000, output=1000)
    for _ in range(3000):
        provider = chance.choice(providers)
        own = chance.random() < 0.5 and provider.models
        name = (chance.choice(provider.models).id if own else chance.choice(names)) + chance.choice(endings)
        model = provider.find_model(name.upper(), all_providers=providers)
        fact = book.lookup(provider.id, name.upper(), NOON)
        price = None if model is None else model.get_prices(NOON)
        if model is None or price is None or not (is_counted(price) or model.id == FREE[1]):
            assert fact is None, (provider.id, name)
            continue
        found += 1
        assert fact is not None, (provider.id, name)
        assert fact.context_window == model.context_window
        expected = price.calc_price(genai_usage(usage))["total_price"] * 1_000_000_000
        assert abs(Decimal(cost_nano(usage, fact.price)) - expected) <= 1, (provider.id, name)
    assert found > 300


def test_what_a_price_leaves_out_is_listed(file: Path) -> None:
    """A new release of the package may sell by something new; then this fails, and somebody decides."""
    data = msgspec.json.decode(file.read_bytes(), type=PriceData)
    entries = [
        entry
        for raw in data.providers.values()
        for entry in msgspec.json.decode(raw, type=ProviderPrices).models
    ]
    found = {key for entry in entries for condition in entry.conditions for key in condition.unpriced}
    assert found <= UNPRICED.keys()
    fact = PriceBook(file).lookup("google", "gemini-2.5-flash", NOON)
    assert fact is not None
    assert fact.unpriced == ("cache_audio_read_mtok",)


def test_every_known_model_has_a_price(file: Path) -> None:
    book, known = PriceBook(file), load_known()
    for model in known.models.values():
        fact = book.lookup(known.providers[model.provider].prices_from or model.provider, model.id, NOON)
        assert fact is not None, model.name
        assert model.capabilities == ("moderations",) or counted_cost_nano(PLENTY, fact.price)
        assert fact.price.source == source_name()


def test_every_name_for_the_price_data_is_in_it(file: Path) -> None:
    data = msgspec.json.decode(file.read_bytes(), type=PriceData)
    named = {provider.prices_from for provider in load_known().providers.values() if provider.prices_from}
    assert named <= data.providers.keys()


@pytest.mark.parametrize(
    ("provider", "model"),
    [("nobody", "gpt-4o"), ("openai", "no-such-model"), ("openai", "dall-e-3"), ("OPENAI", "gpt-4o")],
)
def test_what_has_no_price(file: Path, provider: str, model: str) -> None:
    assert PriceBook(file).lookup(provider, model, NOON) is None


def test_spellings(file: Path) -> None:
    book = PriceBook(file)
    assert book.lookup("openai", "GPT-4o", NOON) == book.lookup("openai", "gpt-4o", NOON)
    assert book.lookup("openai", "gpt-4o-20240806", NOON) == book.lookup("openai", "gpt-4o-2024-08-06", NOON)
    assert book.lookup("azure", "claude-sonnet-4-5", NOON) is not None, "offered for another provider"


# -- prices that change
def book_of(tmp_path: Path, *conditions: Condition) -> PriceBook:
    entry = Entry(Clause("equals", "m"), conditions)
    raw = msgspec.Raw(msgspec.json.encode(ProviderPrices((entry,))))
    path = tmp_path / "prices.json"
    assert write(PriceData(FORMAT, source_name(), {"p": raw}), path)
    return PriceBook(path)


def priced(rate: int) -> Price:
    return Price(Rates(rate, 0))


@pytest.mark.parametrize(
    ("at", "rate", "until"),
    [
        (datetime(2026, 1, 31, 23, 59, tzinfo=UTC), 1, datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 2, 1, tzinfo=UTC), 2, datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime.fromisoformat("2026-03-01T01:00:00+02:00"), 2, datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, tzinfo=UTC), 3, None),
    ],
)
def test_prices_by_date(tmp_path: Path, at: datetime, rate: int, until: datetime | None) -> None:
    book = book_of(
        tmp_path,
        Condition(priced(1)),
        Condition(priced(2), start_date=date(2026, 2, 1)),
        Condition(priced(3), start_date=date(2026, 3, 1)),
    )
    fact = book.lookup("p", "m", at)
    assert fact is not None
    assert (fact.price.rates.input, fact.until) == (rate, until)


@pytest.mark.parametrize(
    ("start", "end", "hour", "rate", "until"),
    [
        (9, 17, 8, 1, 9),
        (9, 17, 9, 2, 17),
        (9, 17, 17, 1, 33),
        (22, 6, 23, 2, 30),
        (22, 6, 5, 2, 6),
        (22, 6, 6, 1, 22),
    ],
)
def test_prices_by_hour(tmp_path: Path, start: int, end: int, hour: int, rate: int, until: int) -> None:
    book = book_of(tmp_path, Condition(priced(1)), Condition(priced(2), daily=(time(start), time(end))))
    day = datetime(2026, 5, 5, tzinfo=UTC)
    fact = book.lookup("p", "m", day + timedelta(hours=hour))
    assert fact is not None
    assert (fact.price.rates.input, fact.until) == (rate, day + timedelta(hours=until))


def test_a_model_whose_price_is_not_by_the_token_any_more(tmp_path: Path) -> None:
    book = book_of(tmp_path, Condition(priced(1)), Condition(None, start_date=date(2026, 2, 1)))
    assert book.lookup("p", "m", datetime(2026, 1, 1, tzinfo=UTC)) is not None
    assert book.lookup("p", "m", datetime(2026, 2, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("clause", "yes", "no"),
    [
        (Clause("equals", "ab"), "ab", "abc"),
        (Clause("starts_with", "ab"), "abc", "cab"),
        (Clause("ends_with", "bc"), "abc", "bcd"),
        (Clause("contains", "b"), "abc", "ac"),
        (Clause("regex", "^a.?$"), "ab", "abc"),
        (Clause("or", of=(Clause("equals", "a"), Clause("equals", "b"))), "b", "c"),
        (Clause("and", of=(Clause("contains", "a"), Clause("contains", "b"))), "ba", "a"),
    ],
)
def test_clauses(clause: Clause, yes: str, no: str) -> None:
    assert matches(clause, yes)
    assert not matches(clause, no)


# -- the file
def test_a_file_that_is_none_is_made_again(tmp_path: Path, file: Path) -> None:
    good, source = file.read_bytes(), source_name()
    for content in (None, b"", b"{", b"{}", good.replace(b'"format":%d' % FORMAT, b'"format":0', 1)):
        path = tmp_path / "folder" / "prices.json"
        if content is not None:
            path.write_bytes(content)
        assert load(path, source).providers.keys() >= {"openai"}
        assert path.read_bytes() == good
    assert [each.name for each in path.parent.iterdir()] == ["prices.json"]
    assert path.stat().st_mode & 0o444 == 0o444, "read by other users than its maker"


def test_prices_of_another_version_are_made_again(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_bytes(file.read_bytes())
    assert load(path, "genai-prices 0").source == "genai-prices 0"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "prices.json"
    assert PriceBook(path).lookup("openai", "gpt-4o", NOON) is not None
    assert not path.exists()


def test_where_the_file_is(tmp_path: Path) -> None:
    expected = tmp_path / "turnout" / "prices-1.2.json"
    assert cache_file({"XDG_CACHE_HOME": str(tmp_path)}, "genai-prices 1.2") == expected
    fallback = cache_file({"XDG_CACHE_HOME": "relative"}, "genai-prices 1.2")
    assert fallback == Path.home() / ".cache" / "turnout" / "prices-1.2.json"


def test_the_package_is_not_imported_where_the_file_is_there(file: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from turnout.upstream.prices import PriceBook\n"
        "assert PriceBook(Path(sys.argv[1])).lookup('openai', 'gpt-4o', datetime.now(UTC))\n"
        "assert not [name for name in sys.modules if name.startswith(('genai_prices', 'pydantic'))]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_building_by_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "turnout.upstream.prices"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"XDG_CACHE_HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    made = Path(done.stdout.strip())
    assert made.parent == tmp_path / "turnout"
    assert PriceBook(made).lookup("anthropic", "claude-sonnet-4-5", NOON) is not None
