"""Requests to Mistral, against expectations written after its API description."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.wire.requests import (
    ANY,
    CALLS,
    COMMON_LOSSES,
    PLAIN,
    PNG,
    RESULTS,
    SCHEMA,
    SCHEMA_VALUE,
    TOOL,
    body_of,
    chat,
    limit_cases,
    params,
    said,
)
from turnout.core.errors import CallFailed
from turnout.core.model import (
    Audio,
    Document,
    Extra,
    FileId,
    Image,
    Inline,
    Message,
    PlainText,
    Reasoning,
    ReasoningControl,
    Request,
    ResponseFormat,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
)
from turnout.wire.body import json_text
from turnout.wire.codec import Target
from turnout.wire.losses import losses_to
from turnout.wire.mistral import CODEC
from turnout.wire.mistral.embeddings import encode_embeddings
from turnout.wire.mistral.requests import short_id


def test_a_conversation_with_parameters() -> None:
    request = Request(
        "anthropic",
        "m",
        (
            Message("system", (Text("Be brief."),)),
            Message("user", (Text("Hi"),)),
            Message("assistant", (Reasoning("Hm."), Text("Hello."))),
            Message("user", (Text("Again"),)),
        ),
        params=params(seed=7, max_tokens=9, top_p=0.5, stop=("END",), prompt_cache_key="k", n=2).params,
        reasoning=ReasoningControl(effort="high"),
        response_format=ResponseFormat("json_schema", "answer", SCHEMA, True),
        stream=True,
    )
    body = body_of(CODEC, request, Target("magistral", quirks=frozenset({"max_completion_tokens"})))
    assert body == {
        "model": "magistral",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                    {"type": "text", "text": "Hello."},
                ],
            },
            {"role": "user", "content": "Again"},
        ],
        "stream": True,
        "random_seed": 7,
        "max_tokens": 9,
        "top_p": 0.5,
        "stop": ["END"],
        "prompt_cache_key": "k",
        "n": 2,
        "reasoning_effort": "high",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA_VALUE, "strict": True},
        },
    }


def test_calls_and_results_agree_on_short_ids() -> None:
    body = body_of(CODEC, chat(messages=(CALLS, RESULTS), tools=(TOOL,), tool_choice=ToolChoice("required")))
    assistant, *results, user = body["messages"]
    first, second = (call["id"] for call in assistant["tool_calls"])
    assert [result["tool_call_id"] for result in results] == [second, first]
    assert len(first) == len(second) == 9 and first.isalnum() and first != second
    assert assistant["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert user == {"role": "user", "content": "And tomorrow?"}
    assert body["tool_choice"] == "required"
    assert short_id("Df1cqWOle") == "Df1cqWOle"


def test_media() -> None:
    parts = (
        Image(Inline("image/png", PNG), "low"),
        Document(Url("https://x/y.pdf"), "y.pdf"),
        Document(Inline("application/pdf", "UEsD")),
        Document(PlainText("A page."), "notes"),
        Audio(Inline("audio/mp3", "UklG"), "mp3"),
        Audio(Url("https://x/y.mp3")),
    )
    assert body_of(CODEC, chat(*parts))["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
        {"type": "document_url", "document_url": "https://x/y.pdf", "document_name": "y.pdf"},
        {"type": "document_url", "document_url": "data:application/pdf;base64,UEsD"},
        {"type": "text", "text": "notes\n\nA page."},
        {"type": "input_audio", "input_audio": "UklG"},
        {"type": "input_audio", "input_audio": "https://x/y.mp3"},
    ]


def test_an_answer_that_is_begun_is_a_prefix() -> None:
    messages = body_of(CODEC, said(Text("The answer is")))["messages"]
    assert messages == [{"role": "assistant", "content": "The answer is", "prefix": True}]
    assert "prefix" not in body_of(CODEC, said(ToolCall("a", "f", "{}")))["messages"][0]


def test_its_own_members_pass_from_a_client_that_knows_them() -> None:
    own = (Extra("safe_prompt", json_text(True)), Extra("prompt_mode", json_text("reasoning")))
    body = body_of(CODEC, chat(extras=own))
    assert (body["safe_prompt"], body["prompt_mode"]) == (True, "reasoning")


@pytest.mark.parametrize("control", [ReasoningControl("disabled"), ReasoningControl(effort="none")])
def test_reasoning_off(control: ReasoningControl) -> None:
    assert body_of(CODEC, chat(reasoning=control))["reasoning_effort"] == "none"


SHARED = (
    "cache_control",
    "extras",
    "file_id",
    "image.text",
    "messages.name",
    "opaque",
    "reasoning",
    "reasoning.display",
    "reasoning.signature",
    "service_tier",
    "tool_calls.signature",
    "tool_results.is_error",
    "tools.extras",
    "tools.opaque",
    "user",
    "verbosity",
)
LOSSES: dict[str, tuple[Request, Target]] = {
    **limit_cases("mistral"),
    **{field: COMMON_LOSSES[field] for field in SHARED},
    "audio.reference": (chat(Audio(FileId("a"))), ANY),
    "document.citations": (chat(Document(Url("https://x"), citations=True)), ANY),
    "document.context": (chat(Document(Url("https://x"), context="c")), ANY),
    "logprobs": (params(logprobs=True), ANY),
    "reasoning.budget_tokens": (chat(reasoning=ReasoningControl("enabled", budget_tokens=2000)), ANY),
    "reasoning.effort": (chat(reasoning=ReasoningControl(effort="low")), ANY),
    "reasoning.history": (chat(messages=(Message("assistant", (Reasoning("hm"), Text("x"))),)), PLAIN),
    "temperature.range": (params(temperature=1.9), ANY),
    "tool_results.media": (chat(ToolResult("a", (Image(Url("https://x")),))), ANY),
    "top_k": (params(top_k=5), ANY),
    "top_logprobs": (params(top_logprobs=3), ANY),
}


@pytest.mark.parametrize("field", sorted(losses_to("mistral")))
def test_what_is_declared_is_dropped(field: str) -> None:
    request, target = LOSSES[field]
    assert CODEC.encode_request(request, target).dropped == (field,)


def test_what_is_dropped_is_declared() -> None:
    assert set(LOSSES) == set(losses_to("mistral"))


def test_embeddings() -> None:
    asked: dict[str, Any] = {"model": "m", "input": ["a"], "dimensions": 64, "encoding_format": "base64"}
    encoded = encode_embeddings(json.dumps({**asked, "user": "u"}).encode(), Target("mistral-embed"))
    assert json.loads(encoded.body) == {
        "model": "mistral-embed",
        "input": ["a"],
        "encoding_format": "base64",
        "output_dimension": 64,
    }
    assert encoded.dropped == ("user",)
    with pytest.raises(CallFailed):
        encode_embeddings(b"[]", ANY)
