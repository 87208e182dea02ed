"""The stream, both ways: what chunks mean, when a reply is complete, how it is framed for a client, and what the relay changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.wire.gemini.wire import (
    META,
    USAGE,
    array,
    chunk,
    decode,
    encode,
    events_of,
    frames_of,
    parsed,
    sse,
)
from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    Event,
    Failed,
    Finished,
    FoldedReasoning,
    FoldedText,
    FoldedTool,
    ReasoningDelta,
    ReasoningSignature,
    Started,
    Stop,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
    fold,
)
from turnout.wire.gemini import CODEC

ARRAY = replace(META, framing="array")
THOUGHT = {"text": "Hm.", "thought": True}
CALL = {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"}
REPLY = (
    chunk(THOUGHT),
    chunk({"text": "Hel"}),
    chunk({"text": "lo"}),
    chunk(CALL, {"functionCall": {"name": "g", "id": "own"}}),
    chunk(
        {"text": "", "thoughtSignature": "bGFzdA=="}, finish="STOP", usage={**USAGE, "thoughtsTokenCount": 3}
    ),
)
CUT = Failure(Kind.TRUNCATED, "cut")


def test_a_reply() -> None:
    assert decode(sse(*REPLY)) == [
        Started("R1", "gemini-test"),
        ReasoningDelta("Hm.", 0),
        TextDelta("Hel", 1),
        TextDelta("lo", 1),
        ToolStart(2, "gcall_R1_0", "f", 0, False, "c2ln", "gemini"),
        ToolDelta(2, '{"x": 1}'),
        ToolStart(3, "own", "g"),
        ToolDelta(3, "{}"),
        ReasoningSignature("empty:bGFzdA==", "gemini", 4),
        Stop("stop", "STOP"),
        Usage(input=10, output=10, reasoning=3),
        Finished(),
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 900), max_size=12), st.booleans())
def test_any_split_means_the_same(cuts: list[int], framed_as_array: bool) -> None:
    data = array(*REPLY) if framed_as_array else sse(*REPLY)
    frames = frames_of(data, [min(cut, len(data)) for cut in cuts])
    assert b"".join(frame.raw for frame in frames) == data
    assert events_of(frames) == decode(sse(*REPLY))


@pytest.mark.parametrize("framing", [sse, array])
def test_every_cut_is_seen(framing: Any) -> None:
    data = framing(*REPLY)
    whole = {len(data.rstrip()) + n for n in range(len(data) - len(data.rstrip()) + 1)}
    for cut in range(len(data) + 1):
        assert isinstance(decode(data[:cut])[-1], Finished) == (cut in whole), cut


def test_text_after_the_end_needs_another_end() -> None:
    stream = [chunk({"text": "a"}, finish="STOP"), chunk({"text": "b"}), chunk(finish="STOP")]
    assert decode(sse(*stream))[-1] == Finished()
    assert decode(sse(*stream[:2]))[-1] != Finished()


def test_every_candidate_must_end() -> None:
    second = {
        "candidates": [{"index": 1, "content": {"parts": [{"text": "b"}]}, "finishReason": "MAX_TOKENS"}]
    }
    first = chunk({"text": "a"})
    open_second = {"candidates": [{"index": 1, "content": {"parts": [{"text": "b"}]}}]}
    ended = chunk(finish="STOP")
    assert decode(sse(first, open_second, ended))[-1] != Finished()
    answer = fold(decode(sse(first, second, ended)))
    assert [choice.stop and choice.stop.reason for choice in answer.choices] == ["stop", "length"]
    assert (
        parsed(encode(decode(sse(first, second, ended))))[-1]["candidates"][1]["finishReason"] == "MAX_TOKENS"
    )


def test_a_blocked_prompt() -> None:
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4},
    }
    events = decode(sse(blocked))
    assert Stop("content_filter", "SAFETY") in events and events[-1] == Finished()
    again = parsed(encode(events))[-1]
    assert again["promptFeedback"] == {"blockReason": "SAFETY"} and again["candidates"] == []
    assert fold(CODEC.decode_answer(CODEC.encode_answer(fold(events), META))) == replace(
        fold(events), started=Started(META.id, META.model)
    )


def test_arguments_that_arrive_member_by_member() -> None:
    def piece(path: str, will_continue: bool = True, **value: Any) -> dict[str, Any]:
        return {"functionCall": {"partialArgs": [{"jsonPath": path, **value}], "willContinue": will_continue}}

    stream = [
        chunk({"functionCall": {"name": "f", "willContinue": True}}),
        chunk(piece("$.a.b", stringValue="x")),
        chunk(piece("$.a.b", stringValue="y")),
        chunk(piece("$.list[1]['k']", numberValue=2)),
        chunk(piece("$.yes", boolValue=True)),
        chunk(piece("$.none", nullValue="NULL_VALUE")),
        chunk({"functionCall": {}}, finish="STOP"),
    ]
    block = fold(decode(sse(*stream))).choices[0].blocks[0]
    assert isinstance(block, FoldedTool)
    assert json.loads(block.arguments) == {
        "a": {"b": "xy"},
        "list": [None, {"k": 2}],
        "yes": True,
        "none": None,
    }


def test_an_error_inside_the_stream() -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    for data in (sse(chunk({"text": "a"}), error), array(chunk({"text": "a"}), error)):
        frames = frames_of(data)
        events = events_of(frames)
        assert isinstance(events[-1], Failed) and events[-1].failure.kind is Kind.OVERLOADED
        meta = ARRAY if data.startswith(b"[") else META
        assert CODEC.relay(meta).relay(frames) == data
        other = META if data.startswith(b"[") else ARRAY
        assert parsed(CODEC.relay(other).relay(frames))[-1] == error


# -- for a Gemini client
@pytest.mark.parametrize("meta", [META, ARRAY])
def test_what_is_encoded_means_the_same(meta: Any) -> None:
    events = decode(sse(*REPLY))
    batches = [[event] for event in events]
    assert fold(decode(encode(events, meta=meta))) == fold(events)
    assert fold(decode(encode(*batches, meta=meta))).choices[0].stop == Stop("stop", "STOP")


def test_signatures_stay_on_the_part_that_bore_them() -> None:
    signed = {"text": "Done.", "thoughtSignature": "c2ln"}
    thought = {"text": "Hm.", "thought": True, "thoughtSignature": "dGhv"}
    events = decode(sse(chunk(thought, signed, finish="STOP")))
    blocks = fold(events).choices[0].blocks
    assert blocks == (
        FoldedReasoning("Hm.", "dGhv", None, "gemini"),
        FoldedText("Done."),
        FoldedReasoning("", "text:c2ln", None, "gemini"),
    )
    whole = json.loads(CODEC.encode_answer(fold(events), META))
    assert whole["candidates"][0]["content"]["parts"] == [thought, signed]
    assert parsed(encode(events))[-1]["candidates"][0]["content"]["parts"] == [thought, signed]


def test_a_cut_reply_shows_no_end() -> None:
    events: list[Event] = [Started("i", "m"), TextDelta("a"), Stop("stop", "STOP"), Failed(CUT)]
    for meta in (META, ARRAY):
        chunks = parsed(encode(*[[event] for event in events], meta=meta))
        assert "finishReason" not in json.dumps(chunks)
        assert chunks[-1]["error"]["status"] == "UNAVAILABLE"
    assert parsed(encode([Failed(CUT)], meta=ARRAY)) == [chunks[-1]]


def test_annotations() -> None:
    meta = replace(META, first=b'{"a":1}', last=lambda: b'{"b":2}')
    for framing in ("sse", "array"):
        framed = replace(meta, framing=framing)
        chunks = parsed(encode(*[[event] for event in decode(sse(*REPLY))], meta=framed))
        assert [item.get("turnout") for item in (chunks[0], chunks[-1])] == [{"a": 1}, {"b": 2}]
        relay = CODEC.relay(framed)
        relayed = parsed(b"".join(relay.relay([frame]) for frame in frames_of(sse(*REPLY))))
        assert [item.get("turnout") for item in (relayed[0], relayed[-1])] == [{"a": 1}, {"b": 2}]
        assert len(relayed) == len(REPLY)


def test_the_relay_holds_the_end_until_it_is_sure() -> None:
    data = sse(*REPLY)
    for meta in (META, ARRAY):
        relay = CODEC.relay(meta)
        sent = b"".join(relay.relay([frame]) for frame in frames_of(data, (), CUT))
        assert b"finishReason" not in sent
        assert parsed(sent)[-1]["error"]["message"] == "cut"
        relay = CODEC.relay(meta)
        assert parsed(relay.relay(frames_of(data))) == list(REPLY)


def test_the_relay_frames_an_array_as_events() -> None:
    relayed = CODEC.relay(META).relay(frames_of(array(*REPLY)))
    assert parsed(relayed) == list(REPLY)
    assert CODEC.relay(ARRAY).relay(frames_of(array(*REPLY))) == array(*REPLY)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_make_a_decoder_raise(data: st.DataObject) -> None:
    original = bytearray(
        data.draw(st.sampled_from([sse(*REPLY), array(*REPLY), json.dumps(REPLY[3]).encode()]))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(original) - 1))
        original[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=6))
    frames = frames_of(bytes(original), [len(original) // 2])
    assert b"".join(frame.raw for frame in frames) == bytes(original)
    events_of(frames)
    assert isinstance(CODEC.decode_answer(bytes(original))[-1], Finished | Failed)


def test_a_thought_without_text_keeps_its_place() -> None:
    parts: list[dict[str, Any]] = [
        {"text": "Hm.", "thought": True},
        {"text": "A", "thoughtSignature": "YQ=="},
        {"text": "", "thought": True, "thoughtSignature": "Yg=="},
    ]
    events = decode(sse(chunk(*parts, finish="STOP")))
    whole = json.loads(CODEC.encode_answer(fold(events), META))
    assert whole["candidates"][0]["content"]["parts"] == parts
