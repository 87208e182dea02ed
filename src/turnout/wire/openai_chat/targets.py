"""A canonical request as a chat completions request.

An allow-list: what the dialect, or this target, cannot say is dropped and named; every name has a row in `wire/losses.py`. Tool results
become tool messages of their own before the rest of their turn, in the order of the calls; what a tool message cannot hold (images) follows as
a user turn, so that it is not lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from turnout.core.model import (
    Message,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from turnout.wire.codec import Encoded, Target
from turnout.wire.limits import bounded
from turnout.wire.openai_chat import quirks as q
from turnout.wire.openai_chat.call_proofs import extra_content
from turnout.wire.openai_chat.parameters import add_format, add_params, leave_out_refused
from turnout.wire.openai_chat.parts import DIALECT, Drops, WirePart, cache_member, encode_part
from turnout.wire.openai_chat.reasoning import Detail, format_of
from turnout.wire.openai_chat.thinking import add_reasoning

_encode = msgspec.json.Encoder().encode
_NO_ARGUMENTS = Raw(b'{"type":"object","properties":{}}')


def encode_request(request: Request, target: Target) -> Encoded:
    """Never fails: what cannot be said is dropped and named."""
    drops = Drops(foreign=request.dialect != DIALECT)
    request = bounded(request, DIALECT, target, drops)
    body: dict[str, Any] = {"model": target.model, "messages": _messages(request.messages, target, drops)}
    add_params(body, request.params, target, drops)
    _add_tools(body, request, target, drops)
    add_format(body, request.response_format, target, drops)
    add_reasoning(body, request, target, drops)
    leave_out_refused(body, target, drops)
    if request.stream:
        body["stream"] = True
        if q.NO_STREAM_OPTIONS not in target.quirks:
            body["stream_options"] = {"include_usage": True}
    if drops.foreign:
        drops.note("extras", bool(request.extras))
    else:
        body.update({extra.name: extra.raw for extra in request.extras})
    return Encoded(_encode(body), drops.names())


# -- the conversation
def _messages(messages: Iterable[Message], target: Target, drops: Drops) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "assistant":
            out.append(_assistant(message, target, drops))
        elif message.role == "user":
            out += _user(message, target, drops)
        else:
            role = (
                "developer" if message.role == "developer" and q.DEVELOPER_ROLE in target.quirks else "system"
            )
            out.append(_turn(role, message.content, message.name, target, drops))
    return out


def _turn(
    role: str, content: Sequence[Part], name: str | None, target: Target, drops: Drops
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": role, "content": _content(content, target, drops)}
    if name is not None and q.NO_NAMES not in target.quirks:
        message["name"] = name
    drops.note("messages.name", name is not None and q.NO_NAMES in target.quirks)
    return message


def _content(parts: Sequence[Part], target: Target, drops: Drops) -> str | list[WirePart]:
    """Plain text where one text says it all."""
    if len(parts) == 1 and isinstance(parts[0], Text) and parts[0].cache is None:
        return parts[0].text
    encoded = [wire for part in parts if (wire := encode_part(part, target, drops)) is not None]
    if len(encoded) == 1 and isinstance(encoded[0], dict) and encoded[0].keys() == {"type", "text"}:
        return str(encoded[0]["text"])
    return encoded or ""


def _user(message: Message, target: Target, drops: Drops) -> list[dict[str, Any]]:
    """Tool results first: the API wants them right after the calls that they answer."""
    out: list[dict[str, Any]] = []
    rest: list[Part] = []
    for part in message.content:
        if isinstance(part, ToolResult):
            out.append(_result(part, rest, target, drops))
        else:
            rest.append(part)
    if rest or not out:
        out.append(_turn("user", rest, message.name, target, drops))
    return out


def _result(result: ToolResult, rest: list[Part], target: Target, drops: Drops) -> dict[str, Any]:
    texts = [part for part in result.content if isinstance(part, Text)]
    others = [part for part in result.content if not isinstance(part, Text)]
    sayable = [part for part in others if encode_part(part, target, drops) is not None]
    if sayable:
        rest.append(Text(f"Content of the result of tool call {result.call_id}:"))
        rest += sayable
        drops.note("tool_results.media")
    if result.is_error:
        drops.note("tool_results.is_error")
        texts = [Text("Error: "), *texts] if texts else [Text("Error")]
    message: dict[str, Any] = {
        "role": "tool",
        "tool_call_id": result.call_id,
        "content": "".join(part.text for part in texts)
        if result.is_error or all(part.cache is None for part in texts)
        else _content(texts, target, drops),
    }
    message.update(cache_member(result.cache, target, drops))
    return message


def _assistant(message: Message, target: Target, drops: Drops) -> dict[str, Any]:
    parts: list[Part] = []
    calls: list[dict[str, Any]] = []
    thoughts: list[Reasoning] = []
    for part in message.content:
        if isinstance(part, ToolCall):
            calls.append(_call(part, target, drops))
        elif isinstance(part, Reasoning):
            thoughts.append(part)
        else:
            parts.append(part)
    wire = _turn("assistant", parts, message.name, target, drops)
    if all(isinstance(part, Text) and part.cache is None for part in parts):
        wire["content"] = "".join(part.text for part in parts if isinstance(part, Text)) if parts else None
    if len(parts) == 1 and isinstance(parts[0], Refusal):
        wire["content"], wire["refusal"] = None, parts[0].text
    if calls:
        wire["tool_calls"] = calls
    elif wire["content"] is None and "refusal" not in wire:
        wire["content"] = ""
    _add_thoughts(wire, thoughts, target, drops)
    return wire


def _call(call: ToolCall, target: Target, drops: Drops) -> dict[str, Any]:
    takes_proofs = q.EXTRA_CONTENT in target.quirks or not drops.foreign
    proof = extra_content(call.signature, call.origin) if takes_proofs else None
    drops.note("tool_calls.signature", call.signature is not None and proof is None)
    drops.note("cache_control", call.cache is not None)
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    wire = {"id": call.id, "type": "function", "function": function}
    return wire if proof is None else {**wire, "extra_content": proof}


def _add_thoughts(wire: dict[str, Any], thoughts: list[Reasoning], target: Target, drops: Drops) -> None:
    """Earlier reasoning goes back only to providers that take it; proofs go with it where the shape is understood."""
    if not thoughts:
        return
    if q.REASONING_DETAILS in target.quirks:
        wire["reasoning_details"] = [
            detail for index, part in enumerate(thoughts) for detail in _details(part, index)
        ]
        return
    drops.note("reasoning.signature", any(part.signature or part.redacted for part in thoughts))
    if q.REASONING_CONTENT in target.quirks or q.REASONING_FIELD in target.quirks:
        name = "reasoning_content" if q.REASONING_CONTENT in target.quirks else "reasoning"
        wire[name] = "".join(part.text for part in thoughts)
    else:
        drops.note("reasoning.history")


def _details(part: Reasoning, index: int) -> list[Detail]:
    word = format_of(part.origin)
    out = []
    if part.text or part.signature is not None:
        out.append(Detail("reasoning.text", part.text, part.signature, None, word, index))
    if part.redacted is not None:
        out.append(Detail("reasoning.encrypted", None, None, part.redacted, word, index))
    return out


# -- tools and parameters
def _add_tools(body: dict[str, Any], request: Request, target: Target, drops: Drops) -> None:
    tools: list[Any] = []
    for tool in request.tools:
        if isinstance(tool, Tool):
            tools.append(_tool(tool, target, drops))
        elif tool.dialect == DIALECT:
            tools.append(tool.raw)
        else:
            drops.note("tools.opaque")
    if not tools:
        return
    body["tools"] = tools
    choice = request.tool_choice
    if choice is not None and choice.mode in ("required", "named") and q.NO_FORCED_TOOLS in target.quirks:
        drops.note("tool_choice")
    elif choice is not None:
        named = {"type": "function", "function": {"name": choice.name}}
        body["tool_choice"] = named if choice.mode == "named" else choice.mode
    if request.params.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.params.parallel_tool_calls


def _tool(tool: Tool, target: Target, drops: Drops) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.schema is not None or drops.foreign:
        function["parameters"] = tool.schema or _NO_ARGUMENTS
    if tool.strict is not None and q.NO_STRICT_TOOLS not in target.quirks:
        function["strict"] = tool.strict
    drops.note("tools.strict", bool(tool.strict) and q.NO_STRICT_TOOLS in target.quirks)
    wire: dict[str, Any] = {
        "type": "function",
        "function": function,
        **cache_member(tool.cache, target, drops),
    }
    if drops.foreign:
        drops.note("tools.extras", bool(tool.extras))
    else:
        wire.update({extra.name: extra.raw for extra in tool.extras})
    return wire
