"""Canonical requests that exercise what a provider's dialect may or may not be able to say, for encoders that share a loss table."""

from __future__ import annotations

import base64
import json
from typing import Any

from msgspec.structs import replace

from turnout.core.model import (
    Audio,
    CacheControl,
    DialectName,
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
from turnout.wire.limits import RANGES

SCHEMA_VALUE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SCHEMA = json_text(SCHEMA_VALUE)
TOOL = Tool("weather", "Looks it up", SCHEMA)
OTHER = Tool("attractions", None, SCHEMA)
PNG = "iVBORw0KGgo="
ANY = Target("some-model")
PLAIN = Target("some-model", frozenset({"tools"}))

CALLS = Message(
    "assistant",
    (
        Text("I will look."),
        ToolCall("call-1", "weather", '{"city": "Rome"}'),
        ToolCall("call-2", "attractions", '{"city":"Rome"}'),
    ),
)
RESULTS = Message(
    "user",
    (
        ToolResult("call-2", (Text("Colosseum"),)),
        ToolResult("call-1", (Text("sunny"),)),
        Text("And tomorrow?"),
    ),
)


def chat(*parts: Part, **members: object) -> Request:
    content = parts or (Text("Hi"),)
    messages = members.pop("messages", (Message("user", content),))
    return Request("openai_chat", "m", messages, **members)  # type: ignore[arg-type]


def params(**members: object) -> Request:
    return chat(params=Params(**members))  # type: ignore[arg-type]


def said(*parts: Part) -> Request:
    return chat(messages=(Message("assistant", parts),))


def body_of(codec: ProviderCodec, request: Request, target: Target = ANY) -> dict[str, Any]:
    """The encoded body of a request that loses nothing."""
    encoded = codec.encode_request(request, target)
    assert encoded.dropped == ()
    body: dict[str, Any] = json.loads(encoded.body)
    return body


def inline_text(text: str) -> Inline:
    return Inline("text/plain", base64.b64encode(text.encode()).decode())


COMMON_LOSSES: dict[str, tuple[Request, Target]] = {
    "audio": (chat(Audio(Inline("audio/wav", "UklG"), "wav")), ANY),
    "cache_control": (chat(Text("Hi", CacheControl())), ANY),
    "document.citations": (chat(Document(PlainText("x"), citations=True)), ANY),
    "document.media_type": (chat(Document(Inline("application/pdf", "UEsD"))), ANY),
    "document.url": (chat(Document(Url("https://x/y.pdf"))), ANY),
    "extras": (chat(extras=(Extra("logit_bias", json_text({})),)), ANY),
    "file_id": (chat(Image(FileId("file-1"))), ANY),
    "image.text": (chat(Image(PlainText("x"))), ANY),
    "messages.name": (chat(messages=(Message("user", (Text("Hi"),), "ann"),)), ANY),
    "n": (params(n=2), ANY),
    "opaque": (chat(Opaque("anthropic", "server_tool_use", json_text({}))), ANY),
    "parallel_tool_calls": (chat(tools=(TOOL,), params=Params(parallel_tool_calls=False)), ANY),
    "prompt_cache_key": (params(prompt_cache_key="k"), ANY),
    "reasoning": (chat(reasoning=ReasoningControl(effort="high")), PLAIN),
    "reasoning.display": (chat(reasoning=ReasoningControl("enabled", display="omitted")), ANY),
    "reasoning.signature": (said(Reasoning("hm", "sig", None, "anthropic"), Text("x")), ANY),
    "response_format.description": (
        chat(response_format=ResponseFormat("json_schema", None, SCHEMA, None, "d")),
        ANY,
    ),
    "response_format.name": (chat(response_format=ResponseFormat("json_schema", "n", SCHEMA)), ANY),
    "service_tier": (params(service_tier="flex"), ANY),
    "tool_calls.arguments": (said(ToolCall("a", "f", "[")), ANY),
    "tool_calls.signature": (said(ToolCall("a", "f", "{}", None, "proof")), ANY),
    "tool_results.is_error": (chat(ToolResult("a", (Text("no"),), True, name="f")), ANY),
    "tools.extras": (chat(tools=(Tool("f", extras=(Extra("x", json_text(1)),)),)), ANY),
    "tools.opaque": (chat(tools=(OpaqueTool("openai_chat", "web_search", json_text({})),)), ANY),
    "user": (params(user="u"), ANY),
    "verbosity": (params(verbosity="low"), ANY),
}

NAMED = ToolChoice("named", "weather")


def limit_cases(dialect: DialectName, target: Target = ANY) -> dict[str, tuple[Request, Target]]:
    """What is lost of numbers that are too large, or too small where nothing is too large."""
    caller: DialectName = "anthropic" if dialect == "openai_chat" else "openai_chat"
    cases = {"max_tokens": (_from(caller, max_tokens=101), replace(target, max_output=100))}
    for name, (least, most) in RANGES[dialect].items():
        value = (least or 0) - 1 if most is None else most + 1
        whole = int(value) if name.startswith("top_k") or name == "top_logprobs" else value
        cases[f"{name}.range"] = (_from(caller, **{name: whole}), target)
    return cases


def _from(dialect: DialectName, **members: object) -> Request:
    return replace(params(**members), dialect=dialect)
