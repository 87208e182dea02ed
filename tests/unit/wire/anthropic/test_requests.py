"""A Messages request, decoded into canonical form and encoded back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.core.errors import CallFailed, Kind
from turnout.core.model import (
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
from turnout.wire.anthropic import CODEC
from turnout.wire.codec import Target

USER = {"role": "user", "content": "Hi"}
TARGET = Target("claude-test")


def decoded(**members: Any) -> Request:
    body = {"model": "claude-test", "max_tokens": 100, "messages": [USER], **members}
    return CODEC.decode_request(json.dumps(body).encode())


def parts(*blocks: dict[str, Any]) -> tuple[Part, ...]:
    return decoded(messages=[{"role": "user", "content": list(blocks)}]).messages[0].content


def test_the_smallest_request() -> None:
    assert decoded() == Request(
        dialect="anthropic",
        model="claude-test",
        messages=(Message("user", (Text("Hi"),)),),
        params=Params(max_tokens=100),
        include_usage=True,
    )


def test_system_prompts_in_all_their_forms() -> None:
    assert decoded(system="Be brief").messages[0] == Message("system", (Text("Be brief"),))
    cached = {"type": "text", "text": "Long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert decoded(system=[cached]).messages[0] == Message("system", (Text("Long", CacheControl("1h")),))
    inside = decoded(messages=[USER, {"role": "system", "content": "Now in French"}]).messages
    assert [message.role for message in inside] == ["user", "system"]


def test_every_canonical_block() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    cache = CacheControl("5m")
    assert parts({"type": "text", "text": "a", **mark}) == (Text("a", cache),)
    image = {"type": "base64", "media_type": "image/png", "data": "iVBO"}
    assert parts({"type": "image", "source": image, **mark}) == (
        Image(Inline("image/png", "iVBO"), cache=cache),
    )
    assert parts({"type": "image", "source": {"type": "url", "url": "https://x/y"}}) == (
        Image(Url("https://x/y")),
    )
    assert parts({"type": "image", "source": {"type": "file", "file_id": "f"}}) == (Image(FileId("f")),)
    document = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "words"},
        "title": "T",
        "context": "C",
        "citations": {"enabled": True},
        **mark,
    }
    assert parts(document) == (Document(PlainText("words"), "T", "C", True, cache),)
    assert parts({"type": "thinking", "thinking": "hm", "signature": "c2ln"}) == (
        Reasoning("hm", "c2ln", None, "anthropic"),
    )
    assert parts({"type": "redacted_thinking", "data": "ZA"}) == (Reasoning("", None, "ZA", "anthropic"),)
    result = {"type": "tool_result", "tool_use_id": "t", "content": "4", "is_error": True, **mark}
    assert parts(result) == (ToolResult("t", (Text("4"),), True, cache),)
    nested = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": image}]}
    assert parts(nested) == (ToolResult("t", (Image(Inline("image/png", "iVBO")),)),)
    assert parts({"type": "tool_result", "tool_use_id": "t"}) == (ToolResult("t", ()),)


def test_tool_input_keeps_its_exact_text() -> None:
    text = '{"b" : 1.0,"a":"\\u00e9"}'
    body = (
        b'{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":['
        b'{"type":"tool_use","id":"t","name":"f","input":' + text.encode() + b"}]}]}"
    )
    request = CODEC.decode_request(body)
    assert request.messages[0].content == (ToolCall("t", "f", text),)
    assert text.encode() in CODEC.encode_request(request, TARGET).body


def test_thinking_of_other_providers_comes_back_with_its_maker() -> None:
    block = {"type": "thinking", "thinking": "hm"}
    assert parts({**block, "signature": "turnout-unsigned"}) == (Reasoning("hm"),)
    assert parts({**block, "signature": "turnout-origin:gemini:a:b"}) == (
        Reasoning("hm", "a:b", None, "gemini"),
    )
    assert parts({"type": "redacted_thinking", "data": "turnout-origin:openai_responses:ZA"}) == (
        Reasoning("", None, "ZA", "openai_responses"),
    )


def test_search_results_and_documents_of_text_blocks_keep_their_text() -> None:
    texts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    found = {"type": "search_result", "source": "https://s", "title": "T", "content": texts}
    assert parts(found) == (Document(PlainText("one\ntwo"), "T", "https://s"),)
    content = {"type": "document", "source": {"type": "content", "content": texts}}
    assert parts(content) == (Document(PlainText("one\ntwo")),)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}},
        {"type": "container_upload", "file_id": "f"},
        {"type": "of_the_future", "x": [1.0, "é"]},
        {
            "type": "document",
            "source": {
                "type": "content",
                "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}],
            },
        },
    ],
)
def test_other_blocks_are_opaque_and_come_back_verbatim(block: dict[str, Any]) -> None:
    request = decoded(messages=[{"role": "user", "content": [block]}])
    [part] = request.messages[0].content
    assert isinstance(part, Opaque) and part.kind == block["type"]
    assert json.loads(CODEC.encode_request(request, TARGET).body)["messages"][0]["content"] == [block]


def test_details_of_canonical_blocks_follow_them() -> None:
    citations = [{"type": "char_location", "cited_text": "x"}]
    caller = {"type": "code_execution_20250825", "tool_id": "s"}
    content = [
        {"type": "text", "text": "a", "citations": citations},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": caller},
        {"type": "tool_use", "id": "u", "name": "f", "input": {}},
    ]
    request = decoded(messages=[USER, {"role": "assistant", "content": content}])
    kinds = [part.kind for part in request.messages[1].content if isinstance(part, Opaque)]
    assert kinds == ["citations", "caller"]
    assert json.loads(CODEC.encode_request(request, TARGET).body)["messages"][1]["content"] == content


def test_tools_and_tool_choice() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    tools = [
        {"name": "f", "description": "d", "input_schema": schema, "strict": True},
        {"type": "custom", "name": "g", "input_schema": schema, "defer_loading": True},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    ]
    choice = {"type": "tool", "name": "f", "disable_parallel_tool_use": True}
    request = decoded(tools=tools, tool_choice=choice)
    first, second, third = request.tools
    assert isinstance(first, Tool) and (first.name, first.description, first.strict) == ("f", "d", True)
    assert isinstance(second, Tool) and [extra.name for extra in second.extras] == ["defer_loading"]
    assert isinstance(third, OpaqueTool) and third.kind == "web_search_20250305"
    assert request.tool_choice == ToolChoice("named", "f") and request.params.parallel_tool_calls is False
    sent = json.loads(CODEC.encode_request(request, TARGET).body)
    tools[1].pop("type")
    assert sent["tools"] == tools and sent["tool_choice"] == choice


@pytest.mark.parametrize(("word", "mode"), [("auto", "auto"), ("any", "required"), ("none", "none")])
def test_tool_choice_modes(word: str, mode: str) -> None:
    assert decoded(tool_choice={"type": word}).tool_choice == ToolChoice(mode)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("members", "control"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, ReasoningControl("enabled", None, 2000)),
        ({"thinking": {"type": "disabled"}}, ReasoningControl("disabled")),
        (
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
            ReasoningControl("adaptive", "high", None, "summarized"),
        ),
        ({"output_config": {"effort": "low"}}, ReasoningControl(None, "low")),
        ({"output_config": None, "thinking": None}, None),
    ],
)
def test_reasoning_controls_come_back_as_they_were(
    members: dict[str, Any], control: ReasoningControl | None
) -> None:
    request = decoded(**members)
    assert request.reasoning == control
    sent = json.loads(CODEC.encode_request(request, TARGET).body)
    for name, value in members.items():
        assert sent.get(name) == value


def test_parameters() -> None:
    request = decoded(
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        stop_sequences=["END"],
        metadata={"user_id": "u"},
        service_tier="standard_only",
        cache_control={"type": "ephemeral", "ttl": "1h"},
        stream=True,
    )
    assert request.stream
    assert request.params == Params(
        max_tokens=100,
        temperature=0.5,
        top_p=0.9,
        top_k=5,
        stop=("END",),
        user="u",
        service_tier="standard_only",
        cache=CacheControl("1h"),
    )


@pytest.mark.parametrize("where", ["output_config", "output_format"])
def test_output_formats(where: str) -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}}
    members = {"output_config": {"format": form}} if where == "output_config" else {"output_format": form}
    found = decoded(**members).response_format
    assert isinstance(found, ResponseFormat) and found.schema is not None
    assert json.loads(bytes(found.schema)) == form["schema"]


def test_unknown_members_are_extras_for_this_dialect_only() -> None:
    members: dict[str, Any] = {
        "container": "c",
        "mcp_servers": [{"url": "https://x"}],
        "context_management": {"edits": []},
        "output_config": {"effort": "low", "task_budget": {"total": 5}},
        "metadata": {"user_id": "u", "more": 1},
    }
    request = decoded(**members, turnout={"budget_usd": 1})
    assert {extra.name for extra in request.extras} == set(members)
    sent = json.loads(CODEC.encode_request(request, TARGET).body)
    assert {name: sent[name] for name in members} == members and "turnout" not in sent
    assert all(isinstance(extra, Extra) for extra in request.extras)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": 5}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "user"}]}, "messages.0"),
        ({"messages": [USER, {"role": "user", "content": [{"text": "x"}]}]}, "messages.1.content.0"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]},
            "messages.0.content.0.text",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "smoke"}}]}]},
            "messages.0.content.0.source.type",
        ),
        ({"tools": [{"name": 5}]}, "tools.0.name"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.type"),
        ({"thinking": {"type": "maybe"}}, "thinking.type"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format"),
        ({"cache_control": {"type": "ephemeral", "ttl": "2d"}}, "cache_control.ttl"),
    ],
)
def test_bad_requests_name_the_member(members: dict[str, Any], param: str) -> None:
    with pytest.raises(CallFailed) as caught:
        decoded(**members)
    assert caught.value.failure.kind is Kind.BAD_REQUEST
    assert caught.value.failure.param == param


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"a":' * 5000])
def test_bodies_that_are_no_object(body: bytes) -> None:
    for decode in (CODEC.decode_request, CODEC.peek):
        with pytest.raises(CallFailed) as caught:
            decode(body)
        assert caught.value.failure.kind is Kind.BAD_REQUEST


def test_counting_needs_no_max_tokens() -> None:
    body = json.dumps({"model": "m", "messages": [USER]}).encode()
    assert CODEC.decode_request(body, "count_tokens").params.max_tokens is None


def test_peek_and_rewrite_touch_two_members_only() -> None:
    body = b'{"model": "a", "stream" : true, "big": 12345678901234567890.50, "turnout": {"x": 1}}'
    envelope = CODEC.peek(body)
    assert (envelope.model, envelope.stream, envelope.include_usage) == ("a", True, True)
    assert (
        CODEC.rewrite(envelope, Target("b\"'"))
        == b'{"model":"b\\"\'","stream":true,"big":12345678901234567890.50}'
    )
    plain = CODEC.peek(b'{"model" : "a"}')
    assert CODEC.rewrite(plain, Target("a")) is plain.body


def test_endpoints_and_small_bodies() -> None:
    assert CODEC.path("chat", TARGET, True) == "/v1/messages"
    assert CODEC.path("count_tokens", TARGET, False) == "/v1/messages/count_tokens"
    counted = CODEC.decode_usage("count_tokens", CODEC.encode_count(14))
    assert counted is not None and counted.input == 14
    assert CODEC.decode_usage("count_tokens", b"oops") is None
    assert CODEC.decode_usage("embeddings", b"{}") is None
