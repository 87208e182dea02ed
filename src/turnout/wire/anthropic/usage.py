"""Token counts in Anthropic's words.

`message_start` has a provisional count; every `message_delta` is cumulative and wins for each field that it has, so a field
that it leaves out keeps its former value. `iterations` is a breakdown of the same tokens and is never added.
`input_tokens` excludes cached tokens and `output_tokens` includes thinking, as in the canonical `Usage`.
"""

from __future__ import annotations

from msgspec import Struct

from turnout.core.events import Usage


class CacheCreation(Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class ServerToolUse(Struct):
    web_search_requests: int | None = None


class OutputDetails(Struct):
    thinking_tokens: int | None = None


class WireUsage(Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerToolUse | None = None


def merged(old: WireUsage | None, new: WireUsage) -> WireUsage:
    """`new` over `old`, field by field."""
    if old is None:
        return new
    return WireUsage(
        old.input_tokens if new.input_tokens is None else new.input_tokens,
        old.cache_creation_input_tokens
        if new.cache_creation_input_tokens is None
        else new.cache_creation_input_tokens,
        old.cache_read_input_tokens if new.cache_read_input_tokens is None else new.cache_read_input_tokens,
        new.cache_creation or old.cache_creation,
        old.output_tokens if new.output_tokens is None else new.output_tokens,
        new.output_tokens_details or old.output_tokens_details,
        new.server_tool_use or old.server_tool_use,
    )


def canonical(wire: WireUsage) -> Usage:
    """Counts by price class; what the provider left out is 0."""
    short, long = _cache_writes(wire)
    details, tools = wire.output_tokens_details, wire.server_tool_use
    return Usage(
        input=_count(wire.input_tokens),
        cache_read=_count(wire.cache_read_input_tokens),
        cache_write_5m=short,
        cache_write_1h=long,
        output=_count(wire.output_tokens),
        reasoning=0 if details is None else _count(details.thinking_tokens),
        web_searches=0 if tools is None else _count(tools.web_search_requests),
    )


def _cache_writes(wire: WireUsage) -> tuple[int, int]:
    split = wire.cache_creation
    long = 0 if split is None else _count(split.ephemeral_1h_input_tokens)
    if wire.cache_creation_input_tokens is None:
        return (0 if split is None else _count(split.ephemeral_5m_input_tokens)), long
    total = _count(wire.cache_creation_input_tokens)
    long = min(long, total)
    return total - long, long


def _count(value: int | None) -> int:
    return value if value is not None and value > 0 else 0


def usage_json(usage: Usage) -> bytes:
    """The `usage` object of a reply."""
    extra = b""
    if usage.cache_write:
        extra += b',"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d}' % (
            usage.cache_write_5m,
            usage.cache_write_1h,
        )
    if usage.reasoning:
        extra += b',"output_tokens_details":{"thinking_tokens":%d}' % usage.reasoning
    if usage.web_searches:
        extra += b',"server_tool_use":{"web_search_requests":%d,"web_fetch_requests":0}' % usage.web_searches
    return (
        b'{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":%d%b}'
        % (usage.input, usage.cache_write, usage.cache_read, usage.output, extra)
    )
