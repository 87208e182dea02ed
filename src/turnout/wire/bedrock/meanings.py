"""Bedrock's words for stops, tokens and proofs, in canonical terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import OpaqueBlock, Stop, StopReason, Usage
from turnout.core.model import DialectName

DIALECT: DialectName = "bedrock"
CITATION_KIND = "citation"
SERVER_TOOL = "server_tool_use"
UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)

_REASONS: Mapping[str, StopReason] = MappingProxyType(
    {
        "end_turn": "stop",
        "tool_use": "tool_use",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "stop_sequence": "stop_sequence",
        "guardrail_intervened": "content_filter",
        "content_filtered": "content_filter",
        "refusal": "refusal",
        "pause_turn": "pause",
    }
)


class _Sequence(Struct):
    stop_sequence: str | None = None


class _Fields(Struct):
    """What a Claude model tells beyond the common format, where it was asked to (see `targets`)."""

    stop_sequence: str | None = None
    delta: _Sequence | None = None


_fields = msgspec.json.Decoder(_Fields)


def decode_stop(word: str, fields: Raw) -> Stop:
    """A provider's `stopReason`; a word that nobody knows yet is `other` and kept in `raw`."""
    return Stop(_REASONS.get(word, "other"), word, _matched(fields))


def _matched(fields: Raw) -> str | None:
    if not given(fields):
        return None
    try:
        read = _fields.decode(fields)
    except UNREADABLE:
        return None
    return read.stop_sequence or (read.delta.stop_sequence if read.delta is not None else None)


class CacheDetail(Struct, rename="camel"):
    ttl: str | None = None
    input_tokens: int | None = None


class WireUsage(Struct, rename="camel"):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_details: Sequence[CacheDetail] | None = None


def canonical(wire: WireUsage) -> Usage:
    """`inputTokens` excludes the cached ones, as in `Usage`. Thinking is counted in `outputTokens` and not told apart."""
    written = _count(wire.cache_write_input_tokens)
    long = sum(_count(detail.input_tokens) for detail in wire.cache_details or () if detail.ttl == "1h")
    long = min(long, written)
    return Usage(
        input=_count(wire.input_tokens),
        cache_read=_count(wire.cache_read_input_tokens),
        cache_write_5m=written - long,
        cache_write_1h=long,
        output=_count(wire.output_tokens),
    )


def _count(value: int | None) -> int:
    return value if value is not None and value > 0 else 0


def given(raw: Raw) -> bool:
    """Is a member there and not null?"""
    data = bytes(raw)
    return bool(data) and data != b"null"


def opaque(kind: str, raw: Raw, index: int) -> OpaqueBlock:
    return OpaqueBlock(DIALECT, kind, raw.copy(), index)
