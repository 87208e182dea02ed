"""Provider's frames passed on to a client of the same dialect."""

from __future__ import annotations

import json

import pytest

from tests.unit.wire.anthropic.wire import (
    MESSAGE_STOP,
    META,
    PING,
    frames_of,
    message_delta,
    message_start,
    parsed,
    sse,
    text_block,
)
from turnout.core.errors import Failure, Kind
from turnout.core.events import Finished, Frame
from turnout.wire.anthropic import CODEC
from turnout.wire.codec import Meta

STREAM = sse(
    message_start(),
    PING,
    *text_block(0, "Hel", "lo"),
    message_delta("end_turn", output_tokens=2),
    MESSAGE_STOP,
)
ANNOTATED = Meta("req_1", 0, "m", True, b'{"first":1}', lambda: b'{"last":2}')


def relayed(frames: list[Frame], meta: Meta = META) -> bytes:
    relay = CODEC.relay(meta)
    return b"".join(relay.relay([frame]) for frame in frames)


@pytest.mark.parametrize("data", [STREAM, STREAM.replace(b"\n", b"\r\n"), STREAM + b": bye\n\n", STREAM[:-1]])
def test_without_annotations_every_byte_passes(data: bytes) -> None:
    frames = frames_of(data, [5, 200])
    assert relayed(frames) == data
    assert CODEC.relay(META).relay(frames) == data


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_annotations_are_added_and_nothing_else_changes(line_end: bytes) -> None:
    out = relayed(frames_of(STREAM.replace(b"\n", line_end)), ANNOTATED)
    found = parsed(out.replace(line_end, b"\n"))
    assert found[0].pop("turnout") == {"first": 1}
    assert found[-2].pop("turnout") == {"last": 2}
    assert found == parsed(STREAM)


def test_the_last_annotation_is_made_once_and_after_the_usage_was_seen() -> None:
    calls: list[int] = []
    meta = Meta("r", 0, "m", True, None, lambda: calls.append(1) or b"{}")  # type: ignore[func-returns-value]
    relay = CODEC.relay(meta)
    for frame in frames_of(STREAM):
        before = len(calls)
        relay.relay([frame])
        assert (len(calls) > before) == (b"message_delta" in frame.raw)
    assert len(calls) == 1


def test_a_stream_without_a_stop_reason_is_annotated_at_its_end() -> None:
    out = relayed(frames_of(sse(message_start(), MESSAGE_STOP)), ANNOTATED)
    assert parsed(out)[-1] == {"type": "message_stop", "turnout": {"last": 2}}


@pytest.mark.parametrize("cut", range(1, len(STREAM) - len(sse(MESSAGE_STOP)), 23))
def test_a_cut_stream_ends_in_an_error_event_wherever_it_is_cut(cut: int) -> None:
    out = relayed(frames_of(STREAM[:cut]))
    error = parsed(out)[-1]
    assert error["type"] == "error" and error["error"]["code"] == "truncated"
    whole_events = STREAM[:cut].rpartition(b"\n\n")
    assert out.startswith(whole_events[0] + whole_events[1])
    assert b"message_stop" not in out


def test_a_cut_after_an_event_without_its_blank_line_keeps_the_error_apart() -> None:
    data = sse(message_start(), *text_block(0, "Hi"))[:-1]
    assert parsed(relayed(frames_of(data)))[-1]["type"] == "error"


def test_the_providers_own_error_passes_verbatim() -> None:
    data = sse(
        message_start(),
        *text_block(0, "Hel"),
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    )
    assert relayed(frames_of(data)) == data


def test_garbage_does_not_reach_the_client() -> None:
    out = relayed(frames_of(sse(message_start()) + b"data: {garbage\n\n"))
    assert b"garbage" not in out and parsed(out)[-1]["error"]["code"] == "malformed_reply"


def test_a_transport_failure_is_told_in_band() -> None:
    frames = frames_of(sse(message_start(), *text_block(0, "Hi")), failure=Failure(Kind.STALLED, "slow"))
    assert parsed(relayed(frames))[-1]["error"] == {
        "type": "timeout_error",
        "message": "slow",
        "code": "stalled",
    }


def test_a_json_body_is_annotated_at_its_end() -> None:
    body = b'{"id":"msg_1","content":[]}\n'
    out = CODEC.annotate(body, b'{"a":1}')
    assert out == b'{"id":"msg_1","content":[],"turnout":{"a":1}}\n'
    assert CODEC.decode_answer(out)[-1] == Finished()
    assert json.loads(out)["turnout"] == {"a": 1}
