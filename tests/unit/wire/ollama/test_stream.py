"""Ollama's stream and replies, hand-written after the API description: what the recordings do not show."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wire.recorded import check_stream, decode, frames_of
from turnout.core.errors import Kind
from turnout.core.events import (
    Event,
    Failed,
    Finished,
    OpaqueBlock,
    ReasoningDelta,
    Started,
    Stop,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
    fold,
)
from turnout.wire.anthropic import CODEC as ANTHROPIC
from turnout.wire.codec import LINE_BYTES_MAX, Meta
from turnout.wire.ollama import CODEC
from turnout.wire.openai_chat import CODEC as OPENAI

WHEN = "2026-01-02T03:04:05.678901234Z"
BEGUN = Started("", "qwen3:4b", 1767323045)


def line(done: bool = False, members: dict[str, Any] | None = None, **message: Any) -> bytes:
    piece = {
        "model": "qwen3:4b",
        "created_at": WHEN,
        "message": {"role": "assistant", **message},
        "done": done,
        **(members or {}),
    }
    return json.dumps(piece, separators=(",", ":")).encode() + b"\n"


def call(name: str, arguments: Any, **members: str) -> dict[str, Any]:
    return {**members, "function": {"name": name, "arguments": arguments}}


COUNTS = {"done_reason": "stop", "prompt_eval_count": 9, "eval_count": 4}
WHOLE = (
    line(content="", thinking="Hm.")
    + line(content="Hi")
    + line(content="", tool_calls=[call("f", {"a": 1}, id="call_own"), call("f", {})])
    + line(content=" there")
    + line(True, COUNTS, content="")
)


def test_every_kind_of_block() -> None:
    events = decode(CODEC, WHOLE)
    made = events[5]
    assert isinstance(made, ToolStart) and made.id.startswith("call_") and len(made.id) == 21
    assert events == [
        BEGUN,
        ReasoningDelta("Hm.", 0),
        TextDelta("Hi", 1),
        ToolStart(2, "call_own", "f"),
        ToolDelta(2, '{"a":1}'),
        ToolStart(3, made.id, "f"),
        ToolDelta(3, "{}"),
        TextDelta(" there", 4),
        Usage(input=9, output=4),
        Stop("tool_use", "stop"),
        Finished(),
    ]


def ids(data: bytes) -> list[str]:
    return [event.id for event in decode(CODEC, data) if isinstance(event, ToolStart)]


def test_made_ids_are_stable_and_never_shared() -> None:
    twice = line(True, COUNTS, tool_calls=[call("f", {}), call("f", {})])
    first, second = ids(twice)
    assert first != second and ids(twice) == [first, second]
    assert set(ids(twice.replace(b"678901234", b"678901235"))).isdisjoint({first, second})


def test_arguments_given_as_text() -> None:
    events = decode(CODEC, line(True, COUNTS, tool_calls=[call("f", '{"a": 1}')]))
    assert events[2] == ToolDelta(0, '{"a": 1}')


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, [Stop("stop")]),
        ({"done_reason": "length", "eval_count": 3}, [Usage(output=3), Stop("length", "length")]),
        ({"done_reason": "load"}, [Stop("other", "load")]),
        ({"prompt_eval_count": -4, "eval_count": 2}, [Usage(output=2), Stop("stop")]),
    ],
)
def test_the_last_line(members: dict[str, Any], expected: list[Event]) -> None:
    assert decode(CODEC, line(True, members, content="")) == [BEGUN, *expected, Finished()]


def test_line_ends_and_blank_lines() -> None:
    chance = random.Random(5)
    expected = decode(CODEC, WHOLE)
    for data in (
        WHOLE.replace(b"\n", b"\r\n"),
        b"\n\r\n" + WHOLE.replace(b"\n", b"\n\n"),
        WHOLE.rstrip(),
        WHOLE + b'{"late":1}\n{',
    ):
        assert check_stream(CODEC, data, chance) == expected


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("an error was encountered while running the model: unexpected EOF", Kind.STREAM_ERROR),
        ("model 'x' not found, try pulling it first", Kind.UPSTREAM_NOT_FOUND),
        ("the input length exceeds the context length", Kind.CONTEXT_TOO_LONG),
    ],
)
def test_an_error_in_a_line(message: str, kind: Kind) -> None:
    error = json.dumps({"error": message}).encode() + b"\n"
    events = check_stream(CODEC, line(content="Hi") + error + line(True, COUNTS), random.Random(2))
    last = events[-1]
    assert events[:-1] == [BEGUN, TextDelta("Hi", 0)]
    assert isinstance(last, Failed) and last.failure.kind is kind
    assert isinstance(decode(CODEC, error)[-1], Failed)
    whole = CODEC.decode_answer(error)
    assert whole == (last,)


@pytest.mark.parametrize("broken", [b"nonsense\n", b"[]\n", b'{"message":4}\n', b'{"done":"yes"}\n'])
def test_what_cannot_be_read_is_malformed(broken: bytes) -> None:
    last = decode(CODEC, line(content="Hi") + broken)[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.MALFORMED


def test_a_line_is_bounded() -> None:
    decoder = CODEC.stream_decoder()
    frames = decoder.feed(b'{"x":"' + b"x" * LINE_BYTES_MAX) + decoder.feed(b'"}\n') + decoder.eof(None)
    [failed] = [event for frame in frames for event in frame.events]
    assert isinstance(failed, Failed) and failed.failure.kind is Kind.MALFORMED
    assert sum(len(frame.raw) for frame in frames) == LINE_BYTES_MAX + 9


def test_a_whole_reply_that_says_it_is_a_part() -> None:
    last = CODEC.decode_answer(line(content="Hi"))[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.TRUNCATED


def test_log_probabilities_and_images_are_kept_as_they_are() -> None:
    data = line(True, {"logprobs": [{"token": "a"}]}, content="a", images=["iVBO"])
    kinds = [event.kind for event in decode(CODEC, data) if isinstance(event, OpaqueBlock)]
    assert kinds == ["images", "logprobs"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_raise(data: st.DataObject) -> None:
    broken = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    frames = frames_of(CODEC, bytes(broken), [len(broken) // 2])
    assert b"".join(frame.raw for frame in frames) == bytes(broken)
    events = [event for frame in frames for event in frame.events]
    assert sum(isinstance(event, Failed | Finished) for event in events) == 1
    assert isinstance(events[-1], Failed | Finished)
    assert isinstance(CODEC.decode_answer(bytes(broken))[-1], Failed | Finished)


def test_clients_of_other_dialects_are_told_of_calls() -> None:
    """Ollama's word is `stop`; agent loops go on only for the word of their own dialect."""
    meta = Meta("req_0000000000000001", 1, "m", False)
    events = decode(CODEC, WHOLE)
    assert b'"finish_reason":"tool_calls"' in OPENAI.stream_encoder(meta).encode(events)
    assert b'"finish_reason":"tool_calls"' in OPENAI.encode_answer(fold(events), meta)
    assert b'"stop_reason":"tool_use"' in ANTHROPIC.encode_answer(fold(events), meta)
