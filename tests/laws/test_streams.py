"""Laws of streams, on every recorded one: any split is the same events; a cut never looks complete."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fidelity.codecs import META, quirks, spoken
from tests.fidelity.recordings import Dialect, Recording, available
from turnout.core.errors import Failure, Kind
from turnout.core.events import Automaton, Event, Failed, Finished, Frame, Stop
from turnout.wire.registry import CODECS, PROVIDERS

if not available() and os.environ.get("CI"):
    raise RuntimeError("the recordings are not here, and CI must run this: set TURNOUT_SHARED")
pytestmark = pytest.mark.skipif(not available(), reason="the recordings are not here: set TURNOUT_SHARED")

CUT = Failure(Kind.TRUNCATED, "cut")


def streams() -> list[Recording]:
    return [r for r in spoken() if r.streamed and r.status == 200] if available() else []


ENDS: dict[Dialect, bytes] = {"openai_chat": b"[DONE]", "anthropic": b"message_stop"}
EVERY = streams()
STREAMS = [r for r in EVERY if r.dialect in ENDS]
"""Those whose end is a marker that a cut can be measured by."""
SMALL = sorted((r for r in STREAMS if len(r.body) < 4000), key=lambda r: r.id)[::9]


def decode(recording: Recording, pieces: list[bytes], failure: Failure | None = None) -> list[Frame]:
    decoder = PROVIDERS[recording.dialect].stream_decoder(quirks(recording))
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    return frames + decoder.eof(failure)


def events(frames: list[Frame]) -> list[Event]:
    return [event for frame in frames for event in frame.events]


def split(body: bytes, edges: list[int]) -> list[bytes]:
    points = [0, *sorted({edge % (len(body) + 1) for edge in edges}), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(points) if a != b]


@pytest.mark.parametrize("recording", EVERY, ids=lambda r: r.id.rsplit("/", 1)[-1])
def test_any_split_gives_the_same_events_and_loses_no_byte(recording: Recording) -> None:
    whole = decode(recording, [recording.body])
    wanted = events(whole)
    assert b"".join(frame.raw for frame in whole) == recording.body
    automaton = Automaton()
    for event in wanted:
        automaton.accept(event)
    assert automaton.ended
    rng = random.Random(recording.id)
    ways = [split(recording.body, [rng.randrange(len(recording.body)) for _ in range(n)]) for n in (1, 5, 60)]
    if len(recording.body) < 6000:
        ways.append([bytes([byte]) for byte in recording.body])
    for pieces in ways:
        frames = decode(recording, pieces)
        assert events(frames) == wanted
        assert b"".join(frame.raw for frame in frames) == recording.body


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_split_found_by_search(data: st.DataObject) -> None:
    recording = data.draw(st.sampled_from(SMALL))
    edges = data.draw(st.lists(st.integers(0, len(recording.body)), max_size=12))
    assert events(decode(recording, split(recording.body, edges))) == events(
        decode(recording, [recording.body])
    )


def other(dialect: Dialect) -> Dialect:
    return "anthropic" if dialect == "openai_chat" else "openai_chat"


def terminal_at(recording: Recording) -> int:
    """The offset from which on the terminal marker has been sent whole."""
    if recording.no_done:
        return len(recording.body)
    marker = ENDS[recording.dialect]
    at = recording.body.index(marker) if recording.dialect == "anthropic" else recording.body.rindex(marker)
    if recording.dialect == "anthropic":  # `event: message_stop`, then its data
        at = recording.body.find(b"}", at)
        return at if at >= 0 else len(recording.body)
    return at + len(marker)


def check_cut(recording: Recording, at: int, failure: Failure | None) -> None:
    frames = decode(recording, [recording.body[:at]], failure)
    found = events(frames)
    if failure is None and said_why(
        found
    ):  # well framed, and every choice has its reason: only the marker is missing
        assert isinstance(found[-1], Finished | Failed)
        return
    assert isinstance(found[-1], Failed), f"cut at {at} of {len(recording.body)}"
    assert not any(isinstance(event, Finished) for event in found)
    codec = CODECS[recording.dialect]
    assert ENDS[recording.dialect] not in codec.relay(META).relay(frames), f"relayed as complete, cut at {at}"
    far = other(recording.dialect)
    encoder = CODECS[far].stream_encoder(META)
    assert ENDS[far] not in b"".join(encoder.encode([event]) for event in found), (
        f"encoded as complete, cut at {at}"
    )


def said_why(found: Sequence[Event]) -> bool:
    choices = {event.choice for event in found if hasattr(event, "choice")}
    stopped = {event.choice for event in found if isinstance(event, Stop) and event.reason != "other"}
    return bool(stopped) and choices <= stopped


def content_has_marker(recording: Recording) -> bool:
    """A fixture with several messages in one body, or whose text holds the marker, has no one end to look for."""
    marker = ENDS[recording.dialect]
    body = recording.body
    wanted = 2 if recording.dialect == "anthropic" else 1
    return body.count(marker) != wanted and not recording.no_done


WHOLE = [
    r for r in STREAMS if not content_has_marker(r) and isinstance(events(decode(r, [r.body]))[-1], Finished)
]
CUTTABLE = [r for r in WHOLE if not r.no_done]


@pytest.mark.parametrize(
    "recording", [r for r in CUTTABLE if r in SMALL], ids=lambda r: r.id.rsplit("/", 1)[-1]
)
@pytest.mark.parametrize("failure", [None, CUT], ids=["clean", "broken"])
def test_a_stream_cut_at_any_byte_never_ends_as_complete(
    recording: Recording, failure: Failure | None
) -> None:
    for at in range(terminal_at(recording)):
        check_cut(recording, at, failure)


@pytest.mark.parametrize("recording", CUTTABLE, ids=lambda r: r.id.rsplit("/", 1)[-1])
def test_every_stream_cut_anywhere(recording: Recording) -> None:
    rng = random.Random(recording.id)
    end = terminal_at(recording)
    offsets = {0, 1, end - 1, end - 2, *(rng.randrange(end) for _ in range(6))}
    for at in offsets:
        check_cut(recording, at, None)
        check_cut(recording, at, CUT)


def test_providers_that_send_no_end_marker_are_judged_by_their_framing() -> None:
    """The transport's framing is then the only proof; without it the stream is cut, whatever came before."""
    found = [r for r in WHOLE if r.no_done]
    assert found
    for recording in found:
        assert isinstance(events(decode(recording, [recording.body], CUT))[-1], Failed)
        assert isinstance(events(decode(recording, [recording.body[: len(recording.body) // 2]]))[-1], Failed)
