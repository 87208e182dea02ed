"""Canonical requests as `generateContent` bodies: the API's rules, and exactly the declared losses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.wire.requests import limit_cases
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
    Params,
    Part,
    PlainText,
    Reasoning,
    ReasoningControl,
    Request,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Url,
)
from turnout.wire.body import json_text
from turnout.wire.codec import Target
from turnout.wire.gemini import CODEC
from turnout.wire.losses import losses_to

OLD = Target("gemini-2.5-flash", frozenset({"reasoning", "json_schema"}), max_output=65_536)
OLD_PRO = Target("gemini-2.5-pro", frozenset({"reasoning"}))
NEW = Target("gemini-3-flash-preview")
PLAIN = Target("gemini-2.0-flash", frozenset({"tools"}))
SCHEMA = json_text({"type": "object"})
TOOL = Tool("f", None, SCHEMA)
CALL = Message("assistant", (ToolCall("a", "f", "{}"),))
SYSTEM = Message("system", (Text("S"),))
USER = Message("user", (Text("Hi"),))
THINK = ReasoningControl(effort="high")


def chat(*parts: Part, **members: Any) -> Request:
    """A request of another dialect with these parts in the user's turn."""
    messages = members.pop("messages", (Message("user", parts or (Text("Hi"),)),))
    return Request("openai_chat", "m", messages, **members)


def params(**members: Any) -> Request:
    return chat(params=Params(**members))


def result(*parts: Part) -> Request:
    return chat(messages=(USER, CALL, Message("user", (ToolResult("a", parts),))))


def said(*parts: Part) -> Request:
    return chat(messages=(USER, Message("assistant", (*parts, Text("x")))))


LOST: Mapping[str, tuple[Request, Target]] = {
    "cache_control": (chat(Text("Hi", CacheControl())), OLD),
    "document.citations": (chat(Document(PlainText("x"), citations=True)), OLD),
    "document.context": (chat(Document(PlainText("x"), context="c")), OLD),
    "extras": (chat(extras=(Extra("logit_bias", json_text({})),)), OLD),
    "file_id": (chat(Image(FileId("file-1"))), OLD),
    "image.detail": (chat(Image(Url("https://x/a.png"), "high")), OLD),
    "max_tokens": (params(max_tokens=100_000), OLD),
    "messages.name": (chat(messages=(Message("user", (Text("Hi"),), "ann"),)), OLD),
    "messages.system_position": (chat(messages=(USER, SYSTEM)), OLD),
    "opaque": (chat(Opaque("openai_chat", "video_url", json_text({}))), OLD),
    "parallel_tool_calls": (chat(tools=(TOOL,), params=Params(parallel_tool_calls=False)), OLD),
    "prompt_cache_key": (params(prompt_cache_key="k"), OLD),
    "reasoning": (chat(reasoning=THINK), PLAIN),
    "reasoning.budget_range": (chat(reasoning=ReasoningControl(budget_tokens=100_000)), OLD),
    "reasoning.budget_tokens": (chat(reasoning=ReasoningControl(budget_tokens=10_000)), NEW),
    "reasoning.disabled": (chat(reasoning=ReasoningControl("disabled")), OLD_PRO),
    "reasoning.effort": (chat(reasoning=ReasoningControl(effort="max")), NEW),
    "reasoning.unsigned": (said(Reasoning("hm")), OLD),
    "response_format.description": (
        chat(response_format=ResponseFormat("json_schema", None, SCHEMA, None, "d")),
        OLD,
    ),
    "response_format.emulated": (chat(tools=(TOOL,), response_format=ResponseFormat("json_object")), OLD),
    "response_format.name": (chat(response_format=ResponseFormat("json_schema", "n", SCHEMA)), OLD),
    "service_tier": (params(service_tier="scale"), OLD),
    "stop.count": (params(stop=("a", "b", "c", "d", "e", "f")), OLD),
    "system.content": (chat(messages=(Message("system", (Image(Url("https://x")),)), USER)), OLD),
    "tool_calls.arguments": (said(ToolCall("a", "f", "[")), OLD),
    "tool_calls.signature": (said(ToolCall("a", "f", "{}", None, "p", False, "anthropic")), OLD),
    "tool_results.media": (result(Image(Inline("image/png", "AAAA"))), OLD),
    "tools.extras": (chat(tools=(Tool("f", extras=(Extra("x", json_text(1)),)),)), OLD),
    "tools.opaque": (chat(tools=(OpaqueTool("openai_chat", "web_search", json_text({})),)), OLD),
    "tools.strict": (chat(tools=(Tool("f", strict=True),)), OLD),
    "user": (params(user="u"), OLD),
    "verbosity": (params(verbosity="low"), OLD),
    **limit_cases("gemini", OLD),
}


@pytest.mark.parametrize("field", sorted(losses_to("gemini")))
def test_what_is_declared_is_dropped(field: str) -> None:
    request, target = LOST[field]
    assert CODEC.encode_request(request, target).dropped == (field,)


def test_what_is_dropped_is_declared() -> None:
    assert set(LOST) == set(losses_to("gemini"))


def body_of(request: Request, target: Target = OLD) -> dict[str, Any]:
    encoded = CODEC.encode_request(request, target)
    body: dict[str, Any] = json.loads(encoded.body)
    return body


def test_a_whole_conversation() -> None:
    request = chat(
        messages=(
            SYSTEM,
            USER,
            Message(
                "assistant", (Text("Let me see."), ToolCall("c1", "f", '{"x": 1.0}'), ToolCall("c2", "g", ""))
            ),
            Message("user", (ToolResult("c2", (Text("fine"),)), ToolResult("c1", (Text('{"y": 2}'),)))),
            Message("user", (Text("So?"),)),
        ),
        tools=(TOOL, Tool("g")),
        tool_choice=ToolChoice("named", "f"),
        params=Params(max_tokens=9, temperature=0.5, top_p=0.9, top_k=3, stop=("E",), n=2, seed=1),
        stream=True,
    )
    encoded = CODEC.encode_request(request, OLD)
    assert encoded.dropped == ()
    assert b'"args":{"x": 1.0}' in encoded.body  # the very text
    assert json.loads(encoded.body) == {
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Let me see."},
                    {"functionCall": {"id": "c1", "name": "f", "args": {"x": 1.0}}},
                    {"functionCall": {"id": "c2", "name": "g", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "c1", "name": "f", "response": {"y": 2}}},
                    {"functionResponse": {"id": "c2", "name": "g", "response": {"output": "fine"}}},
                    {"text": "So?"},
                ],
            },
        ],
        "systemInstruction": {"parts": [{"text": "S"}]},
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "f", "parametersJsonSchema": {"type": "object"}},
                    {"name": "g"},
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {
            "maxOutputTokens": 9,
            "temperature": 0.5,
            "topP": 0.9,
            "topK": 3,
            "stopSequences": ["E"],
            "candidateCount": 2,
            "seed": 1,
        },
    }


def test_media() -> None:
    request = chat(
        Image(Inline("image/jpg", "AAAA")),
        Image(Url("data:image/png;base64,BBBB")),
        Image(Url("https://x/a.webp?z=1")),
        Document(Inline("application/pdf", "CCCC"), "n"),
        Audio(Inline("audio/mp3", "DDDD"), "mp3"),
        Document(PlainText("plain"), "title"),
    )
    assert body_of(request)["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/jpeg", "data": "AAAA"}},
        {"inlineData": {"mimeType": "image/png", "data": "BBBB"}},
        {"fileData": {"mimeType": "image/webp", "fileUri": "https://x/a.webp?z=1"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "CCCC"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "DDDD"}},
        {"text": "title\n\nplain"},
    ]


def test_media_in_results_go_inside_for_gemini_3() -> None:
    parts = body_of(result(Text("see"), Image(Inline("image/png", "AAAA"))), NEW)["contents"][2]["parts"]
    inside = [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]
    response = {"id": "a", "name": "f", "response": {"output": "see"}, "parts": inside}
    assert parts == [{"functionResponse": response}]


def test_gemini_3_gets_a_proof_for_the_first_call_of_each_foreign_turn() -> None:
    request = chat(
        messages=(USER, Message("assistant", (ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"))))
    )
    first, second = body_of(request, NEW)["contents"][1]["parts"]
    assert first["thoughtSignature"] == "skip_thought_signature_validator"
    assert "thoughtSignature" not in second
    assert all("thoughtSignature" not in part for part in body_of(request, OLD)["contents"][1]["parts"])


@pytest.mark.parametrize(
    ("control", "target", "expected"),
    [
        (ReasoningControl(effort="low"), OLD, {"includeThoughts": True, "thinkingBudget": 2_048}),
        (ReasoningControl("enabled", None, 9_000), OLD, {"includeThoughts": True, "thinkingBudget": 9_000}),
        (ReasoningControl("adaptive"), OLD, {"includeThoughts": True, "thinkingBudget": -1}),
        (ReasoningControl("disabled"), OLD, {"includeThoughts": False, "thinkingBudget": 0}),
        (ReasoningControl(effort="none"), OLD_PRO, {"includeThoughts": False, "thinkingBudget": 128}),
        (ReasoningControl(effort="max"), OLD_PRO, {"includeThoughts": True, "thinkingBudget": 32_768}),
        (ReasoningControl(effort="high"), NEW, {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (ReasoningControl("enabled", None, 2_500), NEW, {"includeThoughts": True, "thinkingLevel": "LOW"}),
        (ReasoningControl("adaptive", display="omitted"), NEW, {"includeThoughts": False}),
        (ReasoningControl("disabled"), NEW, {"includeThoughts": False, "thinkingLevel": "MINIMAL"}),
    ],
)
def test_thinking(control: ReasoningControl, target: Target, expected: dict[str, Any]) -> None:
    assert body_of(chat(reasoning=control), target)["generationConfig"]["thinkingConfig"] == expected


def test_structured_output() -> None:
    wanted = ResponseFormat("json_schema", None, json_text({"type": "object", "x-y": 1}))
    config = body_of(chat(response_format=wanted))["generationConfig"]
    assert config == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "x-y": 1},
    }
    body = body_of(chat(tools=(TOOL,), response_format=wanted), NEW)
    assert body["generationConfig"] == config
    told = body_of(chat(tools=(TOOL,), response_format=wanted))["systemInstruction"]["parts"][0]["text"]
    assert '"x-y":1' in told


def test_paths() -> None:
    vertex = Target("gemini-2.5-pro", quirks=frozenset({"vertex"}))
    assert CODEC.path("chat", OLD, False) == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert CODEC.path("chat", OLD, True) == "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert CODEC.path("count_tokens", Target("models/m"), False) == "/v1beta/models/m:countTokens"
    assert CODEC.path("embeddings", OLD, False) == "/v1beta/models/gemini-2.5-flash:batchEmbedContents"
    assert (
        CODEC.path("chat", vertex, True)
        == "/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    )
