"""Requests to Cohere, against expectations written after its API description."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.wire.requests import (
    ANY,
    CALLS,
    COMMON_LOSSES,
    NAMED,
    OTHER,
    PLAIN,
    PNG,
    RESULTS,
    SCHEMA,
    SCHEMA_VALUE,
    TOOL,
    body_of,
    chat,
    inline_text,
    limit_cases,
    params,
    said,
)
from turnout.core.model import (
    Document,
    Image,
    Inline,
    Message,
    Params,
    PlainText,
    Reasoning,
    ReasoningControl,
    Refusal,
    Request,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
)
from turnout.wire.codec import Target
from turnout.wire.cohere import CODEC
from turnout.wire.losses import losses_to

TOOL_WIRE = {
    "type": "function",
    "function": {"name": "weather", "description": "Looks it up", "parameters": SCHEMA_VALUE},
}
OTHER_WIRE = {"type": "function", "function": {"name": "attractions", "parameters": SCHEMA_VALUE}}


def test_a_conversation() -> None:
    request = chat(
        messages=(
            Message("system", (Text("Be brief."),)),
            Message("developer", (Text("a"), Text("b"))),
            Message("user", (Text("Hi"),)),
            Message("assistant", (Text("Hello."),)),
            Message("user", (Text("What is "), Text("this?"))),
        ),
        stream=True,
    )
    assert body_of(CODEC, request, Target("command-a-03-2025")) == {
        "model": "command-a-03-2025",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "this?"}],
            },
        ],
        "stream": True,
    }


def test_parallel_calls_and_their_results() -> None:
    body = body_of(CODEC, chat(messages=(CALLS, RESULTS), tools=(TOOL, OTHER)))
    assert body["messages"] == [
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "call-1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
                },
                {
                    "id": "call-2",
                    "type": "function",
                    "function": {"name": "attractions", "arguments": '{"city":"Rome"}'},
                },
            ],
            "tool_plan": "I will look.",
        },
        {"role": "tool", "content": "Colosseum", "tool_call_id": "call-2"},
        {"role": "tool", "content": "sunny", "tool_call_id": "call-1"},
        {"role": "user", "content": "And tomorrow?"},
    ]
    assert body["tools"] == [TOOL_WIRE, OTHER_WIRE]
    assert "tool_choice" not in body and "strict_tools" not in body


@pytest.mark.parametrize(
    ("choice", "word", "tools"),
    [
        (ToolChoice("auto"), None, [TOOL_WIRE, OTHER_WIRE]),
        (ToolChoice("none"), "NONE", [TOOL_WIRE, OTHER_WIRE]),
        (ToolChoice("required"), "REQUIRED", [TOOL_WIRE, OTHER_WIRE]),
        (NAMED, "REQUIRED", [TOOL_WIRE]),
    ],
)
def test_tool_choice(choice: ToolChoice, word: str | None, tools: list[Any]) -> None:
    body = body_of(CODEC, chat(tools=(TOOL, OTHER), tool_choice=choice))
    assert (body.get("tool_choice"), body["tools"]) == (word, tools)


def test_tools_that_are_all_strict() -> None:
    body = body_of(CODEC, chat(tools=(Tool("f", strict=True),)))
    assert body["strict_tools"] is True
    assert body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}


def test_images_and_documents() -> None:
    parts = (
        Text("Look:"),
        Image(Url("https://x/y.png"), "low"),
        Image(Inline("image/png", PNG)),
        Document(inline_text("A page."), "notes.txt"),
    )
    assert body_of(CODEC, chat(*parts))["messages"][0]["content"] == [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "text", "text": "notes.txt\n\nA page."},
    ]


def test_a_tools_documents_can_be_cited_and_its_images_follow() -> None:
    document = Document(PlainText("Ruby is by Matz."), "Facts")
    request = chat(ToolResult("c", (document, Image(Inline("image/png", PNG)))))
    encoded = CODEC.encode_request(request, ANY)
    assert encoded.dropped == ("tool_results.media",)
    tool, user = json.loads(encoded.body)["messages"]
    data = {"text": "Ruby is by Matz.", "title": "Facts"}
    assert tool == {
        "role": "tool",
        "content": [{"type": "document", "document": {"data": data}}],
        "tool_call_id": "c",
    }
    assert [block["type"] for block in user["content"]] == ["text", "image_url"]


def test_earlier_thinking_goes_back_as_content() -> None:
    messages = body_of(CODEC, said(Reasoning("Hm."), Text("8")))["messages"]
    assert messages[0]["content"] == [
        {"type": "thinking", "thinking": "Hm."},
        {"type": "text", "text": "8"},
    ]
    with_call = body_of(CODEC, said(Reasoning("Hm."), Text("I look."), ToolCall("a", "f", "")))
    assert with_call["messages"][0] == {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "Hm."}],
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        "tool_plan": "I look.",
    }


def test_what_is_empty_stays_a_message() -> None:
    request = chat(
        messages=(Message("user", ()), Message("assistant", (Refusal("No."),)), Message("user", ()))
    )
    assert [turn["content"] for turn in body_of(CODEC, request)["messages"]] == ["", "No.", ""]


def test_json_output() -> None:
    plain = body_of(CODEC, chat(response_format=ResponseFormat("json_object")))
    assert plain["response_format"] == {"type": "json_object"}
    strict = body_of(CODEC, chat(response_format=ResponseFormat("json_schema", None, SCHEMA, True)))
    assert strict["response_format"] == {"type": "json_object", "json_schema": SCHEMA_VALUE}
    assert "response_format" not in body_of(CODEC, chat(response_format=ResponseFormat("text")))


def test_json_output_beside_tools_is_asked_for_in_words() -> None:
    messages = (Message("system", (Text("S"),)), Message("user", (Text("Hi"),)))
    request = chat(
        messages=messages, tools=(TOOL,), response_format=ResponseFormat("json_schema", None, SCHEMA)
    )
    encoded = CODEC.encode_request(request, ANY)
    assert encoded.dropped == ("response_format.emulated",)
    body = json.loads(encoded.body)
    assert "response_format" not in body
    assert [turn["role"] for turn in body["messages"]] == ["system", "system", "user"]
    assert bytes(SCHEMA).decode() in body["messages"][1]["content"]


@pytest.mark.parametrize(
    ("control", "max_tokens", "expected"),
    [
        (ReasoningControl("enabled", budget_tokens=500), None, {"type": "enabled", "token_budget": 500}),
        (ReasoningControl(effort="low"), None, {"type": "enabled", "token_budget": 2048}),
        (ReasoningControl(effort="high"), 1000, {"type": "enabled", "token_budget": 750}),
        (ReasoningControl("adaptive"), None, {"type": "enabled"}),
        (ReasoningControl("disabled"), None, {"type": "disabled"}),
        (ReasoningControl(effort="none"), None, {"type": "disabled"}),
    ],
)
def test_reasoning(control: ReasoningControl, max_tokens: int | None, expected: dict[str, Any]) -> None:
    request = chat(reasoning=control, params=Params(max_tokens=max_tokens))
    assert body_of(CODEC, request)["thinking"] == expected


def test_no_thinking_is_not_said_to_a_model_that_never_thinks() -> None:
    assert "thinking" not in body_of(CODEC, chat(reasoning=ReasoningControl("disabled")), PLAIN)


def test_parameters() -> None:
    request = params(
        max_tokens=64,
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop=("END", "\n"),
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logprobs=True,
        service_tier="auto",
        n=1,
    )
    body = body_of(CODEC, request)
    assert body.pop("messages") == [{"role": "user", "content": "Hi"}]
    assert body == {
        "model": "some-model",
        "stream": False,
        "max_tokens": 64,
        "stop_sequences": ["END", "\n"],
        "temperature": 0.5,
        "seed": 7,
        "frequency_penalty": 0.2,
        "presence_penalty": 0.1,
        "k": 40,
        "p": 0.9,
        "logprobs": True,
    }


LOSSES: dict[str, tuple[Request, Target]] = {
    **COMMON_LOSSES,
    **limit_cases("cohere"),
    "assistant.content": (said(Image(Url("https://x"))), ANY),
    "frequency_penalty.range": (params(frequency_penalty=-0.5), ANY),
    "presence_penalty.range": (params(presence_penalty=1.5), ANY),
    "reasoning.history": (said(Reasoning("hm"), Text("x")), PLAIN),
    "response_format.emulated": (chat(tools=(TOOL,), response_format=ResponseFormat("json_object")), ANY),
    "seed.range": (params(seed=-1), ANY),
    "stop.count": (params(stop=tuple("abcdef")), ANY),
    "system.content": (chat(messages=(Message("system", (Image(Url("https://x")),)),)), ANY),
    "temperature.range": (params(temperature=1.5), ANY),
    "tool_results.media": (chat(ToolResult("a", (Image(Url("https://x")),))), ANY),
    "tools.strict": (chat(tools=(TOOL, Tool("f", strict=True))), ANY),
    "top_k.range": (params(top_k=1000), ANY),
    "top_logprobs": (params(top_logprobs=3), ANY),
    "top_p.range": (params(top_p=1.0), ANY),
}


@pytest.mark.parametrize("field", sorted(losses_to("cohere")))
def test_what_is_declared_is_dropped(field: str) -> None:
    request, target = LOSSES[field]
    assert CODEC.encode_request(request, target).dropped == (field,)


def test_what_is_dropped_is_declared() -> None:
    assert set(LOSSES) == set(losses_to("cohere"))


def test_what_is_out_of_range_is_moved_into_it() -> None:
    request = params(
        temperature=1.5, top_p=1.0, top_k=1000, seed=-1, stop=tuple("abcdef"), presence_penalty=-2
    )
    body = json.loads(CODEC.encode_request(request, ANY).body)
    assert (body["temperature"], body["p"], body["k"], body["presence_penalty"]) == (1.0, 0.99, 500, 0.0)
    assert body["stop_sequences"] == list("abcde") and "seed" not in body


def test_paths() -> None:
    assert CODEC.path("chat", ANY, True) == "/v2/chat"
    assert CODEC.path("embeddings", ANY, False) == "/v2/embed"
