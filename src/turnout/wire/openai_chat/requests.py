"""A chat completions request as a canonical `Request`.

Tool messages become tool results in a user turn of their own order; nothing is merged that the caller kept apart, except consecutive
results, which belong to one turn. `allowed_tools` is told by leaving the other tools out. Members with no canonical meaning are `extras`, verbatim. The only error is `BAD_REQUEST`, with the
path of the member at fault in `param`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from turnout.core.call import Op
from turnout.core.model import (
    CacheControl,
    Extra,
    Message,
    OpaqueTool,
    Params,
    Part,
    ReasoningControl,
    Refusal,
    Request,
    ResponseFormat,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from turnout.wire.body import bad, open_members, read, reopen_members
from turnout.wire.openai_chat.call_proofs import proof_of
from turnout.wire.openai_chat.parts import DIALECT, WireCache, cache_control, decode_parts
from turnout.wire.openai_chat.reasoning import history_parts

_ROLES: Mapping[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
}
_PLAIN_ROLES: Mapping[str, Role] = {"user": "user", "system": "system"}  # turns that are their content


class _Function(Struct):
    name: str
    arguments: str | None = None


class _CustomCall(Struct):
    name: str
    input: str | None = None


class _Call(Struct):
    id: str | None = None
    type: str | None = None
    function: _Function | None = None
    custom: _CustomCall | None = None
    extra_content: Any = None
    cache_control: WireCache | None = None


class _AudioRef(Struct):
    id: str | None = None


class _Message(Struct):
    role: str
    content: str | list[Raw] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    function_call: _Function | None = None
    audio: _AudioRef | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    cache_control: WireCache | None = None


class _FunctionTool(Struct):
    name: str
    description: str | None = None
    parameters: Raw = Raw()
    strict: bool | None = None


class _Tool(Struct):
    type: str = "function"
    function: _FunctionTool | None = None
    cache_control: WireCache | None = None


class _Named(Struct):
    name: str


class _Allowed(Struct):
    mode: Literal["auto", "required"]
    tools: list[_Choice]


class _Choice(Struct):
    type: str = "function"
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _Allowed | None = None


class _Schema(Struct):
    name: str | None = None
    schema: Raw = Raw()
    strict: bool | None = None
    description: str | None = None


class _Format(Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


class _Reasoning(Struct):
    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None


class _Thinking(Struct):
    type: Literal["enabled", "disabled", "adaptive"] | None = None
    budget_tokens: int | None = None


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Body(Struct):
    model: str
    messages: list[_Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    n: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    parallel_tool_calls: bool | None = None
    user: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    verbosity: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[Raw] | None = None
    functions: list[_FunctionTool] | None = None
    tool_choice: str | _Choice | None = None
    function_call: str | _Named | None = None
    response_format: _Format | None = None
    reasoning_effort: str | None = None
    reasoning: _Reasoning | None = None
    thinking: _Thinking | None = None
    cache_control: WireCache | None = None


class _EmbeddingsBody(Struct):
    model: str
    input: str | list[str] | list[int] | list[list[int]]


_body = msgspec.json.Decoder(_Body)
_tool = msgspec.json.Decoder(_Tool)
_choice = msgspec.json.Decoder(_Choice)
_members = msgspec.json.Decoder(dict[str, Raw])
_input: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)
_OURS = frozenset({*_Body.__struct_fields__, "turnout"})
_TOOL_OURS = frozenset(_Tool.__struct_fields__)


def decode_request(body: bytes, op: Op = "chat") -> Request:
    """Raises `CallFailed(BAD_REQUEST)`."""
    if op == "embeddings":
        return _embeddings(open_members(body))
    wire = _read_body(body)
    members = reopen_members(body)
    return Request(
        dialect=DIALECT,
        model=wire.model,
        messages=_messages(wire.messages),
        tools=_tools(wire),
        tool_choice=_tool_choice(wire),
        response_format=_response_format(wire.response_format),
        reasoning=_reasoning(wire),
        params=_params(wire),
        stream=bool(wire.stream),
        include_usage=bool(wire.stream_options is not None and wire.stream_options.include_usage),
        extras=() if members.keys() <= _OURS else _extras(members),
    )


def _extras(members: Mapping[str, Raw]) -> tuple[Extra, ...]:
    return tuple(
        Extra(name, raw.copy())
        for name, raw in members.items()
        if name not in _OURS and bytes(raw) != b"null"
    )


def _read_body(body: bytes) -> _Body:
    """The error names the member at fault."""
    try:
        return _body.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        message = str(error)
    path = message.partition("$.")[2].rstrip("`'") if "$." in message else ""
    raise bad(message, path[:128] or None)


def _embeddings(members: Mapping[str, Raw]) -> Request:
    """An embeddings request as far as routing looks at it: the text, as if a user had said it."""
    model = read(members, "model", msgspec.json.Decoder(str), "")
    value = read(members, "input", _input, None)
    texts = value if isinstance(value, list) else [value]
    parts = tuple(Text(text) for text in texts if isinstance(text, str))
    if not parts and not (isinstance(value, list) and value):
        raise bad("input: text, or a list of texts or tokens, is required", "input")
    return Request(DIALECT, model, (Message("user", parts or (Text(""),)),))


# -- the conversation
def _messages(wire: list[_Message]) -> tuple[Message, ...]:
    if not wire:
        raise bad("messages: at least one message is required", "messages")
    messages: list[Message] = []
    results: list[Part] = []
    for number, message in enumerate(wire):
        content = message.content
        plain = _PLAIN_ROLES.get(message.role)
        if plain is not None and type(content) is str and not results and message.cache_control is None:
            messages.append(Message(plain, (Text(content),), message.name))  # most messages
            continue
        where = f"messages.{number}"
        if message.role in ("tool", "function"):
            results.append(_result(message, where))
            continue
        if results:
            messages.append(Message("user", tuple(results)))
            results = []
        role = _ROLES.get(message.role)
        if role is None:
            raise bad(f"{where}.role: must be system, developer, user, assistant or tool", f"{where}.role")
        messages.append(Message(role, _content(message, role, where), message.name))
    if results:
        messages.append(Message("user", tuple(results)))
    return tuple(messages)


def _result(message: _Message, where: str) -> ToolResult:
    call_id = message.tool_call_id or (message.name if message.role == "function" else None)
    if not call_id:
        raise bad(f"{where}.tool_call_id: is required", f"{where}.tool_call_id")
    content = decode_parts(message.content, f"{where}.content")
    return ToolResult(call_id, content, None, cache_control(message.cache_control), message.name)


def _content(message: _Message, role: Role, where: str) -> tuple[Part, ...]:
    parts = list(decode_parts(message.content, f"{where}.content"))
    if message.cache_control is not None and parts and isinstance(parts[-1], Text):
        parts[-1] = Text(parts[-1].text, cache_control(message.cache_control))
    if role != "assistant":
        return tuple(parts)
    thoughts = history_parts(message.reasoning_content, message.reasoning, message.reasoning_details)
    refusal = [Refusal(message.refusal)] if message.refusal else []
    calls = [_call(call, where, number) for number, call in enumerate(message.tool_calls or ())]
    legacy = message.function_call
    if legacy is not None and legacy.name:
        calls.append(ToolCall(legacy.name, legacy.name, legacy.arguments or ""))
    return (*thoughts, *parts, *refusal, *calls)


def _call(call: _Call, where: str, number: int) -> ToolCall:
    if call.custom is not None and call.function is None:
        return ToolCall(call.id or f"call_{number}", call.custom.name, call.custom.input or "", custom=True)
    if call.function is None:
        raise bad(
            f"{where}.tool_calls.{number}.function: is required", f"{where}.tool_calls.{number}.function"
        )
    signature, origin = proof_of(call.extra_content)
    return ToolCall(
        call.id or f"call_{number}",
        call.function.name,
        call.function.arguments or "",
        cache_control(call.cache_control),
        signature,
        False,
        origin,
    )


# -- tools
def _tools(wire: _Body) -> tuple[Tool | OpaqueTool, ...]:
    tools: list[Tool | OpaqueTool] = [
        _decode_tool(raw, f"tools.{n}") for n, raw in enumerate(wire.tools or ())
    ]
    tools += [_function_tool(function, None, ()) for function in wire.functions or ()]
    choice = wire.tool_choice
    if isinstance(choice, _Choice) and choice.allowed_tools is not None:
        allowed = choice.allowed_tools.tools
        tools = [tool for tool in tools if any(_is_meant(tool, one) for one in allowed)]
    return tuple(tools)


def _is_meant(tool: Tool | OpaqueTool, entry: _Choice) -> bool:
    if isinstance(tool, Tool):
        return entry.function is not None and entry.function.name == tool.name
    if entry.type != tool.kind:
        return False
    named = _choice.decode(tool.raw).custom
    return entry.custom is None or (named is not None and named.name == entry.custom.name)


def _decode_tool(raw: Raw, where: str) -> Tool | OpaqueTool:
    try:
        tool = _tool.decode(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise bad(f"{where}: {error}", where) from None
    if tool.type != "function":
        return OpaqueTool(DIALECT, tool.type, raw.copy())
    if tool.function is None:
        raise bad(f"{where}.function: is required", f"{where}.function")
    extras = tuple(
        Extra(name, value.copy()) for name, value in _members.decode(raw).items() if name not in _TOOL_OURS
    )
    return _function_tool(tool.function, tool.cache_control, extras)


def _function_tool(function: _FunctionTool, cache: WireCache | None, extras: tuple[Extra, ...]) -> Tool:
    schema = bytes(function.parameters)
    return Tool(
        function.name,
        function.description,
        function.parameters.copy() if schema and schema != b"null" else None,
        function.strict,
        cache_control(cache),
        extras,
    )


def _tool_choice(wire: _Body) -> ToolChoice | None:
    choice = wire.tool_choice
    if choice is None and wire.function_call is not None:
        legacy = wire.function_call
        choice = legacy if isinstance(legacy, str) else _Choice(function=legacy)
    match choice:
        case None:
            return None
        case "auto":
            return ToolChoice("auto")
        case "none":
            return ToolChoice("none")
        case "required" | "any":
            return ToolChoice("required")
        case _Choice(function=_Named(name)) | _Choice(custom=_Named(name)):
            return ToolChoice("named", name)
        case _Choice(allowed_tools=_Allowed(mode)):
            return ToolChoice(mode)
        case _:
            raise bad("tool_choice: must be auto, none, required or a named function", "tool_choice")


# -- parameters
def _response_format(wire: _Format | None) -> ResponseFormat | None:
    if wire is None:
        return None
    if wire.type != "json_schema":
        return ResponseFormat(wire.type)
    schema = wire.json_schema
    if schema is None:
        raise bad("response_format.json_schema: is required", "response_format.json_schema")
    return ResponseFormat(
        "json_schema",
        schema.name,
        schema.schema.copy() if bytes(schema.schema) else None,
        schema.strict,
        schema.description,
    )


def _reasoning(wire: _Body) -> ReasoningControl | None:
    effort, budget, mode = wire.reasoning_effort, None, None
    display = None
    if wire.reasoning is not None:
        effort = effort or wire.reasoning.effort
        budget = wire.reasoning.max_tokens
        display = "omitted" if wire.reasoning.exclude else None
        if wire.reasoning.enabled is not None:
            mode = "enabled" if wire.reasoning.enabled else "disabled"
    if wire.thinking is not None:
        mode = wire.thinking.type
        budget = wire.thinking.budget_tokens if budget is None else budget
    if effort is None and budget is None and mode is None:
        return None
    return ReasoningControl(mode, effort, budget, display)  # type: ignore[arg-type]


def _params(wire: _Body) -> Params:
    stop = wire.stop
    longest = wire.max_completion_tokens
    return Params(
        max_tokens=wire.max_tokens if longest is None else longest,
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        stop=() if stop is None else (stop,) if isinstance(stop, str) else tuple(stop),
        n=wire.n,
        seed=wire.seed,
        presence_penalty=wire.presence_penalty,
        frequency_penalty=wire.frequency_penalty,
        logprobs=wire.logprobs,
        top_logprobs=wire.top_logprobs,
        parallel_tool_calls=wire.parallel_tool_calls,
        user=wire.user,
        service_tier=wire.service_tier,
        prompt_cache_key=wire.prompt_cache_key,
        cache=None if wire.cache_control is None else CacheControl(wire.cache_control.ttl or "5m"),
        verbosity=wire.verbosity,
    )
