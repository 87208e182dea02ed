"""Requests of this dialect, read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.core.errors import CallFailed, Kind
from turnout.core.model import (
    Audio,
    CacheControl,
    Document,
    Extra,
    FileId,
    Image,
    Inline,
    Message,
    Opaque,
    OpaqueTool,
    Part,
    Reasoning,
    ReasoningControl,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
)
from turnout.wire.anthropic import CODEC as ANTHROPIC
from turnout.wire.body import json_text
from turnout.wire.codec import Target
from turnout.wire.openai_chat import CODEC as OPENAI_CHAT
from turnout.wire.openai_responses import CODEC
from turnout.wire.openai_responses.marks import seal, seal_call, seal_redacted

SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}}


def decode(told: Any = "Hi", **members: Any) -> Request:
    return CODEC.decode_request(json.dumps({"model": "m", "input": told, **members}).encode())


def parts(*content: dict[str, Any]) -> tuple[Part, ...]:
    (message,) = decode([{"role": "user", "content": list(content)}]).messages
    return message.content


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def test_text_and_instructions() -> None:
    request = decode("Hi", instructions="Be brief", stream=True)
    assert request.messages == (Message("system", (Text("Be brief"),)), user("Hi"))
    assert request.stream and request.model == "m" and request.dialect == "openai_responses"


def test_items_of_a_turn_are_one_turn() -> None:
    request = decode(
        [
            {"role": "developer", "content": "Rules"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
                "encrypted_content": "gAAA",
            },
            {
                "type": "message",
                "role": "assistant",
                "id": "msg_1",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Look", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1.0}', "id": "fc_1"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "free text"},
            {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
            {
                "type": "custom_tool_call_output",
                "call_id": "c2",
                "output": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}],
            },
            {"role": "user", "content": "And?"},
        ]
    )
    assert request.messages == (
        Message("developer", (Text("Rules"),)),
        user("Weather?"),
        Message(
            "assistant",
            (
                Reasoning("a\n\nb", "rs_1:gAAA", None, "openai_responses"),
                Text("Look"),
                ToolCall("c1", "f", '{"a": 1.0}'),
                ToolCall("c2", "g", "free text", custom=True),
            ),
        ),
        Message(
            "user",
            (ToolResult("c1", (Text("sunny"),)), ToolResult("c2", (Image(Inline("image/png", "AAAA")),))),
        ),
        user("And?"),
    )


def test_two_messages_in_a_row_stay_two() -> None:
    request = decode([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}])
    assert request.messages == (Message("assistant", (Text("a"),)), Message("assistant", (Text("b"),)))


def test_parts() -> None:
    assert parts(
        {"type": "input_text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "high"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"},
        {"type": "input_file", "file_url": "https://x/y.pdf"},
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
        {"type": "refusal", "refusal": "no"},
    ) == (
        Text("t", CacheControl()),
        Image(Url("https://x/y.png"), "high"),
        Image(FileId("file-1")),
        Document(Inline("application/pdf", "JVBE"), "a.pdf"),
        Document(Url("https://x/y.pdf")),
        Audio(Inline("audio/wav", "UklG"), "wav"),
        Refusal("no"),
    )


def test_items_of_this_dialect_alone_are_kept_where_they_stood() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "x"}}
    output = {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}}
    request = decode(
        [search, {"role": "assistant", "content": "x"}, output, {"type": "item_reference", "id": "i"}]
    )
    assert [(m.role, [type(p) for p in m.content]) for m in request.messages] == [
        ("assistant", [Opaque, Text]),
        ("user", [Opaque]),
        ("assistant", [Opaque]),
    ]
    kept = request.messages[0].content[0]
    assert (
        isinstance(kept, Opaque) and kept.kind == "web_search_call" and json.loads(bytes(kept.raw)) == search
    )


def test_reasoning_of_others_finds_its_way_back() -> None:
    def item(encrypted: str, text: str = "") -> dict[str, Any]:
        summary = [{"type": "summary_text", "text": text}] if text else []
        return {"type": "reasoning", "id": "rs_turnout_x", "summary": summary, "encrypted_content": encrypted}

    (turn,) = decode(
        [
            item(seal("c2ln", "anthropic"), "hm"),
            item(seal_redacted("ZA", "anthropic")),
            item(seal(None, None), "unsigned"),
            item(seal_call("proof:1", "gemini", "call:1")),
            {"type": "function_call", "call_id": "call:1", "name": "f", "arguments": "{}"},
        ]
    ).messages
    assert turn.content == (
        Reasoning("hm", "c2ln", None, "anthropic"),
        Reasoning("", None, "ZA", "anthropic"),
        Reasoning("unsigned"),
        ToolCall("call:1", "f", "{}", None, "proof:1", False, "gemini"),
    )


def test_reasoning_content_counts_once() -> None:
    content = [{"type": "reasoning_text", "text": "raw"}]
    (turn,) = decode([{"type": "reasoning", "summary": [], "content": content}]).messages
    assert turn.content == (Reasoning("raw"),)
    both = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "raw"}], "content": content}
    (turn,) = decode([both]).messages
    assert turn.content == (Reasoning("raw"),)


def test_tools_and_choices() -> None:
    function = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
    search = {"type": "web_search", "search_context_size": "low"}
    request = decode(tools=[function, search], tool_choice={"type": "function", "name": "f"})
    tool, opaque = request.tools
    assert isinstance(tool, Tool) and (tool.name, tool.description, tool.strict) == ("f", "d", True)
    assert tool.schema is not None and bytes(tool.schema) == json.dumps(SCHEMA).encode()
    assert isinstance(opaque, OpaqueTool) and (opaque.dialect, opaque.kind) == (
        "openai_responses",
        "web_search",
    )
    assert request.tool_choice == ToolChoice("named", "f")
    for word in ("auto", "none", "required"):
        assert decode(tools=[function], tool_choice=word).tool_choice == ToolChoice(word)
    hosted = decode(tools=[search], tool_choice={"type": "web_search"})
    assert hosted.tool_choice is None and [extra.name for extra in hosted.extras] == ["tool_choice"]


def test_allowed_tools_are_the_only_ones() -> None:
    tools = [{"type": "function", "name": name} for name in ("f", "g")] + [{"type": "web_search"}]
    allowed = [{"type": "function", "name": "g"}, {"type": "web_search"}]
    choice = {"type": "allowed_tools", "mode": "required", "tools": allowed}
    request = decode(tools=tools, tool_choice=choice)
    assert request.tool_choice == ToolChoice("required")
    assert [tool.name if isinstance(tool, Tool) else tool.kind for tool in request.tools] == [
        "g",
        "web_search",
    ]


def test_parameters() -> None:
    request = decode(
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        top_logprobs=2,
        include=["message.output_text.logprobs", "reasoning.encrypted_content"],
        parallel_tool_calls=False,
        safety_identifier="u1",
        service_tier="flex",
        prompt_cache_key="k",
        reasoning={"effort": "high", "summary": "auto"},
        text={
            "format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True},
            "verbosity": "low",
        },
        store=False,
        stream_options={"include_obfuscation": False},
    )
    params = request.params
    assert (params.max_tokens, params.temperature, params.top_p, params.top_logprobs) == (50, 0.5, 0.9, 2)
    assert (params.logprobs, params.parallel_tool_calls, params.user) == (True, False, "u1")
    assert (params.service_tier, params.prompt_cache_key, params.verbosity) == ("flex", "k", "low")
    assert request.reasoning == ReasoningControl(None, "high", None, "summarized")
    wanted = request.response_format
    assert wanted is not None and (wanted.kind, wanted.name, wanted.strict) == ("json_schema", "n", True)
    assert wanted.schema is not None and json.loads(bytes(wanted.schema)) == SCHEMA
    assert request.extras == ()


def test_what_only_this_dialect_knows_is_an_extra() -> None:
    request = decode(
        previous_response_id="resp_1",
        metadata={"a": "b"},
        truncation="auto",
        include=["file_search_call.results"],
    )
    assert {extra.name: json.loads(bytes(extra.raw)) for extra in request.extras} == {
        "previous_response_id": "resp_1",
        "metadata": {"a": "b"},
        "truncation": "auto",
        "include": ["file_search_call.results"],
    }
    assert Extra("turnout", json_text({})) not in decode(turnout={}).extras


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0]"),
        ({"input": [{"content": "x"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
        ({"input": 5}, "input"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": {"name": "f"}}, "tool_choice"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
    ],
)
def test_what_cannot_be_read_is_named(members: dict[str, Any], param: str) -> None:
    with pytest.raises(CallFailed) as caught:
        CODEC.decode_request(json.dumps({"model": "m", "input": "Hi", **members}).encode())
    assert caught.value.failure.kind is Kind.BAD_REQUEST and caught.value.failure.param == param


def test_free_text_tools_go_to_both_of_openai_s_dialects() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
    custom = {"type": "custom", "name": "g", "description": "d", "format": grammar}
    request = decode(tools=[custom, {"type": "custom", "name": "h"}])
    chat = json.loads(OPENAI_CHAT.encode_request(request, Target("m")).body)["tools"]
    inner = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}}
    assert chat == [
        {"type": "custom", "custom": {"name": "g", "description": "d", "format": inner}},
        {"type": "custom", "custom": {"name": "h"}},
    ]
    again = json.loads(CODEC.encode_request(request, Target("m")).body)["tools"]
    assert again == [custom, {"type": "custom", "name": "h"}]
    only = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "h"}]}
    assert len(decode(tools=[custom, {"type": "custom", "name": "h"}], tool_choice=only).tools) == 1


ITEM_SHAPES: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
    {"role": "assistant", "content": [{"type": "input_file", "file_data": "x", "filename": "y"}]},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": "x"}]},
    {"type": "reasoning", "id": "rs", "summary": [{"text": "x"}], "encrypted_content": "turnout-call:a:b:c"},
    {"type": "item_reference", "id": "x"},
]
BODY_SHAPE: dict[str, Any] = {
    "tools": [{"type": "custom", "name": "g", "format": {"type": "text"}}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "g"}]},
    "text": {"format": {"type": "json_object"}},
    "reasoning": {"effort": "low"},
    "include": ["x"],
    "instructions": "x",
    "safety_identifier": "a",
    "user": "b",
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", "custom", "function", "user"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "name", "custom", "format", "tools"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_request_is_read_or_refused(data: st.DataObject) -> None:
    items = []
    for shape in data.draw(st.lists(st.sampled_from(ITEM_SHAPES), max_size=4)):
        item = dict(shape)
        item[data.draw(st.sampled_from(sorted(item)))] = data.draw(VALUES)
        items.append(item)
    body: dict[str, Any] = {"model": "m", "input": items, **BODY_SHAPE}
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(VALUES)
    raw = json.dumps(body).encode()
    try:
        request = CODEC.decode_request(raw)
    except CallFailed as refused:
        assert refused.failure.kind is Kind.BAD_REQUEST
        return
    again = CODEC.decode_request(CODEC.encode_request(request, Target(request.model)).body)
    assert again.params == request.params and len(again.tools) == len(request.tools)
    for codec in (OPENAI_CHAT, ANTHROPIC):
        assert codec.encode_request(request, Target("other")).body
