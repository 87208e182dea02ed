"""`turnout logs`: reads the store directly, so it works whether the gateway runs or not."""

from __future__ import annotations

import re
import sys
import time
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec.structs import asdict, replace

from turnout.cli.setup import CommandError, complain, configuration, print_json, print_table
from turnout.core.call import request_id_text
from turnout.core.money import format_usd
from turnout.core.record import LogRow
from turnout.edge.app import open_store
from turnout.store.ports import LogFilter, LogStore, StoreError

FOLLOW_S = 0.5
PAGE_ROWS = 1000
_AGE = re.compile(r"^(\d{1,6})([smhd])$")
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def since_ms(age: str | None) -> int | None:
    """`2h` → Unix milliseconds two hours ago. Exits with a message for anything that is not an age."""
    if age is None:
        return None
    match = _AGE.match(age)
    if match is None:
        raise SystemExit(complain(CommandError(f"--since takes an age such as 30m, 2h or 7d, not {age!r}")))
    return int(time.time() * 1000) - int(match[1]) * _UNIT_MS[match[2]]


def logs(filter: LogFilter, follow: bool, url: str | None, path: Path | None, as_json: bool) -> int:
    try:
        store = _open(url or configuration(path).store)
        rows = store.query(filter)[::-1]
        _show(rows, filter, as_json, heading=True)
        if follow:
            _follow(store, filter, rows[-1].request_id if rows else None, as_json)
        store.close()
    except KeyboardInterrupt:
        return 0
    except (CommandError, StoreError) as error:
        return complain(error)
    return 0


def _open(url: str) -> LogStore:
    """An existing store; looking must not make one."""
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:") and not file.exists():
        raise CommandError(f"there is no log at {file} yet; it is made when the gateway first runs")
    return open_store(url)


def _follow(store: LogStore, filter: LogFilter, after: str | None, as_json: bool) -> None:
    """Until interrupted."""
    if after is None:
        after = request_id_text(0)
    while True:
        rows = store.query(replace(filter, after=after, oldest_first=True, limit=PAGE_ROWS))
        if rows:
            after = rows[-1].request_id
            _show(rows, filter, as_json, heading=False)
        else:
            time.sleep(FOLLOW_S)


def _show(rows: list[LogRow], filter: LogFilter, as_json: bool, heading: bool) -> None:
    if as_json:
        for row in rows:
            sys.stdout.write(
                msgspec.json.encode({"request_id": row.request_id, **asdict(row)}).decode() + "\n"
            )
        sys.stdout.flush()
    elif filter.request_id is not None:
        for row in rows:
            print_json({"request_id": row.request_id, **asdict(row)})
        if not rows:
            sys.stdout.write("No such request.\n")
    elif heading and not rows:
        sys.stdout.write("No requests.\n")
    elif heading:
        print_table("", _COLUMNS, [_cells(row) for row in rows], _RIGHT)
    else:
        for row in rows:
            sys.stdout.write("  ".join(_cells(row)) + "\n")
        sys.stdout.flush()


_COLUMNS = [
    "time",
    "request",
    "key",
    "asked",
    "answered",
    "tier",
    "task",
    "in",
    "out",
    "first ms",
    "ms",
    "cost $",
    "end",
]
_RIGHT = frozenset({"in", "out", "first ms", "ms", "cost $"})


def _cells(row: LogRow) -> list[str]:
    end = row.error or row.finish_reason or ""
    if len(row.attempts) > 1:
        end += f" ({len(row.attempts)} attempts)"
    prompt = None
    if row.input_tokens is not None:
        prompt = row.input_tokens + sum(
            n or 0 for n in (row.cache_read_tokens, row.cache_write_5m_tokens, row.cache_write_1h_tokens)
        )
    return [
        datetime.fromtimestamp(row.time_ms / 1000).astimezone().strftime("%m-%d %H:%M:%S"),
        row.request_id,
        row.key,
        row.requested_model,
        f"{row.served_model or '-'}{' (simulated)' if row.simulated else ''}",
        row.tier or "-",
        row.task or "-",
        "-" if prompt is None else str(prompt),
        "-" if row.output_tokens is None else str(row.output_tokens),
        "-" if row.first_token_ms is None else f"{row.first_token_ms:.0f}",
        f"{row.total_ms:.0f}",
        "unknown" if row.cost_nano is None else format_usd(row.cost_nano),
        end,
    ]
