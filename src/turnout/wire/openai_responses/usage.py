"""Token counts as price classes, and back. `input_tokens` includes what was cached, `output_tokens` what was thought."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import Usage

_COUNT_MAX = 2**53
_NOTHING = Raw()


class _InputDetails(Struct):
    cached_tokens: Any = 0
    cache_write_tokens: Any = 0


class _OutputDetails(Struct):
    reasoning_tokens: Any = 0


class _Usage(Struct):
    input_tokens: Any = 0
    output_tokens: Any = 0
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Requests(Struct):
    num_requests: Any = 0


class _ToolUsage(Struct):
    web_search: _Requests | None = None


_usage = msgspec.json.Decoder(_Usage | None)
_tools = msgspec.json.Decoder(_ToolUsage | None)


def _count(value: object) -> int:
    return value if type(value) is int and 0 < value < _COUNT_MAX else 0


def read_usage(raw: Raw, tool_usage: Raw = _NOTHING) -> Usage | None:
    """From JSON text; `None` for anything that is not a usage object. Reasoning that is more than the output comes on top of it."""
    wire = _read(_usage, raw)
    if wire is None:
        return None
    given, made = wire.input_tokens_details, wire.output_tokens_details
    prompt, output = _count(wire.input_tokens), _count(wire.output_tokens)
    cached = _count(given.cached_tokens) if given is not None else 0
    written = _count(given.cache_write_tokens) if given is not None else 0
    reasoning = _count(made.reasoning_tokens) if made is not None else 0
    prompt = max(prompt, cached)
    written = min(written, prompt - cached)
    if reasoning > output:
        output += reasoning
    return Usage(
        prompt - cached - written,
        cached,
        written,
        0,
        output,
        reasoning,
        web_searches=_searches(tool_usage),
    )


def _searches(raw: Raw) -> int:
    tools = _read(_tools, raw)
    return 0 if tools is None or tools.web_search is None else _count(tools.web_search.num_requests)


def _read(decoder: msgspec.json.Decoder[Any], raw: Raw) -> Any:
    if not raw:
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def usage_json(usage: Usage) -> bytes:
    """The `usage` member for a client of this dialect."""
    return (
        b'{"input_tokens":%d,"input_tokens_details":{"cached_tokens":%d,"cache_write_tokens":%d},'
        b'"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":%d},"total_tokens":%d}'
        % (
            usage.prompt,
            usage.cache_read,
            usage.cache_write,
            usage.output,
            usage.reasoning,
            usage.prompt + usage.output,
        )
    )
