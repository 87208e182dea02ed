"""Events as the stream and the message that an Anthropic client reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wire.anthropic.wire import META, decode, encode, parsed
from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    Answer,
    AudioDelta,
    Choice,
    Event,
    Failed,
    Finished,
    FoldedReasoning,
    FoldedText,
    FoldedTool,
    OpaqueBlock,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    RefusalDelta,
    Started,
    Stop,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
    fold,
    unfold,
)
from turnout.wire.anthropic import CODEC
from turnout.wire.anthropic.marks import UNSIGNED
from turnout.wire.body import json_text
from turnout.wire.codec import Meta

START = Started("chatcmpl-abc", "gpt-test")


def assert_strict(events: Sequence[dict[str, Any]]) -> None:
    """The sequence that clients rely on: one block open at a time, numbered from 0 without a gap."""
    assert events[0]["type"] == "message_start"
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    opened, following = None, 0
    for event in events[1:-2]:
        if event["type"] == "content_block_start":
            assert opened is None and event["index"] == following
            opened, following = following, following + 1
        else:
            assert event["index"] == opened
            if event["type"] == "content_block_stop":
                opened = None
    assert opened is None


def whole(*events: Event) -> list[dict[str, Any]]:
    found = parsed(encode([START, *events, Finished()]))
    assert_strict(found)
    return found


def test_the_full_sequence_with_usage_that_comes_last() -> None:
    usage = Usage(input=5, cache_read=3, cache_write_5m=1, cache_write_1h=2, output=9, reasoning=4)
    found = whole(TextDelta("Hi"), TextDelta(" there"), Stop("stop", "stop"), usage)
    assert found[0]["message"] == {
        "id": "msg_abc",
        "type": "message",
        "role": "assistant",
        "model": "gpt-test",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }
    assert [event["delta"] for event in found[2:4]] == [
        {"type": "text_delta", "text": "Hi"},
        {"type": "text_delta", "text": " there"},
    ]
    assert found[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert found[-2]["usage"] == {
        "input_tokens": 5,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 3,
        "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 4},
    }


def test_usage_known_at_the_start_is_in_message_start() -> None:
    found = parsed(encode([START, Usage(input=12, output=1)], [TextDelta("x"), Finished()]))
    assert found[0]["message"]["usage"]["input_tokens"] == 12


def test_interleaved_tool_calls_become_a_strict_sequence() -> None:
    found = whole(
        ToolStart(0, "a", "f"),
        ToolStart(1, "b", "g"),
        ToolDelta(1, '{"y":'),
        ToolDelta(0, '{"x":'),
        ToolDelta(1, "2}"),
        ToolDelta(0, "1}"),
        ToolStart(2, "c", "h"),
        ToolDelta(2, "{}"),
        Stop("tool_use", "tool_calls"),
    )
    arguments: dict[str, str] = {}
    names = [event["content_block"]["name"] for event in found if event["type"] == "content_block_start"]
    for event in found:
        if event["type"] == "content_block_delta":
            name = names[event["index"]]
            arguments[name] = arguments.get(name, "") + event["delta"]["partial_json"]
    assert arguments == {"f": '{"x":1}', "g": '{"y":2}', "h": "{}"}


def test_a_finished_call_ends_as_soon_as_the_next_begins() -> None:
    encoder = CODEC.stream_encoder(META)
    encoder.encode([START, ToolStart(0, "a", "f"), ToolDelta(0, '{"x":"}"}')])
    found = parsed(encoder.encode([ToolStart(1, "b", "g")]))
    assert [event["type"] for event in found] == ["content_block_stop", "content_block_start"]


def test_text_resumes_as_a_new_block_after_thinking() -> None:
    found = whole(TextDelta("a"), ReasoningDelta("b", 1), TextDelta("c"), Stop("stop"))
    kinds = [event["content_block"]["type"] for event in found if event["type"] == "content_block_start"]
    assert kinds == ["text", "thinking", "text"]


@pytest.mark.parametrize(
    ("events", "signature"),
    [
        ([], UNSIGNED),
        ([ReasoningSignature("c2ln", "anthropic")], "c2ln"),
        (
            [ReasoningSignature("c2", "gemini"), ReasoningSignature("ln", "gemini")],
            "turnout-origin:gemini:c2ln",
        ),
    ],
)
def test_thinking_is_closed_by_one_signature_that_tells_its_maker(
    events: list[Event], signature: str
) -> None:
    found = whole(ReasoningDelta("hm"), *events, TextDelta("x", 1), Stop("stop"))
    signatures = [
        e["delta"]["signature"] for e in found if e.get("delta", {}).get("type") == "signature_delta"
    ]
    assert signatures == [signature]


def test_a_signature_that_comes_late_gets_a_block_of_its_own() -> None:
    found = whole(
        ReasoningDelta("hm"), TextDelta("x", 1), ReasoningSignature("c2ln", "anthropic"), Stop("stop")
    )
    signatures = [
        e["delta"]["signature"] for e in found if e.get("delta", {}).get("type") == "signature_delta"
    ]
    assert signatures == [UNSIGNED, "c2ln"]


@pytest.mark.parametrize(
    ("events", "word"),
    [
        ([Stop("stop", "stop")], "end_turn"),
        ([Stop("length", "length")], "max_tokens"),
        ([Stop("content_filter", "content_filter")], "refusal"),
        ([Stop("pause", "pause_turn")], "pause_turn"),
        ([Stop("other", "eos")], "end_turn"),
        ([], "end_turn"),
        ([Stop("length", "model_context_window_exceeded")], "model_context_window_exceeded"),
        ([ToolStart(0, "a", "f"), Stop("stop", "stop")], "tool_use"),
        ([ToolStart(0, "a", "f")], "tool_use"),
        ([ToolStart(0, "a", "f"), Stop("length", "length")], "max_tokens"),
        ([RefusalDelta("no"), Stop("stop", "stop")], "refusal"),
    ],
)
def test_stop_reasons_in_both_forms(events: list[Event], word: str) -> None:
    assert whole(*events)[-2]["delta"]["stop_reason"] == word
    answer = fold([START, TextDelta("", 9), *events, Finished()])
    assert json.loads(CODEC.encode_answer(answer, META))["stop_reason"] == word


def test_a_matched_stop_sequence_is_named() -> None:
    delta = whole(TextDelta("x"), Stop("stop_sequence", "stop_sequence", "END"))[-2]["delta"]
    assert delta == {"stop_reason": "stop_sequence", "stop_sequence": "END"}


def test_only_the_first_choice_is_encoded() -> None:
    found = whole(TextDelta("a"), TextDelta("other", 0, 1), Stop("stop"), Stop("length", choice=1))
    assert "other" not in json.dumps(found) and found[-2]["delta"]["stop_reason"] == "end_turn"


def test_a_failure_is_an_error_event_and_never_the_end_of_a_message() -> None:
    data = encode([START, TextDelta("Hel"), Failed(Failure(Kind.TRUNCATED, "cut"))])
    found = parsed(data)
    assert found[-1] == {
        "type": "error",
        "error": {"type": "api_error", "message": "cut", "code": "truncated"},
        "request_id": META.id,
    }
    assert b"message_stop" not in data and b"message_delta" not in data


def test_annotations_are_top_level_members() -> None:
    meta = Meta("r", 0, "m", True, b'{"a":1}', lambda: b'{"b":2}')
    found = parsed(encode([START, TextDelta("x"), Stop("stop"), Finished()], meta=meta))
    assert found[0]["turnout"] == {"a": 1} and found[-2]["turnout"] == {"b": 2}


def test_empty_deltas_open_no_block() -> None:
    found = whole(TextDelta(""), ReasoningDelta("", 1), RefusalDelta(""), Stop("stop"))
    assert [event["type"] for event in found] == ["message_start", "message_delta", "message_stop"]


def test_transcripts_and_refusals_are_text() -> None:
    found = whole(AudioDelta("UklG", "spoken"), RefusalDelta("I cannot"), Stop("stop"))
    assert [e["delta"]["text"] for e in found if e["type"] == "content_block_delta"] == ["spoken", "I cannot"]


def test_free_text_input_of_a_custom_tool_is_an_object() -> None:
    found = whole(
        ToolStart(0, "a", "sh", custom=True), ToolDelta(0, 'echo "h'), ToolDelta(0, 'i"\n'), Stop("tool_use")
    )
    text = "".join(e["delta"]["partial_json"] for e in found if e["type"] == "content_block_delta")
    assert json.loads(text) == {"input": 'echo "hi"\n'}


def test_foreign_opaque_blocks_are_left_out_and_own_ones_kept() -> None:
    own = json_text({"type": "web_search_tool_result", "tool_use_id": "s", "content": []})
    found = whole(
        OpaqueBlock("openai_chat", "logprobs", json_text({})),
        OpaqueBlock("anthropic", "x", own),
        Stop("stop"),
    )
    blocks = [e["content_block"] for e in found if e["type"] == "content_block_start"]
    assert blocks == [json.loads(bytes(own))]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", {}),
        ('{"a":1}', {"a": 1}),
        ('{"a":', {"_raw_arguments": '{"a":'}),
        ("[1]", {"_raw_arguments": "[1]"}),
        ("nonsense", {"_raw_arguments": "nonsense"}),
    ],
)
def test_tool_input_is_always_an_object_and_nothing_is_lost(arguments: str, expected: object) -> None:
    answer = fold([START, ToolStart(0, "a", "f"), ToolDelta(0, arguments), Stop("tool_use"), Finished()])
    body = CODEC.encode_answer(answer, META)
    assert json.loads(body)["content"][0]["input"] == expected
    [tool] = fold(CODEC.decode_answer(body)).choices[0].blocks
    assert isinstance(tool, FoldedTool) and tool.arguments == (arguments or "{}")


def test_arguments_keep_their_exact_text() -> None:
    text = '{"b" : 1.0, "a":"\\u00e9", "n":12345678901234567890}'
    answer = fold([START, ToolStart(0, "a", "f"), ToolDelta(0, text), Finished()])
    assert text.encode() in CODEC.encode_answer(answer, META)


events_strategy = st.lists(
    st.one_of(
        st.builds(TextDelta, st.text(max_size=5), st.integers(0, 2)),
        st.builds(ReasoningDelta, st.text(max_size=5), st.integers(3, 4)),
        st.builds(ReasoningSignature, st.sampled_from(["c2ln"]), st.just("anthropic"), st.integers(3, 4)),
        st.builds(ReasoningRedacted, st.just("ZA"), st.just("anthropic"), st.integers(5, 6)),
        st.builds(ToolStart, st.integers(7, 9), st.sampled_from(["a", "b"]), st.just("f")),
        st.builds(ToolDelta, st.integers(7, 9), st.sampled_from(["{", "}", '"k":1', "{}", ""])),
        st.builds(RefusalDelta, st.text(max_size=3)),
        st.builds(Usage, st.integers(0, 9)),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(events_strategy)
def test_whatever_the_order_the_sequence_is_strict_and_the_text_complete(events: list[Event]) -> None:
    found = whole(*events)
    texts = [e["delta"]["text"] for e in found if e.get("delta", {}).get("type") == "text_delta"]
    sent = [e.text for e in events if isinstance(e, TextDelta | RefusalDelta)]
    assert sorted("".join(texts)) == sorted("".join(sent))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.builds(FoldedText, st.text(min_size=1, max_size=20)),
            st.builds(FoldedReasoning, st.text(max_size=9), st.just("c2ln"), st.none(), st.just("anthropic")),
            st.builds(FoldedReasoning, st.just(""), st.none(), st.just("ZA"), st.just("gemini")),
            st.builds(FoldedTool, st.just("t1"), st.just("f"), st.sampled_from(["{}", '{"a": 1}', '{"a'])),
        ),
        max_size=5,
    ),
    st.builds(Usage, st.integers(0, 99), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
)
def test_an_answer_survives_being_encoded_and_decoded(blocks: list[Any], usage: Usage) -> None:
    stop = Stop("stop_sequence", "stop_sequence", "END")
    answer = Answer(Started("msg_1", "m"), (Choice(tuple(blocks), stop),), usage, None)
    assert fold(CODEC.decode_answer(CODEC.encode_answer(answer, META))) == answer
    if not any(isinstance(block, FoldedTool) and block.arguments == '{"a' for block in blocks):
        assert fold(decode(encode(unfold(answer)))) == answer
