"""A stream of any provider dialect, cut at every byte, for clients of every dialect: one terminal event, and never a false success.

Success needs the whole content: where a cut stream may still count as complete (only what trails the end is missing), it must say
all that the whole one says. In every other case the client's bytes hold no word of success, and its SDK finds none.
"""

from __future__ import annotations

import random

import pytest

from tests.fidelity.codecs import META
from tests.fidelity.recordings import DIALECTS, Dialect, Recording
from tests.fidelity.views import view
from tests.laws.test_streams import CUT, EVERY, decode, events, pytestmark
from turnout.core.events import Choice, Failed, Finished, fold
from turnout.wire.registry import CODECS

__all__ = ["pytestmark"]

OF_EACH = 3
SIZE_MAX = 6_000
SDK_LOOKS = 12
SUCCESS: dict[Dialect, tuple[bytes, ...]] = {
    "openai_chat": (b"[DONE]",),
    "anthropic": (b"message_stop",),
    "openai_responses": (b"response.completed", b"response.incomplete"),
    "gemini": (b'"finishReason":"', b'"finishReason": "'),
}


def whole(recording: Recording) -> bool:
    return isinstance(events(decode(recording, [recording.body]))[-1], Finished)


def smallest(dialect: Dialect) -> list[Recording]:
    """The smallest with a text, and the smallest with tool calls."""
    found = sorted((r for r in EVERY if r.dialect == dialect and whole(r)), key=lambda r: len(r.body))
    tools = [r for r in found if any(type(e).__name__ == "ToolStart" for e in events(decode(r, [r.body])))]
    chosen = {
        r.id: r for r in (*found[:OF_EACH], *tools[:OF_EACH]) if len(r.body) <= SIZE_MAX or r in found[:1]
    }
    return list(chosen.values())


CHOSEN = [recording for dialect in DIALECTS for recording in smallest(dialect)] if EVERY else []


def test_every_dialect_is_cut() -> None:
    assert {recording.dialect for recording in CHOSEN} == set(DIALECTS)


def said(recording: Recording, data: bytes) -> tuple[Choice, ...]:
    return fold(events(decode(recording, [data]))).choices


def for_client(recording: Recording, client: Dialect, at: int) -> bytes:
    frames = decode(recording, [recording.body[:at]])
    if client == recording.dialect:
        return CODECS[client].relay(META).relay(frames)
    return CODECS[client].stream_encoder(META).encode(events(frames))


@pytest.mark.parametrize("recording", CHOSEN, ids=lambda r: f"{r.dialect}-{r.id.rsplit('/', 1)[-1]}")
def test_a_cut_stream_is_never_a_success(recording: Recording) -> None:
    everything = said(recording, recording.body)
    rng = random.Random(recording.id)
    looks = {rng.randrange(len(recording.body)) for _ in range(SDK_LOOKS)}
    for at in range(len(recording.body)):
        found = events(decode(recording, [recording.body[:at]]))
        ends = [event for event in found if isinstance(event, Finished | Failed)]
        assert len(ends) == 1, at
        assert ends[0] is found[-1], at
        assert isinstance(events(decode(recording, [recording.body[:at]], CUT))[-1], Failed) or (
            said(recording, recording.body[:at]) == everything
        )
        if isinstance(found[-1], Finished):
            assert said(recording, recording.body[:at]) == everything, at
            continue
        for client in CODECS:
            data = for_client(recording, client, at)
            for word in SUCCESS[client]:
                assert word not in data, (client, at, word)
            if at in looks:
                read = view(client, True, data)
                assert read.failed or all(choice.finish is None for choice in read.choices), (client, at)
