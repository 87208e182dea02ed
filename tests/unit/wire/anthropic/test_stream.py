"""An Anthropic event stream, decoded."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wire.anthropic.wire import (
    MESSAGE_STOP,
    PING,
    block,
    decode,
    events_of,
    frames_of,
    message_delta,
    message_start,
    sse,
    text_block,
    text_delta,
)
from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    Failed,
    Finished,
    FoldedReasoning,
    FoldedText,
    FoldedTool,
    OpaqueBlock,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    Started,
    Stop,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
    fold,
)
from turnout.wire.anthropic import CODEC

FULL = sse(
    message_start(
        input_tokens=10,
        cache_read_input_tokens=4,
        cache_creation_input_tokens=6,
        cache_creation={"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 4},
        output_tokens=1,
    ),
    PING,
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm "},
        {"type": "thinking_delta", "thinking": "yes"},
        {"type": "signature_delta", "signature": "c2ln"},
    ),
    *block(1, {"type": "redacted_thinking", "data": "ZGF0YQ"}),
    *text_block(2, "Hel", "lo ✓"),
    *block(
        3,
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"a": '},
        {"type": "input_json_delta", "partial_json": "1}"},
    ),
    message_delta("tool_use", output_tokens=30, output_tokens_details={"thinking_tokens": 12}),
    MESSAGE_STOP,
)


def test_every_kind_of_block_usage_and_stop() -> None:
    assert decode(FULL) == [
        Started("msg_01", "claude-test"),
        Usage(input=10, cache_read=4, cache_write_5m=2, cache_write_1h=4, output=1),
        ReasoningDelta("Hm ", 0),
        ReasoningDelta("yes", 0),
        ReasoningSignature("c2ln", "anthropic", 0),
        ReasoningRedacted("ZGF0YQ", "anthropic", 1),
        TextDelta("Hel", 2),
        TextDelta("lo ✓", 2),
        ToolStart(3, "toolu_1", "look"),
        ToolDelta(3, '{"a": '),
        ToolDelta(3, "1}"),
        Usage(input=10, cache_read=4, cache_write_5m=2, cache_write_1h=4, output=30, reasoning=12),
        Stop("tool_use", "tool_use"),
        Finished(),
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(FULL)), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_split_gives_the_same_events_and_bytes(cuts: list[int], line_end: bytes) -> None:
    data = FULL.replace(b"\n", line_end)
    frames = frames_of(data, [min(cut, len(data)) for cut in cuts])
    assert b"".join(frame.raw for frame in frames) == data
    assert events_of(frames) == decode(FULL)


def test_a_cut_stream_is_truncated_even_after_the_stop_reason() -> None:
    data = sse(message_start(), *text_block(0, "Hi"), message_delta())
    last = decode(data)[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.TRUNCATED


def test_half_an_event_at_the_end_is_truncation_and_its_bytes_are_kept() -> None:
    data = FULL[:-20]
    frames = frames_of(data)
    assert b"".join(frame.raw for frame in frames) == data
    last = events_of(frames)[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.TRUNCATED


def test_a_whole_event_without_its_blank_line_counts() -> None:
    assert decode(FULL.rstrip(b"\n"))[-1] == Finished()


def test_the_transports_failure_is_the_terminal_event() -> None:
    stalled = Failure(Kind.STALLED, "no content for a while")
    assert decode(FULL[:300], failure=stalled)[-1] == Failed(stalled)


def test_what_follows_the_end_has_no_meaning_but_keeps_its_bytes() -> None:
    data = FULL + b"event: data\ndata: [DONE]\n\n" + FULL + b"event: half"
    frames = frames_of(data, [len(FULL) + 4, len(FULL) + 90])
    assert b"".join(frame.raw for frame in frames) == data
    assert events_of(frames) == decode(FULL)


def test_a_message_that_starts_twice_goes_on_with_new_block_numbers() -> None:
    data = sse(
        message_start(),
        *block(0, {"type": "tool_use", "id": "a", "name": "f", "input": {}})[:-1],
        message_start(),
        *block(
            0,
            {"type": "tool_use", "id": "b", "name": "g", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"x":1}'},
        ),
        message_delta(),
        MESSAGE_STOP,
    )
    blocks = fold(decode(data)).choices[0].blocks
    assert blocks == (FoldedTool("a", "f", "{}"), FoldedTool("b", "g", '{"x":1}'))


def test_content_that_comes_with_the_block_start() -> None:
    data = sse(
        message_start(),
        *block(0, {"type": "text", "text": "Hello"}, text_delta(" you")),
        *block(1, {"type": "tool_use", "id": "t", "name": "f", "input": {"deep": [1, 2]}}),
        *block(2, {"type": "thinking", "thinking": "so", "signature": "c2ln"}),
        message_delta(),
        MESSAGE_STOP,
    )
    text, tool, thought = fold(decode(data)).choices[0].blocks
    assert text == FoldedText("Hello you")
    assert isinstance(tool, FoldedTool) and json.loads(tool.arguments) == {"deep": [1, 2]}
    assert thought == FoldedReasoning("so", "c2ln", None, "anthropic")


def test_server_tools_compaction_and_citations_are_opaque_and_whole() -> None:
    citation = {"type": "char_location", "cited_text": "x", "document_index": 0}
    data = sse(
        message_start(),
        *block(
            0,
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"query":'},
            {"type": "input_json_delta", "partial_json": '"tea"}'},
        ),
        *block(1, {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]}),
        *block(
            2, {"type": "compaction", "content": None}, {"type": "compaction_delta", "content": "summary"}
        ),
        *block(
            3,
            {"type": "text", "text": ""},
            {"type": "citations_delta", "citation": citation},
            text_delta("cited"),
        ),
        message_delta(),
        MESSAGE_STOP,
    )
    blocks = fold(decode(data)).choices[0].blocks
    opaque = [json.loads(bytes(found.raw)) for found in blocks if isinstance(found, OpaqueBlock)]
    assert opaque == [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "tea"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]},
        {"type": "compaction", "content": "summary"},
        citation,
    ]
    assert blocks[3] == FoldedText("cited"), "a citation follows its text, though it came first"


def test_usage_fields_that_a_delta_leaves_out_or_nulls_keep_their_value() -> None:
    data = sse(
        message_start(input_tokens=None, cache_read_input_tokens=5, output_tokens=0),
        message_delta(None, input_tokens=20, cache_read_input_tokens=None, output_tokens=3),
        message_delta("end_turn", output_tokens=9),
        MESSAGE_STOP,
    )
    assert fold(decode(data)).usage == Usage(input=20, cache_read=5, output=9)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_use"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("something_new", "other"),
    ],
)
def test_stop_reasons(word: str, reason: str) -> None:
    stop = fold(decode(sse(message_start(), *text_block(0, "x"), message_delta(word), MESSAGE_STOP)))
    assert stop.choices[0].stop == Stop(reason, word)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("overloaded_error", Kind.OVERLOADED),
        ("rate_limit_error", Kind.RATE_LIMITED),
        ("api_error", Kind.STREAM_ERROR),
        ("authentication_error", Kind.UPSTREAM_AUTH),
        ("never_seen", Kind.STREAM_ERROR),
    ],
)
def test_an_error_event_ends_the_stream(word: str, kind: Kind) -> None:
    error = {"type": "error", "error": {"type": word, "message": "Overloaded"}}
    events = decode(sse(message_start(), *text_block(0, "Hel"), error, message_delta(), MESSAGE_STOP))
    last = events[-1]
    assert isinstance(last, Failed) and last.failure.kind is kind
    assert TextDelta("Hel", 0) in events


def test_an_error_without_a_type_is_still_an_error() -> None:
    data = (
        sse(message_start()) + b'event: error\ndata: {"error":{"type":"overloaded_error","message":"x"}}\n\n'
    )
    last = decode(data)[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.OVERLOADED


@pytest.mark.parametrize(
    "bad",
    [
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":5}}\n\n',
        b"data: {nonsense\n\n",
        b'data: {"type":"content_block_start","index":0}\n\n',
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":1}}\n\n',
        b"data: \xff\xfe\n\n",
        b"data: 17\n\n",
        b"data: " + b'{"type":' * 3000 + b"\n\n",
    ],
)
def test_bytes_of_no_dialect_are_malformed(bad: bytes) -> None:
    last = decode(sse(message_start()) + bad + FULL)[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.MALFORMED


def test_events_of_the_future_are_frames_without_events() -> None:
    future = sse(
        {"type": "hologram", "index": "seven", "delta": 5}, {"type": "content_block_delta", "index": 0}
    )
    assert decode(sse(message_start()) + future + FULL[FULL.index(b"event: ping") :])[-1] == Finished()


def test_content_before_a_message_start_still_has_a_start() -> None:
    events = decode(sse(*text_block(0, "Hi"), message_delta(), MESSAGE_STOP))
    assert events[:2] == [Started(), TextDelta("Hi", 0)]


def test_an_event_without_end_is_malformed_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnout.wire.sse_decoder.LINE_BYTES_MAX", 100)
    decoder = CODEC.stream_decoder()
    frames = decoder.feed(sse(message_start())) + decoder.feed(b"data: " + b"x" * 200)
    frames += decoder.feed(b"more") + decoder.eof(None)
    last = events_of(frames)[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.MALFORMED


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_streams_never_raise(data: st.DataObject) -> None:
    raw = bytearray(FULL)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=5))
        if not raw:
            return
    mutated = bytes(raw)
    frames = frames_of(mutated, [data.draw(st.integers(0, len(mutated)))])
    assert b"".join(frame.raw for frame in frames) == mutated
    events_of(frames)
