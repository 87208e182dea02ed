"""The loss table and the encoders say the same: what is dropped is declared, what is declared is dropped."""

from __future__ import annotations

from collections.abc import Mapping

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
from turnout.wire.body import json_text
from turnout.wire.codec import Target
from turnout.wire.losses import LOSSES, losses_to

SCHEMA = json_text({"type": "object"})
TOOL = Tool("f", None, SCHEMA)
CALL = Message("assistant", (ToolCall("a", "f", "{}"),))
RESULT = Message("user", (ToolResult("a", (Text("1"),)),))
THINK = ReasoningControl(effort="high")


def chat(*parts: Part, **members: object) -> Request:
    """A request of another dialect with these parts in the user's turn."""
    content = parts or (Text("Hi"),)
    messages = members.pop("messages", (Message("user", content),))
    return Request("openai_chat", "m", messages, **members)  # type: ignore[arg-type]


def params(**members: object) -> Request:
    return chat(params=Params(**members))  # type: ignore[arg-type]


CAPABLE = Target("claude", frozenset({"json_schema", "reasoning"}), max_output=64_000)
PLAIN = Target("claude", frozenset({"tools"}))

TO_ANTHROPIC: Mapping[str, tuple[Request, Target]] = {
    "audio": (chat(Audio(Inline("audio/wav", "UklG"), "wav")), CAPABLE),
    "document.media_type": (chat(Document(Inline("application/zip", "UEsD"))), CAPABLE),
    "extras": (chat(extras=(Extra("logit_bias", json_text({})),)), CAPABLE),
    "file_id": (chat(Image(FileId("file-1"))), CAPABLE),
    "frequency_penalty": (params(frequency_penalty=0.5), CAPABLE),
    "image.detail": (chat(Image(Url("https://x"), "high")), CAPABLE),
    "logprobs": (params(logprobs=True), CAPABLE),
    "max_tokens": (params(max_tokens=100_000), CAPABLE),
    "messages.name": (chat(messages=(Message("user", (Text("Hi"),), "ann"),)), CAPABLE),
    "messages.prefill": (
        chat(messages=(Message("user", (Text("Hi"),)), Message("assistant", (Text("He"),)))),
        Target("claude", quirks=frozenset({"no_prefill"})),
    ),
    "messages.system_position": (
        chat(messages=(Message("user", (Text("Hi"),)), Message("system", (Text("Now"),)))),
        CAPABLE,
    ),
    "n": (params(n=2), CAPABLE),
    "opaque": (chat(Opaque("openai_chat", "video_url", json_text({}))), CAPABLE),
    "presence_penalty": (params(presence_penalty=0.5), CAPABLE),
    "prompt_cache_key": (params(prompt_cache_key="k"), CAPABLE),
    "reasoning": (chat(reasoning=THINK), PLAIN),
    "reasoning.forced_tool_choice": (
        chat(reasoning=THINK, tools=(TOOL,), tool_choice=ToolChoice("required")),
        CAPABLE,
    ),
    "reasoning.max_tokens": (chat(reasoning=THINK, params=Params(max_tokens=100)), CAPABLE),
    "reasoning.tool_loop": (chat(reasoning=THINK, messages=(CALL, RESULT)), CAPABLE),
    "reasoning.unsigned": (chat(messages=(Message("assistant", (Reasoning("hm"), Text("x"))),)), CAPABLE),
    "response_format.description": (
        chat(response_format=ResponseFormat("json_schema", None, SCHEMA, None, "d")),
        CAPABLE,
    ),
    "response_format.emulated": (chat(response_format=ResponseFormat("json_object")), CAPABLE),
    "response_format.name": (chat(response_format=ResponseFormat("json_schema", "n", SCHEMA)), CAPABLE),
    "seed": (params(seed=1), CAPABLE),
    "service_tier": (params(service_tier="flex"), CAPABLE),
    "stop.whitespace": (params(stop=("\n",)), CAPABLE),
    "system.content": (
        chat(messages=(Message("system", (Image(Url("https://x")),)), Message("user", (Text("Hi"),)))),
        CAPABLE,
    ),
    "temperature": (chat(reasoning=THINK, params=Params(temperature=0.1)), CAPABLE),
    "temperature.range": (params(temperature=1.5), CAPABLE),
    "tool_choice": (
        chat(tools=(TOOL,), tool_choice=ToolChoice("required")),
        Target("claude", quirks=frozenset({"no_forced_tools"})),
    ),
    "tool_calls.arguments": (chat(messages=(Message("assistant", (ToolCall("a", "f", "["),)),)), CAPABLE),
    "tool_calls.signature": (
        chat(messages=(Message("assistant", (ToolCall("a", "f", "{}", None, "proof"),)),)),
        CAPABLE,
    ),
    "tools.extras": (chat(tools=(Tool("f", extras=(Extra("x", json_text(1)),)),)), CAPABLE),
    "tools.opaque": (chat(tools=(OpaqueTool("openai_chat", "web_search", json_text({})),)), CAPABLE),
    "tools.strict": (chat(tools=(Tool("f", strict=True),)), PLAIN),
    "top_k": (chat(reasoning=THINK, params=Params(top_k=5)), CAPABLE),
    "top_logprobs": (params(top_logprobs=3), CAPABLE),
    "top_p": (params(temperature=0.3, top_p=0.3), CAPABLE),
    "verbosity": (params(verbosity="low"), CAPABLE),
    **limit_cases("anthropic", CAPABLE),
}


@pytest.mark.parametrize("field", sorted(losses_to("anthropic")))
def test_what_is_declared_is_dropped(field: str) -> None:
    request, target = TO_ANTHROPIC[field]
    assert ANTHROPIC.encode_request(request, target).dropped == (field,)


def test_what_is_dropped_is_declared() -> None:
    assert set(TO_ANTHROPIC) == set(losses_to("anthropic"))


def test_every_row_is_declared_once_and_has_a_reason() -> None:
    rows = [(loss.target, loss.field) for loss in LOSSES]
    assert len(rows) == len(set(rows)) and all(loss.reason for loss in LOSSES)


def test_a_request_that_says_everything_portable_loses_nothing() -> None:
    request = chat(
        messages=(
            Message("system", (Text("S", CacheControl()),)),
            Message("user", (Text("Hi"), Image(Url("https://x"), "auto"))),
            CALL,
            RESULT,
        ),
        tools=(TOOL,),
        tool_choice=ToolChoice("auto"),
        params=Params(max_tokens=10, temperature=0.5, stop=("END",), user="u", parallel_tool_calls=False),
        response_format=ResponseFormat("json_schema", None, SCHEMA, True),
        stream=True,
    )
    assert ANTHROPIC.encode_request(request, CAPABLE).dropped == ()
