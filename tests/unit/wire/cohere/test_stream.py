"""Cohere's stream and replies, hand-written after the API description: what the recordings do not show."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests.unit.wire.recorded import check_stream, decode, frames_of
from turnout.core.errors import Kind
from turnout.core.events import (
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
)
from turnout.wire.codec import LINE_BYTES_MAX
from turnout.wire.cohere import CODEC


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def said(kind: str, index: int, **message: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": message}}


def call(**function: str) -> dict[str, Any]:
    return {"tool_calls": {"id": "c", "type": "function", "function": function}}


START = {"type": "message-start", "id": "r1", "delta": {"message": {"role": "assistant", "content": []}}}
COUNTS = {
    "billed_units": {"input_tokens": 100, "output_tokens": 20},
    "tokens": {"input_tokens": 600, "output_tokens": 25, "reasoning_tokens": 7},
    "cached_tokens": 530,
}
END = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": COUNTS}}
CITATION = {"start": 0, "end": 2, "text": "Hi", "sources": [], "content_index": 1}
WHOLE = sse(
    START,
    said("content-start", 0, content={"type": "thinking", "thinking": "H"}),
    said("content-delta", 0, content={"thinking": "m."}),
    {"type": "content-end", "index": 0},
    said("content-start", 1, content={"type": "text", "text": ""}),
    said("content-delta", 1, content={"text": "Hi"}),
    said("citation-start", 0, citations=CITATION),
    {"type": "citation-end", "index": 0},
    {"type": "something-new", "delta": {"message": {}}},
    END,
)
USAGE = Usage(input=70, cache_read=30, output=20, reasoning=7)


def test_thinking_text_and_citations() -> None:
    assert decode(CODEC, WHOLE) == [
        Started("r1"),
        ReasoningDelta("H", 0),
        ReasoningDelta("m.", 0),
        TextDelta("Hi", 1),
        OpaqueBlock("cohere", "citation", Raw(json.dumps(CITATION).encode()), 1),
        USAGE,
        Stop("stop", "COMPLETE"),
        Finished(),
    ]


def test_a_plan_and_parallel_calls_are_blocks_of_their_own() -> None:
    end = {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}}
    data = sse(
        START,
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I "}}},
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "look."}}},
        said("tool-call-start", 0, **call(name="f", arguments="")),
        said("tool-call-delta", 0, **call(arguments='{"a"')),
        said("tool-call-start", 1, **call(name="g", arguments="")),
        said("tool-call-delta", 0, **call(arguments=":1}")),
        said("tool-call-delta", 1, **call(arguments="null")),
        {"type": "tool-call-end", "index": 0},
        end,
    )
    assert decode(CODEC, data) == [
        Started("r1"),
        TextDelta("I ", 0),
        TextDelta("look.", 0),
        ToolStart(1, "c", "f"),
        ToolDelta(1, '{"a"'),
        ToolStart(2, "c", "g"),
        ToolDelta(1, ":1}"),
        Stop("tool_use", "TOOL_CALL"),
        Finished(),
    ]


@pytest.mark.parametrize("done", [b"", b"data: [DONE]\n\n", b"data: [DONE]", b": bye\n\ndata: {}"])
def test_what_follows_the_end_means_nothing(done: bytes) -> None:
    events = check_stream(CODEC, WHOLE + done, random.Random(3))
    assert events == decode(CODEC, WHOLE)


def test_the_end_may_lack_its_blank_line() -> None:
    assert decode(CODEC, WHOLE.rstrip(b"\n")) == decode(CODEC, WHOLE)


@pytest.mark.parametrize(
    ("delta", "kind"),
    [
        ({"finish_reason": "ERROR", "error": "boom"}, Kind.STREAM_ERROR),
        ({"finish_reason": "ERROR"}, Kind.STREAM_ERROR),
        ({"finish_reason": "TIMEOUT"}, Kind.STREAM_ERROR),
        ({"finish_reason": "ERROR_TOXIC"}, Kind.CONTENT_FILTERED),
        ({"error": "too many tokens: size limit exceeded"}, Kind.CONTEXT_TOO_LONG),
    ],
)
def test_an_end_that_is_a_failure(delta: dict[str, Any], kind: Kind) -> None:
    data = sse(START, {"type": "message-end", "delta": {**delta, "usage": COUNTS}})
    *before, last = decode(CODEC, data + b"data: [DONE]\n\n")
    assert before == [Started("r1"), USAGE]
    assert isinstance(last, Failed) and last.failure.kind is kind


def test_an_error_in_the_place_of_an_event() -> None:
    last = decode(CODEC, b'data: {"message": "internal server error", "id": "x"}\n\n')[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.STREAM_ERROR


@pytest.mark.parametrize(
    "broken",
    [
        b"data: {nonsense\n\n",
        sse(said("tool-call-delta", 4, **call(arguments="{}"))),
        b'data: {"type":3}\n\n',
    ],
)
def test_what_cannot_be_read_is_malformed(broken: bytes) -> None:
    last = decode(CODEC, sse(START) + broken)[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.MALFORMED


def test_an_event_is_bounded() -> None:
    decoder = CODEC.stream_decoder()
    frames = decoder.feed(b"data: " + b"x" * LINE_BYTES_MAX) + decoder.feed(b"more") + decoder.eof(None)
    [failed] = [event for frame in frames for event in frame.events]
    assert isinstance(failed, Failed) and failed.failure.kind is Kind.MALFORMED
    assert sum(len(frame.raw) for frame in frames) == LINE_BYTES_MAX + 10


def test_a_reply_without_all_its_members() -> None:
    reply = {"message": {"content": "Hi"}, "finish_reason": None, "usage": {"tokens": {"input_tokens": 3}}}
    assert CODEC.decode_answer(json.dumps(reply).encode()) == (
        Started(""),
        TextDelta("Hi", 0),
        Usage(input=3),
        Stop("stop"),
        Finished(),
    )


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"message": "no", "id": "x"}', Kind.STREAM_ERROR),
        (b'{"finish_reason": "ERROR", "id": "x"}', Kind.STREAM_ERROR),
        (b'{"id": "x", "message": {"content": []}, "finish_reason": "ERROR_LIMIT"}', Kind.CONTEXT_TOO_LONG),
        (b'{"id": "x"}', Kind.MALFORMED),
        (b"[]", Kind.MALFORMED),
        (b"<html>", Kind.MALFORMED),
    ],
)
def test_a_reply_that_is_none(body: bytes, kind: Kind) -> None:
    last = CODEC.decode_answer(body)[-1]
    assert isinstance(last, Failed) and last.failure.kind is kind


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_raise(data: st.DataObject) -> None:
    broken = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    frames = frames_of(CODEC, bytes(broken), [len(broken) // 2])
    events = [event for frame in frames for event in frame.events]
    assert sum(isinstance(event, Failed | Finished) for event in events) == 1
    assert isinstance(events[-1], Failed | Finished)
    assert isinstance(CODEC.decode_answer(bytes(broken))[-1], Failed | Finished)
