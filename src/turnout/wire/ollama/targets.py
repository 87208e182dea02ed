"""A canonical request as a body of `POST /api/chat`, written member by member.

`stream` is always said, because Ollama streams unless told not to. Sampling goes into `options`. There is no tool choice: `none` leaves the tools
out, a named tool leaves the others out, and that a call is demanded is dropped and named. `think` takes a switch or one of three
levels; a budget becomes a level by the one table. A schema is the `format` itself, and is enforced.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from turnout.core.model import Params, Request, ResponseFormat, Tool
from turnout.wire.anthropic.contents import Drops
from turnout.wire.codec import Encoded, Target
from turnout.wire.effort import effort_for
from turnout.wire.limits import bounded
from turnout.wire.ollama.contents import Contents, WireMessage
from turnout.wire.ollama.meanings import DIALECT

_encode = msgspec.json.Encoder().encode
_NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')
_LEVELS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
_UNKNOWN_PARAMS = ("prompt_cache_key", "user", "verbosity")


class _FunctionSpec(Struct, omit_defaults=True):
    name: str
    parameters: Raw
    description: str | None = None


class _ToolSpec(Struct):
    type: str
    function: _FunctionSpec


class _Options(Struct, omit_defaults=True):
    num_predict: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: list[str] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class _Body(Struct, omit_defaults=True):
    model: str
    messages: list[WireMessage]
    stream: bool
    tools: list[_ToolSpec] | UnsetType = UNSET
    format: Raw | UnsetType = UNSET
    options: _Options | UnsetType = UNSET
    think: bool | str | UnsetType = UNSET
    logprobs: bool | UnsetType = UNSET
    top_logprobs: int | UnsetType = UNSET


def encode_request(request: Request, target: Target) -> Encoded:
    """See the module. Never fails: what cannot be said is dropped and named."""
    drops = Drops(foreign=True)
    request = bounded(request, DIALECT, target, drops)
    body = _Body(target.model, Contents(drops).messages(request.messages), request.stream)
    _add_tools(body, request, drops)
    _add_format(body, request.response_format, drops)
    _add_thinking(body, request, target, drops)
    _add_params(body, request.params, drops)
    drops.note("extras", bool(request.extras))
    return Encoded(_encode(body), drops.names())


def _add_tools(body: _Body, request: Request, drops: Drops) -> None:
    choice = request.tool_choice
    tools = [tool for tool in request.tools if isinstance(tool, Tool)]
    drops.note("tools.opaque", len(tools) != len(request.tools))
    if not tools or (choice is not None and choice.mode == "none"):
        return
    if choice is not None and choice.mode == "named":
        tools = [tool for tool in tools if tool.name == choice.name] or tools
    drops.note("tool_choice", choice is not None and choice.mode in ("required", "named"))
    drops.note("parallel_tool_calls", request.params.parallel_tool_calls is False)
    body.tools = [_tool(tool, drops) for tool in tools]


def _tool(tool: Tool, drops: Drops) -> _ToolSpec:
    drops.note("tools.extras", bool(tool.extras))
    drops.note("tools.strict", bool(tool.strict))
    drops.note("cache_control", tool.cache is not None)
    return _ToolSpec("function", _FunctionSpec(tool.name, tool.schema or _NO_ARGUMENTS, tool.description))


def _add_format(body: _Body, wanted: ResponseFormat | None, drops: Drops) -> None:
    if wanted is None or wanted.kind == "text":
        return
    drops.note("response_format.name", wanted.name is not None)
    drops.note("response_format.description", wanted.description is not None)
    body.format = wanted.schema or Raw(b'"json"')


def _add_thinking(body: _Body, request: Request, target: Target, drops: Drops) -> None:
    control = request.reasoning
    if control is None:
        return
    reasons = not target.capabilities or "reasoning" in target.capabilities
    if control.mode == "disabled" or control.effort == "none":
        if reasons:
            body.think = False
        return
    if not reasons:
        drops.note("reasoning")
        return
    drops.note("reasoning.display", control.display is not None)
    effort = control.effort
    if effort is None and control.budget_tokens is not None:
        drops.note("reasoning.budget_tokens")
        effort = effort_for(control.budget_tokens)
    drops.note("reasoning.effort", effort in ("minimal", "xhigh", "max") and control.effort is not None)
    body.think = True if effort is None else _LEVELS.get(effort, "low" if effort == "none" else "medium")


def _add_params(body: _Body, params: Params, drops: Drops) -> None:
    options = _Options(
        params.max_tokens,
        params.temperature,
        params.top_p,
        params.top_k,
        params.seed,
        list(params.stop) or None,
        params.presence_penalty,
        params.frequency_penalty,
    )
    if options != _Options():
        body.options = options
    if params.logprobs is not None:
        body.logprobs = params.logprobs
    if params.top_logprobs is not None:
        body.top_logprobs = params.top_logprobs
    for name in _UNKNOWN_PARAMS:
        drops.note(name, getattr(params, name) is not None)
    drops.note("n", params.n is not None and params.n > 1)
    drops.note("service_tier", params.service_tier not in (None, "auto", "default"))
    drops.note("cache_control", params.cache is not None)
