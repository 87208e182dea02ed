"""Requests to Ollama, against expectations written after its API description."""

from __future__ import annotations

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
)
from turnout.core.model import (
    Document,
    Image,
    Inline,
    Message,
    Reasoning,
    ReasoningControl,
    Request,
    ResponseFormat,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    Url,
)
from turnout.wire.codec import Target
from turnout.wire.losses import losses_to
from turnout.wire.ollama import CODEC

TOOL_WIRE = {
    "type": "function",
    "function": {"name": "weather", "description": "Looks it up", "parameters": SCHEMA_VALUE},
}
OTHER_WIRE = {"type": "function", "function": {"name": "attractions", "parameters": SCHEMA_VALUE}}


def test_a_conversation() -> None:
    request = chat(
        messages=(
            Message("system", (Text("Be brief."),)),
            Message("user", (Text("Hi"),)),
            Message("assistant", (Reasoning("Hm."), Text("Hello."))),
            Message("user", (Text("What is"), Text("this?"))),
        ),
    )
    assert body_of(CODEC, request, Target("qwen3:4b")) == {
        "model": "qwen3:4b",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello.", "thinking": "Hm."},
            {"role": "user", "content": "What is\n\nthis?"},
        ],
        "stream": False,
    }
    assert body_of(CODEC, chat(stream=True))["stream"] is True


def test_parallel_calls_and_their_results() -> None:
    body = body_of(CODEC, chat(messages=(CALLS, RESULTS), tools=(TOOL, OTHER)))
    assert body["messages"] == [
        {
            "role": "assistant",
            "content": "I will look.",
            "tool_calls": [
                {"id": "call-1", "function": {"name": "weather", "arguments": {"city": "Rome"}}},
                {"id": "call-2", "function": {"name": "attractions", "arguments": {"city": "Rome"}}},
            ],
        },
        {"role": "tool", "content": "Colosseum", "tool_name": "attractions", "tool_call_id": "call-2"},
        {"role": "tool", "content": "sunny", "tool_name": "weather", "tool_call_id": "call-1"},
        {"role": "user", "content": "And tomorrow?"},
    ]
    assert body["tools"] == [TOOL_WIRE, OTHER_WIRE]


def test_arguments_keep_their_text() -> None:
    encoded = CODEC.encode_request(chat(messages=(CALLS,)), ANY)
    assert b'"arguments":{"city": "Rome"}' in encoded.body


def test_tools_that_must_not_be_called_are_not_offered() -> None:
    assert "tools" not in body_of(CODEC, chat(tools=(TOOL,), tool_choice=ToolChoice("none")))
    assert body_of(CODEC, chat(tools=(TOOL,), tool_choice=ToolChoice("auto")))["tools"] == [TOOL_WIRE]


def test_a_named_tool_is_the_only_one() -> None:
    encoded = CODEC.encode_request(chat(tools=(TOOL, OTHER), tool_choice=NAMED), ANY)
    assert encoded.dropped == ("tool_choice",)
    assert b"attractions" not in encoded.body and b"weather" in encoded.body


def test_images_and_documents() -> None:
    parts = (
        Text("Look:"),
        Image(Inline("image/png", PNG), "auto"),
        Image(Url(f"data:image/png;base64,{PNG}")),
        Document(inline_text("A page."), "notes.txt"),
    )
    assert body_of(CODEC, chat(*parts))["messages"] == [
        {"role": "user", "content": "Look:\n\nnotes.txt\n\nA page.", "images": [PNG, PNG]}
    ]
    result = ToolResult("c", (Text("Here"), Image(Inline("image/png", PNG))), name="shoot")
    assert body_of(CODEC, chat(result))["messages"] == [
        {"role": "tool", "content": "Here", "images": [PNG], "tool_name": "shoot", "tool_call_id": "c"}
    ]


def test_json_output() -> None:
    assert body_of(CODEC, chat(response_format=ResponseFormat("json_object")))["format"] == "json"
    strict = body_of(CODEC, chat(response_format=ResponseFormat("json_schema", None, SCHEMA, True)))
    assert strict["format"] == SCHEMA_VALUE
    assert "format" not in body_of(CODEC, chat(response_format=ResponseFormat("text")))


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (ReasoningControl("enabled"), True),
        (ReasoningControl(effort="low"), "low"),
        (ReasoningControl(effort="medium"), "medium"),
        (ReasoningControl("adaptive", "high"), "high"),
        (ReasoningControl("disabled"), False),
        (ReasoningControl(effort="none"), False),
    ],
)
def test_reasoning(control: ReasoningControl, expected: bool | str) -> None:
    assert body_of(CODEC, chat(reasoning=control))["think"] == expected


def test_no_thinking_is_not_said_to_a_model_that_never_thinks() -> None:
    assert "think" not in body_of(CODEC, chat(reasoning=ReasoningControl("disabled")), PLAIN)


def test_parameters() -> None:
    request = params(
        max_tokens=64,
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop=("END",),
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logprobs=True,
        top_logprobs=3,
    )
    body = body_of(CODEC, request)
    expected: dict[str, Any] = {
        "num_predict": 64,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 7,
        "stop": ["END"],
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
    }
    assert (body["options"], body["logprobs"], body["top_logprobs"]) == (expected, True, 3)
    assert "options" not in body_of(CODEC, chat())


LOSSES: dict[str, tuple[Request, Target]] = {
    **COMMON_LOSSES,
    **limit_cases("ollama"),
    "image.detail": (chat(Image(Inline("image/png", PNG), "high")), ANY),
    "image.url": (chat(Image(Url("https://x/y.png"))), ANY),
    "reasoning.budget_tokens": (chat(reasoning=ReasoningControl("enabled", budget_tokens=4096)), ANY),
    "reasoning.effort": (chat(reasoning=ReasoningControl(effort="xhigh")), ANY),
    "tool_choice": (chat(tools=(TOOL,), tool_choice=ToolChoice("required")), ANY),
    "tools.strict": (chat(tools=(Tool("f", strict=True),)), ANY),
}


@pytest.mark.parametrize("field", sorted(losses_to("ollama")))
def test_what_is_declared_is_dropped(field: str) -> None:
    request, target = LOSSES[field]
    assert CODEC.encode_request(request, target).dropped == (field,)


def test_what_is_dropped_is_declared() -> None:
    assert set(LOSSES) == set(losses_to("ollama"))


def test_paths() -> None:
    assert CODEC.path("chat", ANY, True) == CODEC.path("chat", ANY, False) == "/api/chat"
    assert CODEC.path("embeddings", ANY, False) == "/api/embed"
