"""The price data as this process keeps it: extracted once from the `genai-prices` package, then read from one JSON file.

Why: importing that package builds thousands of objects and takes half a second, which a gateway would pay at every start. The
extract has whole numbers of pico-dollars only and is decoded a provider at a time. It holds no decision: matching and
choosing by date are in `prices`.

Kept are the classes that `core.money` has, as whole pico-dollars a token (a few prices are finer and are rounded, half up, which is
half a dollar in a million million tokens at most); an hour of sound is kept as an hour. What else a model is sold by is listed in `UNPRICED` with what Turnout
does instead, and is named with every price that leaves it out; a model that has no price by anything kept has none here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Raw, Struct

from turnout.core.money import PICO_PER_USD, PICO_PER_USD_PER_MTOK, MediaRates, Price, Rates, Step

if TYPE_CHECKING:
    from genai_prices import types as genai

FORMAT = 3
_PICO_PER_USD_PER_KCOUNT = 1_000_000_000  # 1 USD per thousand = 1e-3 USD each

Op = Literal["starts_with", "ends_with", "contains", "equals", "regex", "or", "and"]

_CLASSES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "input_audio": "input_audio_mtok",
    "output_audio": "output_audio_mtok",
}
_IMAGES = {"input_image": "input_image_mtok", "output_image": "output_image_mtok"}
_HOURS = (
    "input_audio_hours",
    "audio_hours",
)  # the first that is given counts: where both are, they are one price
_CHARACTERS = "input_mchars"
_FREE = frozenset({"moderation"})  # listed without any price, and known to cost nothing
_COUNTS = {"request_pico": "requests_kcount", "web_search_pico": "web_searches_kcount"}
_PRICED = frozenset({*_CLASSES.values(), *_COUNTS.values(), *_IMAGES.values(), *_HOURS, _CHARACTERS})

UNPRICED: Mapping[str, str] = {
    "cache_audio_read_mtok": "audio read from a cache costs what text does",
    "cache_image_read_mtok": "images read from a cache cost what text does",
    "input_video_mtok": "video costs what text does",
    "output_video_mtok": "generated video costs what text does",
    "output_reasoning_mtok": "reasoning costs what the rest of the output does",
    "output_citation_mtok": "citations are not counted",
    "storage_searches_kcount": "searches of files kept by the provider are not counted",
    "input_document_kpages": "pages are not counted",
    "input_annotated_document_kpages": "pages are not counted",
    "input_text_messages_kcount": "messages are not counted",
}
"""What the price data has and `Price` has not, and what becomes of it."""


class Clause(Struct, frozen=True, array_like=True):
    """`of` for `or` and `and`, `text` for the others."""

    op: Op
    text: str = ""
    of: tuple[Clause, ...] = ()


class Condition(Struct, frozen=True, array_like=True):
    """A price, from a date on or in a part of every day (UTC), or always. Absent: sold by nothing that is counted.

    `unpriced`: the keys of the price data that the price leaves out, as listed in `UNPRICED`.
    """

    price: Price | None
    start_date: date | None = None
    daily: tuple[time, time] | None = None
    unpriced: tuple[str, ...] = ()


class Entry(Struct, frozen=True, array_like=True):
    """A model. The last condition that holds counts; if none does, the first."""

    match: Clause
    conditions: tuple[Condition, ...]
    context_window: int | None = None


class ProviderPrices(Struct, frozen=True):
    """`fallbacks`: providers whose models this one offers too."""

    models: tuple[Entry, ...]
    fallbacks: tuple[str, ...] = ()


class PriceData(Struct, frozen=True):
    """Each provider is decoded when it is needed."""

    format: int
    source: str
    providers: dict[str, Raw]


def load(file: Path | None, source: str) -> PriceData:
    """From the file; if it is not there, of another format or of another source, from the package, and then written."""
    if file is not None:
        try:
            data = msgspec.json.decode(file.read_bytes(), type=PriceData)
        except (OSError, msgspec.MsgspecError):
            pass
        else:
            if data.format == FORMAT and data.source == source:
                return data
    data = extract(source)
    if file is not None:
        write(data, file)
    return data


def write(data: PriceData, file: Path) -> bool:
    """At once or not at all: readers never see a half. False if the folder cannot be written."""
    import tempfile

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(msgspec.json.encode(data))
            Path(temporary).chmod(0o644)  # an image is built by one user and run by another
            Path(temporary).replace(file)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            return False
    except OSError:
        return False
    return True


def extract(source: str) -> PriceData:
    """From the package. Slow: it is imported here."""
    from genai_prices.data import providers

    return PriceData(
        FORMAT,
        source,
        {
            provider.id: Raw(
                msgspec.json.encode(
                    ProviderPrices(
                        tuple(_entries(provider.models, source)),
                        tuple(provider.fallback_model_providers or ()),
                    )
                )
            )
            for provider in providers
        },
    )


def _entries(models: Iterable[genai.ModelInfo], source: str) -> Iterator[Entry]:
    for model in models:
        conditions = tuple(_conditions(model, source))
        yield Entry(_clause(model.match), conditions, model.context_window)


def _conditions(model: genai.ModelInfo, source: str) -> Iterator[Condition]:
    from genai_prices import types as genai

    if isinstance(model.prices, genai.ModelPrice):
        price = (
            _free(source) if model.id in _FREE and not vars(model.prices) else _price(model.prices, source)
        )
        yield Condition(price, unpriced=_unpriced(model.prices))
        return
    for conditional in model.prices:
        constraint, start, daily = conditional.constraint, None, None
        if isinstance(constraint, genai.StartDateConstraint):
            start = constraint.start_date
        elif isinstance(constraint, genai.TimeOfDateConstraint):
            daily = (_utc(constraint.start_time), _utc(constraint.end_time))
        yield Condition(_price(conditional.prices, source), start, daily, _unpriced(conditional.prices))


def _unpriced(prices: genai.ModelPrice) -> tuple[str, ...]:
    given = (key for key, value in vars(prices).items() if value is not None)
    return tuple(sorted(key for key in given if key not in _PRICED))


def _utc(value: time) -> time:
    """Without an offset, as UTC."""
    if value.tzinfo is None:
        return value
    return datetime.combine(date(1970, 1, 1), value).astimezone(UTC).time()


def _clause(clause: genai.MatchLogic) -> Clause:
    from genai_prices import types as genai

    if isinstance(clause, genai.ClauseOr):
        return Clause("or", of=tuple(_clause(each) for each in clause.or_))
    if isinstance(clause, genai.ClauseAnd):
        return Clause("and", of=tuple(_clause(each) for each in clause.and_))
    if isinstance(clause, genai.ClauseRegex):
        return Clause("regex", clause.regex)
    if isinstance(clause, genai.ClauseStartsWith):
        return Clause("starts_with", clause.starts_with.lower())
    if isinstance(clause, genai.ClauseEndsWith):
        return Clause("ends_with", clause.ends_with.lower())
    if isinstance(clause, genai.ClauseContains):
        return Clause("contains", clause.contains.lower())
    return Clause("equals", clause.equals.lower())


def _free(source: str) -> Price:
    return Price(Rates(input=0, output=0), source=source)


def _price(prices: genai.ModelPrice, source: str) -> Price | None:
    """Absent for a model that is sold by nothing that is counted."""
    from genai_prices import types as genai

    media = _media(prices)
    amounts = {name: getattr(prices, key) for name, key in _CLASSES.items()}
    if amounts["input"] is None and amounts["output"] is None and media is None:
        return None
    tiered = [amount for amount in amounts.values() if isinstance(amount, genai.TieredPrices)]
    starts = sorted({tier.start for amount in tiered for tier in amount.tiers})
    counts = {name: _each(getattr(prices, key)) for name, key in _COUNTS.items()}
    return Price(
        rates=_rates(amounts, None, media),
        steps=tuple(Step(start, _rates(amounts, start, media)) for start in starts),
        source=source,
        **counts,
    )


def _each(amount: Decimal | genai.TieredPrices | None) -> int:
    """Pico-dollars for one of what is priced by the thousand."""
    if amount is None:
        return 0
    return _rounded((amount if isinstance(amount, Decimal) else amount.base) * _PICO_PER_USD_PER_KCOUNT)


def _media(prices: genai.ModelPrice) -> MediaRates | None:
    """None of these has steps in the data; if one had, its first would count."""
    images = {name: _pico(getattr(prices, key), None) for name, key in _IMAGES.items()}
    hour = next((amount for key in _HOURS if (amount := _base(getattr(prices, key))) is not None), None)
    media = MediaRates(
        **images,
        character=_pico(getattr(prices, _CHARACTERS), None) or 0,
        audio_hour=0 if hour is None else _rounded(hour * PICO_PER_USD),
    )
    return None if media == MediaRates() else media


def _base(amount: Decimal | genai.TieredPrices | None) -> Decimal | None:
    return amount if amount is None or isinstance(amount, Decimal) else amount.base


def _rates(
    amounts: dict[str, Decimal | genai.TieredPrices | None], start: int | None, media: MediaRates | None
) -> Rates:
    """What holds for prompts over `start` tokens; for `None`, from the first token on."""
    picos = {name: _pico(amount, start) for name, amount in amounts.items()}
    given, made = picos.pop("input") or 0, picos.pop("output") or 0
    return Rates(input=given, output=made, **picos, media=media)


def _pico(amount: Decimal | genai.TieredPrices | None, start: int | None) -> int | None:
    if amount is None:
        return None
    if not isinstance(amount, Decimal):
        chosen = amount.base
        for tier in amount.tiers:
            if start is not None and tier.start <= start:
                chosen = tier.price
        amount = chosen
    return _rounded(amount * PICO_PER_USD_PER_MTOK)


def _rounded(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_UP))
