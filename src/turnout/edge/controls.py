"""What the caller asks of Turnout: `x-turnout-*` headers, or the `turnout` object of the body. The header wins.

One table gives each control its reader, so headers and body cannot drift apart. A control that is not known, or a value
that cannot be read, is an error that names it: a budget that is silently ignored is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, get_args

import msgspec

from turnout.core.call import CacheMode, Ceiling, Controls, Degrade, Priority
from turnout.core.card import Task
from turnout.core.errors import CallFailed, Kind, fail
from turnout.core.money import usd_per_mtok, usd_to_nano

HEADER_PREFIX = b"x-turnout-"
LIST_ITEMS_MAX = 64
TEXT_CHARACTERS_MAX = 256
CAN_WAIT_S_DEFAULT = 24 * 3600
USD_PER_MTOK_MAX = 1_000_000
REMEMBERED = 1024
REMEMBERED_CHARACTERS_MAX = 256
_DURATION = re.compile(r"^(\d{1,9})(ms|s|m|h|d)?$")
_UNIT_S = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NO_CONTROLS = Controls()


def _one_of(allowed: tuple[str, ...]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise ValueError(f"must be one of {', '.join(allowed)}")

    return read


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_CHARACTERS_MAX or not value.isprintable():
        raise ValueError(f"must be printable text of at most {TEXT_CHARACTERS_MAX} characters")
    return value


def _names(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or len(items) > LIST_ITEMS_MAX:
        raise ValueError(f"must be a list of at most {LIST_ITEMS_MAX} names")
    return tuple(_text(item.strip() if isinstance(item, str) else item) for item in items)


def _money(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be an amount in US dollars")
    try:
        return usd_to_nano(str(value))
    except ValueError:
        raise ValueError("must be an amount in US dollars, such as 0.05") from None


def _ceiling(value: object) -> Ceiling:
    """USD per million tokens, of input, of output or of both."""
    rates = dict(_pairs(value, "must be input=3,output=15: USD per million tokens"))
    if not rates or not rates.keys() <= {"input", "output"}:
        raise ValueError("must have input, output or both, in USD per million tokens")
    return Ceiling(**{word: _rate(rate) for word, rate in rates.items()})


def _rate(value: str) -> int:
    try:
        amount = Decimal(value)
        return usd_per_mtok(amount if amount <= USD_PER_MTOK_MAX else "none")
    except (ArithmeticError, ValueError):
        raise ValueError("must be amounts in USD per million tokens, such as 3 or 0.25") from None


def _milliseconds(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= 86_400_000:
        raise ValueError("must be a whole number of milliseconds from 1 to 86400000")
    return value


def _can_wait(value: object) -> int | None:
    if value is True or value == "true":
        return CAN_WAIT_S_DEFAULT
    if value is False or value == "false":
        return None
    match = _DURATION.match(str(value)) if isinstance(value, str | int) else None
    if match is None:
        raise ValueError("must be true, or a duration such as 90s, 30m or 12h")
    return max(1, int(int(match[1]) * _UNIT_S[match[2]]))


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    return _pairs(value, "must be name=value pairs, such as team=search,env=test")


def _pairs(value: object, expected: str) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str):
        items = value.split(",")
        if not all("=" in item for item in items):
            raise ValueError(expected)
        pairs = [item.partition("=")[::2] for item in items]
    elif isinstance(value, dict):
        pairs = list(value.items())
    else:
        raise ValueError(expected)
    if len(pairs) > LIST_ITEMS_MAX:
        raise ValueError(f"must be at most {LIST_ITEMS_MAX} pairs")
    return tuple((_text(str(key).strip()), _text(str(item).strip())) for key, item in pairs)


_READERS: Mapping[str, tuple[str, Callable[[object], Any]]] = {
    "priority": ("priority", _one_of(get_args(Priority))),
    "budget_usd": ("budget_nano", _money),
    "task": ("task", _one_of(get_args(Task))),
    "prefer": ("prefer", _names),
    "compliance": ("compliance", _names),
    "cost_center": ("cost_center", _text),
    "deadline_ms": ("deadline_ms", _milliseconds),
    "cache": ("cache", _one_of(get_args(CacheMode))),
    "can_wait": ("can_wait_s", _can_wait),
    "tags": ("tags", _tags),
    "degrade": ("degrade", _one_of(get_args(Degrade))),
    "price_ceiling": ("ceiling", _ceiling),
}

_object = msgspec.json.Decoder(dict[str, Any])


def read_controls(headers: Mapping[str, str], body: bytes | None) -> Controls:
    """`headers` by control name (without the prefix, with underscores); `body` is the `turnout` member's JSON, if any.

    Raises `CallFailed(BAD_REQUEST)`.
    """
    if body is None:
        if not headers:
            return _NO_CONTROLS
        given = tuple(headers.items())
        if sum(len(name) + len(value) for name, value in given) <= REMEMBERED_CHARACTERS_MAX:
            return _read_again(given)  # a caller asks for the same things on every request
    return _read(headers, body)


@lru_cache(maxsize=REMEMBERED)
def _read_again(headers: tuple[tuple[str, str], ...]) -> Controls:
    return _read(dict(headers), None)


def _read(headers: Mapping[str, str], body: bytes | None) -> Controls:
    values: dict[str, Any] = {}
    for name, value in _body_controls(body).items():
        _set(values, name, value, f"turnout.{name}")
    for name, text in headers.items():
        _set(values, name, text, f"x-turnout-{name.replace('_', '-')}")
    return Controls(**values)


def _body_controls(body: bytes | None) -> dict[str, Any]:
    if body is None:
        return {}
    try:
        return _object.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        raise fail(Kind.BAD_REQUEST, "turnout: must be an object.", param="turnout") from None


def _set(values: dict[str, Any], name: str, value: object, label: str) -> None:
    reader = _READERS.get(name)
    if reader is None:
        known = ", ".join(sorted(_READERS))
        raise fail(Kind.BAD_REQUEST, f"{label[:80]}: no such control; there are {known}.", param=label[:80])
    field, read = reader
    try:
        values[field] = read(value)
    except ValueError as error:
        raise _bad(label, error) from None


def _bad(label: str, error: ValueError) -> CallFailed:
    return fail(Kind.BAD_REQUEST, f"{label}: {error}.", param=label)
