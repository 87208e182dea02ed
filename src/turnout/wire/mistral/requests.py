"""A canonical request as Mistral's chat completions take it: OpenAI's format with members of its own, and none that it does not know.

Mistral refuses a body with an unknown member, and some of its models a tool-call id that is not nine letters and digits. So the request is put
into its words while it is canonical, and then written by the OpenAI codec: documents become `document_url`, earlier thinking becomes
`thinking` content, levels of reasoning become a switch, `seed` is `random_seed`, ids are made short (a call and its result alike). An assistant's
turn at the end is a `prefix` to go on from.
"""

from __future__ import annotations

import hashlib
import re

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from turnout.core.model import (
    Audio,
    Document,
    Extra,
    FileId,
    Image,
    Inline,
    Message,
    Opaque,
    Params,
    Part,
    PlainText,
    Reasoning,
    ReasoningControl,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Url,
)
from turnout.wire.anthropic.marks import custom_input
from turnout.wire.body import join_members, json_text
from turnout.wire.codec import Encoded, Target
from turnout.wire.limits import bounded
from turnout.wire.openai_chat.parts import DIALECT as OPENAI
from turnout.wire.openai_chat.parts import Drops
from turnout.wire.openai_chat.targets import encode_request as encode_openai

OWN_MEMBERS = frozenset({"guardrails", "metadata", "prediction", "prompt_mode", "random_seed", "safe_prompt"})
_UNKNOWN_PARAMS = ("logprobs", "service_tier", "top_k", "top_logprobs", "user", "verbosity")
_SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_members = msgspec.json.Decoder(dict[str, Raw])
_list = msgspec.json.Decoder(list[Raw])


def encode_request(request: Request, target: Target) -> Encoded:
    """See the module. Never fails: what cannot be said is dropped and named."""
    drops = Drops(foreign=True)
    request = bounded(request, "mistral", target, drops)
    reasons = not target.capabilities or "reasoning" in target.capabilities
    messages = tuple(_message(message, drops, reasons=reasons) for message in request.messages)
    extras = tuple(e for e in request.extras if request.dialect == OPENAI and e.name in OWN_MEMBERS)
    drops.note("extras", len(extras) != len(request.extras))
    if request.params.seed is not None:
        extras = (*extras, Extra("random_seed", json_text(request.params.seed)))
    own = replace(
        request,
        dialect=OPENAI,
        messages=messages,
        tools=tuple(_tool(tool, drops) for tool in request.tools if isinstance(tool, Tool)),
        params=_params(request.params, drops),
        reasoning=_reasoning(request.reasoning, drops),
        extras=extras,
    )
    drops.note("tools.opaque", len(own.tools) != len(request.tools))
    quirks = (target.quirks | {"no_stream_options"}) - {"max_completion_tokens", "developer_role"}
    encoded = encode_openai(own, replace(target, quirks=quirks))
    body = _as_prefix(encoded.body) if _ends_begun(request) else encoded.body
    return Encoded(body, tuple(dict.fromkeys((*drops.names(), *encoded.dropped))))


def short_id(call_id: str) -> str:
    """A tool-call id that every model takes; equal ids stay equal, valid ids stay themselves."""
    if _SHORT_ID.fullmatch(call_id):
        return call_id
    number = int.from_bytes(
        hashlib.blake2b(call_id.encode("utf-8", "replace"), digest_size=8).digest(), "big"
    )
    digits = []
    for _ in range(9):
        number, rest = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[rest])
    return "".join(digits)


# -- the conversation
def _message(message: Message, drops: Drops, *, reasons: bool) -> Message:
    drops.note("messages.name", message.name is not None)
    content: list[Part] = []
    for part in message.content:
        own = _part(part, drops, reasons=reasons)
        if own is not None:
            content.append(own)
    return Message(message.role, tuple(content))


def _part(part: Part, drops: Drops, *, reasons: bool) -> Part | None:
    match part:
        case Document():
            return _document(part, drops)
        case Image(FileId()):
            drops.note("file_id")
            return None
        case Audio(Inline(_, value) | Url(value)):
            return _own("input_audio", {"input_audio": value})
        case Refusal(text):
            return Text(text)
        case Reasoning():
            return _thought(part, drops, reasons=reasons)
        case ToolCall():
            drops.note("tool_calls.signature", part.signature is not None)
            arguments = bytes(custom_input(part.arguments)).decode() if part.custom else part.arguments
            return ToolCall(short_id(part.id), part.name, arguments, part.cache)
        case ToolResult():
            inner = [_part(piece, drops, reasons=reasons) for piece in part.content]
            kept = tuple(piece for piece in inner if piece is not None)
            return replace(part, call_id=short_id(part.call_id), content=kept)
    return part


def _own(kind: str, members: dict[str, object]) -> Opaque:
    """A content part in Mistral's words, for the OpenAI codec to write as it is."""
    return Opaque(OPENAI, kind, json_text({"type": kind, **members}))


def _document(part: Document, drops: Drops) -> Part | None:
    named = {} if part.name is None else {"document_name": part.name}
    match part.source:
        case PlainText():
            return part
        case Url(url):
            own = _own("document_url", {"document_url": url, **named})
        case Inline(kind, data):
            own = _own("document_url", {"document_url": f"data:{kind};base64,{data}", **named})
        case FileId():
            drops.note("file_id")
            return None
    drops.note("document.context", part.context is not None)
    drops.note("document.citations", bool(part.citations))
    drops.note("cache_control", part.cache is not None)
    return own


def _thought(part: Reasoning, drops: Drops, *, reasons: bool) -> Part | None:
    drops.note("reasoning.signature", bool(part.signature or part.redacted))
    if not part.text:
        return None
    if not reasons:
        drops.note("reasoning.history")
        return None
    return _own("thinking", {"thinking": [{"type": "text", "text": part.text}]})


def _ends_begun(request: Request) -> bool:
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "assistant":
        return False
    return not any(isinstance(part, ToolCall) for part in last.content)


def _as_prefix(body: bytes) -> bytes:
    """The last message marked as the beginning of the answer."""
    members = _members.decode(body)
    messages = _list.decode(members["messages"])
    messages[-1] = Raw(join_members({**_members.decode(messages[-1]), "prefix": Raw(b"true")}))
    return join_members({**members, "messages": json_text(messages)})


# -- tools and parameters
def _tool(tool: Tool, drops: Drops) -> Tool:
    drops.note("tools.extras", bool(tool.extras))
    return replace(tool, extras=(), schema=tool.schema or Raw(b'{"type":"object","properties":{}}'))


def _reasoning(control: ReasoningControl | None, drops: Drops) -> ReasoningControl | None:
    """Thinking is on (`high`) or off (`none`)."""
    if control is None:
        return None
    if control.mode == "disabled" or control.effort == "none":
        return ReasoningControl("disabled")
    drops.note("reasoning.effort", control.effort not in (None, "high"))
    drops.note("reasoning.budget_tokens", control.budget_tokens is not None)
    return ReasoningControl(control.mode, "high", None, control.display)


def _params(params: Params, drops: Drops) -> Params:
    for name in _UNKNOWN_PARAMS:
        value = getattr(params, name)
        drops.note(name, value is not None and (name, value) not in _SAYS_NOTHING)
    unsaid = dict.fromkeys((*_UNKNOWN_PARAMS, "seed"))
    return replace(params, **unsaid)


_SAYS_NOTHING = frozenset({("logprobs", False), ("service_tier", "auto"), ("service_tier", "default")})
