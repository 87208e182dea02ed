"""A canonical request as a responses request.

An allow-list: what the dialect cannot say is dropped and named; every name has a row in `wire/losses.py`. Turns become items: each run of
text an assistant said is a message item, calls and reasoning are items of their own, tool results come before the rest of their turn.

A translated request is stateless: `store` is false, and where the model reasons the proofs of its reasoning are asked for, so that a later turn
can give them back. Functions are strict here unless it is said that they are not; everywhere else it is the other way round, so it is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from turnout.core.model import (
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
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from turnout.wire.codec import Encoded, Target
from turnout.wire.effort import effort_for
from turnout.wire.limits import bounded
from turnout.wire.openai_chat.parts import Drops
from turnout.wire.openai_chat.quirks import NO_SAMPLING
from turnout.wire.openai_responses.marks import DIALECT, unpack
from turnout.wire.openai_responses.parts import PART_KIND, WirePart, encode_part
from turnout.wire.openai_responses.requests import LOGPROBS, PROOFS

MAX_OUTPUT_TOKENS_MIN = 16  # the API refuses less
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])
_NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')
_ABSENT = ("top_k", "seed", "presence_penalty", "frequency_penalty")
_SAMPLING = ("temperature", "top_p", "top_logprobs")

Body = dict[str, Any]
Item = dict[str, Any] | Raw


def encode_request(request: Request, target: Target) -> Encoded:
    """Never fails: what cannot be said is dropped and named."""
    drops = Drops(foreign=request.dialect != DIALECT)
    request = bounded(request, DIALECT, target, drops)
    messages = request.messages
    body: Body = {"model": target.model}
    instructions = _instructions(messages)
    if instructions is not None:
        body["instructions"] = instructions
        messages = messages[1:]
    body["input"] = _items(messages, drops)
    _add_params(body, request.params, target, drops)
    _add_tools(body, request, drops)
    _add_text(body, request.response_format, request.params.verbosity)
    _add_reasoning(body, request.reasoning, target, drops)
    _add_include(body, request, target)
    body["store"] = False
    if request.stream:
        body["stream"] = True
    if drops.foreign:
        drops.note("extras", bool(request.extras))
    else:
        _add_extras(body, request)
    return Encoded(_encode(body), drops.names())


def _add_extras(body: Body, request: Request) -> None:
    for extra in request.extras:
        if extra.name == "include" and "include" in body:
            body["include"] = [*body["include"], *msgspec.json.decode(extra.raw)]
        else:
            body[extra.name] = extra.raw


# -- the conversation
def _instructions(messages: tuple[Message, ...]) -> str | None:
    """The first message's text, where it is a plain system message before a conversation."""
    if len(messages) < 2 or messages[0].role != "system" or len(messages[0].content) != 1:
        return None
    part = messages[0].content[0]
    return part.text if isinstance(part, Text) and part.cache is None else None


def _items(messages: Iterable[Message], drops: Drops) -> list[Item]:
    items: list[Item] = []
    custom: set[str] = set()  # ids of calls whose results have a type of their own
    for message in messages:
        drops.note("messages.name", message.name is not None)
        if message.role == "assistant":
            items += _assistant(message, custom, drops)
        elif message.role == "user":
            items += _user(message, custom, drops)
        else:
            items += _turn(message.role, list(message.content), drops)
    return items


def _turn(role: str, parts: list[Part], drops: Drops) -> list[Item]:
    """A message item; none where nothing of it can be said."""
    if not parts:
        return []
    if len(parts) == 1 and isinstance(parts[0], Text) and parts[0].cache is None:
        return [{"role": role, "content": parts[0].text}]
    kind = "output_text" if role == "assistant" else "input_text"
    content: list[WirePart] = []
    for part in parts:
        wire = encode_part(part, drops, kind)
        if wire is not None:
            content.append(wire)
    return [{"role": role, "content": content}] if content else []


def _user(message: Message, custom: set[str], drops: Drops) -> list[Item]:
    """Results before the rest: a turn's words follow what they speak of."""
    results: list[Item] = []
    items: list[Item] = []
    rest: list[Part] = []
    for part in message.content:
        if isinstance(part, ToolResult):
            results.append(_result(part, custom, drops))
        elif _is_item(part):
            items.append(part.raw)  # type: ignore[union-attr]
        else:
            rest.append(part)
    if not (results or items or rest):
        rest = [Text("")]
    return [*results, *items, *_turn("user", rest, drops)]


def _is_item(part: Part) -> bool:
    return isinstance(part, Opaque) and part.dialect == DIALECT and not part.kind.startswith(PART_KIND)


def _result(result: ToolResult, custom: set[str], drops: Drops) -> Item:
    drops.note("cache_control", result.cache is not None)
    parts: tuple[Part, ...] = result.content
    if result.is_error:
        drops.note("tool_results.is_error")
        parts = (Text("Error: "), *parts) if parts else (Text("Error"),)
    kind = "custom_tool_call_output" if result.call_id in custom else "function_call_output"
    return {"type": kind, "call_id": result.call_id, "output": _result_output(parts, drops)}


def _result_output(parts: tuple[Part, ...], drops: Drops) -> str | list[WirePart]:
    texts = [part.text for part in parts if isinstance(part, Text) and part.cache is None]
    if len(texts) == len(parts) and (len(texts) < 2 or texts[0] == "Error: "):
        return "".join(texts)
    encoded = [encode_part(part, drops) for part in parts]
    return [wire for wire in encoded if wire is not None] or ""


def _assistant(message: Message, custom: set[str], drops: Drops) -> list[Item]:
    items: list[Item] = []
    said: list[Part] = []
    for part in message.content:
        if isinstance(part, Text | Refusal) or (isinstance(part, Opaque) and not _is_item(part)):
            said.append(part)
            continue
        items += _turn("assistant", said, drops)
        said = []
        match part:
            case ToolCall():
                items.append(_call(part, custom, drops))
            case Reasoning():
                items += _reasoning(part, drops)
            case Opaque():
                items.append(part.raw)
            case _:
                drops.note("assistant.content")
    return items + _turn("assistant", said, drops)


def _call(call: ToolCall, custom: set[str], drops: Drops) -> Item:
    drops.note("tool_calls.signature", call.signature is not None)
    drops.note("cache_control", call.cache is not None)
    group = {} if call.namespace is None else {"namespace": call.namespace}
    head = {"call_id": call.id, "name": call.name, **group}
    if call.custom:
        custom.add(call.id)
        return {"type": "custom_tool_call", **head, "input": call.arguments}
    return {"type": "function_call", **head, "arguments": call.arguments or "{}"}


def _reasoning(part: Reasoning, drops: Drops) -> list[Item]:
    """Reasoning goes back to the provider that proved it only, with the id under which it knows it."""
    own = part.signature if part.origin == DIALECT else None
    item_id, encrypted = unpack(own) if own is not None else ("", "")
    if not encrypted and (drops.foreign or not item_id):
        proved = part.redacted is not None or (part.signature is not None and own is None)
        drops.note("reasoning.signature", proved)
        drops.note("reasoning.unsigned", bool(part.text) and not proved)
        return []
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    wire: dict[str, Any] = {"type": "reasoning", "summary": summary}
    if item_id:
        wire["id"] = item_id
    if encrypted:
        wire["encrypted_content"] = encrypted
    return [wire]


# -- tools
def _add_tools(body: Body, request: Request, drops: Drops) -> None:
    tools: list[Any] = []
    for tool in request.tools:
        wire = _tool(tool, drops) if isinstance(tool, Tool) else _opaque_tool(tool)
        drops.note("tools.opaque", wire is None)
        if wire is not None:
            tools.append(wire)
    if not tools and drops.foreign:
        return
    if tools:
        body["tools"] = tools
    if request.tool_choice is not None:
        body["tool_choice"] = _choice(request.tool_choice, tools)
    if request.params.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.params.parallel_tool_calls


def _tool(tool: Tool, drops: Drops) -> Body:
    wire: Body = {"type": "function", "name": tool.name}
    if tool.description is not None:
        wire["description"] = tool.description
    if tool.schema is not None or drops.foreign:
        wire["parameters"] = tool.schema or _NO_ARGUMENTS
    strict = False if drops.foreign and tool.strict is None else tool.strict
    if strict is not None:
        wire["strict"] = strict
    drops.note("cache_control", tool.cache is not None)
    if drops.foreign:
        drops.note("tools.extras", bool(tool.extras))
    else:
        wire.update({extra.name: extra.raw for extra in tool.extras})
    return wire


def _opaque_tool(tool: OpaqueTool) -> Body | Raw | None:
    """This dialect's own, and OpenAI's free-text tools, which its two APIs spell differently."""
    if tool.dialect == DIALECT:
        return tool.raw
    if tool.dialect != "openai_chat" or tool.kind != "custom":
        return None
    try:
        inner = _members.decode(_members.decode(tool.raw)["custom"])
        form = _members.decode(inner["format"]) if "format" in inner else {}
        grammar = _members.decode(form["grammar"]) if "grammar" in form else {}
    except (msgspec.MsgspecError, KeyError):
        return None
    if grammar:
        inner["format"] = Raw(_encode({"type": form["type"], **grammar}))
    return {"type": "custom", **inner}


def _choice(choice: ToolChoice, tools: list[Any]) -> str | Body:
    if choice.mode != "named":
        return choice.mode
    custom = any(_is_custom(tool, choice.name) for tool in tools)
    return {"type": "custom" if custom else "function", "name": choice.name}


def _is_custom(tool: object, name: str | None) -> bool:
    members = msgspec.json.decode(tool) if isinstance(tool, Raw) else tool
    if not isinstance(members, dict) or members.get("type") != "custom":
        return False
    found = members.get("name")
    return (msgspec.json.decode(found) if isinstance(found, Raw) else found) == name


# -- parameters
def _add_params(body: Body, params: Params, target: Target, drops: Drops) -> None:
    if params.max_tokens is not None:
        raised = params.max_tokens < MAX_OUTPUT_TOKENS_MIN and drops.foreign
        drops.note("max_tokens.range", raised)
        body["max_output_tokens"] = MAX_OUTPUT_TOKENS_MIN if raised else params.max_tokens
    for name in (*_SAMPLING, "user", "prompt_cache_key"):
        value = getattr(params, name)
        if value is not None:
            body[name] = value
    if NO_SAMPLING in target.quirks:
        for name in _SAMPLING:
            drops.note(name, body.pop(name, None) not in (None, 0 if name == "top_logprobs" else 1))
    for name in _ABSENT:
        drops.note(name, getattr(params, name) is not None)
    drops.note("stop", bool(params.stop))
    drops.note("n", (params.n or 1) > 1)
    drops.note("cache_control", params.cache is not None)
    if params.service_tier is not None:
        if drops.foreign and params.service_tier not in ("auto", "default"):
            drops.note("service_tier")
        else:
            body["service_tier"] = params.service_tier


def _add_text(body: Body, wanted: ResponseFormat | None, verbosity: str | None) -> None:
    text: Body = {}
    if wanted is not None:
        text["format"] = _format(wanted)
    if verbosity is not None:
        text["verbosity"] = verbosity
    if text:
        body["text"] = text


def _format(wanted: ResponseFormat) -> Body:
    wire: Body = {"type": wanted.kind}
    if wanted.kind != "json_schema":
        return wire
    wire["name"] = wanted.name or "answer"
    wire["schema"] = wanted.schema or Raw(b"{}")
    if wanted.strict is not None:
        wire["strict"] = wanted.strict
    if wanted.description is not None:
        wire["description"] = wanted.description
    return wire


def _add_reasoning(body: Body, control: ReasoningControl | None, target: Target, drops: Drops) -> None:
    """A budget becomes a level; summaries are asked for where the caller asked to see the thinking."""
    if control is None:
        return
    if drops.foreign and target.capabilities and "reasoning" not in target.capabilities:
        drops.note("reasoning", control.mode != "disabled" and control.effort != "none")
        return
    effort = "none" if control.mode == "disabled" else control.effort
    if effort is None and control.budget_tokens is not None:
        effort = effort_for(control.budget_tokens)
    drops.note("reasoning.budget_tokens", control.budget_tokens is not None and control.mode != "disabled")
    wire: Body = {} if effort is None else {"effort": effort}
    shown = control.display not in (None, "omitted")
    if shown or (control.display is None and control.mode in ("enabled", "adaptive")):
        wire["summary"] = "auto"
    if wire:
        body["reasoning"] = wire


def _add_include(body: Body, request: Request, target: Target) -> None:
    include = [LOGPROBS] if request.params.logprobs else []
    if "reasoning" in target.capabilities:
        include.append(PROOFS)  # a model that does not reason refuses the question
    if include:
        body["include"] = include
