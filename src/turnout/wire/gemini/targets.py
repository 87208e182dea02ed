"""A canonical request as a `generateContent` body, written member by member.

What another dialect said that this one cannot is noted by name (see `wire/losses.py`); what this dialect's own caller said is kept as it
was said. Schemas of functions and of JSON output go as JSON Schema (`parametersJsonSchema`, `responseJsonSchema`), text for text. Models
before Gemini 3 take no JSON output beside functions: it is then asked for in words, which is declared as `response_format.emulated`.

Quirks: `vertex` (Vertex AI), `gemini_3` (a model that behaves like Gemini 3 under another name).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from turnout.core.model import Opaque, Request, ResponseFormat, Text, Tool, ToolChoice
from turnout.wire.anthropic.contents import split_system
from turnout.wire.body import join_members
from turnout.wire.codec import Encoded, Target
from turnout.wire.gemini.contents import Scribe
from turnout.wire.gemini.drops import Drops
from turnout.wire.gemini.marks import DIALECT
from turnout.wire.gemini.models import is_new
from turnout.wire.gemini.thinking import plan_thinking
from turnout.wire.limits import bounded

STOP_COUNT_MAX = 5
VERTEX_QUIRK = "vertex"
_MODES = {"auto": "AUTO", "required": "ANY", "named": "ANY", "none": "NONE"}
_TIERS = {"default": "standard", "flex": "flex", "priority": "priority"}
_UNSAID = ("prompt_cache_key", "verbosity", "user")
_members = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


def encode_request(request: Request, target: Target) -> Encoded:
    """See the module. Never fails: what cannot be said is dropped and named."""
    drops = Drops(foreign=request.dialect != DIALECT)
    request = bounded(request, DIALECT, target, drops)
    body: dict[str, Any] = {}
    wanted, emulation = _output_format(request, target, drops)
    _add_conversation(body, request, target, emulation, drops)
    _add_tools(body, request, drops)
    config = _generation(request, target, drops)
    config.update(wanted)
    if (thinking := plan_thinking(request, target, drops)) is not None:
        config["thinkingConfig"] = thinking
    if config:
        body["generationConfig"] = config
    _add_tier(body, request, target, drops)
    if drops.foreign:
        drops.note("extras", bool(request.extras))
        return Encoded(_encode(body), drops.names())
    return Encoded(_with_extras(body, request), drops.names())


def _add_conversation(
    body: dict[str, Any], request: Request, target: Target, emulation: str, drops: Drops
) -> None:
    top, turns, moved = split_system(request.messages, keep_place=not drops.foreign)
    drops.note("messages.system_position", moved)
    scribe = Scribe(drops, is_new(target))
    body["contents"] = scribe.contents(turns)
    parts: list[Any] = []
    for message in top:
        drops.note("messages.name", message.name is not None)
        kept = tuple(part for part in message.content if isinstance(part, Text | Opaque) or not drops.foreign)
        drops.note("system.content", len(kept) != len(message.content))
        for content in scribe.contents([type(message)("user", kept)]):
            parts += content.parts
    if emulation:
        parts.append({"text": emulation})
    if parts:
        body["systemInstruction"] = {"parts": parts}


# -- tools
def _add_tools(body: dict[str, Any], request: Request, drops: Drops) -> None:
    functions: list[Any] = []
    tools: list[Any] = []
    for tool in request.tools:
        if isinstance(tool, Tool):
            if not functions:
                tools.append({"functionDeclarations": functions})
            functions.append(_function(tool, drops))
        elif tool.dialect == DIALECT:
            tools.append(tool.raw)
        else:
            drops.note("tools.opaque")
    if not tools:
        return
    body["tools"] = tools
    if request.tool_choice is not None:
        body["toolConfig"] = {"functionCallingConfig": _calling(request.tool_choice)}
    drops.note("parallel_tool_calls", request.params.parallel_tool_calls is False)


def _function(tool: Tool, drops: Drops) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        wire["description"] = tool.description
    if tool.schema is not None and _has_members(tool.schema):
        wire["parametersJsonSchema"] = tool.schema
    drops.note("tools.strict", bool(tool.strict))
    drops.note("cache_control", tool.cache is not None)
    if drops.foreign:
        drops.note("tools.extras", bool(tool.extras))
    else:
        wire.update({extra.name: extra.raw for extra in tool.extras})
    return wire


def _has_members(schema: Raw) -> bool:
    return bytes(schema).strip() not in (b"{}", b"null", b"")


def _calling(choice: ToolChoice) -> dict[str, Any]:
    config: dict[str, Any] = {"mode": _MODES[choice.mode]}
    if choice.mode == "named" and choice.name is not None:
        config["allowedFunctionNames"] = [choice.name]
    return config


# -- parameters
def _output_format(request: Request, target: Target, drops: Drops) -> tuple[dict[str, Any], str]:
    """Members of `generationConfig`, and what is said in words instead."""
    wanted = request.response_format
    if wanted is None:
        return {}, ""
    if wanted.kind == "text":
        return {} if drops.foreign else {"responseMimeType": "text/plain"}, ""
    drops.note("response_format.name", wanted.name is not None)
    drops.note("response_format.description", wanted.description is not None)
    if drops.foreign and request.tools and not is_new(target):
        drops.note("response_format.emulated")
        return {}, _in_words(wanted)
    members: dict[str, Any] = {"responseMimeType": "application/json"}
    if wanted.schema is not None:
        members["responseJsonSchema"] = wanted.schema
    return members, ""


def _in_words(wanted: ResponseFormat) -> str:
    text = "Answer with one JSON object and nothing else: no explanation, no code fence."
    if wanted.schema is not None:
        text += f" It must satisfy this JSON Schema: {bytes(wanted.schema).decode()}"
    return text


def _generation(request: Request, target: Target, drops: Drops) -> dict[str, Any]:
    params = request.params
    stop = list(params.stop)
    if drops.foreign and len(stop) > STOP_COUNT_MAX:
        drops.note("stop.count")
        stop = stop[:STOP_COUNT_MAX]
    drops.note("cache_control", params.cache is not None)
    for name in _UNSAID:
        drops.note(name, getattr(params, name) is not None)
    members = {
        "maxOutputTokens": params.max_tokens,
        "temperature": params.temperature,
        "topP": params.top_p,
        "topK": params.top_k,
        "stopSequences": stop or None,
        "candidateCount": params.n,
        "seed": params.seed,
        "presencePenalty": params.presence_penalty,
        "frequencyPenalty": params.frequency_penalty,
        "responseLogprobs": params.logprobs,
        "logprobs": params.top_logprobs,
    }
    return {name: value for name, value in members.items() if value is not None}


def _add_tier(body: dict[str, Any], request: Request, target: Target, drops: Drops) -> None:
    tier = request.params.service_tier
    if tier is None or tier == "auto":
        return
    word = _TIERS.get(tier, None if drops.foreign else tier)
    if word is None or VERTEX_QUIRK in target.quirks:
        drops.note("service_tier")
    else:
        body["serviceTier"] = word


def _with_extras(body: dict[str, Any], request: Request) -> bytes:
    """Extra members; those of a member that is there already are put into it."""
    members = _members.decode(_encode(body))
    for extra in request.extras:
        present = members.get(extra.name)
        if present is None or extra.name == "toolConfig":
            members[extra.name] = extra.raw
        else:
            members[extra.name] = Raw(
                join_members({**_members.decode(present), **_members.decode(extra.raw)})
            )
    return join_members(members)
