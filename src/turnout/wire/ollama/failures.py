"""Ollama's errors as failures: `{"error": "…"}`, under a status or as a line of a stream.

There is no error code: the status decides, and the prose where one status covers several conditions. A model that is not there, or cannot do
what was asked (tools, thinking, images), is no fault of the request: another candidate may serve it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from turnout.core.errors import Failure, Kind
from turnout.wire.codec import Headers
from turnout.wire.overflow import overflows
from turnout.wire.prose import clean, retry_after_s, unquoted
from turnout.wire.refusals import parse, read_error

_BY_STATUS: Mapping[int, Kind] = MappingProxyType(
    {
        401: Kind.UPSTREAM_AUTH,
        402: Kind.QUOTA_EXHAUSTED,
        403: Kind.UPSTREAM_AUTH,
        404: Kind.UPSTREAM_NOT_FOUND,
        408: Kind.FIRST_TOKEN_TIMEOUT,
        413: Kind.TOO_LARGE,
        429: Kind.RATE_LIMITED,
        499: Kind.UPSTREAM_ERROR,
        503: Kind.OVERLOADED,
        504: Kind.FIRST_TOKEN_TIMEOUT,
    }
)
_SENTENCES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.UPSTREAM_AUTH: "The provider refused Turnout's credential.",
        Kind.QUOTA_EXHAUSTED: "The provider account's quota is used up.",
        Kind.RATE_LIMITED: "The provider limits the rate of requests.",
        Kind.OVERLOADED: "The provider is overloaded.",
        Kind.FIRST_TOKEN_TIMEOUT: "The provider timed out.",
        Kind.UPSTREAM_ERROR: "The provider failed.",
        Kind.STREAM_ERROR: "The provider reported an error inside the reply.",
    }
)
_SAFE_TO_QUOTE = frozenset(
    {
        Kind.UPSTREAM_BAD_REQUEST,
        Kind.UPSTREAM_NOT_FOUND,
        Kind.UNSUPPORTED,
        Kind.CONTEXT_TOO_LONG,
        Kind.TOO_LARGE,
    }
)
_FAULTS = frozenset({Kind.UPSTREAM_BAD_REQUEST, Kind.UPSTREAM_ERROR, Kind.STREAM_ERROR})
_BUSY = frozenset({Kind.UPSTREAM_ERROR, Kind.STREAM_ERROR, Kind.RATE_LIMITED})
_LIMITS = frozenset({Kind.STREAM_ERROR, Kind.RATE_LIMITED})
_BY_PROSE: tuple[tuple[re.Pattern[str], frozenset[Kind], Kind], ...] = (
    (
        re.compile(r"model .{0,200}not found|no such model|pull it first", re.IGNORECASE),
        _FAULTS,
        Kind.UPSTREAM_NOT_FOUND,
    ),
    (
        re.compile(r"does not support|not supported|missing data required", re.IGNORECASE),
        _FAULTS,
        Kind.UNSUPPORTED,
    ),
    (
        re.compile(r"server busy|maximum pending requests|overloaded", re.IGNORECASE),
        _BUSY,
        Kind.OVERLOADED,
    ),
    (re.compile(r"usage limit|quota|upgrade", re.IGNORECASE), _LIMITS, Kind.QUOTA_EXHAUSTED),
)
"""A sentence, the kinds among which only it tells, and what it says."""


def decode_failure(status: int, headers: Headers, body: bytes) -> Failure:
    """Name what a non-2xx reply describes. `message` is bounded and holds no secret."""
    message = read_error(parse(body)).message
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = Kind.UPSTREAM_BAD_REQUEST if 400 <= status < 500 else Kind.UPSTREAM_ERROR
    kind = _refined(kind, message)
    return Failure(
        kind, _sentence(kind, message), status=status, retry_after_s=retry_after_s(headers, message)
    )


def decode_reply_failure(message: str) -> Failure:
    """Name an error that is told inside HTTP 200."""
    kind = _refined(Kind.STREAM_ERROR, message)
    return Failure(kind, _sentence(kind, message))


def _refined(kind: Kind, message: str) -> Kind:
    """Conditions that share a status and differ in prose only."""
    prose = unquoted(message)
    if kind in _FAULTS and overflows(prose):
        return Kind.CONTEXT_TOO_LONG
    for pattern, among, found in _BY_PROSE:
        if kind in among and pattern.search(prose):
            return found
    return kind


def _sentence(kind: Kind, message: str) -> str:
    if kind in _SAFE_TO_QUOTE and message.strip():
        return clean(message)
    return _SENTENCES.get(kind, "The provider rejected the request.")
