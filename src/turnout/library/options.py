"""What can be asked of a call: keywords, and how they become a body in OpenAI's form.

Promise: every keyword is known here or refused at once (`TypeError`): a budget that is silently ignored is worse than none. Values are
read by the same code as the gateway's, so what is wrong with one is `BadRequest`. It must not know how a request is served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import msgspec

from turnout.core.call import CacheMode, Degrade, Priority
from turnout.core.card import Task

Messages = str | Sequence[Mapping[str, Any]]
"""One prompt, or a conversation in OpenAI's form."""


class Controls(TypedDict, total=False):
    """What is asked of Turnout; the gateway's `x-turnout-*` headers by the same names.

    `budget_usd`: most that this one request may cost, USD. `deadline_ms`: from now to the end of the reply, milliseconds.
    `prefer`: models to try first where the choice is left to Turnout. `compliance`: names of policies, or tags. `price_ceiling`:
    `{"input": …, "output": …}`, USD per million tokens. `degrade`: may another model answer where the first choice is over
    the budget or cannot be reached? `tags`: for the log. `cache`, `can_wait`: as in the gateway.
    """

    task: Task | None
    budget_usd: float | str | None
    priority: Priority | None
    prefer: Sequence[str] | None
    compliance: Sequence[str] | None
    cost_center: str | None
    deadline_ms: int | None
    tags: Mapping[str, str] | None
    degrade: Degrade | None
    price_ceiling: Mapping[str, float] | None
    cache: CacheMode | None
    can_wait: bool | str | None


class ChatOptions(Controls, total=False):
    """Members of OpenAI's chat completions request, for any model; `extra` is for members that are not listed here."""

    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    response_format: Mapping[str, Any] | None
    max_tokens: int | None
    max_completion_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    n: int | None
    seed: int | None
    stop: str | Sequence[str] | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logprobs: bool | None
    top_logprobs: int | None
    reasoning_effort: str | None
    verbosity: str | None
    user: str | None
    service_tier: str | None
    prompt_cache_key: str | None
    extra: Mapping[str, Any] | None


CONTROLS = frozenset(Controls.__annotations__)
CHAT = frozenset(ChatOptions.__annotations__)

_encode = msgspec.json.Encoder().encode


def chat_body(messages: Messages, model: str, options: Mapping[str, Any], *, stream: bool = False) -> bytes:
    """Raises `TypeError` for an unknown keyword, or for what is not JSON."""
    said: Any = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    body: dict[str, Any] = {"model": model, "messages": said}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return _encode(body | _members(options, CHAT))


def embed_body(texts: Sequence[str], model: str, dimensions: int | None, options: Mapping[str, Any]) -> bytes:
    """Raises `TypeError` for an unknown keyword."""
    body: dict[str, Any] = {"model": model, "input": list(texts), "encoding_format": "float"}
    if dimensions is not None:
        body["dimensions"] = dimensions
    return _encode(body | _members(options, CONTROLS))


def _members(options: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    unknown = sorted(options.keys() - known)
    if unknown:
        raise TypeError(f"there is no keyword {unknown[0]!r}; members that are not listed go into `extra`")
    given = {name: value for name, value in options.items() if value is not None and name != "extra"}
    controls = {name: value for name, value in given.items() if name in CONTROLS}
    members = {name: value for name, value in given.items() if name not in CONTROLS}
    members |= options.get("extra") or {}
    return members | {"turnout": controls} if controls else members
