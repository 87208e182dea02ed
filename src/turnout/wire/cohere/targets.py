"""A canonical request as a body of `POST /v2/chat`, written member by member.

What the API has a member for is said with it, within the range that it takes; the rest is dropped and named. A named tool is said by offering only that
one and requiring a call. `strict_tools` covers all tools or none. JSON output cannot be asked for beside tools: there, it is
asked for in words at the end of the system prompt (`response_format.emulated`). Levels of reasoning become budgets by the one table.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from turnout.core.model import Message, Params, Request, ResponseFormat, Text, Tool
from turnout.wire.anthropic.contents import Drops
from turnout.wire.codec import Encoded, Target
from turnout.wire.cohere.contents import Contents, WireMessage, raw_object
from turnout.wire.cohere.meanings import DIALECT
from turnout.wire.effort import budget_for
from turnout.wire.limits import bounded

STOP_MAX = 5

_encode = msgspec.json.Encoder().encode
_UNKNOWN_PARAMS = ("top_logprobs", "prompt_cache_key", "user", "verbosity")


class _FunctionSpec(Struct, omit_defaults=True):
    name: str
    parameters: Raw
    description: str | None = None


class _ToolSpec(Struct):
    type: str
    function: _FunctionSpec


class _Format(Struct, omit_defaults=True):
    type: str
    json_schema: Raw | UnsetType = UNSET


class _Thinking(Struct, omit_defaults=True):
    type: str
    token_budget: int | None = None


class _Body(Struct, omit_defaults=True):
    model: str
    messages: list[WireMessage]
    stream: bool | UnsetType = UNSET
    tools: list[_ToolSpec] | UnsetType = UNSET
    tool_choice: str | UnsetType = UNSET
    strict_tools: bool | UnsetType = UNSET
    response_format: _Format | UnsetType = UNSET
    thinking: _Thinking | UnsetType = UNSET
    max_tokens: int | UnsetType = UNSET
    stop_sequences: list[str] | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    frequency_penalty: float | UnsetType = UNSET
    presence_penalty: float | UnsetType = UNSET
    k: int | UnsetType = UNSET
    p: float | UnsetType = UNSET
    logprobs: bool | UnsetType = UNSET


def encode_request(request: Request, target: Target) -> Encoded:
    """See the module. Never fails: what cannot be said is dropped and named."""
    drops = Drops(foreign=True)
    request = bounded(request, DIALECT, target, drops)
    reasons = not target.capabilities or "reasoning" in target.capabilities
    body = _Body(target.model, [], stream=request.stream)
    _add_tools(body, request, drops)
    turns = request.messages
    if (instruction := _add_format(body, request.response_format, drops)) is not None:
        turns = _instructed(turns, instruction)
    body.messages = Contents(drops, reasons=reasons).messages(turns)
    _add_thinking(body, request, drops, reasons=reasons)
    _add_sampling(body, request.params, drops)
    _note_params(request, drops)
    return Encoded(_encode(body), drops.names())


# -- tools
def _add_tools(body: _Body, request: Request, drops: Drops) -> None:
    choice = request.tool_choice
    tools = [tool for tool in request.tools if isinstance(tool, Tool)]
    drops.note("tools.opaque", len(tools) != len(request.tools))
    if choice is not None and choice.mode == "named":
        tools = [tool for tool in tools if tool.name == choice.name] or tools
    if not tools:
        return
    body.tools = [_tool(tool, drops) for tool in tools]
    strict = [bool(tool.strict) for tool in tools]
    if all(strict):
        body.strict_tools = True
    drops.note("tools.strict", any(strict) and not all(strict))
    if choice is not None and choice.mode != "auto":
        body.tool_choice = "NONE" if choice.mode == "none" else "REQUIRED"
    drops.note("parallel_tool_calls", request.params.parallel_tool_calls is False)


def _tool(tool: Tool, drops: Drops) -> _ToolSpec:
    drops.note("tools.extras", bool(tool.extras))
    drops.note("cache_control", tool.cache is not None)
    return _ToolSpec("function", _FunctionSpec(tool.name, raw_object(tool.schema), tool.description))


# -- output
def _add_format(body: _Body, wanted: ResponseFormat | None, drops: Drops) -> str | None:
    """Sets the member, or gives the instruction that stands in for it."""
    if wanted is None or wanted.kind == "text":
        return None
    drops.note("response_format.name", wanted.name is not None)
    drops.note("response_format.description", wanted.description is not None)
    if body.tools is UNSET:
        body.response_format = _Format("json_object", wanted.schema or UNSET)
        return None
    drops.note("response_format.emulated")
    text = "When you answer the user, answer with one JSON object and nothing else: no explanation, no code fence."
    if wanted.schema is not None:
        text += f" It must satisfy this JSON Schema: {bytes(wanted.schema).decode()}"
    return text


def _instructed(turns: tuple[Message, ...], instruction: str) -> tuple[Message, ...]:
    """The conversation with one more system message behind those at its head."""
    at = next((n for n, turn in enumerate(turns) if turn.role not in ("system", "developer")), len(turns))
    return (*turns[:at], Message("system", (Text(instruction),)), *turns[at:])


def _add_thinking(body: _Body, request: Request, drops: Drops, *, reasons: bool) -> None:
    control = request.reasoning
    if control is None:
        return
    if control.mode == "disabled" or control.effort == "none":
        if reasons:
            body.thinking = _Thinking("disabled")
        return
    if not reasons:
        drops.note("reasoning")
        return
    drops.note("reasoning.display", control.display is not None)
    budget = control.budget_tokens
    if budget is None and control.effort is not None:
        budget = budget_for(control.effort)
        limit = request.params.max_tokens
        if limit is not None:  # a level is no number: what the caller left room for goes first
            budget = max(1, min(budget, limit - limit // 4))
    body.thinking = _Thinking("enabled", budget if budget is None else max(1, budget))


# -- sampling
def _add_sampling(body: _Body, params: Params, drops: Drops) -> None:
    if params.max_tokens is not None:
        body.max_tokens = params.max_tokens
    if params.stop:
        body.stop_sequences = list(params.stop[:STOP_MAX])
        drops.note("stop.count", len(params.stop) > STOP_MAX)
    if params.temperature is not None:
        body.temperature = params.temperature
    if params.top_p is not None:
        body.p = params.top_p
    if params.top_k is not None:
        body.k = params.top_k
    if params.frequency_penalty is not None:
        body.frequency_penalty = params.frequency_penalty
    if params.presence_penalty is not None:
        body.presence_penalty = params.presence_penalty
    if params.seed is not None:
        drops.note("seed.range", params.seed < 0)
        body.seed = params.seed if params.seed >= 0 else UNSET
    if params.logprobs is not None:
        body.logprobs = params.logprobs


def _note_params(request: Request, drops: Drops) -> None:
    params = request.params
    for name in _UNKNOWN_PARAMS:
        drops.note(name, getattr(params, name) is not None)
    drops.note("n", params.n is not None and params.n > 1)
    drops.note("service_tier", params.service_tier not in (None, "auto", "default"))
    drops.note("cache_control", params.cache is not None)
    drops.note("extras", bool(request.extras))
