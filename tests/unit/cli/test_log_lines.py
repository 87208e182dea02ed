"""The lines of `turnout logs`, and what may be asked of it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tests.contract.test_log_store import row
from turnout.cli.logs import Asked, _cells, _Lines, filter_of
from turnout.cli.terminal import CommandError

ROWS = [
    row(1, requested_model="auto:extraction", served_model="anthropic/claude-sonnet-4-5-20250929"),
    row(2, served_model="openai/" + "x" * 100, error="first_token_timeout", cost_nano=None),
]
NOW = datetime(2026, 11, 30, 12, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize("room", [60, 72, 80, 100, 120, 140, 200])
def test_lines_fit_the_terminal(room: int) -> None:
    lines = _Lines([_cells(each) for each in ROWS], room)
    shown = [lines.heading(), *(lines.line(_cells(each)) for each in ROWS)]
    assert all(len(line) <= room for line in shown), shown
    assert all(word in shown[0] for word in ("time", "answered", "cost $", "end"))
    assert "unknown" in shown[2]
    assert "anthropic/c" in shown[1]


def test_more_room_shows_more_columns() -> None:
    cells = [_cells(each) for each in ROWS]
    shown = [len(_Lines(cells, room).heading().split()) for room in (60, 80, 100, 140, 200, 10_000)]
    assert shown == sorted(shown)
    assert shown[0] < shown[2] < shown[-1]
    assert "first ms" in _Lines(cells, 10_000).heading()


def test_a_name_cannot_forge_a_row_or_a_colour() -> None:
    forged = row(3, served_model="x\n11-30 12:00:00 all is well\x1b[2J\u202e\x9b", error="a\rb")
    for room in (60, 10_000):
        line = _Lines([], room).line(_cells(forged))
        assert line.isprintable()
    assert "\\x0a" in _Lines([_cells(forged)], 10_000).line(_cells(forged))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", NOW.timestamp() - 90),
        ("2h", NOW.timestamp() - 7200),
        ("1w", NOW.timestamp() - 604_800),
        ("2026-11-30T10:00:00Z", datetime.fromisoformat("2026-11-30T10:00:00+00:00").timestamp()),
        ("2026-11-29T10:00+01:00", datetime.fromisoformat("2026-11-29T09:00:00+00:00").timestamp()),
        # without a zone: this machine's
        ("2026-11-29", datetime(2026, 11, 29).timestamp()),
        ("2026-11-29T14:00", datetime(2026, 11, 29, 14).timestamp()),
        ("2026-11-29 14:00:30", datetime(2026, 11, 29, 14, 0, 30).timestamp()),
        ("9:05", datetime(2026, 11, 30, 9, 5).timestamp()),
        ("09:05:30", datetime(2026, 11, 30, 9, 5, 30).timestamp()),
        ("today", datetime(2026, 11, 30).timestamp()),
        ("yesterday", datetime(2026, 11, 29).timestamp()),
    ],
)
def test_moments(text: str, seconds: float) -> None:
    assert filter_of(Asked(since=text), NOW).since_ms == int(seconds * 1000)
    assert filter_of(Asked(until=text), NOW).until_ms == int(seconds * 1000)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(since="soon"), "a date or time"),
        (Asked(since="2026-13-01"), "a date or time"),
        (Asked(since="25:00"), "a date or time"),
        (Asked(until=""), "--until takes"),
        (Asked(task="extract"), "did you mean extraction?; allowed: code_generation"),
        (Asked(tier="huge"), "there is no 'huge'; allowed: light, standard, large"),
        (Asked(status=999), "200, or 400 to 599"),
        (Asked(status=0), "200, or 400 to 599"),
        (Asked(tags=("=x",)), "`k=v`"),
        (Asked(request_id="req_1"), "--request"),
    ],
)
def test_what_no_row_can_have_is_refused(asked: Asked, words: str) -> None:
    with pytest.raises(CommandError) as caught:
        filter_of(asked, NOW)
    assert words in str(caught.value)
    assert caught.value.code == "bad_argument"


def test_conditions() -> None:
    filter = filter_of(
        Asked(team="t", cost_center="c", tags=("a=b=c", "d", "e="), tier="light", status=429), NOW
    )
    assert filter.tags == (("a", "b=c"), ("d", None), ("e", ""))
    assert (filter.team, filter.cost_center, filter.tier, filter.status) == ("t", "c", "light", 429)
