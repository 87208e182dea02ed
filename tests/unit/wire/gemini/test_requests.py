"""Requests of Gemini clients as canonical requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests.unit.wire.gemini.test_recordings import plain
from turnout.core.errors import CallFailed, Kind
from turnout.core.model import (
    Audio,
    Document,
    Extra,
    FileId,
    Image,
    Inline,
    Message,
    Opaque,
    OpaqueTool,
    Params,
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
from turnout.wire.gemini.schemas import json_schema


def decode(**members: Any) -> Request:
    body = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], **members}
    return CODEC.decode_request(json.dumps(body).encode())


def parts_of(*parts: dict[str, Any], role: str = "user") -> tuple[Any, ...]:
    return decode(contents=[{"role": role, "parts": list(parts)}]).messages[0].content


def test_everything_at_once() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {"type": {"type": "STRING", "nullable": True}},
        "required": ["type"],
    }
    request = decode(
        systemInstruction={"parts": [{"text": "S"}]},
        tools=[
            {"functionDeclarations": [{"name": "f", "description": "d", "parameters": schema}]},
            {"googleSearch": {}},
        ],
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        generationConfig={
            "maxOutputTokens": 5,
            "temperature": 0.5,
            "topP": 0.9,
            "topK": 40.0,
            "stopSequences": ["E"],
            "candidateCount": 2,
            "seed": 3,
            "presencePenalty": 0.1,
            "frequencyPenalty": 0.2,
            "responseLogprobs": True,
            "logprobs": 4,
            "responseMimeType": "application/json",
            "responseSchema": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "1"},
            "thinkingConfig": {"thinkingBudget": 2048, "includeThoughts": True},
            "responseModalities": ["TEXT"],
        },
        safetySettings=[],
        serviceTier="standard",
    )
    schema = {"type": "object", "properties": {"type": {"type": ["string", "null"]}}, "required": ["type"]}
    expected = Request(
        dialect="gemini",
        model="",
        messages=(Message("system", (Text("S"),)), Message("user", (Text("Hi"),))),
        tools=(
            Tool("f", "d", json_text(schema)),
            OpaqueTool("gemini", "googleSearch", json_text({"googleSearch": {}})),
        ),
        tool_choice=ToolChoice("named", "f"),
        response_format=ResponseFormat(
            "json_schema", None, json_text({"type": "array", "items": {"type": "integer"}, "minItems": 1})
        ),
        reasoning=ReasoningControl("enabled", None, 2048, "summarized"),
        params=Params(5, 0.5, 0.9, 40, ("E",), 2, 3, 0.1, 0.2, True, 4, service_tier="default"),
        extras=(
            Extra("safetySettings", json_text([])),
            Extra("generationConfig", json_text({"responseModalities": ["TEXT"]})),
        ),
        include_usage=True,
    )
    assert plain(request) == plain(expected)


def test_both_spellings_mean_the_same() -> None:
    camel = {
        "systemInstruction": {"parts": [{"text": "S"}]},
        "generationConfig": {"maxOutputTokens": 5, "thinkingConfig": {"includeThoughts": False}},
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"a_b": 1}}]}],
        "contents": [
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"name": "f", "args": {"a_b": 1}}, "thoughtSignature": "c2ln"},
                    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                ],
            },
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"c_d": 1}}}]},
        ],
    }
    snake = {
        "system_instruction": {"parts": [{"text": "S"}]},
        "generation_config": {"max_output_tokens": 5, "thinking_config": {"include_thoughts": False}},
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
        "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": {"a_b": 1}}]}],
        "contents": [
            {
                "role": "model",
                "parts": [
                    {"function_call": {"name": "f", "args": {"a_b": 1}}, "thought_signature": "c2ln"},
                    {"inline_data": {"mime_type": "image/png", "data": "AAAA"}},
                ],
            },
            {"role": "user", "parts": [{"function_response": {"name": "f", "response": {"c_d": 1}}}]},
        ],
    }
    request = decode(**camel)
    assert decode(**snake) == request
    assert request.messages[1].content[0] == ToolCall(
        "gcall_h0", "f", '{"a_b": 1}', None, "c2ln", False, "gemini"
    )
    assert request.messages[2].content == (ToolResult("gcall_h0", (Text('{"c_d": 1}'),), None, None, "f"),)


def test_responses_find_their_calls() -> None:
    calls = [
        {"functionCall": {"name": name, "args": {}, **extra}}
        for name, extra in (("f", {}), ("f", {}), ("g", {"id": "own"}), ("f", {}))
    ]
    answers = [
        {"functionResponse": {"name": name, "response": {"output": text}, **extra}}
        for name, text, extra in (("g", "G", {"id": "own"}), ("f", "1", {}), ("f", "2", {}))
    ]
    request = decode(contents=[{"role": "model", "parts": calls}, {"role": "user", "parts": answers}])
    ids = [part.id for part in request.messages[0].content if isinstance(part, ToolCall)]
    assert len(set(ids)) == 4 and ids[2] == "own"
    results = [part for part in request.messages[1].content if isinstance(part, ToolResult)]
    assert [(found.call_id, found.content[0]) for found in results] == [
        ("own", Text("G")),
        (ids[0], Text("1")),
        (ids[1], Text("2")),
    ]
    encoded = json.loads(CODEC.encode_request(request, Target("gemini-2.5-flash")).body)
    assert encoded["contents"] == [{"role": "model", "parts": calls}, {"role": "user", "parts": answers}]


def test_parts() -> None:
    assert parts_of({"inlineData": {"mimeType": "image/png", "data": "-_8"}}) == (
        Image(Inline("image/png", "+/8=")),
    )
    assert parts_of({"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}) == (
        Document(Inline("application/pdf", "AAAA")),
    )
    assert parts_of({"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}}) == (
        Audio(Inline("audio/mpeg", "AAAA"), "mp3"),
    )
    video = {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}
    assert plain(parts_of(video)) == plain((Opaque("gemini", "inlineData", json_text(video)),))
    assert parts_of({"fileData": {"fileUri": "https://x/a.png"}}) == (Image(Url("https://x/a.png")),)
    uri = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    assert parts_of({"fileData": {"fileUri": uri, "mimeType": "application/pdf"}})[0] == Document(FileId(uri))
    assert parts_of({"text": "t", "thought": True, "thoughtSignature": "c2ln"}, role="model") == (
        Reasoning("t", "c2ln", None, "gemini"),
    )
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    assert [part.kind for part in parts_of(code, role="model")] == ["executableCode"]


def test_function_responses_as_text() -> None:
    def result(response: dict[str, Any]) -> tuple[Any, Any]:
        part = parts_of({"functionResponse": {"name": "f", "response": response}})[0]
        return part.content[0].text, part.is_error

    assert result({"output": "fine"}) == ("fine", None)
    assert result({"error": "bad"}) == ("bad", True)
    assert result({"output": '{"a":1}'}) == ('{"output": "{\\"a\\":1}"}', None)
    assert result({"output": "x", "more": 1}) == ('{"output": "x", "more": 1}', None)


@pytest.mark.parametrize(
    ("thinking", "control"),
    [
        ({"thinkingBudget": -1}, ReasoningControl("adaptive")),
        ({"thinkingBudget": 0}, ReasoningControl("disabled", None, 0)),
        ({"thinkingLevel": "LOW"}, ReasoningControl(None, "low")),
        ({"includeThoughts": False}, ReasoningControl(None, None, None, "omitted")),
        ({}, None),
    ],
)
def test_thinking(thinking: dict[str, Any], control: ReasoningControl | None) -> None:
    assert decode(generationConfig={"thinkingConfig": thinking}).reasoning == control


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"contents": []}, "contents"),
        ({"contents": None}, "contents"),
        ({"contents": [{"role": "bad", "parts": []}]}, "contents.0.role"),
        ({"contents": [{"role": "user", "parts": [{"text": 5}]}]}, "contents.0.parts.0.text"),
        (
            {"contents": [{"role": "model", "parts": [{"functionCall": {}}]}]},
            "contents.0.parts.0.functionCall",
        ),
        ({"generationConfig": {"topK": "x"}}, "generationConfig.topK"),
        ({"tools": {}}, "tools"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "X"}}}, "toolConfig.functionCallingConfig.mode"),
    ],
)
def test_a_bad_request_names_its_member(members: dict[str, Any], param: str) -> None:
    with pytest.raises(CallFailed) as caught:
        decode(**members)
    assert caught.value.failure.kind is Kind.BAD_REQUEST
    assert caught.value.failure.param == param


def test_counting_may_wrap_the_request() -> None:
    inner = {"model": "models/m", "contents": [{"parts": [{"text": "Hi"}]}]}
    body = json.dumps({"generateContentRequest": inner}).encode()
    request = CODEC.decode_request(body, "count_tokens")
    assert (request.model, request.messages) == ("m", (Message("user", (Text("Hi"),)),))
    rewritten = json.loads(CODEC.rewrite(CODEC.peek(body), Target("other")))
    assert rewritten["generateContentRequest"] == {**inner, "model": "models/other"}


def test_rewriting_leaves_the_rest_alone() -> None:
    body = b'{ "contents" : [ {"parts":[{"text":"\\u00e9"}]} ] }'
    assert CODEC.rewrite(CODEC.peek(body), Target("m")) is body
    changed = CODEC.rewrite(CODEC.peek(b'{"model":"models/x","turnout":{},"contents": [1.0]}'), Target("m"))
    assert changed == b'{"contents":[1.0]}'


RICH = {
    "contents": [
        {"role": "user", "parts": [{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
        {
            "role": "model",
            "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"error": "x"}}}]},
        {
            "role": "user",
            "parts": [{"fileData": {"fileUri": "https://x/y.mp4"}, "videoMetadata": {"fps": 1}}],
        },
    ],
    "systemInstruction": {"parts": [{"text": "S"}]},
    "tools": [
        {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]},
        {"codeExecution": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}},
    "generationConfig": {
        "topK": 1,
        "thinkingConfig": {"thinkingBudget": 1},
        "responseSchema": {"type": "STRING"},
    },
}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_bodies_are_decoded_or_refused(data: st.DataObject) -> None:
    """A value anywhere replaced by another: the caller is told, or the request can be written again."""
    body = json.dumps(RICH)
    places = [place for place, letter in enumerate(body) if letter in ":[,"]
    place = data.draw(st.sampled_from(places)) + 1
    value = data.draw(st.sampled_from(["null", "1", '"x"', "[]", "{}", "[[1]]", '{"a_b":{}}', "true", ""]))
    end = place + data.draw(st.integers(0, 12))
    try:
        request = CODEC.decode_request((body[:place] + value + body[end:]).encode())
    except CallFailed as error:
        assert error.failure.kind is Kind.BAD_REQUEST
        return
    encoded = CODEC.encode_request(request, Target("gemini-3-pro"))
    assert isinstance(json.loads(encoded.body)["contents"], list)


def test_types_by_number_are_named_for_others() -> None:
    given = b'{"type":6,"properties":{"a":{"type":5,"items":{"type":1}},"n":{"type":3,"nullable":true},"x":{"type":0}}}'
    wanted = {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"type": "string"}},
            "n": {"type": ["integer", "null"]},
            "x": {},
        },
    }
    assert json.loads(bytes(json_schema(Raw(given)))) == wanted
