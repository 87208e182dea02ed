"""Cuts that `test_streams` leaves out: the very last byte, providers without an end marker, failed and spliced streams.

A cut stream is never shown as complete, whoever reads it. Where a provider sends no end marker, a finish reason and
a clean end of the transfer are the only proof there is; short of either, the stream is cut.
"""

from __future__ import annotations

import random

import pytest

from tests.fidelity.codecs import META
from tests.fidelity.recordings import Recording
from tests.laws.test_streams import (
    CUT,
    CUTTABLE,
    ENDS,
    STREAMS,
    WHOLE,
    check_cut,
    decode,
    events,
    other,
    pytestmark,
    said_why,
)
from turnout.core.events import Failed, Finished
from turnout.wire.registry import CODECS

__all__ = ["pytestmark"]

EVERY_OFFSET_BYTES_MAX = 4_000
SAMPLED_OFFSETS = 60


def name(recording: Recording) -> str:
    return recording.id.rsplit("/", 1)[-1]


def offsets(recording: Recording, end: int) -> list[int]:
    """Every offset below `end` of a small stream, a seeded sample and the last ones of a large one."""
    if end <= EVERY_OFFSET_BYTES_MAX:
        return list(range(end))
    rng = random.Random(recording.id)
    return sorted({0, *range(end - 40, end), *(rng.randrange(end) for _ in range(SAMPLED_OFFSETS))})


def ends_at(recording: Recording) -> int:
    """How many bytes hold the first end marker whole: one fewer, and the stream is cut."""
    marker, body = ENDS[recording.dialect], recording.body
    if recording.dialect == "openai_chat":
        return body.rindex(marker) + len(marker)
    data = body.index(b"data:", body.index(b"event: " + marker))
    return data + len(body[data:].splitlines()[0])


@pytest.mark.parametrize(
    "recording", [r for r in CUTTABLE if b"event: " in r.body or b"[DONE]" in r.body], ids=name
)
def test_without_the_last_byte_of_its_end_marker_a_stream_is_cut(recording: Recording) -> None:
    end = ends_at(recording)
    check_cut(recording, end - 1, None)
    check_cut(recording, end - 1, CUT)
    assert isinstance(events(decode(recording, [recording.body[:end]]))[-1], Finished)


SPLICED = [r for r in STREAMS if r not in WHOLE and b"message_stop" in r.body]
FAILED = [r for r in STREAMS if isinstance(events(decode(r, [r.body]))[-1], Failed)]
UNMARKED = [r for r in WHOLE if r.no_done]


def test_there_are_streams_of_each_kind() -> None:
    assert SPLICED and FAILED and UNMARKED


@pytest.mark.parametrize("recording", SPLICED, ids=name)
def test_of_several_messages_in_one_body_the_first_must_be_whole(recording: Recording) -> None:
    for at in offsets(recording, ends_at(recording)):
        check_cut(recording, at, None)


@pytest.mark.parametrize("recording", FAILED, ids=name)
def test_a_stream_in_which_the_provider_failed_never_ends_as_complete(recording: Recording) -> None:
    body = recording.body
    far = other(recording.dialect)
    for at in [*offsets(recording, len(body)), len(body)]:
        found = events(decode(recording, [body[:at]]))
        if b'"error"' not in body[:at] and said_why(
            found
        ):  # a whole transfer of an answer with its reason: no more is known
            continue
        assert isinstance(found[-1], Failed)
        encoder = CODECS[far].stream_encoder(META)
        assert ENDS[far] not in b"".join(encoder.encode([event]) for event in found)


def finish_at(recording: Recording) -> int:
    """Where the first event that names a finish reason begins."""
    at = 0
    for line in recording.body.splitlines(keepends=True):
        if b'"finish_reason"' in line and b'"finish_reason":null' not in line.replace(b" ", b""):
            return at
        at += len(line)
    raise AssertionError("no finish reason")


@pytest.mark.parametrize("recording", UNMARKED, ids=name)
def test_without_an_end_marker_a_finish_reason_and_a_clean_end_are_both_needed(recording: Recording) -> None:
    for at in offsets(recording, finish_at(recording)):
        assert isinstance(events(decode(recording, [recording.body[:at]]))[-1], Failed), at
    for at in [*offsets(recording, len(recording.body)), len(recording.body)]:
        assert isinstance(events(decode(recording, [recording.body[:at]], CUT))[-1], Failed), at
