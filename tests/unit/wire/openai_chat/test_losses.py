"""To a provider of this dialect: what is declared to be lost is lost, one by one, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.wire.requests import SCHEMA, TOOL, limit_cases
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
from turnout.wire.codec import ProviderCodec, Target
from turnout.wire.losses import losses_to
from turnout.wire.openai_chat import CODEC

PROVIDER: ProviderCodec = CODEC
HIGH = ReasoningControl("enabled", "high")
PNG = Inline("image/png", "iVBORw0KGgo=")


def chat(*parts: Part, **members: Any) -> Request:
    messages = members.pop("messages", (Message("user", parts or (Text("Hi"),)),))
    return Request("anthropic", "m", messages, **members)


def said(*parts: Part) -> Request:
    return chat(messages=(Message("assistant", parts),))


def params(**members: Any) -> Request:
    return chat(params=Params(**members))


def quirky(*words: str) -> Target:
    return Target("m", frozenset(), frozenset(words))


ANY = quirky()
SAMPLING = quirky("no_sampling")
CASES: Mapping[str, tuple[Request, Target]] = {
    **limit_cases("openai_chat", ANY),
    "top_k.range": (params(top_k=50), quirky("top_k", "top_k_to.40")),
    "audio.reference": (chat(Audio(FileId("a-1"))), ANY),
    "cache_control": (chat(Text("Hi", CacheControl())), ANY),
    "document.citations": (chat(Document(PlainText("x"), citations=True)), ANY),
    "document.context": (chat(Document(PlainText("x"), context="y")), ANY),
    "document.url": (chat(Document(Url("https://x/y.pdf"))), ANY),
    "extras": (chat(extras=(Extra("container", json_text({})),)), ANY),
    "file_id": (chat(Image(FileId("file-1"))), ANY),
    "frequency_penalty": (params(frequency_penalty=0.1), SAMPLING),
    "image.text": (chat(Image(PlainText("x"))), ANY),
    "logprobs": (params(logprobs=True), SAMPLING),
    "messages.name": (chat(messages=(Message("user", (Text("Hi"),), "ann"),)), quirky("no_names")),
    "n": (params(n=2), quirky("no_n")),
    "opaque": (chat(Opaque("anthropic", "server_tool_use", json_text({}))), ANY),
    "parallel_tool_calls": (
        chat(tools=(TOOL,), params=Params(parallel_tool_calls=False)),
        quirky("no_parallel_tool_calls"),
    ),
    "presence_penalty": (params(presence_penalty=0.1), SAMPLING),
    "reasoning": (chat(reasoning=HIGH), Target("m", frozenset({"tools"}))),
    "reasoning.budget_tokens": (chat(reasoning=ReasoningControl("enabled", None, 4_096)), ANY),
    "reasoning.display": (chat(reasoning=ReasoningControl("enabled", display="omitted")), ANY),
    "reasoning.effort": (chat(reasoning=ReasoningControl(effort="max")), ANY),
    "reasoning.forced_tool_choice": (
        chat(reasoning=HIGH, tools=(TOOL,), tool_choice=ToolChoice("required")),
        quirky("forced_tools_unthinking", "thinking_type"),
    ),
    "reasoning.history": (said(Reasoning("hm"), Text("x")), ANY),
    "reasoning.signature": (
        said(Reasoning("hm", "sig", None, "anthropic"), Text("x")),
        quirky("reasoning_content"),
    ),
    "response_format.emulated": (
        chat(response_format=ResponseFormat("json_schema", None, SCHEMA)),
        quirky("no_json_schema"),
    ),
    "seed": (params(seed=1), quirky("no_seed")),
    "service_tier": (params(service_tier="standard_only"), ANY),
    "stop": (params(stop=("END",)), quirky("no_stop")),
    "temperature": (params(temperature=0.5), SAMPLING),
    "temperature.range": (params(temperature=1.5), quirky("temperature_to_1")),
    "tool_calls.signature": (said(ToolCall("a", "f", "{}", None, "proof")), ANY),
    "tool_choice": (
        chat(tools=(TOOL,), tool_choice=ToolChoice("named", "weather")),
        quirky("no_forced_tools"),
    ),
    "tool_results.is_error": (chat(ToolResult("a", (Text("no"),), True)), ANY),
    "tool_results.media": (chat(ToolResult("a", (Image(PNG),))), ANY),
    "tools.extras": (chat(tools=(Tool("f", extras=(Extra("x", json_text(1)),)),)), ANY),
    "tools.opaque": (chat(tools=(OpaqueTool("anthropic", "web_search_20250305", json_text({})),)), ANY),
    "tools.strict": (chat(tools=(Tool("f", None, SCHEMA, True),)), quirky("no_strict_tools")),
    "top_k": (params(top_k=5), ANY),
    "top_logprobs": (params(top_logprobs=3), SAMPLING),
    "top_p": (params(top_p=0.5), SAMPLING),
}


@pytest.mark.parametrize("field", sorted(losses_to("openai_chat")))
def test_what_is_declared_is_dropped(field: str) -> None:
    request, target = CASES[field]
    assert PROVIDER.encode_request(request, target).dropped == (field,)


def test_what_is_dropped_is_declared() -> None:
    assert set(CASES) == set(losses_to("openai_chat"))


@pytest.mark.parametrize("field", sorted(losses_to("openai_chat")))
def test_a_refusal_is_the_targets_own(field: str) -> None:
    """What is lost by a quirk or a capability only, is not lost without it."""
    request, target = CASES[field]
    if target != ANY:
        dropped = PROVIDER.encode_request(request, Target("m", frozenset(), frozenset())).dropped
        assert field not in dropped or field == "reasoning.signature"
