"""`turnout logs`: reads the store directly, so it works whether the gateway runs or not, and needs no key of anybody.

Promise: a condition that can match nothing, because there is no such task, tier or status, is refused and not taken for an empty log.
A row is one line that fits the terminal: what matters less is left out where there is no room.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

from msgspec import Struct
from msgspec.structs import asdict, replace

from turnout.cli.setup import loaded
from turnout.cli.terminal import CommandError, counted, json_text, out, plain, print_json, width
from turnout.config.reader import hint
from turnout.config.schema import Config
from turnout.core.call import request_id_number, request_id_text
from turnout.core.card import TIERS, Task
from turnout.core.money import format_usd
from turnout.core.record import LogRow
from turnout.edge.app import open_store
from turnout.store.ports import LogFilter, LogStore, Totals

FOLLOW_S = 0.5
PAGE_ROWS = 1000
_AGE = re.compile(r"([0-9]{1,6})([smhdw])")
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Asked(Struct, frozen=True):
    """The conditions as they were typed."""

    request_id: str | None = None
    model: str | None = None
    provider: str | None = None
    user: str | None = None
    key: str | None = None
    team: str | None = None
    cost_center: str | None = None
    tags: tuple[str, ...] = ()
    task: str | None = None
    tier: str | None = None
    status: int | None = None
    errors: bool = False
    since: str | None = None
    until: str | None = None
    limit: int = 20


def filter_of(asked: Asked, now: datetime) -> LogFilter:
    """`now` is in the zone in which times were typed. Raises `CommandError` for what no row can have."""
    _one_of("--task", asked.task, get_args(Task))
    _one_of("--tier", asked.tier, TIERS)
    if asked.status is not None and asked.status != 200 and not 400 <= asked.status <= 599:
        raise CommandError(f"--status: {asked.status} is never answered; 200, or 400 to 599", "bad_argument")
    if asked.request_id is not None:
        try:
            request_id_number(asked.request_id)
        except ValueError as error:
            raise CommandError(f"--request: {error}", "bad_argument") from None
    return LogFilter(
        request_id=asked.request_id,
        model=asked.model,
        provider=asked.provider,
        user=asked.user,
        key=asked.key,
        team=asked.team,
        cost_center=asked.cost_center,
        tags=tuple(_tag(text) for text in asked.tags),
        task=asked.task,
        tier=asked.tier,
        status=asked.status,
        errors=asked.errors,
        since_ms=None if asked.since is None else _moment_ms("--since", asked.since, now),
        until_ms=None if asked.until is None else _moment_ms("--until", asked.until, now),
        limit=asked.limit,
    )


def _one_of(option: str, value: str | None, allowed: Collection[str]) -> None:
    if value is not None and value not in allowed:
        near = hint(value, allowed)
        raise CommandError(
            f"{option}: there is no {value!r}{near}; allowed: {', '.join(allowed)}", "bad_argument"
        )


def _tag(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    if not name:
        raise CommandError(f"--tag takes `k=v`, or `k` for any value, not {text!r}", "bad_argument")
    return name, value if equals else None


def _moment_ms(option: str, text: str, now: datetime) -> int:
    """`2h`, `2026-11-30`, `2026-11-30T14:00+01:00`, `14:00`, `today`, `yesterday` → Unix milliseconds."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    moment: datetime | None
    if age := _AGE.fullmatch(text):
        return int((now.timestamp() - int(age[1]) * _UNIT_S[age[2]]) * 1000)
    if text in ("today", "yesterday"):
        moment = midnight - timedelta(days=text == "yesterday")
    elif _CLOCK.fullmatch(text):
        moment = _iso(f"{midnight.date()}T{text.zfill(5)}")
    else:
        moment = _iso(text)
    if moment is None:
        raise CommandError(
            f"{option} takes an age (30m, 2h, 7d), a date or time (2026-11-30, 2026-11-30T14:00, 14:00), `today` or `yesterday`, not {text!r}",
            "bad_argument",
        )
    return int(moment.timestamp() * 1000)  # without a zone: this machine's


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def logs(asked: Asked, totals: bool, follow: bool, url: str | None, path: Path | None, as_json: bool) -> int:
    filter = filter_of(asked, datetime.now().astimezone())
    if totals and (follow or asked.request_id is not None):
        raise CommandError("--sum goes neither with --follow nor with --request", "bad_argument")
    store = _open(url or _configured(path))
    try:
        if totals:
            _show_totals(store.totals(filter), as_json)
        else:
            _list(store, filter, follow, as_json)
    except KeyboardInterrupt:
        if not follow:
            raise
    finally:
        store.close()
    return 0


def _configured(path: Path | None) -> str:
    found = loaded(path)
    if found is None:
        return Config().store
    if variable := found.reader.unset.get(("store",)):
        raise CommandError(
            f"`store` needs the environment variable {variable}, which is not set; or give --store",
            "no_store",
        )
    return found.config.store


def _open(url: str) -> LogStore:
    """An existing store; looking must not make one."""
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:") and not file.exists():
        raise CommandError(
            f"there is no log at {file} yet; it is made when the gateway first runs", "no_store"
        )
    return open_store(url)


def _list(store: LogStore, filter: LogFilter, follow: bool, as_json: bool) -> None:
    rows = store.query(filter)[::-1]
    if filter.request_id is not None:
        if not rows:
            raise CommandError(f"there is no request {filter.request_id}", "unknown_request")
        print_json(_whole(rows[0]))
        return
    lines = _Lines([_cells(row) for row in rows], width())
    if not as_json:
        out("No requests." if not rows and not follow else lines.heading())
    _show(rows, lines, as_json)
    if follow:
        _follow(store, filter, rows[-1].request_id if rows else request_id_text(0), lines, as_json)


def _follow(store: LogStore, filter: LogFilter, after: str, lines: _Lines, as_json: bool) -> None:
    """Until interrupted."""
    while True:
        rows = store.query(replace(filter, after=after, oldest_first=True, limit=PAGE_ROWS))
        if rows:
            after = rows[-1].request_id
            _show(rows, lines, as_json)
        else:
            time.sleep(FOLLOW_S)


def _show(rows: Sequence[LogRow], lines: _Lines, as_json: bool) -> None:
    for row in rows:
        sys.stdout.write((json_text(_whole(row)) if as_json else lines.line(_cells(row))) + "\n")
    sys.stdout.flush()


def _whole(row: LogRow) -> dict[str, object]:
    return {"request_id": row.request_id, **asdict(row)}


# -- totals
def _show_totals(totals: Totals, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(totals), "cost_usd": format_usd(totals.cost_nano)})
        return
    out(f"requests  {totals.requests:,}")
    out(f"errors    {totals.errors:,}{_share(totals.errors, totals.requests)}")
    cached = f", {totals.cache_read_tokens:,} of them cached" if totals.cache_read_tokens else ""
    out(f"tokens    {totals.input_tokens:,} in{cached}, {totals.output_tokens:,} out")
    if totals.uncounted:
        out(f"          not counted in {counted(totals.uncounted, 'request')}")
    out(f"cost      ${format_usd(totals.cost_nano)}")
    if totals.unpriced:
        out(f"          unknown, and not in the sum, for {counted(totals.unpriced, 'request')}")


def _share(part: int, whole: int) -> str:
    return f" ({part / whole:.1%})" if part else ""


# -- lines
class _Column(Struct, frozen=True):
    """Widths: `least` where there is no room, `fair` before another column is left out, `most` where there is plenty."""

    name: str
    least: int
    fair: int
    most: int
    right: bool = False


_COLUMNS = (
    _Column("time", 14, 14, 14),
    _Column("request", 20, 20, 20),
    _Column("key", 6, 10, 20),
    _Column("asked", 8, 16, 40),
    _Column("answered", 12, 26, 60),
    _Column("tier", 8, 8, 8),
    _Column("task", 8, 16, 29),
    _Column("in", 6, 6, 10, True),
    _Column("out", 6, 6, 10, True),
    _Column("first ms", 8, 8, 8, True),
    _Column("ms", 6, 6, 8, True),
    _Column("cost $", 9, 11, 14, True),
    _Column("end", 8, 12, 40),
)
_BY_NAME: Mapping[str, _Column] = {column.name: column for column in _COLUMNS}
_ALWAYS = ("time", "answered", "cost $", "end")
_IF_ROOM = ("request", "ms", "asked", "task", "out", "in", "tier", "key", "first ms")
_GROWING = ("cost $", "in", "out", "ms", "end", "answered", "asked", "task", "key")
_GAP = 2


class _Lines:
    """Rows as lines of at most `room` characters; the columns are chosen once, by the first rows."""

    def __init__(self, rows: Sequence[Mapping[str, str]], room: int) -> None:
        wanted = {column.name: _wanted(column, rows) for column in _COLUMNS}
        fair = {name: min(size, _BY_NAME[name].fair) for name, size in wanted.items()}
        chosen = {name: fair[name] for name in _ALWAYS}
        for name in ("end", "answered"):  # even these may have to be cut
            over = _total(chosen) - room
            chosen[name] = max(_BY_NAME[name].least, chosen[name] - max(0, over))
        for name in _IF_ROOM:
            if _total({**chosen, name: fair[name]}) <= room:
                chosen[name] = fair[name]
        for name in _GROWING:
            if name in chosen:
                chosen[name] += max(0, min(wanted[name] - chosen[name], room - _total(chosen)))
        self._widths = {column.name: chosen[column.name] for column in _COLUMNS if column.name in chosen}

    def heading(self) -> str:
        return self.line({name: name for name in self._widths})

    def line(self, cells: Mapping[str, str]) -> str:
        return (
            (" " * _GAP)
            .join(
                _fitted(plain(cells[name]), size, _BY_NAME[name].right) for name, size in self._widths.items()
            )
            .rstrip()
        )


def _wanted(column: _Column, rows: Sequence[Mapping[str, str]]) -> int:
    longest = max((len(plain(row[column.name])) for row in rows), default=0)
    return min(column.most, max(column.least, longest))


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _fitted(text: str, size: int, right: bool) -> str:
    if len(text) > size:
        text = f"{text[: size - 1]}…"
    return text.rjust(size) if right else text.ljust(size)


def _cells(row: LogRow) -> Mapping[str, str]:
    end = row.error or row.finish_reason or ""
    if len(row.attempts) > 1:
        end += f" ({counted(len(row.attempts), 'attempt')})"
    return {
        "time": datetime.fromtimestamp(row.time_ms / 1000).astimezone().strftime("%m-%d %H:%M:%S"),
        "request": row.request_id,
        "key": row.key,
        "asked": row.requested_model,
        "answered": f"{row.served_model or '-'}{' (simulated)' if row.simulated else ''}",
        "tier": row.tier or "-",
        "task": row.task or "-",
        "in": _number(_prompt(row)),
        "out": _number(row.output_tokens),
        "first ms": _number(row.first_token_ms),
        "ms": _number(row.total_ms),
        "cost $": "unknown" if row.cost_nano is None else format_usd(row.cost_nano),
        "end": end,
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _prompt(row: LogRow) -> int | None:
    if row.input_tokens is None:
        return None
    cached = (row.cache_read_tokens, row.cache_write_5m_tokens, row.cache_write_1h_tokens)
    return row.input_tokens + sum(count or 0 for count in cached)
