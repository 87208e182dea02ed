"""Laws of a conversation: whatever a caller sent, every target gets what it takes, and the caller gets his own names back."""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from turnout.core.events import Event, Finished, FoldedTool, Frame, Started, Stop, ToolDelta, ToolStart, fold
from turnout.core.model import (
    CacheControl,
    DialectName,
    Document,
    Image,
    Inline,
    Message,
    OpaqueTool,
    Params,
    Part,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
)
from turnout.wire.codec import Target
from turnout.wire.fitting import FORMS, NO_RESULT, fit, form_of, short
from turnout.wire.free_text import TextReader
from turnout.wire.losses import FITTED
from turnout.wire.registry import PROVIDERS
from turnout.wire.tool_forms import Called, Returning, ReturningDecoder

TARGETS: tuple[DialectName, ...] = get_args(DialectName)
NAMES = ["f", "mcp__" + "a" * 70, "mcp__" + "a" * 69 + "b", "naïve tool", "9lives", "a.b/c", "x" * 64]
IDS = ["call_1", "call_2", "toolu_" + "z" * 60, "id with spaces"]
TEXTS = ["Hello", "", " \n", "Paris"]

_text = st.builds(
    Text, st.sampled_from(TEXTS), st.sampled_from([None, None, CacheControl("5m"), CacheControl("1h")])
)
_call = st.builds(
    ToolCall,
    st.sampled_from(IDS),
    st.sampled_from(NAMES),
    st.sampled_from(["{}", '{"a":1', "", "[1]", '{"a": 1}']),
)
_result = st.builds(ToolResult, st.sampled_from(IDS), st.lists(_text, max_size=2).map(tuple))
_thought = st.builds(Reasoning, st.sampled_from(["", "hm"]))
_part: st.SearchStrategy[Part] = st.one_of(_text, _call, _result, _thought)
_message = st.one_of(
    st.builds(Message, st.sampled_from(["system", "developer"]), st.lists(_text, max_size=2).map(tuple)),
    st.builds(Message, st.just("user"), st.lists(st.one_of(_text, _result), max_size=3).map(tuple)),
    st.builds(
        Message, st.just("assistant"), st.lists(st.one_of(_text, _call, _thought), max_size=3).map(tuple)
    ),
)


_requests = st.builds(
    lambda messages, tools, user: Request(
        "openai_responses",
        "m",
        (*messages, Message("user", (Text("Go on."),))),
        tuple(Tool(name, schema=Raw(b'{"type":"object"}')) for name in dict.fromkeys(tools)),
        params=Params(user=user),
    ),
    st.lists(_message, max_size=8),
    st.lists(st.sampled_from(NAMES), max_size=4),
    st.sampled_from([None, "u", "u" * 123]),
)


@pytest.mark.parametrize("dialect", TARGETS)
@settings(max_examples=150, deadline=None)
@given(request=_requests)
def test_every_target_gets_a_lawful_conversation(dialect: DialectName, request: Request) -> None:
    target = Target("m")
    form = form_of(dialect, target)
    fitted = fit(request, dialect, target)
    assert set(fitted.dropped) <= FITTED.keys(), "a loss that docs/dialects.md does not name"
    messages = fitted.request.messages
    _results_follow(messages)
    for number, message in enumerate(messages):
        assert message.content, "a message that says nothing"
        if form.one_system:
            assert message.role not in ("system", "developer") or number == 0
        for part in message.content:
            assert not (isinstance(part, Text) and not part.text.strip()) or (
                form.blank and len(message.content) == 1
            )
            if isinstance(part, ToolCall):
                assert form.call_id_max is None or len(part.id) <= form.call_id_max
                assert not part.arguments.strip() or isinstance(json.loads(part.arguments), dict)
    names = [tool.name for tool in fitted.request.tools if isinstance(tool, Tool)]
    names += [part.name for message in messages for part in message.content if isinstance(part, ToolCall)]
    if form.name_max is not None:
        assert all(len(name) <= form.name_max and re.fullmatch(form.name, name) for name in names)
    offered = [tool.name for tool in request.tools if isinstance(tool, Tool)]
    told = [tool.name for tool in fitted.request.tools if isinstance(tool, Tool)]
    assert [fitted.calls.get(name, Called(name)).name for name in told] == offered
    assert len(set(told)) == len(told)
    if form.marks is not None:
        assert _marks(fitted.request) <= form.marks
    user = fitted.request.params.user
    assert user is None or form.user_max is None or len(user) <= form.user_max
    assert fit(fitted.request, dialect, target).request == fitted.request, "what fits is not fitted again"
    PROVIDERS[dialect].encode_request(fitted.request, target)


@pytest.mark.parametrize("dialect", TARGETS)
def test_ids_that_are_counted_anew_in_every_turn_keep_their_results(dialect: DialectName) -> None:
    turns: list[Message] = []
    for turn in range(3):
        turns += [
            Message("user", (Text(f"ask {turn}"),)),
            Message(
                "assistant", tuple(ToolCall("call_0", f"f{n}", f'{{"n":"{turn}{n}"}}') for n in range(2))
            ),
            Message("user", tuple(ToolResult("call_0", (Text(f"r{turn}{n}"),)) for n in range(2))),
        ]
    fitted = fit(Request("openai_chat", "m", tuple(turns)), dialect, Target("m"))
    _results_follow(fitted.request.messages)
    parts = [part for message in fitted.request.messages for part in message.content]
    calls = {part.id: part.arguments for part in parts if isinstance(part, ToolCall)}
    results = {part.call_id: part.content for part in parts if isinstance(part, ToolResult)}
    assert len(calls) == 6 and fitted.dropped == ()
    for call_id, arguments in calls.items():
        assert results[call_id] == (Text("r" + json.loads(arguments)["n"]),)


@settings(max_examples=200, deadline=None)
@given(st.lists(_message, max_size=8), st.sampled_from(TARGETS))
def test_nothing_that_was_said_or_shown_is_lost(messages: list[Message], dialect: DialectName) -> None:
    """Every text and picture gets a mark of its own first, wherever it stands; blank ones say nothing."""
    count = iter(range(1000))

    def unlike(part: Part) -> Part:
        if isinstance(part, Text):
            return Text(f"<{next(count)}>") if part.text.strip() else part
        if isinstance(part, ToolCall):
            return ToolCall(part.id, part.name, json.dumps({"a": f"<{next(count)}>"}))
        if isinstance(part, ToolResult):
            shown = Image(Inline("image/png", f"<{next(count)}>"))
            return ToolResult(part.call_id, (*[unlike(one) for one in part.content], shown))
        return part

    marked = tuple(Message(m.role, tuple(unlike(part) for part in m.content)) for m in messages)
    fitted = fit(Request("anthropic", "m", marked), dialect, Target("m"))
    found = re.findall(r"<(\d+)>", repr(fitted.request.messages))
    assert sorted(map(int, found)) == list(range(next(count)))


def _results_follow(messages: tuple[Message, ...]) -> None:
    for number, message in enumerate(messages):
        calls = [part.id for part in message.content if isinstance(part, ToolCall)]
        assert len(set(calls)) == len(calls)
        after = messages[number + 1].content if number + 1 < len(messages) else ()
        results = [part.call_id for part in after if isinstance(part, ToolResult)]
        if calls:
            assert message.role == "assistant"
            assert results == calls
            assert all(isinstance(part, ToolResult) for part in after[: len(calls)]), "results come first"
        elif message.role == "assistant":
            assert not results


def _marks(request: Request) -> int:
    parts = [part for message in request.messages for part in message.content]
    marked = [*request.tools, *parts]
    return sum(getattr(one, "cache", None) is not None for one in marked)


def test_what_stands_between_calls_and_results_comes_after_them() -> None:
    calls = (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))
    messages = (
        Message("user", (Text("Hi"),)),
        Message("assistant", (calls[0],)),
        Message("assistant", (calls[1],)),
        Message("developer", (Text("Be brief."),)),
        Message("user", (ToolResult("b", (Text("2"),)),)),
        Message("user", (ToolResult("a", (Text("1"),)),)),
    )
    fitted = fit(Request("openai_responses", "m", messages), "openai_chat", Target("m"))
    assert [(m.role, [type(p).__name__ for p in m.content]) for m in fitted.request.messages] == [
        ("user", ["Text"]),
        ("assistant", ["ToolCall", "ToolCall"]),
        ("user", ["ToolResult", "ToolResult", "Text"]),
    ]
    assert [p.call_id for p in fitted.request.messages[2].content if isinstance(p, ToolResult)] == ["a", "b"]
    assert fitted.dropped == ("messages.system_position",)


def test_an_unanswered_call_is_closed_and_an_answer_to_nothing_is_text() -> None:
    messages = (
        Message("assistant", (ToolCall("a", "f", "{}"),)),
        Message("user", (ToolResult("zzz", (Text("42"),)), Text("and now?"))),
    )
    fitted = fit(Request("anthropic", "m", messages), "openai_chat", Target("m"))
    result, orphan, text = fitted.request.messages[1].content
    assert isinstance(result, ToolResult) and result.content == (Text(NO_RESULT),) and result.is_error
    assert isinstance(orphan, Text) and "42" in orphan.text and "zzz" in orphan.text
    assert text == Text("and now?")
    assert set(fitted.dropped) == {"tool_calls.unanswered", "tool_results.orphaned"}


def test_system_messages_are_one_where_one_is_taken_and_stay_where_all_are() -> None:
    messages = (
        Message("system", (Text("A"),)),
        Message("developer", (Text("B"),)),
        Message("user", (Text("Hi"),)),
        Message("system", (Text("C"),)),
        Message("assistant", (Text("Hello"),)),
        Message("system", (Text("D"),)),
        Message("user", (Text("Bye"),)),
    )
    request = Request("openai_responses", "m", messages)
    for dialect in ("mistral", "ollama", "openai_chat"):
        fitted = fit(request, dialect, Target("m")).request.messages
        assert [(m.role, m.content) for m in fitted] == [
            ("system", (Text("A\n\nB"),)),
            ("user", (Text("Hi\n\nC"),)),
            ("assistant", (Text("Hello"),)),
            ("user", (Text("D\n\nBye"),)),
        ]
    own = fit(request, "openai_chat", Target("m", quirks=frozenset({"developer_role"})))
    assert own.request.messages == messages


def test_names_come_back_in_streams_and_two_long_names_stay_two() -> None:
    long = [name for name in NAMES if len(name) > 64]
    request = Request(
        "anthropic",
        "m",
        (Message("user", (Text("Hi"),)),),
        tuple(Tool(name) for name in long),
        ToolChoice("named", long[1]),
    )
    fitted = fit(request, "openai_chat", Target("m"))
    told = [tool.name for tool in fitted.request.tools if isinstance(tool, Tool)]
    assert len(set(told)) == 2 and all(len(name) <= 64 for name in told)
    assert fitted.request.tool_choice == ToolChoice("named", told[1])
    events = (Started(), ToolStart(0, "c", told[0]), ToolDelta(0, "{}"), Finished())
    assert [e.name for e in Returning(fitted.calls).returned(events) if isinstance(e, ToolStart)] == [long[0]]

    class Decoder:
        def feed(self, data: bytes) -> list[Frame]:
            return [Frame(data, events)]

        def eof(self, failure: object) -> list[Frame]:
            return []

    frame, *_ = ReturningDecoder(Decoder(), fitted.calls).feed(b"raw")
    assert frame.raw == b"raw" and isinstance(frame.events[1], ToolStart) and frame.events[1].name == long[0]
    assert fit(request, "openai_chat", Target("m")).calls == fitted.calls  # the same in every request


def test_a_document_in_the_place_of_an_image_is_a_document() -> None:
    for source in (Url("data:application/pdf;base64,JVBERi0="), Inline("application/pdf", "JVBERi0=")):
        content = (Image(source), Text("What is this?"))
        (message,) = fit(
            Request("openai_chat", "m", (Message("user", content),)), "anthropic", Target("m")
        ).request.messages
        assert message.content[0] == Document(Inline("application/pdf", "JVBERi0="))


def test_marks_are_the_last_four_and_no_longer_life_follows_a_shorter() -> None:
    parts = tuple(Text(f"{n}", CacheControl("1h" if n == 5 else "5m")) for n in range(6))
    fitted = fit(Request("openai_chat", "m", (Message("user", parts),)), "anthropic", Target("m"))
    (message,) = fitted.request.messages
    assert [part.cache for part in message.content if isinstance(part, Text)] == [
        None,
        None,
        *[CacheControl("5m")] * 4,
    ]
    assert "cache_control.marks" in fitted.dropped


@given(st.text(max_size=200), st.integers(40, 64))
def test_short_forms_fit_and_stay_apart(text: str, longest: int) -> None:
    found = short(text, longest)
    assert len(found) <= longest
    assert (found == text) == (len(text) <= longest)
    assert short(text + "x", longest) != found


def test_a_plain_request_is_not_touched() -> None:
    request = Request("anthropic", "m", (Message("system", (Text("S"),)), Message("user", (Text("Hi"),))))
    for dialect in FORMS:
        assert fit(request, dialect, Target("m")).request is request


PATCH = '*** Begin "Patch"\n\ta\\b é 😀\n*** End'
CUSTOM = OpaqueTool(
    "openai_chat",
    "custom",
    Raw(
        json.dumps(
            {
                "type": "custom",
                "custom": {
                    "name": "apply_patch",
                    "description": "Edits.",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}},
                },
            }
        ).encode()
    ),
)
GROUP = OpaqueTool(
    "openai_responses",
    "namespace",
    Raw(
        json.dumps(
            {
                "type": "namespace",
                "name": "crm",
                "description": "d",
                "tools": [
                    {"type": "function", "name": "find", "parameters": {"type": "object"}},
                    {"type": "custom", "name": "note"},
                ],
            }
        ).encode()
    ),
)


@pytest.mark.parametrize("dialect", [one for one in TARGETS if one != "openai_responses"])
def test_free_text_and_groups_are_functions_there_and_themselves_again_here(dialect: DialectName) -> None:
    history = (
        Message("user", (Text("Hi"),)),
        Message(
            "assistant",
            (ToolCall("a", "apply_patch", PATCH, custom=True), ToolCall("b", "find", "{}", namespace="crm")),
        ),
        Message("user", (ToolResult("a", (Text("ok"),)), ToolResult("b", (Text("ok"),)))),
    )
    fitted = fit(Request("openai_responses", "m", history, (CUSTOM, GROUP)), dialect, Target("m"))
    patch, find, note = fitted.request.tools
    assert isinstance(patch, Tool) and isinstance(find, Tool) and isinstance(note, Tool)
    assert [tool.name for tool in (patch, find, note)] == ["apply_patch", "crm__find", "crm__note"]
    assert "start: x" in (patch.description or "")
    called = [
        part for message in fitted.request.messages for part in message.content if isinstance(part, ToolCall)
    ]
    assert json.loads(called[0].arguments) == {"input": PATCH} and not called[0].custom
    assert (called[1].name, called[1].namespace) == ("crm__find", None)
    assert fitted.dropped == ()
    body = PROVIDERS[dialect].encode_request(fitted.request, Target("m")).body
    assert b"apply_patch" in body and b"crm__find" in body

    text = json.dumps({"input": PATCH})
    events: list[Event] = [
        Started(),
        ToolStart(0, "c", "apply_patch"),
        ToolStart(1, "d", "crm__find"),
        ToolDelta(1, "{}"),
    ]
    events += [ToolDelta(0, text[n : n + 3]) for n in range(0, len(text), 3)]
    events += [Stop("tool_use", "tool_calls"), Finished()]
    (choice,) = fold(Returning(fitted.calls).returned(events)).choices
    assert choice.blocks == (
        FoldedTool("c", "apply_patch", PATCH, custom=True),
        FoldedTool("d", "find", "{}", namespace="crm"),
    )


@given(st.text(max_size=40), st.integers(1, 7), st.booleans())
def test_the_text_comes_out_however_its_json_is_cut(text: str, size: int, ascii: bool) -> None:
    data = json.dumps({"input": text}, ensure_ascii=ascii)
    reader = TextReader()
    out = "".join(reader.feed(data[n : n + size]) for n in range(0, len(data), size)) + reader.end()
    assert out == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"patch": "x\\ny"}', "x\ny"),
        ("plain", "plain"),
        ('{"a": 1, "input": "z"}', "z"),
        ('{"a": "1", "b": "2"}', '{"a": "1", "b": "2"}'),
        ("", ""),
    ],
)
def test_arguments_of_another_form_lose_nothing(arguments: str, text: str) -> None:
    reader = TextReader()
    assert "".join([*map(reader.feed, arguments), reader.end()]) == text


def test_who_takes_free_text_gets_it_as_it_is() -> None:
    request = Request("openai_responses", "m", (Message("user", (Text("Hi"),)),), (CUSTOM,))
    own = fit(request, "openai_chat", Target("m", quirks=frozenset({"developer_role"})))
    assert own.request.tools == (CUSTOM,) and not own.calls


def _group(name: str, *tools: str, kind: str = "function") -> OpaqueTool:
    inner = [{"type": kind, "name": tool} for tool in tools]
    wire = {"type": "namespace", "name": name, "description": "d", "tools": inner}
    return OpaqueTool("openai_responses", "namespace", Raw(json.dumps(wire).encode()))


TWICE = (
    _group("a", "find", "b__find"),
    _group("a__b", "find"),
    _group("b", "find"),
    _group("c", "find", kind="custom"),
    _group("g" * 64, "n" * 128),
    _group("g" * 64, "n" * 127 + "m"),
    CUSTOM,
    Tool("a__find"),
    Tool("apply_patch"),
)
CALLED = [
    Called("find", "a"),
    Called("b__find", "a"),
    Called("find", "a__b"),
    Called("find", "b"),
    Called("find", "c", custom=True),
    Called("n" * 128, "g" * 64),
    Called("n" * 127 + "m", "g" * 64),
    Called("apply_patch", custom=True),
    Called("a__find"),
    Called("apply_patch"),
]


@pytest.mark.parametrize("dialect", [one for one in TARGETS if one != "openai_responses"])
@settings(max_examples=30, deadline=None)
@given(
    tools=st.permutations(TWICE), past=st.lists(st.sampled_from(CALLED), max_size=4), size=st.integers(1, 9)
)
def test_tools_of_one_name_stay_apart_there_and_are_themselves_here(
    dialect: DialectName, tools: list[Tool | OpaqueTool], past: list[Called], size: int
) -> None:
    calls = [
        ToolCall(f"c{n}", one.name, "x" if one.custom else "{}", custom=one.custom, namespace=one.namespace)
        for n, one in enumerate(past)
    ]
    history = (Message("user", (Text("Hi"),)), Message("assistant", (Text("-"), *calls)))
    fitted = fit(Request("openai_responses", "m", history, tuple(tools)), dialect, Target("m"))
    told = [tool.name for tool in fitted.request.tools if isinstance(tool, Tool)]
    assert len(told) == len(set(told)) == len(CALLED), "two tools are called the same"
    assert sorted(map(repr, (fitted.calls.get(name, Called(name)) for name in told))) == sorted(
        map(repr, CALLED)
    )
    parts = [part for message in fitted.request.messages for part in message.content]
    again = [fitted.calls.get(part.name, Called(part.name)) for part in parts if isinstance(part, ToolCall)]
    assert again == past, "what was called is told as what is offered"
    events: list[Event] = [Started()]
    for index, name in enumerate(told):  # all at once, their fragments in turns
        events.append(ToolStart(index, f"d{index}", name))
    texts = [json.dumps({"input": f"text {name}"}) for name in told]
    for at in range(0, max(map(len, texts)), size):
        events += [ToolDelta(index, text[at : at + size]) for index, text in enumerate(texts) if text[at:]]
    events += [Stop("tool_use", "tool_calls"), Finished()]
    (choice,) = fold(Returning(fitted.calls).returned(events)).choices
    for name, text, block in zip(told, texts, choice.blocks, strict=True):
        called = fitted.calls.get(name, Called(name))
        assert isinstance(block, FoldedTool)
        assert (block.name, block.namespace, block.custom) == (called.name, called.namespace, called.custom)
        assert block.arguments == (f"text {name}" if called.custom else text)


@pytest.mark.parametrize("dialect", [one for one in TARGETS if one != "openai_responses"])
def test_a_tool_that_must_be_called_is_named_as_it_is_offered(dialect: DialectName) -> None:
    for tools, wanted in (
        ((GROUP,), "find"),
        ((GROUP,), "note"),
        ((CUSTOM,), "apply_patch"),
        ((Tool("find"), GROUP), "find"),
    ):
        request = Request(
            "openai_responses", "m", (Message("user", (Text("Hi"),)),), tools, ToolChoice("named", wanted)
        )
        fitted = fit(request, dialect, Target("m")).request
        assert fitted.tool_choice is not None
        assert fitted.tool_choice.name in [tool.name for tool in fitted.tools if isinstance(tool, Tool)]
    assert fitted.tool_choice is not None and fitted.tool_choice.name == "find", "the one that is called so"
