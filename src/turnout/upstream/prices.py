"""What models cost, by the `genai-prices` data: which entry describes a model, and which of its prices holds when.

Promise: nothing is read before the first lookup, and then only the provider that is asked for. Matching and choice are those of the
package itself, which the tests compare with. A price that depends on the date or on the hour says until when it holds, so that a
catalog can be made again in time. No entry means that the price is unknown, which is not the same as free.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from turnout.core.money import Price
from turnout.upstream.price_data import (
    Clause,
    Condition,
    Entry,
    PriceData,
    ProviderPrices,
    extract,
    load,
    write,
)

PACKAGE = "genai-prices"
_COMPACT_DATE = re.compile(r"-(20\d\d)([01]\d)([0-3]\d)(?![^:-])")


class PriceFact(Struct, frozen=True):
    """`until`: when to look again, for a price that changes with date or hour. `context_window` in tokens.

    `unpriced`: what the model is also sold by and `price` leaves out; `price_data.UNPRICED` says what becomes of it.
    """

    price: Price
    context_window: int | None = None
    until: datetime | None = None
    unpriced: tuple[str, ...] = ()


class PriceBook:
    """Looks prices up. `file` is where the extract is kept; by default in the user's cache folder."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._data: PriceData | None = None
        self._providers: dict[str, ProviderPrices | None] = {}

    def lookup(self, provider: str, model_id: str, at: datetime) -> PriceFact | None:
        """`provider` is an id of the price data, `at` has a time zone. `None`: no price is known."""
        entry = self._find(provider, model_id.lower())
        if entry is None or not entry.conditions:
            return None
        now = at.astimezone(UTC)
        condition = _condition_at(entry, now)
        if condition.price is None:
            return None
        return PriceFact(condition.price, entry.context_window, _next_change(entry, now), condition.unpriced)

    def _find(self, provider: str, model_id: str) -> Entry | None:
        prices = self._provider(provider)
        if prices is None:
            return None
        for name in dict.fromkeys((model_id, _with_dashed_date(model_id))):
            entry = _first(prices, name)
            for other in prices.fallbacks:
                if entry is None and (offered := self._provider(other)) is not None:
                    entry = _first(offered, name)
            if entry is not None:
                return entry
        return None

    def _provider(self, name: str) -> ProviderPrices | None:
        if name not in self._providers:
            if self._data is None:
                source = source_name()
                self._data = load(self._file or cache_file(os.environ, source), source)
            raw = self._data.providers.get(name)
            self._providers[name] = None if raw is None else msgspec.json.decode(raw, type=ProviderPrices)
        return self._providers[name]


def source_name() -> str:
    """Package and version: what a price from here names as its source."""
    from importlib.metadata import version  # slow to import, and not needed before a lookup

    return f"{PACKAGE} {version(PACKAGE)}"


def cache_file(env: Mapping[str, str], source: str) -> Path | None:
    """`$XDG_CACHE_HOME/turnout/prices-<version>.json`, or below `~/.cache`; absent where there is no home."""
    base = env.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return folder / "turnout" / f"prices-{source.rpartition(' ')[2]}.json"


def _first(prices: ProviderPrices, name: str) -> Entry | None:
    return next((entry for entry in prices.models if matches(entry.match, name)), None)


def matches(clause: Clause, name: str) -> bool:
    """`name` in lower case."""
    match clause.op:
        case "or":
            return any(matches(each, name) for each in clause.of)
        case "and":
            return all(matches(each, name) for each in clause.of)
        case "regex":
            return re.search(clause.text, name) is not None
        case "starts_with":
            return name.startswith(clause.text)
        case "ends_with":
            return name.endswith(clause.text)
        case "contains":
            return clause.text in name
        case "equals":
            return name == clause.text


def _with_dashed_date(name: str) -> str:
    return _COMPACT_DATE.sub(r"-\1-\2-\3", name)


def _condition_at(entry: Entry, now: datetime) -> Condition:
    return next((each for each in reversed(entry.conditions) if _holds(each, now)), entry.conditions[0])


def _holds(condition: Condition, now: datetime) -> bool:
    if condition.start_date is not None:
        return now.date() >= condition.start_date
    if condition.daily is None:
        return True
    start, end = condition.daily
    if end < start:
        return now.time() >= start or now.time() < end
    return start <= now.time() < end


def _next_change(entry: Entry, now: datetime) -> datetime | None:
    """The first moment after `now` at which any condition begins or ends."""
    moments: list[datetime] = []
    for condition in entry.conditions:
        if condition.start_date is not None:
            moments.append(_moment(condition.start_date, time()))
        for hour in condition.daily or ():
            today = _moment(now.date(), hour)
            moments.append(today if today > now else today + timedelta(days=1))
    return min((moment for moment in moments if moment > now), default=None)


def _moment(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, UTC)


def main() -> int:
    """Build the extract, for an image or a first start that shall be fast. Prints where it is."""
    source = source_name()
    file = cache_file(os.environ, source)
    if file is None or not write(extract(source), file):
        print(f"cannot write {file}")
        return 1
    print(file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
