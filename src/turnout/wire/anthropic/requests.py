"""A Messages request as a canonical `Request`.

The top-level system prompt becomes the leading system message; system messages inside the conversation keep their place. Members
with no canonical meaning (containers, MCP servers, context management, what is yet to be invented) are `extras`, verbatim. The only
error is `BAD_REQUEST`, with the path of the member at fault in `param`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from turnout.core.model import (
    Extra,
    Message,
    OpaqueTool,
    Params,
    ReasoningControl,
    Request,
    ResponseFormat,
    Role,
    Tool,
    ToolChoice,
)
from turnout.wire.anthropic.marks import DIALECT
from turnout.wire.anthropic.parts import WireCache, cache_control, decode_parts, read
from turnout.wire.body import bad, json_text, open_members

_ROLES: Mapping[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


class _Message(Struct):
    role: str
    content: str | list[Raw]


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _Format(Struct):
    type: str
    schema: Raw = Raw()


class _OutputConfig(Struct):
    effort: str | None = None
    format: _Format | None = None


class _ToolChoice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Metadata(Struct):
    user_id: str | None = None


class _Tool(Struct):
    name: str
    description: str | None = None
    input_schema: Raw = Raw()
    strict: bool | None = None
    cache_control: WireCache | None = None


class _Typed(Struct):
    type: str | None = None


class _Body(Struct):
    model: str
    messages: list[_Message]
    max_tokens: int | None = None
    system: str | list[Raw] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    tools: list[Raw] | None = None
    tool_choice: _ToolChoice | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None
    metadata: _Metadata | None = None
    service_tier: str | None = None
    cache_control: WireCache | None = None


_body = msgspec.json.Decoder(_Body)
_tool = msgspec.json.Decoder(_Tool)
_typed = msgspec.json.Decoder(_Typed)
_members = msgspec.json.Decoder(dict[str, Raw])

_OURS = frozenset({*_Body.__struct_fields__, "turnout", "anthropic_version"})
_TOOL_OURS = frozenset({*_Tool.__struct_fields__, "type"})
# members whose own members are canonical only in part: the rest is kept as an extra of the same name
_PARTLY_OURS = (("output_config", _OutputConfig.__struct_fields__), ("metadata", _Metadata.__struct_fields__))


def decode_request(body: bytes, *, counting: bool = False) -> Request:
    """Raises `CallFailed(BAD_REQUEST)`. `max_tokens` is required by the API, except when tokens are only counted."""
    members = open_members(body)
    wire = read(_body, body, "")
    _check(wire, counting)
    return Request(
        dialect="anthropic",
        model=wire.model,
        messages=_messages(wire),
        tools=tuple(_decode_tool(raw, f"tools.{number}") for number, raw in enumerate(wire.tools or ())),
        tool_choice=_tool_choice(wire.tool_choice),
        response_format=_response_format(wire),
        reasoning=_reasoning(wire),
        params=_params(wire),
        stream=bool(wire.stream),
        include_usage=True,
        extras=_extras(members),
    )


def _check(wire: _Body, counting: bool) -> None:
    if wire.max_tokens is None and not counting:
        raise bad("max_tokens: Field required", "max_tokens")
    if wire.max_tokens is not None and wire.max_tokens < 0:
        raise bad("max_tokens: must not be negative", "max_tokens")
    if not wire.messages:
        raise bad("messages: at least one message is required", "messages")


def _messages(wire: _Body) -> tuple[Message, ...]:
    messages = [Message("system", decode_parts(wire.system, "system"))] if wire.system else []
    for number, message in enumerate(wire.messages):
        role = _ROLES.get(message.role)
        if role is None:
            raise bad(f"messages.{number}.role: must be user, assistant or system", f"messages.{number}.role")
        messages.append(Message(role, decode_parts(message.content, f"messages.{number}.content")))
    return tuple(messages)


def _decode_tool(raw: Raw, where: str) -> Tool | OpaqueTool:
    kind = read(_typed, raw, where).type
    if kind not in (None, "custom"):
        return OpaqueTool(DIALECT, kind or "", raw.copy())
    tool = read(_tool, raw, where)
    return Tool(
        tool.name,
        tool.description,
        tool.input_schema.copy() if bytes(tool.input_schema) else None,
        tool.strict,
        cache_control(tool.cache_control),
        _others(_members.decode(raw), _TOOL_OURS),
    )


def _others(members: Mapping[str, Raw], ours: frozenset[str]) -> tuple[Extra, ...]:
    return tuple(Extra(name, raw.copy()) for name, raw in members.items() if name not in ours)


def _extras(members: Mapping[str, Raw]) -> tuple[Extra, ...]:
    extras = list(_others(members, _OURS))
    for name, ours in _PARTLY_OURS:
        raw = members.get(name)
        if raw is None or bytes(raw) == b"null":
            continue
        rest = {key: value for key, value in _members.decode(raw).items() if key not in ours}
        if rest:
            extras.append(Extra(name, json_text(rest)))
    return tuple(extras)


def _tool_choice(wire: _ToolChoice | None) -> ToolChoice | None:
    match wire:
        case None:
            return None
        case _ToolChoice("auto"):
            return ToolChoice("auto")
        case _ToolChoice("any"):
            return ToolChoice("required")
        case _ToolChoice("none"):
            return ToolChoice("none")
        case _ToolChoice("tool", name) if name:
            return ToolChoice("named", name)
        case _:
            raise bad("tool_choice: must be auto, any, none, or tool with a name", "tool_choice.type")


def _response_format(wire: _Body) -> ResponseFormat | None:
    place, found = "output_format", wire.output_format
    if wire.output_config is not None and wire.output_config.format is not None:
        place, found = "output_config.format", wire.output_config.format
    if found is None:
        return None
    if found.type != "json_schema" or not bytes(found.schema):
        raise bad(f"{place}: must be of type json_schema, with a schema", place)
    return ResponseFormat("json_schema", schema=found.schema.copy())


def _reasoning(wire: _Body) -> ReasoningControl | None:
    effort = wire.output_config.effort if wire.output_config is not None else None
    thinking = wire.thinking
    if thinking is None:
        return None if effort is None else ReasoningControl(effort=effort)
    match thinking.type:
        case "enabled":
            return ReasoningControl("enabled", effort, thinking.budget_tokens, thinking.display)
        case "disabled":
            return ReasoningControl("disabled", effort)
        case "adaptive":
            return ReasoningControl("adaptive", effort, None, thinking.display)
        case _:
            raise bad("thinking.type: must be enabled, disabled or adaptive", "thinking.type")


def _params(wire: _Body) -> Params:
    choice = wire.tool_choice
    serial = None if choice is None else choice.disable_parallel_tool_use
    return Params(
        max_tokens=wire.max_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        stop=tuple(wire.stop_sequences or ()),
        parallel_tool_calls=None if serial is None else not serial,
        user=wire.metadata.user_id if wire.metadata is not None else None,
        service_tier=wire.service_tier,
        cache=cache_control(wire.cache_control),
    )
