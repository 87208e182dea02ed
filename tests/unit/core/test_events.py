"""The event grammar and the fold: what a reply is, streamed or not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    AudioDelta,
    Automaton,
    Event,
    Failed,
    Finished,
    FoldedReasoning,
    FoldedRefusal,
    FoldedText,
    FoldedTool,
    GrammarError,
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

FAILURE = Failure(Kind.TRUNCATED, "cut")
MIDDLE: list[Event] = [
    TextDelta("x"),
    RefusalDelta("no"),
    ReasoningDelta("hm"),
    ReasoningSignature("s", "anthropic"),
    ToolStart(0, "id", "f"),
    ToolDelta(0, "{}"),
    AudioDelta("AA=="),
    OpaqueBlock("anthropic", "x", Raw(b"{}")),
    Usage(input=1),
    Stop("stop"),
]


@given(st.lists(st.sampled_from(MIDDLE), max_size=20), st.sampled_from([Finished(), Failed(FAILURE)]))
def test_every_well_formed_sequence_is_accepted(middle: list[Event], last: Event) -> None:
    automaton = Automaton()
    for event in [Started(), *middle, last]:
        assert not automaton.ended
        automaton.accept(event)
    assert automaton.ended


@pytest.mark.parametrize("event", [*MIDDLE, Finished(), Failed(FAILURE), Started()])
def test_nothing_follows_the_terminal_event(event: Event) -> None:
    automaton = Automaton()
    automaton.accept(Started())
    automaton.accept(Finished())
    with pytest.raises(GrammarError):
        automaton.accept(event)


@pytest.mark.parametrize("event", [*MIDDLE, Finished()])
def test_nothing_but_a_failure_comes_before_the_start(event: Event) -> None:
    with pytest.raises(GrammarError):
        Automaton().accept(event)
    Automaton().accept(Failed(FAILURE))


def test_fold_keeps_blocks_apart_and_in_order() -> None:
    answer = fold(
        [
            Started("id", "m", 5),
            ReasoningDelta("think", 0),
            ReasoningDelta("ing", 0),
            ReasoningSignature("sig", "anthropic", 0),
            TextDelta("a", 1),
            ToolStart(2, "t1", "f"),
            ToolStart(3, "t2", "g"),
            ToolDelta(3, '{"b":'),
            ToolDelta(2, '{"a":1}'),
            ToolDelta(3, "2}"),
            TextDelta("b", 4),
            TextDelta("other", 0, 1),
            RefusalDelta("no", 1),
            Stop("tool_use", "tool_calls"),
            Stop("stop", "stop", choice=1),
            Usage(input=1),
            Usage(input=10, output=3),
            Finished(),
        ]
    )
    assert answer.started == Started("id", "m", 5)
    assert answer.choices[0].blocks == (
        FoldedReasoning("thinking", "sig", None, "anthropic"),
        FoldedText("a"),
        FoldedTool("t1", "f", '{"a":1}'),
        FoldedTool("t2", "g", '{"b":2}'),
        FoldedText("b"),
    )
    assert answer.choices[1].blocks == (FoldedText("other"), FoldedRefusal("no"))
    assert [choice.stop and choice.stop.reason for choice in answer.choices] == ["tool_use", "stop"]
    assert answer.usage == Usage(input=10, output=3)
    assert answer.failure is None


def test_a_failed_reply_folds_to_what_there_was() -> None:
    answer = fold([Started(), TextDelta("half"), Failed(FAILURE)])
    assert answer.failure == FAILURE
    assert answer.choices[0].blocks == (FoldedText("half"),)


PIECES: st.SearchStrategy[list[FoldedText | FoldedTool | FoldedReasoning]] = st.lists(
    st.sampled_from(
        [
            FoldedText("text"),
            FoldedTool("id1", "f", '{"a": 1}'),
            FoldedTool("id2", "g", "", custom=True),
            FoldedReasoning("why", "sig", None, "anthropic"),
            FoldedReasoning("", None, "data", "anthropic"),
        ]
    ),
    max_size=6,
)


@given(PIECES)
def test_unfold_then_fold_is_the_same_answer(blocks: list[FoldedText | FoldedTool | FoldedReasoning]) -> None:
    events: list[Event] = [Started("i", "m")]
    for index, block in enumerate(blocks):
        match block:
            case FoldedText(text):
                events.append(TextDelta(text, index))
            case FoldedTool(call_id, name, arguments, custom):
                events += [ToolStart(index, call_id, name, custom=custom), ToolDelta(index, arguments)]
            case FoldedReasoning(text, signature, redacted, origin):
                events += [ReasoningDelta(text, index)] if redacted is None else []
                events += [ReasoningRedacted(redacted, origin or "", index)] if redacted else []
                events += [ReasoningSignature(signature, origin or "", index)] if signature else []
    answer = fold([*events, Stop("stop"), Usage(input=3), Finished()])
    assert fold(unfold(answer)) == answer
