"""Recorded exchanges of one wire format, read in place beside the repository (or under `TURNOUT_SHARED`), and laws for a provider's codec."""

from __future__ import annotations

import csv
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from turnout.core.errors import Kind
from turnout.core.events import Automaton, Event, Failed, Finished, Frame, Stop
from turnout.wire.codec import ProviderCodec

ROOT = Path(os.environ.get("TURNOUT_SHARED", Path(__file__).parents[4] / "shared")) / "recordings"
needs_recordings = pytest.mark.skipif(
    not (ROOT / "INDEX.tsv").exists(), reason="no recordings beside the repository"
)


def exchanges(wire_format: str) -> list[Any]:
    if not (ROOT / "INDEX.tsv").exists():
        return []
    with (ROOT / "INDEX.tsv").open() as index:
        rows = [row for row in csv.DictReader(index, delimiter="\t") if row["format"] == wire_format]
    return [json.loads((ROOT / row["path"]).read_text()) for row in rows]


def ok(recorded: list[Any], kind: type) -> list[Any]:
    """Those that answer with 200 and a body of this type: `str` for streams, `dict` for whole replies."""
    return [e for e in recorded if e["response"]["status"] == 200 and isinstance(e["response"]["body"], kind)]


def frames_of(codec: ProviderCodec, data: bytes, cuts: list[int] | None = None) -> list[Frame]:
    decoder = codec.stream_decoder()
    frames: list[Frame] = []
    begin = 0
    for cut in [*sorted(cuts or []), len(data)]:
        frames += decoder.feed(data[begin:cut])
        begin = cut
    return frames + decoder.eof(None)


def events_of(frames: list[Frame]) -> list[Event]:
    return [event for frame in frames for event in frame.events]


def decode(codec: ProviderCodec, data: bytes, cuts: list[int] | None = None) -> list[Event]:
    return events_of(frames_of(codec, data, cuts))


def check_stream(codec: ProviderCodec, data: bytes, chance: random.Random) -> list[Event]:
    """No byte is lost, one end, and no split changes the events; gives them."""
    whole = frames_of(codec, data)
    assert b"".join(frame.raw for frame in whole) == data
    events = events_of(whole)
    automaton = Automaton()
    for event in events:
        automaton.accept(event)
    assert automaton.ended
    for size in (3, 40):
        cuts = [chance.randrange(len(data) + 1) for _ in range(size)]
        split = frames_of(codec, data, cuts)
        assert b"".join(frame.raw for frame in split) == data
        assert events_of(split) == events
    return events


def check_cuts(codec: ProviderCodec, data: bytes, marker: bytes, chance: random.Random) -> None:
    """A stream that is cut before the end of its terminal event never looks finished, unless all that is missing is the marker."""
    end = data.rindex(marker)
    for cut in [0, end, *(chance.randrange(end) for _ in range(20))]:
        found = decode(codec, data[:cut])
        last = found[-1]
        if any(
            isinstance(event, Stop) for event in found
        ):  # the transfer is whole here, and the answer has its reason
            continue
        assert isinstance(last, Failed) and last.failure.kind is Kind.TRUNCATED
        assert Finished() not in decode(codec, data[:cut])
