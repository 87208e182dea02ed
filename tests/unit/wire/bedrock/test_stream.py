"""The Converse stream decoder on hand-written streams: meaning, damage, exceptions, and what no model has sent yet."""

from __future__ import annotations

import base64
import json
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wire.bedrock import wire
from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    Failed,
    Finished,
    FoldedReasoning,
    OpaqueBlock,
    ReasoningRedacted,
    Started,
    Stop,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
    fold,
)
from turnout.wire.bedrock import CODEC, INVOKE_ANTHROPIC
from turnout.wire.bedrock.eventstream import EventStreamParser, pack_message, read_headers


def kind_of(data: bytes) -> Kind:
    failed = wire.decode(data)[-1]
    assert isinstance(failed, Failed)
    return failed.failure.kind


def test_a_whole_reply() -> None:
    assert wire.decode(wire.whole()) == [
        Started(),
        TextDelta("Hello"),
        TextDelta(", wörld"),
        ToolStart(1, "tooluse_1", "weather"),
        ToolDelta(1, '{"city":'),
        ToolDelta(1, ' "Oslo"}'),
        Stop("tool_use", "tool_use"),
        Usage(input=10, output=5),
        Finished(),
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(wire.whole())), max_size=40))
def test_any_split_gives_the_same(cuts: list[int]) -> None:
    frames = wire.frames_of(wire.whole(), cuts)
    assert b"".join(frame.raw for frame in frames) == wire.whole()
    assert wire.events_of(frames) == wire.decode(wire.whole())


def test_one_byte_at_a_time() -> None:
    assert wire.decode(wire.whole(), range(len(wire.whole()))) == wire.decode(wire.whole())


def test_every_cut_is_truncated() -> None:
    data = wire.whole()
    for end in range(len(data)):
        assert kind_of(data[:end]) is Kind.TRUNCATED


def test_every_flipped_bit_is_seen() -> None:
    data = bytearray(wire.start() + wire.delta(0, text="Hi") + wire.stop() + wire.metadata())
    for bit in range(len(data) * 8):
        data[bit // 8] ^= 1 << bit % 8
        assert kind_of(bytes(data)) is Kind.MALFORMED
        data[bit // 8] ^= 1 << bit % 8


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 3))
def test_no_bytes_raise(data: bytes, begun: int) -> None:
    frames = wire.frames_of(wire.start() * min(begun, 1) + data)
    wire.events_of(frames)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["start", "delta", "toolUse", "text", "input", "contentBlockIndex", "usage"]),
            inner,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop"])
            | st.sampled_from(["messageStop", "metadata", "chunk", "news"]),
            _json,
        ),
        max_size=5,
    )
)
def test_no_payload_raises(events: list[tuple[str, object]]) -> None:
    data = b"".join(
        pack_message({":event-type": kind, **wire.EVENT}, json.dumps(value).encode())
        for kind, value in events
    )
    wire.decode(data)
    wire.decode(data, codec=INVOKE_ANTHROPIC)


def test_usage_may_come_before_the_reason() -> None:
    events = wire.decode(wire.start() + wire.delta(0, text="a") + wire.metadata() + wire.stop())
    assert events[-3:] == [Usage(input=10, output=5), Stop("stop", "end_turn"), Finished()]


def test_a_reason_without_usage_is_a_cut_stream() -> None:
    assert kind_of(wire.start() + wire.delta(0, text="a") + wire.stop()) is Kind.TRUNCATED
    assert kind_of(wire.start() + wire.delta(0, text="a") + wire.metadata()) is Kind.TRUNCATED


def test_the_transports_failure_is_kept() -> None:
    failure = Failure(Kind.STALLED, "slow")
    assert wire.decode(wire.start(), failure=failure)[-1] == Failed(failure)


def test_what_follows_the_end_means_nothing() -> None:
    frames = wire.frames_of(wire.whole() + wire.delta(0, text="more") + b"rest")
    assert b"".join(frame.raw for frame in frames).endswith(b"rest")
    assert wire.events_of(frames) == wire.decode(wire.whole())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", Kind.RATE_LIMITED),
        ("serviceUnavailableException", Kind.OVERLOADED),
        ("internalServerException", Kind.STREAM_ERROR),
        ("modelStreamErrorException", Kind.STREAM_ERROR),
        ("modelTimeoutException", Kind.STREAM_ERROR),
        ("validationException", Kind.UPSTREAM_BAD_REQUEST),
        ("somethingNewException", Kind.STREAM_ERROR),
    ],
)
def test_an_exception_ends_the_stream(name: str, kind: Kind) -> None:
    alone = wire.decode(wire.exception(name, "No."))
    assert len(alone) == 1 and isinstance(alone[0], Failed) and alone[0].failure.kind is kind
    assert alone[0].failure.provider_code == name
    later = wire.decode(wire.start() + wire.delta(0, text="a") + wire.exception(name, "No.") + wire.stop())
    assert later[1] == TextDelta("a") and isinstance(later[-1], Failed)


def test_a_prompt_too_long_is_told_apart_inside_a_stream() -> None:
    assert kind_of(wire.exception("validationException", "Input is too long for requested model.")) is (
        Kind.CONTEXT_TOO_LONG
    )


def test_an_unmodelled_error_ends_the_stream() -> None:
    headers = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "x"}
    assert kind_of(wire.start() + pack_message(headers, b"")) is Kind.STREAM_ERROR


def test_unknown_events_and_deltas_are_passed_without_meaning() -> None:
    data = wire.start() + wire.frame("news", {"a": 1}) + wire.delta(0, novelty={"a": 1}) + wire.whole()
    frames = wire.frames_of(data)
    assert b"".join(frame.raw for frame in frames) == data
    assert wire.events_of(frames) == wire.decode(wire.whole())


def test_a_tool_without_arguments_has_an_empty_object() -> None:
    call = {"toolUseId": "a", "name": "f"}
    for closing in (wire.block_stop(0), b""):
        data = wire.start() + wire.block_start(0, toolUse=call) + closing + wire.stop("tool_use")
        events = wire.decode(data + wire.metadata())
        assert events[1:3] == [ToolStart(0, "a", "f"), ToolDelta(0, "{}")]


def test_arguments_without_a_call_are_malformed() -> None:
    assert kind_of(wire.start() + wire.delta(3, toolUse={"input": "{"})) is Kind.MALFORMED


def test_thinking_keeps_its_proof() -> None:
    data = b"".join(
        (
            wire.start(),
            wire.delta(0, reasoningContent={"text": "Hm"}),
            wire.delta(0, reasoningContent={"text": "m."}),
            wire.delta(0, reasoningContent={"signature": "PROOF"}),
            wire.delta(1, reasoningContent={"redactedContent": "AAEC"}),
            wire.delta(2, text="Yes"),
            wire.stop(),
            wire.metadata(),
        )
    )
    events = wire.decode(data)
    assert ReasoningRedacted("AAEC", "bedrock", 1) in events
    assert fold(events).choices[0].blocks[0] == FoldedReasoning("Hmm.", "PROOF", None, "bedrock")


def test_the_providers_own_tools_are_gathered_whole() -> None:
    own = {"toolUseId": "a", "name": "nova_code_interpreter", "type": "server_tool_use"}
    result = {"toolUseId": "a", "status": "success", "type": "nova_code_interpreter_result"}
    data = b"".join(
        (
            wire.start(),
            wire.block_start(0, toolUse=own),
            wire.delta(0, toolUse={"input": '{"snippet":'}),
            wire.delta(0, toolUse={"input": '"1"}'}),
            wire.block_stop(0),
            wire.block_start(1, toolResult=result),
            wire.delta(1, toolResult=[{"json": {"stdOut": "1"}}]),
            wire.block_stop(1),
            wire.delta(2, citation={"title": "t"}),
            wire.stop(),
            wire.metadata(),
        )
    )
    blocks = [event for event in wire.decode(data) if isinstance(event, OpaqueBlock)]
    assert [(block.dialect, block.kind, block.index) for block in blocks] == [
        ("bedrock", "toolUse", 0),
        ("bedrock", "toolResult", 1),
        ("bedrock", "citation", 2),
    ]
    assert json.loads(bytes(blocks[0].raw)) == {"toolUse": {**own, "input": {"snippet": "1"}}}
    assert json.loads(bytes(blocks[1].raw)) == {
        "toolResult": {**result, "content": [{"json": {"stdOut": "1"}}]}
    }


def test_usage_by_price_class() -> None:
    usage = wire.metadata(
        inputTokens=7,
        outputTokens=5,
        totalTokens=72,
        cacheReadInputTokens=20,
        cacheWriteInputTokens=40,
        cacheDetails=[{"ttl": "1h", "inputTokens": 30}, {"ttl": "5m", "inputTokens": 10}],
    )
    events = wire.decode(wire.start() + wire.delta(0, text="a") + wire.stop() + usage)
    assert Usage(7, 20, 10, 30, 5) in events


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", "stop"),
        ("tool_use", "tool_use"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("stop_sequence", "stop_sequence"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_tool_use", "other"),
        ("malformed_model_output", "other"),
        ("tomorrow", "other"),
    ],
)
def test_reasons(word: str, reason: str) -> None:
    stops = [e for e in wire.decode(wire.start() + wire.stop(word) + wire.metadata()) if isinstance(e, Stop)]
    assert [(stop.reason, stop.raw) for stop in stops] == [(reason, word)]


def test_the_stop_sequence_that_matched() -> None:
    fields = {"delta": {"stop_sequence": "END"}}
    data = wire.start() + wire.stop("stop_sequence", additionalModelResponseFields=fields) + wire.metadata()
    assert Stop("stop_sequence", "stop_sequence", "END") in wire.decode(data)


# -- the framing itself
def test_a_length_beyond_the_bound_is_refused_at_once() -> None:
    lengths = struct.pack(">II", 1 << 30, 0)
    prelude = lengths + struct.pack(">I", zlib.crc32(lengths))
    decoder = CODEC.stream_decoder()
    (frame,) = decoder.feed(prelude)
    assert frame.raw == prelude and isinstance(frame.events[0], Failed)
    assert frame.events[0].failure.kind is Kind.MALFORMED


def test_headers_longer_than_their_message_are_refused() -> None:
    lengths = struct.pack(">II", 20, 1000)
    parser = EventStreamParser(1_000)
    assert parser.feed(lengths + struct.pack(">I", zlib.crc32(lengths))) == []
    assert parser.error is not None


def test_headers_of_every_type_are_skipped_over() -> None:
    def header(name: bytes, kind: int, value: bytes) -> bytes:
        return bytes([len(name)]) + name + bytes([kind]) + value

    block = b"".join(
        header(b"k%d" % kind, kind, bytes(size))
        for kind, size in {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}.items()
    )
    block += header(b"b", 6, b"\0\2xy") + header(b"s", 7, b"\0\2hi")
    assert read_headers(block) == {"s": "hi"}
    for broken in (block[:-1], header(b"x", 10, b""), b"\xff"):
        with pytest.raises((ValueError, IndexError, struct.error)):
            read_headers(broken)


# -- Anthropic's events in Amazon's envelope
def chunk(event: dict[str, object] | bytes) -> bytes:
    data = event if isinstance(event, bytes) else json.dumps(event, indent=1).encode()
    return wire.frame("chunk", {"bytes": base64.b64encode(data).decode()})


def invoked(*events: dict[str, object]) -> bytes:
    return b"".join(chunk(event) for event in events)


MESSAGE: dict[str, object] = {
    "type": "message_start",
    "message": {"id": "msg_bdrk_1", "model": "claude", "usage": {"input_tokens": 3, "output_tokens": 1}},
}
TEXT: dict[str, object] = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": "Hi"},
}
END: dict[str, object] = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 2},
}
STOP: dict[str, object] = {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}}


def test_anthropics_events_mean_what_they_mean_there() -> None:
    events = wire.decode(invoked(MESSAGE, TEXT, END, STOP), codec=INVOKE_ANTHROPIC)
    assert events == [
        Started("msg_bdrk_1", "claude"),
        Usage(input=3, output=1),
        TextDelta("Hi"),
        Usage(input=3, output=2),
        Stop("stop", "end_turn"),
        Finished(),
    ]


def test_an_invoked_stream_without_its_end_is_cut() -> None:
    failed = wire.decode(invoked(MESSAGE, TEXT, END), codec=INVOKE_ANTHROPIC)[-1]
    assert isinstance(failed, Failed) and failed.failure.kind is Kind.TRUNCATED


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"not json", b"[1]"])
def test_a_chunk_that_is_no_event_is_malformed(bad: bytes) -> None:
    failed = wire.decode(invoked(MESSAGE) + chunk(bad), codec=INVOKE_ANTHROPIC)[-1]
    assert isinstance(failed, Failed) and failed.failure.kind is Kind.MALFORMED


def test_an_invoked_stream_fails_in_both_vocabularies() -> None:
    throttled = wire.decode(
        invoked(MESSAGE) + wire.exception("throttlingException", "x"), codec=INVOKE_ANTHROPIC
    )[-1]
    assert isinstance(throttled, Failed) and throttled.failure.kind is Kind.RATE_LIMITED
    error: dict[str, object] = {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}
    overloaded = wire.decode(invoked(MESSAGE, error), codec=INVOKE_ANTHROPIC)[-1]
    assert isinstance(overloaded, Failed) and overloaded.failure.kind is Kind.OVERLOADED
