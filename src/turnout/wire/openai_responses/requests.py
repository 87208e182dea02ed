"""A responses request as a canonical `Request`.

The input is a list of items, finer than turns: what the model did (messages, reasoning, calls) is gathered into one assistant turn until
something else comes; results are one user turn. Two messages in a row stay two. Items with no canonical meaning are `Opaque` parts where they
stood; members with none are `extras`, `previous_response_id` and `conversation` among them: who can resolve them does so before this.

Not extras, because they say nothing to another provider: `store` (a translated request is never stored by the provider), `background` and
`stream_options`, and of `include` what asks for log-probabilities or proofs of reasoning. `allowed_tools` is told by leaving the other tools out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from turnout.core.call import Op
from turnout.core.model import (
    Extra,
    Message,
    Opaque,
    OpaqueTool,
    Params,
    Part,
    Reasoning,
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
from turnout.wire.body import bad, join_members, open_members
from turnout.wire.openai_responses.marks import DIALECT, unseal
from turnout.wire.openai_responses.parts import decode_parts

LOGPROBS = "message.output_text.logprobs"
PROOFS = "reasoning.encrypted_content"

_ROLES: Mapping[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
}
_RESULT_KINDS = frozenset({"mcp_approval_response", "additional_tools"})


class _Head(Struct):
    type: str | None = None
    role: str | None = None


class _Message(Struct):
    role: str
    content: str | list[Raw] | None = None


class _Call(Struct):
    call_id: str
    name: str
    arguments: str | None = None
    input: str | None = None
    namespace: str | None = None


class _Output(Struct):
    call_id: str
    output: str | list[Raw] | None = None


class _Shown(Struct):
    text: str = ""


class _Reasoning(Struct):
    id: str | None = None
    summary: list[_Shown] | None = None
    content: list[_Shown] | None = None
    encrypted_content: str | None = None


class _Tool(Struct):
    type: str = "function"
    name: str | None = None
    description: str | None = None
    parameters: Raw = Raw()
    strict: bool | None = None


class _Choice(Struct):
    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[dict[str, Any]] | None = None


class _Format(Struct):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: Raw = Raw()
    strict: bool | None = None
    description: str | None = None


class _Text(Struct):
    format: _Format | None = None
    verbosity: str | None = None


class _Effort(Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class _Body(Struct):
    model: str
    input: str | list[Raw] | None = None
    instructions: str | list[Raw] | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = Raw()
    parallel_tool_calls: bool | None = None
    text: _Text | None = None
    reasoning: _Effort | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    stream: bool | None = None


_head = msgspec.json.Decoder(_Head)
_message = msgspec.json.Decoder(_Message)
_call = msgspec.json.Decoder(_Call)
_output = msgspec.json.Decoder(_Output)
_reasoning = msgspec.json.Decoder(_Reasoning)
_tool = msgspec.json.Decoder(_Tool)
_choice = msgspec.json.Decoder(_Choice)
_members = msgspec.json.Decoder(dict[str, Raw])
_TOOL_OURS = frozenset(_Tool.__struct_fields__)
_OURS = frozenset({*_Body.__struct_fields__, "turnout", "store", "background", "stream_options"})
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


_body = msgspec.json.Decoder(_Body)


def decode_request(body: bytes, op: Op = "chat") -> Request:
    """Raises `CallFailed(BAD_REQUEST)`, naming the member in `param`."""
    members = open_members(body)
    wire = _read_body(body)
    tools = _tools(wire)
    choice, extra = _tool_choice(wire.tool_choice)
    allowed = _allowed(wire.tool_choice)
    return Request(
        dialect=DIALECT,
        model=wire.model,
        messages=_messages(wire),
        tools=tools if allowed is None else tuple(tool for tool in tools if _is_allowed(tool, allowed)),
        tool_choice=choice,
        response_format=_response_format(wire.text),
        reasoning=_control(wire.reasoning),
        params=_params(wire),
        stream=bool(wire.stream),
        extras=(*_extras(members, wire), *extra),
    )


def _read_body(body: bytes) -> _Body:
    try:
        return _body.decode(body)
    except _UNREADABLE as error:
        message = str(error)
    path = message.partition("$.")[2].rstrip("`'") if "$." in message else ""
    raise bad(message, path[:128] or None)


def _extras(members: Mapping[str, Raw], wire: _Body) -> list[Extra]:
    extras = [
        Extra(name, raw.copy())
        for name, raw in members.items()
        if name not in _OURS and bytes(raw) not in (b"null", b"{}")
    ]
    if wire.safety_identifier is not None and wire.user is not None:
        extras.append(Extra("safety_identifier", members["safety_identifier"].copy()))
    rest = [name for name in wire.include or () if name not in (LOGPROBS, PROOFS)]
    if rest:
        extras.append(Extra("include", Raw(msgspec.json.encode(rest))))
    return extras


# -- the conversation
class _Turns:
    """Turns under construction: items of one side are gathered until the other side speaks."""

    __slots__ = ("_parts", "_side", "messages", "proofs")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.proofs: dict[str, tuple[str | None, str | None]] = {}  # call id → (proof, origin)
        self._side: Role = "assistant"
        self._parts: list[Part] = []

    def add(self, side: Role, part: Part) -> None:
        if side != self._side:
            self.flush()
            self._side = side
        self._parts.append(part)

    def say(self, role: Role, parts: tuple[Part, ...]) -> None:
        """A message item. One right after another is a turn of its own."""
        if role == "assistant":
            if self._side == "assistant" and self._parts and isinstance(self._parts[-1], Text | Refusal):
                self.flush()
            for part in parts:
                self.add("assistant", part)
            return
        self.flush()
        self.messages.append(Message(role, parts))

    def flush(self) -> None:
        if self._parts:
            self.messages.append(Message(self._side, tuple(self._parts)))
            self._parts = []


def _messages(wire: _Body) -> tuple[Message, ...]:
    turns = _Turns()
    if isinstance(wire.instructions, str):
        turns.say("system", (Text(wire.instructions),))
    elif wire.instructions is not None:
        _read_items(wire.instructions, "instructions", turns)
    if isinstance(wire.input, str):
        turns.say("user", (Text(wire.input),))
    elif wire.input is not None:
        _read_items(wire.input, "input", turns)
    turns.flush()
    return tuple(turns.messages)


def _read_items(items: Sequence[Raw], where: str, turns: _Turns) -> None:
    for number, raw in enumerate(items):
        place = f"{where}[{number}]"
        try:
            _read_item(raw, place, turns)
        except _UNREADABLE as error:
            raise bad(f"{place}: {error}", place) from None


def _read_item(raw: Raw, where: str, turns: _Turns) -> None:
    head = _head.decode(raw)
    match head.type:
        case None | "message" if head.role is not None:
            message = _message.decode(raw)
            role = _ROLES.get(message.role)
            if role is None:
                raise bad(f"{where}.role: must be user, assistant, system or developer", f"{where}.role")
            turns.say(role, decode_parts(message.content, f"{where}.content"))
        case "function_call" | "custom_tool_call":
            call = _call.decode(raw)
            custom = head.type == "custom_tool_call"
            text = call.input if custom else call.arguments
            proof, origin = turns.proofs.get(call.call_id, (None, None))
            turns.add(
                "assistant",
                ToolCall(call.call_id, call.name, text or "", None, proof, custom, origin, call.namespace),
            )
        case "function_call_output" | "custom_tool_call_output":
            output = _output.decode(raw)
            content = decode_parts(output.output, f"{where}.output")
            turns.add("user", ToolResult(output.call_id, content))
        case "reasoning":
            _read_reasoning(_reasoning.decode(raw), turns)
        case None:
            raise bad(f"{where}: an item needs a type or a role", where)
        case kind:
            side: Role = "user" if kind.endswith("_output") or kind in _RESULT_KINDS else "assistant"
            turns.add(side, Opaque(DIALECT, kind, raw.copy()))


def _read_reasoning(item: _Reasoning, turns: _Turns) -> None:
    found = unseal(item.id or "", item.encrypted_content or "")
    if found.call_id is not None:
        turns.proofs[found.call_id] = (found.proof, found.origin)
        return
    text = join_shown([part.text for part in item.summary or ()], [part.text for part in item.content or ()])
    if text or found.proof is not None or found.redacted is not None:
        turns.add("assistant", Reasoning(text, found.proof, found.redacted, found.origin))


def join_shown(summary: Sequence[str], content: Sequence[str]) -> str:
    """All reasoning that an item shows, its parts apart by a blank line; a text that is given both ways counts once."""
    summarised, told = "\n\n".join(filter(None, summary)), "\n\n".join(filter(None, content))
    if not told or told == summarised:
        return summarised
    return f"{summarised}\n\n{told}" if summarised else told


# -- tools
def _tools(wire: _Body) -> tuple[Tool | OpaqueTool, ...]:
    return tuple(_decode_tool(raw, f"tools[{number}]") for number, raw in enumerate(wire.tools or ()))


def _decode_tool(raw: Raw, where: str) -> Tool | OpaqueTool:
    try:
        head = _head.decode(raw)
        if head.type == "custom":
            return _custom_tool(raw)
        if head.type not in (None, "function"):
            return OpaqueTool(DIALECT, head.type or "", raw.copy())
        tool = _tool.decode(raw)
        members = _members.decode(raw)
    except _UNREADABLE as error:
        raise bad(f"{where}: {error}", where) from None
    if tool.name is None:
        raise bad(f"{where}.name: is required", f"{where}.name")
    extras = tuple(Extra(name, value.copy()) for name, value in members.items() if name not in _TOOL_OURS)
    schema = tool.parameters.copy() if _given(tool.parameters) else None
    return Tool(tool.name, tool.description, schema, tool.strict, None, extras)


def _custom_tool(raw: Raw) -> OpaqueTool:
    """A tool of free text, as OpenAI's other dialect spells it: both its APIs have them, and nobody else has."""
    inner = {name: value for name, value in _members.decode(raw).items() if name != "type"}
    form = _members.decode(inner["format"]) if _given(inner.get("format", Raw())) else {}
    kind = form.pop("type", None)
    if kind is not None and form:
        grammar = Raw(join_members(form))
        inner["format"] = Raw(join_members({"type": kind, "grammar": grammar}))
    custom = {"type": Raw(b'"custom"'), "custom": Raw(join_members(inner))}
    return OpaqueTool("openai_chat", "custom", Raw(join_members(custom)))


def _given(raw: Raw) -> bool:
    return bool(raw) and bytes(raw) != b"null"


_WORDS: Mapping[bytes, ToolChoice] = {
    b'"auto"': ToolChoice("auto"),
    b'"none"': ToolChoice("none"),
    b'"required"': ToolChoice("required"),
    b'"any"': ToolChoice("required"),
}


def _read_choice(raw: Raw) -> _Choice:
    try:
        return _choice.decode(raw)
    except _UNREADABLE as error:
        raise bad(f"tool_choice: {error}", "tool_choice") from None


def _tool_choice(raw: Raw) -> tuple[ToolChoice | None, tuple[Extra, ...]]:
    """The choice, or the member itself where it names a tool that only this dialect has."""
    if not _given(raw):
        return None, ()
    word = _WORDS.get(bytes(raw))
    if word is not None:
        return word, ()
    choice = _read_choice(raw)
    if choice.type in ("function", "custom") and choice.name:
        return ToolChoice("named", choice.name), ()
    if choice.type == "allowed_tools":
        return ToolChoice("required" if choice.mode == "required" else "auto"), ()
    return None, (Extra("tool_choice", raw.copy()),)


def _allowed(raw: Raw) -> tuple[dict[str, Any], ...] | None:
    """The tools that `allowed_tools` names; `None`: all are allowed."""
    if not _given(raw) or bytes(raw)[:1] == b'"':
        return None
    choice = _read_choice(raw)
    return tuple(choice.tools or ()) if choice.type == "allowed_tools" else None


def _is_allowed(tool: Tool | OpaqueTool, allowed: tuple[dict[str, Any], ...]) -> bool:
    if isinstance(tool, Tool):
        return any(entry.get("type") == "function" and entry.get("name") == tool.name for entry in allowed)
    members = msgspec.json.decode(tool.raw)
    if tool.dialect != DIALECT:  # free text: the members that the caller named are inside
        members = {**members["custom"], **members}
    return any(entry.items() <= members.items() for entry in allowed)


# -- parameters
def _response_format(text: _Text | None) -> ResponseFormat | None:
    wire = None if text is None else text.format
    if wire is None:
        return None
    schema = wire.schema.copy() if _given(wire.schema) else None
    if wire.type == "json_schema" and schema is None:
        raise bad("text.format.schema: is required", "text.format.schema")
    return ResponseFormat(wire.type, wire.name, schema, wire.strict, wire.description)


def _control(wire: _Effort | None) -> ReasoningControl | None:
    if wire is None:
        return None
    shown = wire.summary or wire.generate_summary
    if wire.effort is None and shown is None:
        return None
    return ReasoningControl(None, wire.effort, None, None if shown is None else "summarized")


def _params(wire: _Body) -> Params:
    return Params(
        max_tokens=wire.max_output_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        logprobs=True if LOGPROBS in (wire.include or ()) else None,
        top_logprobs=wire.top_logprobs,
        parallel_tool_calls=wire.parallel_tool_calls,
        user=wire.safety_identifier if wire.user is None else wire.user,
        service_tier=wire.service_tier,
        prompt_cache_key=wire.prompt_cache_key,
        verbosity=None if wire.text is None else wire.text.verbosity,
    )
