"""Requests of other dialects, encoded for an Anthropic provider."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from turnout.core.model import (
    CacheControl,
    Document,
    Image,
    Inline,
    Message,
    Opaque,
    Params,
    Part,
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
from turnout.wire.anthropic import CODEC
from turnout.wire.body import json_text
from turnout.wire.codec import Target

BASE = Request("openai_chat", "gpt", (Message("user", (Text("Hi"),)),))
TARGET = Target("claude-test")
WEATHER = Tool("weather", "d", json_text({"type": "object", "properties": {}}))


def sent(target: Target = TARGET, **members: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(the body, what was dropped)."""
    encoded = CODEC.encode_request(msgspec.structs.replace(BASE, **members), target)
    return json.loads(encoded.body), encoded.dropped


def user(*parts: Part) -> Message:
    return Message("user", parts)


def assistant(*parts: Part) -> Message:
    return Message("assistant", parts)


def test_the_smallest_request_has_max_tokens() -> None:
    assert sent() == (
        {"model": "claude-test", "max_tokens": 4096, "messages": [{"role": "user", "content": "Hi"}]},
        (),
    )
    assert sent(Target("c", max_output=8192))[0]["max_tokens"] == 8192
    assert sent(Target("c", max_output=8192), params=Params(max_tokens=50))[0]["max_tokens"] == 50
    assert sent(Target("c", max_output=8192), params=Params(max_tokens=9000))[1] == ("max_tokens",)


def test_leading_system_messages_become_the_system_prompt() -> None:
    body, dropped = sent(
        messages=(
            Message("system", (Text("One"),)),
            Message("developer", (Text("Two", CacheControl("1h")),)),
            user(Text("Hi")),
        )
    )
    assert body["system"] == [
        {"type": "text", "text": "One"},
        {"type": "text", "text": "Two", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    assert [message["role"] for message in body["messages"]] == ["user"] and dropped == ()


def test_later_system_messages_are_hoisted_in_order_unless_the_model_takes_them() -> None:
    messages = (user(Text("Hi")), Message("developer", (Text("French"),)), user(Text("Now")))
    body, dropped = sent(messages=messages)
    assert body["system"] == "French" and dropped == ("messages.system_position",)
    body, dropped = sent(Target("c", quirks=frozenset({"mid_system"})), messages=messages)
    assert [message["role"] for message in body["messages"]] == ["user", "system", "user"] and dropped == ()


def test_a_conversation_of_system_messages_only_has_a_turn() -> None:
    body, _ = sent(messages=(Message("system", (Text("One"),)), Message("system", (Text("Two"),))))
    assert body["system"] == "One" and body["messages"] == [{"role": "user", "content": "Two"}]


def test_parallel_tool_results_answer_in_one_turn_and_come_first() -> None:
    body, _ = sent(
        messages=(
            user(Text("Hi")),
            assistant(Text(""), ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "")),
            user(Text("and also"), ToolResult("a", (Text("1"),))),
            user(ToolResult("b", (), True), Text("go on")),
        )
    )
    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]
    assert body["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "1"},
        {"type": "tool_result", "tool_use_id": "b", "is_error": True},
        {"type": "text", "text": "and also"},
        {"type": "text", "text": "go on"},
    ]
    assert len(body["messages"]) == 3


def test_tool_ids_are_made_valid_and_stay_equal() -> None:
    body, _ = sent(
        messages=(assistant(ToolCall("call:1|x", "f", "{}")), user(ToolResult("call:1|x", (Text("1"),))))
    )
    call, result = (message["content"][0] for message in body["messages"])
    assert call["id"] == result["tool_use_id"] == "call_x3a_1_x7c_x"


def test_arguments_that_are_no_object_are_wrapped_and_declared() -> None:
    body, dropped = sent(messages=(assistant(ToolCall("a", "f", '{"x":')), user(ToolResult("a", ()))))
    assert body["messages"][0]["content"][0]["input"] == {"_raw_arguments": '{"x":'}
    assert dropped == ("tool_calls.arguments",)


def test_only_thinking_that_anthropic_signed_goes_back() -> None:
    body, dropped = sent(
        messages=(
            user(Text("Hi")),
            assistant(
                Reasoning("mine", "c2ln", None, "anthropic"),
                Reasoning("", None, "ZA", "anthropic"),
                Reasoning("theirs", "c2ln", None, "gemini"),
                Reasoning("nobody's"),
                Text("Hello"),
            ),
        )
    )
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "mine", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZA"},
        {"type": "text", "text": "Hello"},
    ]
    assert dropped == ("reasoning.unsigned",)


def test_media() -> None:
    plain = base64.b64encode(b"a,b").decode()
    body, dropped = sent(
        messages=(
            user(
                Image(Url("https://x/y.png"), "high"),
                Image(Inline("image/png", "iVBO"), cache=CacheControl()),
                Document(Inline("application/pdf", "JVBE"), "a.pdf"),
                Document(Inline("text/csv", plain), "a.csv"),
                Document(Inline("application/zip", "UEsD"), "a.zip"),
                Document(PlainText("words"), None, "C", True),
            ),
        )
    )
    assert body["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"},
            "cache_control": {"type": "ephemeral"},
        },
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "a.pdf",
        },
        {
            "type": "document",
            "source": {"type": "text", "data": "a,b", "media_type": "text/plain"},
            "title": "a.csv",
        },
        {
            "type": "document",
            "source": {"type": "text", "data": "words", "media_type": "text/plain"},
            "context": "C",
            "citations": {"enabled": True},
        },
    ]
    assert dropped == ("image.detail", "document.media_type")


def test_data_urls_are_content_and_jpg_is_spelt_jpeg() -> None:
    source = {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}
    for image in (Image(Url("data:image/jpg;base64,/9j/")), Image(Inline("image/jpg", "/9j/"))):
        body, _ = sent(messages=(user(image),))
        assert body["messages"][0]["content"] == [{"type": "image", "source": source}]


def test_refusals_are_text_and_a_prefill_does_not_end_in_space() -> None:
    body, dropped = sent(messages=(user(Text("Hi")), assistant(Refusal("No. \n"))))
    assert body["messages"][1] == {"role": "assistant", "content": "No."} and dropped == ()


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": "object", "x": 1.0}, {"type": "object", "x": 1.0}),
    ],
)
def test_tool_schemas_have_the_type_that_the_api_demands(schema: Any, expected: Any) -> None:
    tool = Tool("f", None, None if schema is None else json_text(schema))
    assert sent(tools=(tool,))[0]["tools"] == [{"name": "f", "input_schema": expected}]


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("named", "weather"), None, {"type": "tool", "name": "weather"}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("auto"), True, {"type": "auto", "disable_parallel_tool_use": False}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, parallel: bool | None, expected: Any) -> None:
    body, dropped = sent(tools=(WEATHER,), tool_choice=choice, params=Params(parallel_tool_calls=parallel))
    assert body.get("tool_choice") == expected and dropped == ()
    assert "tool_choice" not in sent(tool_choice=choice)[0], "a choice without tools is refused by the API"


def test_strict_tools_need_the_capability() -> None:
    strict = msgspec.structs.replace(WEATHER, strict=True)
    assert sent(tools=(strict,))[1] == ("tools.strict",)
    body, dropped = sent(Target("c", frozenset({"json_schema"})), tools=(strict,))
    assert body["tools"][0]["strict"] is True and dropped == ()


@pytest.mark.parametrize(
    ("control", "params", "max_output", "thinking", "max_tokens"),
    [
        (ReasoningControl(effort="low"), Params(), None, {"type": "enabled", "budget_tokens": 2048}, 6144),
        (ReasoningControl(effort="high"), Params(), 64_000, {"type": "enabled", "budget_tokens": 16384}, 64_000),
        (ReasoningControl(effort="high"), Params(max_tokens=8000), None, {"type": "enabled", "budget_tokens": 6000}, 8000),
        (ReasoningControl("enabled", None, 5000), Params(), None, {"type": "enabled", "budget_tokens": 5000}, 9096),
        (ReasoningControl("adaptive"), Params(), None, {"type": "enabled", "budget_tokens": 8192}, 12288),
        (ReasoningControl(effort="none"), Params(), None, None, 4096),
        (ReasoningControl("disabled", "high"), Params(), None, None, 4096),
    ],
)  # fmt: skip
def test_effort_becomes_a_budget_below_max_tokens(
    control: ReasoningControl, params: Params, max_output: int | None, thinking: Any, max_tokens: int
) -> None:
    body, dropped = sent(Target("c", max_output=max_output), reasoning=control, params=params)
    assert (body.get("thinking"), body["max_tokens"], dropped) == (thinking, max_tokens, ())


@pytest.mark.parametrize(
    ("control", "quirks", "effort"),
    [
        (ReasoningControl(effort="minimal"), set(), "low"),
        (ReasoningControl(effort="xhigh"), set(), "high"),
        (ReasoningControl(effort="xhigh"), {"effort_xhigh"}, "xhigh"),
        (ReasoningControl(effort="max"), set(), "max"),
        (ReasoningControl("enabled", None, 9000), set(), "medium"),
        (ReasoningControl("enabled", None, 100), set(), "low"),
        (ReasoningControl("adaptive"), set(), None),
    ],
)
def test_adaptive_models_get_a_level(control: ReasoningControl, quirks: set[str], effort: str | None) -> None:
    body, _ = sent(Target("c", quirks=frozenset({"adaptive_thinking", *quirks})), reasoning=control)
    assert body["thinking"] == {"type": "adaptive"}
    assert body.get("output_config") == (None if effort is None else {"effort": effort})


def test_thinking_is_given_up_where_the_api_forbids_it() -> None:
    high = ReasoningControl(effort="high")
    loop = (assistant(ToolCall("a", "f", "{}")), user(ToolResult("a", ())))
    signed = (assistant(Reasoning("", "c2ln", None, "anthropic"), ToolCall("a", "f", "{}")), loop[1])
    cases: list[tuple[dict[str, Any], str]] = [
        ({"tools": (WEATHER,), "tool_choice": ToolChoice("required")}, "reasoning.forced_tool_choice"),
        ({"messages": loop}, "reasoning.tool_loop"),
        ({"messages": (*loop, user(Text("and?")))}, "reasoning.tool_loop"),
        ({"params": Params(max_tokens=500)}, "reasoning.max_tokens"),
        ({"target": Target("c", frozenset({"tools"}))}, "reasoning"),
    ]
    for members, name in cases:
        body, dropped = sent(**members, reasoning=high)
        assert "thinking" not in body and dropped == (name,)
    assert sent(messages=signed, reasoning=high)[0]["thinking"]["type"] == "enabled"
    later = (*loop, assistant(Text("done")), user(Text("next")))
    assert sent(messages=later, reasoning=high)[0]["thinking"]["type"] == "enabled"


def test_sampling_within_what_the_api_allows() -> None:
    high = ReasoningControl(effort="high")
    assert sent(params=Params(temperature=1.7))[0]["temperature"] == 1.0
    assert sent(params=Params(temperature=1.7))[1] == ("temperature.range",)
    body, dropped = sent(params=Params(temperature=0.2, top_p=0.5, top_k=3))
    assert (body["temperature"], "top_p" in body, body["top_k"], dropped) == (0.2, False, 3, ("top_p",))
    body, dropped = sent(params=Params(temperature=0.2, top_p=0.5, top_k=3), reasoning=high)
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert dropped == ("temperature", "top_p", "top_k")
    assert sent(params=Params(temperature=1.0, top_p=0.97), reasoning=high)[1] == ()
    body, dropped = sent(Target("c", quirks=frozenset({"no_sampling"})), params=Params(temperature=0.2))
    assert "temperature" not in body and dropped == ("temperature",)


def test_structured_output_where_the_model_has_it_and_in_words_where_not() -> None:
    schema = json_text({"type": "object", "additionalProperties": False})
    wanted = ResponseFormat("json_schema", "answer", schema, True)
    body, dropped = sent(Target("c", frozenset({"json_schema"})), response_format=wanted)
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": json.loads(bytes(schema))}}
    assert dropped == ("response_format.name",) and "system" not in body
    body, dropped = sent(response_format=wanted, messages=(Message("system", (Text("S"),)), *BASE.messages))
    assert body["system"][0]["text"] == "S" and bytes(schema).decode() in body["system"][1]["text"]
    assert dropped == ("response_format.name", "response_format.emulated")
    body, dropped = sent(response_format=ResponseFormat("json_object"))
    assert "JSON" in body["system"] and dropped == ("response_format.emulated",)
    assert sent(response_format=ResponseFormat("text")) == sent()


def test_other_parameters() -> None:
    params = Params(
        stop=("END", " \n"), user="u", service_tier="default", cache=CacheControl("1h"), n=1, logprobs=False
    )
    body, dropped = sent(params=params, stream=True)
    assert (
        body["stop_sequences"] == ["END"] and body["metadata"] == {"user_id": "u"} and body["stream"] is True
    )
    assert body["service_tier"] == "standard_only"
    assert body["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert dropped == ("stop.whitespace",)


def test_opaque_parts_of_other_dialects_are_declared() -> None:
    part = Opaque("openai_chat", "video_url", json_text({"type": "video_url"}))
    body, dropped = sent(messages=(user(part, Text("Hi")),))
    assert body["messages"][0]["content"] == "Hi" and dropped == ("opaque",)
