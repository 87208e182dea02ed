"""Requests as Bedrock wants them, and the losses: what is declared is dropped, what is dropped is declared."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.wire.requests import limit_cases
from turnout.core.call import Envelope
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
from turnout.wire.anthropic import CODEC as ANTHROPIC
from turnout.wire.bedrock import CODEC, INVOKE_ANTHROPIC
from turnout.wire.body import json_text
from turnout.wire.codec import Target
from turnout.wire.losses import losses_to

SCHEMA = json_text({"type": "object"})
TOOL = Tool("f", None, SCHEMA)
CALL = Message("assistant", (ToolCall("a", "f", '{"x": 1}'),))
RESULT = Message("user", (ToolResult("a", (Text("1"),)),))
THINK = ReasoningControl(effort="high")
CLAUDE = Target(
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0", frozenset({"json_schema", "reasoning"}), max_output=64_000
)
PLAIN = Target("us.anthropic.claude-3-haiku-20240307-v1:0", frozenset({"tools"}))
LLAMA = Target("us.meta.llama4-maverick-17b-instruct-v1:0")
NOVA = Target("us.amazon.nova-2-lite-v1:0")


def chat(*parts: Part, **members: Any) -> Request:
    """A request of another dialect with these parts in the user's turn."""
    messages = members.pop("messages", (Message("user", parts or (Text("Hi"),)),))
    return Request("openai_chat", "m", messages, **members)


def params(**members: Any) -> Request:
    return chat(params=Params(**members))


def body(request: Request, target: Target = CLAUDE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CODEC.encode_request(request, target).body)
    return found


def content(*parts: Part, target: Target = CLAUDE) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(chat(*parts), target)["messages"][0]["content"]
    return found


TO_BEDROCK: Mapping[str, tuple[Request, Target]] = {
    "audio.format": (chat(Text("Hi"), Audio(Inline("audio/x", "UklG"), "midi")), LLAMA),
    "audio.url": (chat(Text("Hi"), Audio(Url("https://x/a.wav"), "wav")), LLAMA),
    "cache_control": (chat(Text("Hi", CacheControl())), LLAMA),
    "cache_control.ttl": (chat(Text("Hi", CacheControl("1h"))), NOVA),
    "document.citations": (chat(Document(PlainText("x"), "d", None, True)), LLAMA),
    "document.context": (chat(Document(PlainText("x"), "d", "c")), LLAMA),
    "document.media_type": (chat(Document(Inline("application/zip", "UEsD"))), CLAUDE),
    "document.url": (chat(Document(Url("https://x/a.pdf"))), CLAUDE),
    "extras": (chat(extras=(Extra("logit_bias", json_text({})),)), CLAUDE),
    "file_id": (chat(Image(FileId("file-1"))), CLAUDE),
    "frequency_penalty": (params(frequency_penalty=0.5), CLAUDE),
    "image.detail": (chat(Image(Inline("image/png", "iVBO"), "high")), CLAUDE),
    "image.media_type": (chat(Image(Inline("image/tiff", "SUkq"))), CLAUDE),
    "image.url": (chat(Image(Url("https://x/a.png"))), CLAUDE),
    "logprobs": (params(logprobs=True), CLAUDE),
    "max_tokens": (params(max_tokens=100_000), CLAUDE),
    "messages.name": (chat(messages=(Message("user", (Text("Hi"),), "ann"),)), CLAUDE),
    "messages.system_position": (
        chat(messages=(Message("user", (Text("Hi"),)), Message("system", (Text("Now"),)))),
        CLAUDE,
    ),
    "n": (params(n=2), CLAUDE),
    "opaque": (chat(Text("Hi"), Opaque("openai_chat", "video_url", json_text({}))), CLAUDE),
    "parallel_tool_calls": (chat(tools=(TOOL,), params=Params(parallel_tool_calls=False)), CLAUDE),
    "presence_penalty": (params(presence_penalty=0.5), CLAUDE),
    "prompt_cache_key": (params(prompt_cache_key="k"), CLAUDE),
    "reasoning": (chat(reasoning=THINK), LLAMA),
    "reasoning.budget_tokens": (chat(reasoning=ReasoningControl(budget_tokens=5000)), NOVA),
    "reasoning.forced_tool_choice": (
        chat(reasoning=THINK, tools=(TOOL,), tool_choice=ToolChoice("required")),
        CLAUDE,
    ),
    "reasoning.max_tokens": (chat(reasoning=THINK, params=Params(max_tokens=100)), CLAUDE),
    "reasoning.tool_loop": (chat(reasoning=THINK, messages=(CALL, RESULT)), CLAUDE),
    "reasoning.unsigned": (chat(messages=(Message("assistant", (Reasoning("hm"), Text("x"))),)), CLAUDE),
    "response_format.emulated": (chat(response_format=ResponseFormat("json_object")), CLAUDE),
    "seed": (params(seed=1), CLAUDE),
    "service_tier": (params(service_tier="scale"), CLAUDE),
    "stop.whitespace": (params(stop=("\n",)), CLAUDE),
    "system.content": (
        chat(messages=(Message("system", (Image(Url("https://x")),)), Message("user", (Text("Hi"),)))),
        CLAUDE,
    ),
    "temperature": (chat(reasoning=THINK, params=Params(temperature=0.1)), CLAUDE),
    "temperature.range": (params(temperature=1.5), LLAMA),
    "tool_calls.arguments": (chat(messages=(Message("assistant", (ToolCall("a", "f", "["),)),)), CLAUDE),
    "tool_calls.signature": (
        chat(messages=(Message("assistant", (ToolCall("a", "f", "{}", None, "proof"),)),)),
        CLAUDE,
    ),
    "tool_choice.none": (
        chat(messages=(CALL, RESULT), tools=(TOOL,), tool_choice=ToolChoice("none")),
        CLAUDE,
    ),
    "tool_results.is_error": (
        chat(messages=(CALL, Message("user", (ToolResult("a", (Text("no"),), True),)))),
        LLAMA,
    ),
    "tools.extras": (chat(tools=(Tool("f", extras=(Extra("x", json_text(1)),)),)), CLAUDE),
    "tools.opaque": (chat(tools=(OpaqueTool("openai_chat", "web_search", json_text({})),)), CLAUDE),
    "tools.strict": (chat(tools=(Tool("f", strict=True),)), PLAIN),
    "top_k": (params(top_k=5), LLAMA),
    "top_logprobs": (params(top_logprobs=3), CLAUDE),
    "top_p": (params(temperature=0.3, top_p=0.3), CLAUDE),
    "user": (params(user="u"), CLAUDE),
    "verbosity": (params(verbosity="low"), CLAUDE),
    **limit_cases("bedrock", CLAUDE),
}
BESIDE = {"response_format.name"}  # never alone: it comes with `response_format.emulated`


@pytest.mark.parametrize("field", sorted(TO_BEDROCK))
def test_what_is_declared_is_dropped(field: str) -> None:
    request, target = TO_BEDROCK[field]
    assert CODEC.encode_request(request, target).dropped == (field,)


def test_what_is_dropped_is_declared() -> None:
    assert set(TO_BEDROCK) | BESIDE == set(losses_to("bedrock"))
    named = ResponseFormat("json_schema", "n", SCHEMA)
    dropped = CODEC.encode_request(chat(response_format=named), PLAIN).dropped
    assert dropped == ("response_format.name", "response_format.emulated")


def test_the_path_encodes_the_model() -> None:
    arn = Target("arn:aws:bedrock:us-east-1:1:application-inference-profile/a")
    assert CODEC.path("chat", CLAUDE, False).endswith("-v1%3A0/converse")
    assert CODEC.path("chat", CLAUDE, True).endswith("-v1%3A0/converse-stream")
    assert CODEC.path("chat", arn, False).startswith(
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication"
    )
    assert CODEC.path("chat", arn, False).endswith("%2Fa/converse")
    assert INVOKE_ANTHROPIC.path("chat", CLAUDE, True).endswith("/invoke-with-response-stream")
    assert CODEC.path("count_tokens", CLAUDE, False).endswith("/count-tokens")


def test_a_conversation_with_everything() -> None:
    request = chat(
        messages=(
            Message("system", (Text("S", CacheControl("1h")),)),
            Message("user", (Text("Hi"), Image(Inline("image/jpg", "/9j/")))),
            Message(
                "assistant", (Reasoning("Hm", "PROOF", None, "bedrock"), ToolCall("a b", "f", '{"x": 1}'))
            ),
            Message("user", (Text("and?"),)),
            Message("user", (ToolResult("a b", (Text("1"), Image(Inline("image/png", "iVBO"))), False),)),
        ),
        tools=(Tool("f", "d", SCHEMA, cache=CacheControl()),),
        tool_choice=ToolChoice("named", "f"),
        params=Params(max_tokens=10, temperature=0.5, stop=("END",), service_tier="flex", top_k=3),
        response_format=ResponseFormat("json_schema", "n", SCHEMA, True, "d"),
        stream=True,
    )
    encoded = CODEC.encode_request(request, CLAUDE)
    assert encoded.dropped == ()
    assert json.loads(encoded.body) == {
        "system": [{"text": "S"}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
        "messages": [
            {
                "role": "user",
                "content": [{"text": "Hi"}, {"image": {"format": "jpeg", "source": {"bytes": "/9j/"}}}],
            },
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "PROOF"}}},
                    {"toolUse": {"toolUseId": "a_x20_b", "name": "f", "input": {"x": 1}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "toolResult": {
                            "toolUseId": "a_x20_b",
                            "content": [
                                {"text": "1"},
                                {"image": {"format": "png", "source": {"bytes": "iVBO"}}},
                            ],
                            "status": "success",
                        }
                    },
                    {"text": "and?"},
                ],
            },
        ],
        "inferenceConfig": {"maxTokens": 10, "temperature": 0.5, "stopSequences": ["END"]},
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}},
                {"cachePoint": {"type": "default"}},
            ],
            "toolChoice": {"tool": {"name": "f"}},
        },
        "outputConfig": {
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "n", "description": "d"}},
            }
        },
        "additionalModelRequestFields": {"top_k": 3},
        "additionalModelResponseFieldPaths": ["/stop_sequence", "/delta/stop_sequence"],
        "serviceTier": {"type": "flex"},
    }


def test_arguments_keep_their_text() -> None:
    raw = '{"n": 1.50,  "big": 12345678901234567890123, "u": "\\u00e9"}'
    request = chat(messages=(Message("assistant", (ToolCall("a", "f", raw),)),))
    assert raw.encode() in CODEC.encode_request(request, CLAUDE).body


def test_blank_texts_and_empty_turns_are_left_out() -> None:
    request = chat(
        messages=(
            Message("user", (Text(" \n"), Text("Hi"))),
            Message("assistant", (Text(""),)),
            Message("user", (Text("Still there?"),)),
        )
    )
    assert body(request)["messages"] == [
        {"role": "user", "content": [{"text": "Hi"}, {"text": "Still there?"}]}
    ]


def test_documents_have_names_of_few_characters_and_a_text_beside_them() -> None:
    pdf = Inline("application/pdf", "JVBE")
    blocks = content(Document(pdf, "a_b/ü.pdf"), Document(pdf, "a b pdf"), Document(PlainText("x")))
    assert [block["document"]["name"] for block in blocks[1:]] == ["a b pdf", "a b pdf 2", "Document"]
    assert blocks[0] == {"text": "a b pdf"}
    assert blocks[3]["document"]["source"] == {"bytes": base64.b64encode(b"x").decode()}
    cited = content(Text("Hi"), Document(PlainText("facts"), "d", "c", True))[1]["document"]
    assert cited == {
        "format": "txt",
        "name": "d",
        "source": {"text": "facts"},
        "context": "c",
        "citations": {"enabled": True},
    }


def test_media_from_s3_and_data_urls() -> None:
    blocks = content(Image(Url("s3://bucket/a.JPG")), Image(Url("data:image/webp;base64,UklG")))
    assert blocks[0]["image"] == {"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/a.JPG"}}}
    assert blocks[1]["image"] == {"format": "webp", "source": {"bytes": "UklG"}}
    assert content(Audio(Inline("audio/wav", "UklG"), "wav"))[0]["audio"]["format"] == "wav"


def test_tools_that_were_used_are_always_declared() -> None:
    encoded = body(chat(messages=(CALL, RESULT)))
    assert [tool["toolSpec"]["name"] for tool in encoded["toolConfig"]["tools"]] == ["f"]
    assert "toolConfig" not in body(chat(tools=(TOOL,), tool_choice=ToolChoice("none")))
    assert body(chat(tools=(TOOL,), tool_choice=ToolChoice("required")))["toolConfig"]["toolChoice"] == {
        "any": {}
    }


def test_an_empty_result_is_not_empty() -> None:
    turn = body(chat(messages=(CALL, Message("user", (ToolResult("a", ()),)))))["messages"][1]
    assert turn["content"][0]["toolResult"]["content"] == [{"text": "(no output)"}]


def test_long_ids_stay_apart_and_agree() -> None:
    ids = ["call_" + "x" * 80 + end for end in "ab"]
    request = chat(
        messages=(
            Message("assistant", tuple(ToolCall(i, "f", "{}") for i in ids)),
            Message("user", tuple(ToolResult(i, (Text("1"),)) for i in ids)),
        )
    )
    calls, results = (message["content"] for message in body(request)["messages"])
    called = [block["toolUse"]["toolUseId"] for block in calls]
    assert called == [block["toolResult"]["toolUseId"] for block in results]
    assert len(set(called)) == 2 and all(len(call_id) <= 64 for call_id in called)


def test_thinking_in_each_makers_words() -> None:
    def fields(target: Target) -> Any:
        return body(chat(reasoning=THINK), target).get("additionalModelRequestFields")

    assert fields(CLAUDE) == {"thinking": {"type": "enabled", "budget_tokens": 16_384}}
    assert fields(NOVA) == {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}
    assert fields(Target("openai.gpt-oss-120b-1:0")) == {"reasoning_effort": "high"}
    assert fields(Target("qwen.qwen3-32b-v1:0")) == {"reasoning_config": "high"}
    adaptive = Target(CLAUDE.model, CLAUDE.capabilities, frozenset({"adaptive_thinking"}), 64_000)
    encoded = body(chat(reasoning=THINK), adaptive)
    assert encoded["outputConfig"] == {"effort": "high"}
    assert encoded["additionalModelRequestFields"] == {"thinking": {"type": "adaptive"}}


def test_thinking_of_claude_holds_on_every_platform() -> None:
    withheld = Reasoning("", None, "EqRA", "anthropic")
    turn = Message("assistant", (Reasoning("Hm", "PROOF", None, "anthropic"), withheld, *CALL.content))
    request = chat(messages=(turn, RESULT), reasoning=THINK)
    encoded = CODEC.encode_request(request, CLAUDE)
    blocks = json.loads(encoded.body)["messages"][0]["content"]
    assert encoded.dropped == ()
    assert blocks[0] == {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "PROOF"}}}
    assert blocks[1] == {"reasoningContent": {"redactedContent": base64.b64encode(b"EqRA").decode()}}
    assert CODEC.encode_request(request, NOVA).dropped == ("reasoning.unsigned",)


def test_thinking_goes_on_inside_a_tool_loop_that_began_with_it() -> None:
    turn = Message("assistant", (Reasoning("Hm", "PROOF", None, "bedrock"), *CALL.content))
    encoded = CODEC.encode_request(chat(messages=(turn, RESULT), reasoning=THINK), CLAUDE)
    assert encoded.dropped == () and b'"thinking":{' in encoded.body


def test_nova_takes_top_k_in_its_own_place() -> None:
    assert body(params(top_k=7), NOVA)["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 7}}


def test_a_model_without_sampling_is_sent_none() -> None:
    target = Target(CLAUDE.model, quirks=frozenset({"no_sampling"}))
    encoded = CODEC.encode_request(params(temperature=0.2, top_p=0.9, top_k=4, max_tokens=9), target)
    assert json.loads(encoded.body)["inferenceConfig"] == {"maxTokens": 9}
    assert set(encoded.dropped) == {"temperature", "top_p", "top_k"}


def test_an_automatic_cache_is_a_point_at_the_end() -> None:
    blocks = body(chat(params=Params(cache=CacheControl())))["messages"][-1]["content"]
    assert blocks == [{"text": "Hi"}, {"cachePoint": {"type": "default"}}]


# -- Anthropic's body in other envelopes
def test_invoked_bodies_name_a_version_and_no_model() -> None:
    request = Request(
        "anthropic", "m", (Message("user", (Text("Hi"),)),), params=Params(max_tokens=5), stream=True
    )
    assert json.loads(INVOKE_ANTHROPIC.encode_request(request, CLAUDE).body) == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_invoked_bodies_lose_what_anthropics_lose() -> None:
    assert losses_to("bedrock_anthropic") == losses_to("anthropic")
    request = params(seed=1)
    assert INVOKE_ANTHROPIC.encode_request(request, CLAUDE).dropped == ("seed",)


VERTEX = Target("claude-sonnet-4-5@20250929", quirks=frozenset({"vertex"}))


def test_vertex_has_the_model_in_its_path() -> None:
    at = "/publishers/anthropic/models/"
    assert ANTHROPIC.path("chat", VERTEX, False) == f"{at}claude-sonnet-4-5@20250929:rawPredict"
    assert ANTHROPIC.path("chat", VERTEX, True) == f"{at}claude-sonnet-4-5@20250929:streamRawPredict"
    assert ANTHROPIC.path("count_tokens", VERTEX, False) == f"{at}count-tokens:rawPredict"


def envelope(body: bytes) -> Envelope:
    return ANTHROPIC.peek(body)


def test_vertex_bodies_translated_and_rewritten() -> None:
    request = params(max_tokens=5)
    assert json.loads(ANTHROPIC.encode_request(request, VERTEX).body) == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    raw = b'{"model":"m","max_tokens":5,"stream":true,"messages":[ {"role":"user"} ],"turnout":{}}'
    assert ANTHROPIC.rewrite(envelope(raw), VERTEX) == (
        b'{"anthropic_version":"vertex-2023-10-16","max_tokens":5,"stream":true,"messages":[ {"role":"user"} ]}'
    )
    counting = b'{"model":"m","messages":[]}'
    assert json.loads(ANTHROPIC.rewrite(envelope(counting), VERTEX)) == {
        "anthropic_version": "vertex-2023-10-16",
        "model": "claude-sonnet-4-5@20250929",
        "messages": [],
    }
