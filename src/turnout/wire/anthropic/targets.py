"""A canonical request as a Messages body, written member by member.

What another dialect said that this one cannot is noted by name (see `wire/losses.py`); what this dialect's own caller said is kept as
it was said and judged by the provider. JSON output is asked for with `output_config.format` where the target has the capability
`json_schema`, and otherwise in words at the end of the system prompt, which is declared as `response_format.emulated`.

Quirks: `adaptive_thinking` (thinking by level, not by budget), `effort_xhigh` (takes that level), `mid_system` (system messages inside
the conversation), `no_sampling` (refuses temperature, top_p and top_k).
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from turnout.core.model import Extra, Request, ResponseFormat, Tool, ToolChoice
from turnout.wire.anthropic.contents import (
    CacheMark,
    Drops,
    TextBlock,
    WireContent,
    WireMessage,
    cache_mark,
    encode_turns,
    simplest,
    split_system,
    system_blocks,
)
from turnout.wire.anthropic.marks import DIALECT
from turnout.wire.anthropic.thinking import Thinking, ThinkingPlan, forces, plan_thinking
from turnout.wire.body import join_members
from turnout.wire.codec import Encoded, Target
from turnout.wire.limits import bounded

TOP_P_MIN_THINKING = 0.95

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])
_CONTINUE = "Continue your last message from where it ends."
_NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')
_MODES = {"auto": "auto", "required": "any", "none": "none", "named": "tool"}
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


class _Choice(Struct, omit_defaults=True):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Tool(Struct, omit_defaults=True):
    name: str
    description: str | None = None
    input_schema: Raw | None = None
    strict: bool | None = None
    cache_control: CacheMark | None = None


class _Format(Struct, tag_field="type", tag="json_schema"):
    schema: Raw


class _OutputConfig(Struct, omit_defaults=True):
    effort: str | None = None
    format: _Format | None = None


class _Metadata(Struct):
    user_id: str


class _Body(Struct, omit_defaults=True):
    model: str
    max_tokens: int
    messages: list[WireMessage]
    system: WireContent | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    tools: list[_Tool | Raw] | None = None
    tool_choice: _Choice | None = None
    thinking: Thinking | None = None
    output_config: _OutputConfig | None = None
    metadata: _Metadata | None = None
    service_tier: str | None = None
    cache_control: CacheMark | None = None


def encode_request(request: Request, target: Target) -> Encoded:
    """See the module. Never fails: what cannot be said is dropped and named."""
    drops = Drops(foreign=request.dialect != DIALECT)
    request = bounded(request, DIALECT, target, drops)
    plan = plan_thinking(request, target, drops)
    body = _Body(target.model, plan.max_tokens, [], stream=request.stream or None, thinking=plan.thinking)
    output_format = _conversation(body, request, target, drops)
    if plan.effort is not None or output_format is not None:
        body.output_config = _OutputConfig(plan.effort, output_format)
    _add_tools(body, request, target, drops)
    _add_sampling(body, request, target, plan, drops)
    _add_params(body, request, drops)
    return Encoded(_with_extras(_encode(body), request, drops), drops.names(), plan.guessed_max)


def _conversation(body: _Body, request: Request, target: Target, drops: Drops) -> _Format | None:
    """Fills `system` and `messages`; returns the output format if the target takes one."""
    foreign = request.dialect != DIALECT
    top, turns, moved = split_system(request.messages, not foreign or "mid_system" in target.quirks)
    drops.note("messages.system_position", moved)
    system = system_blocks(top, drops)
    output_format, instruction = _response_format(request.response_format, target, not foreign, drops)
    if instruction:
        system.append(TextBlock(instruction))
    body.system = simplest(system) if system else None
    body.messages = encode_turns(turns, drops)
    if foreign:
        _trim_prefill(body.messages)
        if "no_prefill" in target.quirks and body.messages and body.messages[-1].role == "assistant":
            body.messages.append(WireMessage("user", _CONTINUE))
            drops.note("messages.prefill")
    return output_format


def _trim_prefill(messages: list[WireMessage]) -> None:
    """The API refuses a last assistant turn that ends in white space."""
    if not messages or messages[-1].role != "assistant":
        return
    last = messages[-1]
    if isinstance(last.content, str):
        last.content = last.content.rstrip() or last.content
    elif isinstance(block := last.content[-1], TextBlock):
        block.text = block.text.rstrip() or block.text


def _response_format(
    wanted: ResponseFormat | None, target: Target, own: bool, drops: Drops
) -> tuple[_Format | None, str]:
    """(the format member, or the instruction that stands in for it)."""
    if wanted is None or wanted.kind == "text":
        return None, ""
    drops.note("response_format.name", wanted.name is not None)
    if wanted.schema is not None and (own or "json_schema" in target.capabilities):
        drops.note("response_format.description", wanted.description is not None)
        return _Format(wanted.schema), ""
    drops.note("response_format.emulated")
    text = "Answer with one JSON object and nothing else: no explanation, no code fence."
    if wanted.schema is not None:
        text += f" It must satisfy this JSON Schema: {bytes(wanted.schema).decode()}"
    if wanted.description:
        text += f" What it is for: {wanted.description}"
    return None, text


def _add_tools(body: _Body, request: Request, target: Target, drops: Drops) -> None:
    tools: list[_Tool | Raw] = []
    for tool in request.tools:
        if isinstance(tool, Tool):
            tools.append(_tool(tool, request, target, drops))
        elif tool.dialect == DIALECT:
            tools.append(tool.raw)
        else:
            drops.note("tools.opaque")
    if tools:
        body.tools = tools
        choice = request.tool_choice
        if forces(choice) and "no_forced_tools" in target.quirks:
            choice = ToolChoice("auto")
            drops.note("tool_choice")
        body.tool_choice = _tool_choice(choice, request.params.parallel_tool_calls)


def _tool(tool: Tool, request: Request, target: Target, drops: Drops) -> _Tool | Raw:
    own = request.dialect == DIALECT
    strict = tool.strict if own or "json_schema" in target.capabilities else None
    drops.note("tools.strict", bool(tool.strict) and not strict)
    schema = tool.schema if own else _object_schema(tool.schema)
    wire = _Tool(tool.name, tool.description, schema, strict, cache_mark(tool.cache))
    if tool.extras and own:
        return Raw(_merge(_encode(wire), tool.extras))
    drops.note("tools.extras", bool(tool.extras))
    return wire


def _object_schema(schema: Raw | None) -> Raw:
    """The API insists on `type: object`, which other dialects leave out or imply."""
    if schema is None:
        return _NO_ARGUMENTS
    try:
        members = _members.decode(schema)
    except (msgspec.MsgspecError, RecursionError):
        return schema
    if "type" in members:
        return schema
    return Raw(join_members({"type": Raw(b'"object"'), **members})) if members else _NO_ARGUMENTS


def _tool_choice(choice: ToolChoice | None, parallel: bool | None) -> _Choice | None:
    serial = None if parallel is None else not parallel
    if choice is None:
        return _Choice("auto", None, True) if serial else None
    return _Choice(_MODES[choice.mode], choice.name, None if choice.mode == "none" else serial)


def _add_sampling(body: _Body, request: Request, target: Target, plan: ThinkingPlan, drops: Drops) -> None:
    """Temperature, top_p and top_k, within what the API allows beside thinking and beside each other."""
    params = request.params
    temperature, top_p, top_k = params.temperature, params.top_p, params.top_k
    if "no_sampling" in target.quirks:
        temperature = top_p = top_k = None
    elif request.dialect != DIALECT:
        if plan.on:
            temperature, top_k = None, None
            top_p = top_p if top_p is not None and top_p >= TOP_P_MIN_THINKING else None
        elif temperature is not None:
            top_p = None  # newer models refuse both together; temperature is the one that callers mean
    drops.note("temperature", params.temperature not in (None, 1.0) and temperature is None)
    drops.note("top_p", params.top_p not in (None, 1.0) and top_p is None)
    drops.note("top_k", params.top_k is not None and top_k is None)
    body.temperature, body.top_p, body.top_k = temperature, top_p, top_k


def _add_params(body: _Body, request: Request, drops: Drops) -> None:
    params = request.params
    stop = [text for text in params.stop if text.strip()]
    drops.note("stop.whitespace", len(stop) != len(params.stop))
    body.stop_sequences = stop or None
    body.metadata = None if params.user is None else _Metadata(params.user)
    body.cache_control = cache_mark(params.cache)
    if params.service_tier is not None:
        body.service_tier = _TIERS.get(params.service_tier)
        drops.note("service_tier", body.service_tier is None)
    drops.note("n", params.n is not None and params.n > 1)
    for name in (
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "top_logprobs",
        "prompt_cache_key",
        "verbosity",
    ):
        drops.note(name, getattr(params, name) is not None)
    drops.note("logprobs", bool(params.logprobs))


def _with_extras(body: bytes, request: Request, drops: Drops) -> bytes:
    if request.dialect == DIALECT:
        return _merge(body, request.extras)
    drops.note("extras", bool(request.extras))
    return body


def _merge(body: bytes, extras: tuple[Extra, ...]) -> bytes:
    """Extra members at the end; those of a member that is there already (`output_config`, `metadata`) are put into it."""
    if not extras:
        return body
    members = _members.decode(body)
    for extra in extras:
        present = members.get(extra.name)
        if present is None:
            members[extra.name] = extra.raw
        else:
            members[extra.name] = Raw(
                join_members({**_members.decode(present), **_members.decode(extra.raw)})
            )
    return join_members(members)
