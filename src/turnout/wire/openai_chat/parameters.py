"""Sampling and output parameters, and the wanted format, as the target takes them.

A parameter that a provider refuses is left out and named, so that a request which was written for one model is answered by another. A schema
that cannot be enforced is told in words at the end of the conversation's instructions.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from turnout.core.model import Params, ResponseFormat
from turnout.wire.codec import Target
from turnout.wire.openai_chat import quirks as q
from turnout.wire.openai_chat.parts import Drops, cache_member

Body = dict[str, Any]

_PLAIN = (
    "temperature",
    "top_p",
    "n",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "user",
    "verbosity",
    "prompt_cache_key",
)
_PENALTIES = ("presence_penalty", "frequency_penalty")
_LOGPROBS = ("logprobs", "top_logprobs")
_REFUSED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        q.NO_SAMPLING: ("temperature", "top_p", *_PENALTIES, *_LOGPROBS),
        q.NO_PENALTIES: _PENALTIES,
        q.NO_LOGPROBS: _LOGPROBS,
        q.NO_STOP: ("stop",),
        q.NO_SEED: ("seed",),
        q.NO_N: ("n",),
        q.NO_PARALLEL_TOOL_CALLS: ("parallel_tool_calls",),
    }
)
_SAYS_NOTHING: Mapping[str, object] = MappingProxyType({"n": 1, "stop": [], "logprobs": False})
"""Values that mean what leaving the parameter out means."""


def add_params(body: Body, params: Params, target: Target, drops: Drops) -> None:
    if params.max_tokens is not None:
        name = "max_completion_tokens" if q.MAX_COMPLETION_TOKENS in target.quirks else "max_tokens"
        body[name] = params.max_tokens
    for name in _PLAIN:
        value = getattr(params, name)
        if value is not None:
            body[name] = value
    if params.stop:
        body["stop"] = list(params.stop)
    _add_foreign(body, params, target, drops)
    if params.cache is not None:
        body.update(cache_member(params.cache, target, drops))


def _add_foreign(body: Body, params: Params, target: Target, drops: Drops) -> None:
    """Parameters that OpenAI has not, or has with its own values."""
    if params.top_k is not None:
        if drops.foreign and q.TOP_K not in target.quirks:
            drops.note("top_k")
        else:
            body["top_k"] = params.top_k
    if params.service_tier is not None:
        if drops.foreign and params.service_tier not in ("auto", "default"):
            drops.note("service_tier")
        else:
            body["service_tier"] = params.service_tier


def leave_out_refused(body: Body, target: Target, drops: Drops) -> None:
    """Take out what the target's quirks say it refuses. Last, when everything is in."""
    if target.quirks.isdisjoint(_REFUSED):
        return
    for quirk, names in _REFUSED.items():
        if quirk in target.quirks:
            for name in names:
                if name in body:
                    value = body.pop(name)
                    drops.note(name, value != _SAYS_NOTHING.get(name))


# -- the format
def add_format(body: Body, wanted: ResponseFormat | None, target: Target, drops: Drops) -> None:
    """`response_format`, as far as the target takes it; the rest in words."""
    if wanted is None:
        return
    if _takes(wanted.kind, target, drops.foreign):
        body["response_format"] = _format(wanted)
        return
    if wanted.kind == "text":
        return
    if wanted.kind == "json_schema" and _takes("json_object", target, drops.foreign):
        body["response_format"] = {"type": "json_object"}
    body["messages"] = _instructed(body["messages"], _in_words(wanted))
    drops.note("response_format.emulated")


def _takes(kind: str, target: Target, foreign: bool) -> bool:
    """What a caller of this dialect asks for in it is refused by quirks only; its model may be better than it is known to be."""
    if q.NO_RESPONSE_FORMAT in target.quirks or (kind == "json_schema" and q.NO_JSON_SCHEMA in target.quirks):
        return False
    if kind == "text" or not foreign or not target.capabilities:
        return True
    enough = {"json_schema"} if kind == "json_schema" else {"json_mode", "json_schema"}
    return bool(enough & target.capabilities)


def _format(wanted: ResponseFormat) -> Body:
    if wanted.kind != "json_schema":
        return {"type": wanted.kind}
    schema: Body = {"name": wanted.name or "answer"}
    if wanted.description is not None:
        schema["description"] = wanted.description
    if wanted.schema is not None:
        schema["schema"] = wanted.schema
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}


def _in_words(wanted: ResponseFormat) -> str:
    words = "Answer with one JSON object and nothing else: no explanation, no code fence."
    if wanted.schema is None:
        return words
    words += f" It must satisfy this JSON Schema: {bytes(wanted.schema).decode()}"
    return f"{words} What it is for: {wanted.description}" if wanted.description else words


def _instructed(messages: list[Body], words: str) -> list[Body]:
    """The words at the end of the first message if that is an instruction in plain text, else as an instruction before all."""
    first = messages[0] if messages else None
    if (
        first is not None
        and first["role"] in ("system", "developer")
        and isinstance(text := first["content"], str)
    ):
        return [{**first, "content": f"{text}\n\n{words}" if text else words}, *messages[1:]]
    return [{"role": "system", "content": words}, *messages]
