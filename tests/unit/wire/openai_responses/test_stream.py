"""Streams of this dialect, read: whatever part of the three accounts of a text a provider leaves out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wire.openai_responses.wire import sse
from tests.unit.wire.recorded import decode, events_of
from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    Automaton,
    Event,
    Failed,
    Finished,
    FoldedReasoning,
    FoldedText,
    FoldedTool,
    OpaqueBlock,
    ReasoningSignature,
    RefusalDelta,
    Started,
    Stop,
    TextDelta,
    Usage,
    fold,
)
from turnout.wire.openai_responses import CODEC

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 17,
}


def response(status: str, output: list[Any] | None = None, **members: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "model": "gpt",
        "created_at": 5.0,
        "status": status,
        "output": output or [],
        **members,
    }


CREATED = {"type": "response.created", "response": response("in_progress")}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant"}
ADDED = {"type": "response.output_item.added", "output_index": 0, "item": {**MESSAGE, "content": []}}
WHOLE = {**MESSAGE, "content": [{"type": "output_text", "text": "Hello", "annotations": []}]}
DELTAS = [
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": piece}
    for piece in ("Hel", "lo")
]
TEXT_DONE = {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hello"}
ITEM_DONE = {"type": "response.output_item.done", "output_index": 0, "item": WHOLE}
COMPLETED = {"type": "response.completed", "response": response("completed", [WHOLE], usage=USAGE)}
BARE = {"type": "response.completed", "response": response("completed", usage=USAGE)}


def read(*events: dict[str, Any]) -> list[Event]:
    return decode(CODEC, sse(*events))


@pytest.mark.parametrize(
    "events",
    [
        [CREATED, ADDED, *DELTAS, TEXT_DONE, ITEM_DONE, COMPLETED],
        [CREATED, ADDED, *DELTAS, TEXT_DONE, ITEM_DONE, BARE],
        [CREATED, ADDED, DELTAS[0], TEXT_DONE, COMPLETED],
        [CREATED, ADDED, DELTAS[0], COMPLETED],
        [CREATED, ADDED, TEXT_DONE, BARE],
        [CREATED, ADDED, ITEM_DONE, BARE],
        [CREATED, ITEM_DONE, COMPLETED],
        [CREATED, COMPLETED],
        [CREATED, *DELTAS, BARE],
        [COMPLETED],
    ],
)
def test_text_counts_once_wherever_it_is_told(events: list[dict[str, Any]]) -> None:
    found = read(*events)
    assert found[0] == Started("resp_1", "gpt", 5)
    answer = fold(found)
    assert [block.text for block in answer.choices[0].blocks if isinstance(block, FoldedText)] == ["Hello"]
    assert answer.usage == Usage(input=6, cache_read=4, output=7, reasoning=2)
    assert found[-2:] == [Stop("stop", "completed"), Finished()]


def test_an_account_that_contradicts_the_deltas_adds_nothing() -> None:
    other = {**TEXT_DONE, "text": "Goodbye"}
    assert [e for e in read(CREATED, ADDED, *DELTAS, other, BARE) if isinstance(e, TextDelta)] == [
        TextDelta("Hel"),
        TextDelta("lo"),
    ]


def test_reasoning_is_one_block_with_its_proof() -> None:
    item = {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text} for text in ("one", "two")],
        "encrypted_content": "gAAA",
    }
    events: list[dict[str, Any]] = [
        CREATED,
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}},
    ]
    for number, text in enumerate(("one", "two")):
        place = {"output_index": 0, "summary_index": number}
        events.append({"type": "response.reasoning_summary_text.delta", **place, "delta": text})
        events.append({"type": "response.reasoning_summary_text.done", **place, "text": text})
    events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    events.append({"type": "response.completed", "response": response("completed", [item])})
    (block,) = fold(read(*events)).choices[0].blocks
    assert block == FoldedReasoning("one\n\ntwo", "rs_1:gAAA", None, "openai_responses")


def test_raw_reasoning_and_its_summary_count_once() -> None:
    item = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "same"}],
        "content": [{"type": "reasoning_text", "text": "same"}],
    }
    (block,) = (
        fold(read(CREATED, {"type": "response.completed", "response": response("completed", [item])}))
        .choices[0]
        .blocks
    )
    assert block == FoldedReasoning("same")


def call(name: str, arguments: str, **members: Any) -> dict[str, Any]:
    return {
        "type": "function_call",
        "call_id": f"call_{name}",
        "name": name,
        "arguments": arguments,
        **members,
    }


@pytest.mark.parametrize("deltas", [(), ('{"a"',), ('{"a"', ": 1}")])
def test_calls_have_their_arguments_verbatim(deltas: tuple[str, ...]) -> None:
    whole = '{"a": 1}'
    events: list[dict[str, Any]] = [CREATED]
    for place, name in enumerate(("f", "g")):
        events.append({"type": "response.output_item.added", "output_index": place, "item": call(name, "")})
    kind = "response.function_call_arguments.delta"
    events += [{"type": kind, "output_index": place, "delta": piece} for piece in deltas for place in (0, 1)]
    for place, name in enumerate(("f", "g")):
        events.append(
            {"type": "response.function_call_arguments.done", "output_index": place, "arguments": whole}
        )
        events.append(
            {
                "type": "response.output_item.done",
                "output_index": place,
                "item": call(name, whole, id="rotated"),
            }
        )
    events.append(BARE)
    answer = fold(read(*events))
    assert answer.choices[0].blocks == (FoldedTool("call_f", "f", whole), FoldedTool("call_g", "g", whole))
    assert answer.choices[0].stop == Stop("tool_use", "completed")


def test_free_text_calls_refusals_and_built_in_tools() -> None:
    custom = {"type": "custom_tool_call", "call_id": "c", "name": "g", "input": "free"}
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    refusal = {**MESSAGE, "content": [{"type": "refusal", "refusal": "no"}]}
    cited = {
        **MESSAGE,
        "content": [{"type": "output_text", "text": "x", "annotations": [{"type": "url_citation"}]}],
    }
    found = read(
        CREATED,
        {
            "type": "response.custom_tool_call_input.delta",
            "output_index": 0,
            "delta": "lost without its call",
        },
        {"type": "response.output_item.done", "output_index": 0, "item": custom},
        {"type": "response.web_search_call.searching", "output_index": 1},
        {"type": "response.output_item.done", "output_index": 1, "item": search},
        {"type": "response.completed", "response": response("completed", [custom, search, refusal, cited])},
    )
    assert FoldedTool("c", "g", "free", True) in fold(found).choices[0].blocks
    assert RefusalDelta("no") in found
    opaque = [e for e in found if isinstance(e, OpaqueBlock)]
    assert [e.kind for e in opaque] == ["web_search_call", "annotations"]
    assert json.loads(bytes(opaque[0].raw)) == search


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("max_output_tokens", "length"),
        ("content_filter", "content_filter"),
        ("steered", "other"),
        (None, "length"),
    ],
)
def test_incomplete_replies(reason: str | None, stop: str) -> None:
    details = None if reason is None else {"reason": reason}
    end = response("incomplete", [WHOLE], incomplete_details=details)
    found = read(CREATED, {"type": "response.incomplete", "response": end})
    assert found[-2:] == [Stop(stop, reason or "incomplete"), Finished()]  # type: ignore[arg-type]


def test_failures_in_the_stream() -> None:
    error = {"code": "rate_limit_exceeded", "message": "slow down"}
    found = read(CREATED, {"type": "response.failed", "response": response("failed", error=error)})
    assert isinstance(found[-1], Failed) and found[-1].failure.kind is Kind.RATE_LIMITED
    nested = {"type": "error", "error": {"code": "insufficient_quota", "message": "m"}}
    flat = {"type": "error", "code": "server_error", "message": "m", "param": None}
    for event, kind in ((nested, Kind.QUOTA_EXHAUSTED), (flat, Kind.STREAM_ERROR)):
        found = read(CREATED, *DELTAS, event, {"type": "response.failed", "response": response("failed")})
        failed = [e for e in found if isinstance(e, Failed)]
        assert len(failed) == 1 and failed[0].failure.kind is kind and found[-1] == failed[0]
    bare = b'data: {"error": {"message": "bad", "code": 502}}\n\n'
    (only,) = decode(CODEC, bare)
    assert isinstance(only, Failed)


def test_done_is_no_end_and_nothing_counts_after_the_end() -> None:
    found = decode(CODEC, sse(CREATED, *DELTAS) + b"data: [DONE]\n\n")
    assert isinstance(found[-1], Failed) and found[-1].failure.kind is Kind.TRUNCATED
    after = sse(CREATED, COMPLETED) + b"data: [DONE]\n\n" + sse(CREATED, *DELTAS, COMPLETED)
    assert decode(CODEC, after) == read(CREATED, COMPLETED)
    decoder = CODEC.stream_decoder()
    decoder.feed(sse(CREATED))
    cut = Failure(Kind.STALLED, "x")
    assert events_of(decoder.eof(cut)) == [Failed(cut)]


def test_names_comments_and_unknown_events_do_not_matter() -> None:
    unnamed = b"".join(
        b"data: %b\r\n\r\n" % json.dumps(e).encode() for e in (CREATED, ADDED, *DELTAS, TEXT_DONE, COMPLETED)
    )
    odd = b": keepalive\n\n" + sse(CREATED, {"type": "response.some_future.delta", "delta": {"x": 1}}, ADDED)
    whole = read(CREATED, ADDED, *DELTAS, TEXT_DONE, COMPLETED)
    assert decode(CODEC, unnamed) == whole
    assert decode(CODEC, odd + sse(*DELTAS, TEXT_DONE, COMPLETED)) == whole
    assert decode(CODEC, sse(CREATED, ADDED, *DELTAS, COMPLETED)[:-2]) == whole


def test_whole_bodies() -> None:
    body = response("completed", [WHOLE], usage=USAGE)
    assert CODEC.decode_answer(json.dumps(body).encode())[-1] == Finished()
    queued = CODEC.decode_answer(json.dumps(response("queued")).encode())
    assert queued[-2:] == (Stop("other", "queued"), Finished())
    failed = response("failed", error={"code": "server_error", "message": "m"})
    last = CODEC.decode_answer(json.dumps(failed).encode())[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.STREAM_ERROR
    for bad in (b"{}", b"[]", b"<html>", b"", b'{"output": 5}'):
        (only,) = CODEC.decode_answer(bad)
        assert isinstance(only, Failed) and only.failure.kind is Kind.MALFORMED


def test_an_id_alone_proves_nothing() -> None:
    item = {"id": "rs_1", "type": "reasoning", "summary": []}
    found = CODEC.decode_answer(json.dumps(response("completed", [item])).encode())
    assert not any(isinstance(event, ReasoningSignature) for event in found)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "id"]), inner)
    ),
    max_leaves=5,
)
SHAPES: list[dict[str, Any]] = [CREATED, ADDED, *DELTAS, TEXT_DONE, ITEM_DONE, COMPLETED]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_provider_bytes_raise(data: st.DataObject) -> None:
    events = []
    for shape in data.draw(st.lists(st.sampled_from(SHAPES), max_size=6)):
        keys = sorted(shape)
        event = dict(shape)
        event[data.draw(st.sampled_from(keys))] = data.draw(VALUES)
        events.append(event)
    body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)
    found = decode(CODEC, body)
    automaton = Automaton()
    for event_ in found:
        automaton.accept(event_)
    assert automaton.ended
    for event in events:
        assert CODEC.decode_answer(json.dumps(event).encode())
        assert CODEC.decode_answer(json.dumps(event.get("response")).encode())
