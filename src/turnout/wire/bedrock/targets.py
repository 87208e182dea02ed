"""A canonical request as a Converse body, written member by member.

One body serves `converse` and `converse-stream`: the model and the way of answering are in the path. What the format has no member for
goes into `additionalModelRequestFields` where the model behind the id is known to take it (see `families`), and is otherwise noted by
name. JSON output is asked for with `outputConfig.textFormat` where the target has the capability `json_schema`, and otherwise in words at the
end of the system prompt (`response_format.emulated`). The quirks `adaptive_thinking`, `effort_xhigh`, `mid_system` and `no_sampling` mean what
they mean for Anthropic's own API.

Rules of the API that are kept here: there is no tool choice `none`, so the tools are left out, unless the conversation used
some: then they must be declared (`tool_choice.none`); tools that were used and are not offered any more are declared by name.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from turnout.core.model import Request, ResponseFormat, Tool, ToolChoice
from turnout.wire.anthropic.contents import Drops, split_system
from turnout.wire.anthropic.thinking import Thinking, ThinkingPlan
from turnout.wire.bedrock.contents import (
    Block,
    CachePoint,
    Contents,
    WireMessage,
    cache_point,
    has_tool_blocks,
    tool_names,
)
from turnout.wire.bedrock.families import Family, family_of
from turnout.wire.bedrock.meanings import DIALECT
from turnout.wire.bedrock.thinking import level_fields, plan_claude
from turnout.wire.body import join_members
from turnout.wire.codec import Encoded, Target
from turnout.wire.limits import bounded

TOP_P_MIN_THINKING = 0.95

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])
_NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')
_TIERS = frozenset({"default", "flex", "priority", "reserved"})
_STOP_PATHS = [
    "/stop_sequence",
    "/delta/stop_sequence",
]  # where a whole and a streamed reply of Claude say it
_UNKNOWN_PARAMS = (
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
    "prompt_cache_key",
    "user",
    "verbosity",
)


class _Inference(Struct, omit_defaults=True, rename="camel"):
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None


class _Schema(Struct, rename="camel"):
    json: Raw


class _Spec(Struct, omit_defaults=True, rename="camel"):
    name: str
    input_schema: _Schema
    description: str | None = None
    strict: bool | None = None


class _ToolEntry(Struct, omit_defaults=True, rename="camel"):
    tool_spec: _Spec | None = None
    cache_point: CachePoint | None = None


class _ToolConfig(Struct, omit_defaults=True, rename="camel"):
    tools: list[_ToolEntry]
    tool_choice: Raw = Raw()


class _JsonSchema(Struct, omit_defaults=True, rename="camel"):
    schema: str
    name: str | None = None
    description: str | None = None


class _Structure(Struct, rename="camel"):
    json_schema: _JsonSchema


class _TextFormat(Struct, rename="camel"):
    type: str
    structure: _Structure


class _OutputConfig(Struct, omit_defaults=True, rename="camel"):
    text_format: _TextFormat | None = None
    effort: str | None = None


class _Tier(Struct, rename="camel"):
    type: str


class _Body(Struct, omit_defaults=True, rename="camel"):
    messages: list[WireMessage]
    system: list[Block] | None = None
    inference_config: _Inference | None = None
    tool_config: _ToolConfig | None = None
    output_config: _OutputConfig | None = None
    additional_model_request_fields: Raw = Raw()
    additional_model_response_field_paths: list[str] | None = None
    service_tier: _Tier | None = None


def encode_request(request: Request, target: Target) -> Encoded:
    """See the module. Never fails: what cannot be said is dropped and named."""
    drops = Drops(foreign=True)
    request = bounded(request, DIALECT, target, drops)
    family = family_of(target)
    plan = plan_claude(request, target, drops) if family.claude else None
    thinking = plan.thinking if plan is not None else None
    top, turns, moved = split_system(request.messages, "mid_system" in target.quirks)
    drops.note("messages.system_position", moved)
    contents = Contents(family, drops)
    system = contents.system(top)
    body = _Body(contents.turns(turns))
    text_format, instruction = _response_format(request.response_format, target, drops)
    if instruction:
        system.append(Block(text=instruction))
    body.system = system or None
    _add_automatic_cache(body, request, family, drops)
    _add_tools(body, request, target, family, drops)
    effort = plan.effort if plan is not None else None
    if text_format is not None or effort is not None:
        body.output_config = _OutputConfig(text_format, effort)
    fields = _fields(request, target, family, thinking, drops)
    _add_inference(body, request, target, plan, fields, drops)
    if fields:
        body.additional_model_request_fields = Raw(join_members(fields))
    _add_params(body, request, drops)
    return Encoded(_encode(body), drops.names(), plan.guessed_max if plan is not None else None)


def _response_format(
    wanted: ResponseFormat | None, target: Target, drops: Drops
) -> tuple[_TextFormat | None, str]:
    """(the format member, or the instruction that stands in for it)."""
    if wanted is None or wanted.kind == "text":
        return None, ""
    if wanted.schema is not None and "json_schema" in target.capabilities:
        schema = _JsonSchema(bytes(wanted.schema).decode(), wanted.name, wanted.description)
        return _TextFormat("json_schema", _Structure(schema)), ""
    drops.note("response_format.name", wanted.name is not None)
    drops.note("response_format.emulated")
    text = "Answer with one JSON object and nothing else: no explanation, no code fence."
    if wanted.schema is not None:
        text += f" It must satisfy this JSON Schema: {bytes(wanted.schema).decode()}"
    if wanted.description:
        text += f" What it is for: {wanted.description}"
    return None, text


def _add_automatic_cache(body: _Body, request: Request, family: Family, drops: Drops) -> None:
    """A breakpoint for the whole request is one at its end."""
    point = cache_point(request.params.cache, family, drops)
    if point is not None and body.messages and body.messages[-1].content[-1].cache_point is None:
        body.messages[-1].content.append(Block(cache_point=point))


# -- tools
def _add_tools(body: _Body, request: Request, target: Target, family: Family, drops: Drops) -> None:
    entries: list[_ToolEntry] = []
    choice = request.tool_choice
    used = has_tool_blocks(body.messages)
    forbidden = choice is not None and choice.mode == "none"
    for tool in request.tools:
        if not isinstance(tool, Tool):
            drops.note("tools.opaque")
        elif used or not forbidden:
            entries += _tool(tool, target, family, drops)
    if used and not entries:
        names = tool_names(body.messages) or ["unknown"]
        entries = [_ToolEntry(_Spec(name, _Schema(_NO_ARGUMENTS))) for name in names]
    elif forbidden and entries:
        drops.note("tool_choice.none")
    if not entries:
        return
    body.tool_config = _ToolConfig(entries)
    if choice is not None and (member := _tool_choice(choice)) is not None:
        body.tool_config.tool_choice = member
    drops.note("parallel_tool_calls", request.params.parallel_tool_calls is False)


def _tool(tool: Tool, target: Target, family: Family, drops: Drops) -> list[_ToolEntry]:
    strict = tool.strict if "json_schema" in target.capabilities else None
    drops.note("tools.strict", bool(tool.strict) and not strict)
    drops.note("tools.extras", bool(tool.extras))
    spec = _Spec(tool.name, _Schema(_object_schema(tool.schema)), tool.description or None, strict)
    entries = [_ToolEntry(spec)]
    if tool.cache is not None and not family.cache_tools:
        drops.note("cache_control")
    elif (point := cache_point(tool.cache, family, drops)) is not None:
        entries.append(_ToolEntry(cache_point=point))
    return entries


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


def _tool_choice(choice: ToolChoice) -> Raw | None:
    match choice.mode:
        case "auto":
            return Raw(b'{"auto":{}}')
        case "required":
            return Raw(b'{"any":{}}')
        case "named":
            return Raw(b'{"tool":{"name":%b}}' % _encode(choice.name or ""))
    return None


# -- parameters
def _fields(
    request: Request, target: Target, family: Family, thinking: Thinking | None, drops: Drops
) -> dict[str, Raw]:
    """Members of `additionalModelRequestFields`."""
    fields: dict[str, Raw] = {}
    if thinking is not None:
        fields["thinking"] = Raw(_encode(thinking))
    elif not family.claude:
        fields = level_fields(request, target, family, drops)
    top_k = request.params.top_k
    thinks = thinking is not None and thinking.type != "disabled"
    if top_k is None or "no_sampling" in target.quirks or family.top_k is None or thinks:
        drops.note("top_k", top_k is not None)
    elif family.top_k == "top_k":
        fields["top_k"] = Raw(b"%d" % top_k)
    else:
        outer, _, inner = family.top_k.partition(".")
        fields[outer] = Raw(_encode({inner: top_k}))
    return fields


def _add_inference(
    body: _Body,
    request: Request,
    target: Target,
    plan: ThinkingPlan | None,
    fields: dict[str, Raw],
    drops: Drops,
) -> None:
    """Limits and sampling; `plan` is there for Claude, whose thinking excludes some of it."""
    params = request.params
    temperature, top_p = params.temperature, params.top_p
    if "no_sampling" in target.quirks:
        temperature = top_p = None
    if plan is not None and plan.on:
        temperature = None
        top_p = top_p if top_p is not None and top_p >= TOP_P_MIN_THINKING else None
    elif plan is not None and temperature is not None:
        top_p = None  # newer models refuse both together; temperature is the one that callers mean
    elif b'"maxReasoningEffort":"high"' in bytes(fields.get("reasoningConfig", b"")):
        temperature = top_p = None
    drops.note("temperature", params.temperature not in (None, 1.0) and temperature is None)
    drops.note("top_p", params.top_p not in (None, 1.0) and top_p is None)
    stop = [text for text in params.stop if text.strip()] if plan else [text for text in params.stop if text]
    drops.note("stop.whitespace", len(stop) != len(params.stop))
    inference = _Inference(plan.max_tokens if plan else params.max_tokens, temperature, top_p, stop or None)
    if inference != _Inference():
        body.inference_config = inference
    if stop and plan is not None:
        body.additional_model_response_field_paths = _STOP_PATHS


def _add_params(body: _Body, request: Request, drops: Drops) -> None:
    params = request.params
    if params.service_tier in _TIERS:
        body.service_tier = _Tier(params.service_tier or "")
    else:
        drops.note("service_tier", params.service_tier not in (None, "auto"))
    drops.note("n", params.n is not None and params.n > 1)
    for name in _UNKNOWN_PARAMS:
        drops.note(name, getattr(params, name) is not None)
    drops.note("logprobs", bool(params.logprobs))
    drops.note("extras", bool(request.extras))
