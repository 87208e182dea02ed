"""A `generateContent` request as a canonical `Request`.

Both spellings of a member are read. Members with no canonical meaning are `extras`, verbatim; those of `generationConfig` are together in
one extra of that name, and a `toolConfig` that says more than a canonical tool choice is one, too. The only error is `BAD_REQUEST`, with the
path of the member at fault in `param`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from turnout.core.call import Op
from turnout.core.model import (
    Extra,
    Message,
    OpaqueTool,
    Params,
    Part,
    ReasoningControl,
    Request,
    ResponseFormat,
    Role,
    Text,
    Tool,
    ToolChoice,
)
from turnout.wire.body import bad, join_members, open_members
from turnout.wire.gemini.marks import DIALECT
from turnout.wire.gemini.parts import Calls, decode_parts
from turnout.wire.gemini.schemas import json_schema
from turnout.wire.gemini.spelling import camel_members, given, opened, read, read_message

_ROLES: Mapping[str, Role] = {
    "": "user",
    "user": "user",
    "function": "user",
    "tool": "user",
    "model": "assistant",
    "system": "system",
}
_DYNAMIC_BUDGET = -1
_TIERS = {"standard": "default", "flex": "flex", "priority": "priority", "unspecified": "auto"}
_OURS = frozenset(
    {
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "serviceTier",
        "model",
        "turnout",
    }
)


class _Content(Struct):
    role: str | None = None
    parts: list[Raw] | None = None


class _Declaration(Struct, rename="camel"):
    name: str
    description: str | None = None
    parameters: Raw = Raw()
    parameters_json_schema: Raw = Raw()


class _CallingConfig(Struct, rename="camel"):
    mode: str | int | None = None
    allowed_function_names: list[str] | None = None


class _Thinking(Struct, rename="camel"):
    thinking_budget: int | None = None
    thinking_level: str | None = None
    include_thoughts: bool | None = None


class _Generation(Struct, rename="camel"):
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    stop_sequences: list[str] | None = None
    candidate_count: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_mime_type: str | None = None
    response_schema: Raw = Raw()
    response_json_schema: Raw = Raw()
    thinking_config: Raw = Raw()


_content = msgspec.json.Decoder(_Content)
_contents = msgspec.json.Decoder(list[Raw])
_raws = msgspec.json.Decoder(list[Raw] | None)
_str = msgspec.json.Decoder(str | None)
_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)
_declaration = msgspec.json.Decoder(_Declaration)
_calling = msgspec.json.Decoder(_CallingConfig)
_thinking = msgspec.json.Decoder(_Thinking)
_generation = msgspec.json.Decoder(_Generation)
_GENERATION_OURS = frozenset(
    {
        "maxOutputTokens",
        "temperature",
        "topP",
        "topK",
        "stopSequences",
        "candidateCount",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "responseLogprobs",
        "logprobs",
        "responseMimeType",
        "responseSchema",
        "_responseJsonSchema",
        "responseJsonSchema",
        "thinkingConfig",
    }
)
_DECLARATION_OURS = frozenset({"name", "description", "parameters", "parametersJsonSchema"})
_MODES = {
    "AUTO": "auto",
    "ANY": "required",
    "NONE": "none",
    "VALIDATED": "auto",
    1: "auto",
    2: "required",
    3: "none",
}
_EXACT_MODES = frozenset({"AUTO", "ANY", "NONE", 1, 2, 3})
_UNSAID_MODES = (None, 0, "MODE_UNSPECIFIED")


def decode_request(body: bytes, op: Op = "chat") -> Request:
    """Raises `CallFailed(BAD_REQUEST)`. To count tokens, the request may be inside `generateContentRequest`."""
    members = camel_members(open_members(body))
    inner = members.get("generateContentRequest")
    if op == "count_tokens" and inner is not None and given(inner):
        members = opened(inner, "generateContentRequest")
    members = {name: raw for name, raw in members.items() if bytes(raw) != b"null"}
    extras = [Extra(name, raw.copy()) for name, raw in members.items() if name not in _OURS]
    config = _Generation()
    if "generationConfig" in members:
        config, rest = _open_generation(members["generationConfig"])
        extras += rest
    choice = None
    if "toolConfig" in members:
        choice, exact = _tool_choice(members["toolConfig"])
        if not exact:
            extras.append(Extra("toolConfig", members["toolConfig"].copy()))
    return Request(
        dialect=DIALECT,
        model=_model(members),
        messages=_messages(members),
        tools=_tools(members),
        tool_choice=choice,
        response_format=_response_format(config),
        reasoning=_reasoning(config),
        params=_params(config, members),
        extras=tuple(extras),
        include_usage=True,
    )


def _model(members: Mapping[str, Raw]) -> str:
    raw = members.get("model")
    return "" if raw is None else (read(_str, raw, "model") or "").removeprefix("models/")


# -- the conversation
def _messages(members: Mapping[str, Raw]) -> tuple[Message, ...]:
    raw = members.get("contents")
    if raw is None:
        raise bad("contents: is required", "contents")
    calls = Calls()
    messages: list[Message] = []
    if "systemInstruction" in members:
        messages += _system(members["systemInstruction"])
    contents = read(_contents, raw, "contents") if bytes(raw).lstrip()[:1] == b"[" else [raw]
    if not contents:
        raise bad("contents: at least one content is required", "contents")
    for number, content in enumerate(contents):
        messages.append(_message(content, calls, f"contents.{number}"))
    return tuple(messages)


def _message(raw: Raw, calls: Calls, where: str) -> Message:
    content = read(_content, raw, where)
    role = _ROLES.get(content.role or "")
    if role is None:
        raise bad(f"{where}.role: must be user or model", f"{where}.role")
    return Message(role, decode_parts(content.parts or [], calls, f"{where}.parts"))


def _system(raw: Raw) -> list[Message]:
    where = "systemInstruction"
    if bytes(raw)[:1] == b'"':
        parts: tuple[Part, ...] = (Text(read(_str, raw, where) or ""),)
    else:
        parts = decode_parts(read(_content, raw, where).parts or [], Calls(), f"{where}.parts")
    return [Message("system", parts)] if parts else []


# -- tools
def _tools(members: Mapping[str, Raw]) -> tuple[Tool | OpaqueTool, ...]:
    if "tools" not in members:
        return ()
    tools: list[Tool | OpaqueTool] = []
    for number, raw in enumerate(read(_raws, members["tools"], "tools") or ()):
        where = f"tools.{number}"
        for name, value in opened(raw, where).items():
            if bytes(value) == b"null":
                continue
            if name == "functionDeclarations":
                tools += _functions(value, f"{where}.functionDeclarations")
            else:
                tools.append(OpaqueTool(DIALECT, name, Raw(join_members({name: value}))))
    return tuple(tools)


def _functions(raw: Raw, where: str) -> list[Tool]:
    return [
        _function(declaration, f"{where}.{number}")
        for number, declaration in enumerate(read(_raws, raw, where) or ())
    ]


def _function(raw: Raw, where: str) -> Tool:
    members = opened(raw, where)
    found = read(_declaration, join_members(members), where)
    schema = None
    if given(found.parameters_json_schema):
        schema = found.parameters_json_schema.copy()
    elif given(found.parameters):
        schema = json_schema(found.parameters)
    extras = tuple(
        Extra(name, value.copy())
        for name, value in members.items()
        if name not in _DECLARATION_OURS and bytes(value) != b"null"
    )
    return Tool(found.name, found.description, schema, None, None, extras)


def _tool_choice(raw: Raw) -> tuple[ToolChoice | None, bool]:
    """The choice, and whether that is all the configuration says."""
    members = opened(raw, "toolConfig")
    inner = members.get("functionCallingConfig")
    others = any(
        bytes(value) != b"null" for name, value in members.items() if name != "functionCallingConfig"
    )
    if inner is None or not given(inner):
        return None, not others
    config = read_message(_calling, inner, "toolConfig.functionCallingConfig")
    names, word = config.allowed_function_names or [], config.mode
    mode = _MODES.get(word.upper() if isinstance(word, str) else word or 0)
    if mode is None:
        if word not in _UNSAID_MODES:
            raise bad(
                "toolConfig.functionCallingConfig.mode: must be AUTO, ANY, NONE or VALIDATED",
                "toolConfig.functionCallingConfig.mode",
            )
        return None, not others
    if mode == "required" and len(names) == 1:
        return ToolChoice("named", names[0]), not others
    exact = not others and not names and word in _EXACT_MODES
    return ToolChoice(mode), exact  # type: ignore[arg-type]


# -- parameters
def _open_generation(raw: Raw) -> tuple[_Generation, list[Extra]]:
    members = opened(raw, "generationConfig")
    if "_responseJsonSchema" in members:
        members.setdefault("responseJsonSchema", members.pop("_responseJsonSchema"))
    config = read(_generation, join_members(members), "generationConfig")
    rest = {
        name: value
        for name, value in members.items()
        if name not in _GENERATION_OURS and bytes(value) != b"null"
    }
    if config.response_mime_type not in (None, "", "text/plain", "application/json"):
        rest["responseMimeType"] = members["responseMimeType"]
    return config, [Extra("generationConfig", Raw(join_members(rest)))] if rest else []


def _response_format(config: _Generation) -> ResponseFormat | None:
    if given(config.response_json_schema):
        return ResponseFormat("json_schema", None, config.response_json_schema.copy())
    if given(config.response_schema):
        return ResponseFormat("json_schema", None, json_schema(config.response_schema))
    if config.response_mime_type == "application/json":
        return ResponseFormat("json_object")
    return ResponseFormat("text") if config.response_mime_type == "text/plain" else None


def _reasoning(config: _Generation) -> ReasoningControl | None:
    if not given(config.thinking_config):
        return None
    thinking = read_message(_thinking, config.thinking_config, "generationConfig.thinkingConfig")
    budget, level, shown = thinking.thinking_budget, thinking.thinking_level, thinking.include_thoughts
    effort = level.lower() if level and level != "THINKING_LEVEL_UNSPECIFIED" else None
    display = None if shown is None else "summarized" if shown else "omitted"
    if budget == _DYNAMIC_BUDGET:
        return ReasoningControl("adaptive", effort, None, display)
    if budget == 0:
        return ReasoningControl("disabled", effort, 0, display)
    if budget is None and effort is None and display is None:
        return None
    return ReasoningControl("enabled" if budget else None, effort, budget, display)


def _params(config: _Generation, members: Mapping[str, Raw]) -> Params:
    tier = None
    if "serviceTier" in members:
        word = read(_str, members["serviceTier"], "serviceTier")
        tier = None if word is None else _TIERS.get(word.lower(), word)
    return Params(
        max_tokens=config.max_output_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=None if config.top_k is None else int(config.top_k),
        stop=tuple(config.stop_sequences or ()),
        n=config.candidate_count,
        seed=config.seed,
        presence_penalty=config.presence_penalty,
        frequency_penalty=config.frequency_penalty,
        logprobs=config.response_logprobs,
        top_logprobs=config.logprobs,
        service_tier=tier,
    )
