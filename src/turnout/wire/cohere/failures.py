"""Cohere's refusals as failures: `{"id", "message", "error_type"?}` under a status of its own making.

The status decides, except where `error_type` or only the prose tells conditions apart: too long a prompt is a 400, a trial key's monthly
allowance a 429. 498 is a deny-listed token in the prompt or the reply, 499 a cancelled request, 501 a feature that the model lacks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

from turnout.core.errors import Failure, Kind
from turnout.wire.codec import Headers
from turnout.wire.cohere.meanings import UNREADABLE
from turnout.wire.overflow import overflows
from turnout.wire.prose import clean, retry_after_s, tells_no_credit, unquoted

_BY_WORD: Mapping[str, Kind] = MappingProxyType(
    {
        "TOO_MANY_TOKENS": Kind.CONTEXT_TOO_LONG,
        "ERROR_LIMIT": Kind.CONTEXT_TOO_LONG,
        "ERROR_TOXIC": Kind.CONTENT_FILTERED,
    }
)
_BY_STATUS: Mapping[int, Kind] = MappingProxyType(
    {
        401: Kind.UPSTREAM_AUTH,
        402: Kind.QUOTA_EXHAUSTED,
        403: Kind.UPSTREAM_AUTH,
        404: Kind.UPSTREAM_NOT_FOUND,
        408: Kind.FIRST_TOKEN_TIMEOUT,
        413: Kind.TOO_LARGE,
        429: Kind.RATE_LIMITED,
        498: Kind.CONTENT_FILTERED,
        499: Kind.UPSTREAM_ERROR,
        501: Kind.UNSUPPORTED,
        503: Kind.OVERLOADED,
        504: Kind.FIRST_TOKEN_TIMEOUT,
        529: Kind.OVERLOADED,
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
        Kind.CONTENT_FILTERED: "The provider's filter blocked the request or the reply.",
    }
)
_SAFE_TO_QUOTE = frozenset(
    {
        Kind.UPSTREAM_BAD_REQUEST,
        Kind.UPSTREAM_NOT_FOUND,
        Kind.UNSUPPORTED,
        Kind.CONTEXT_TOO_LONG,
        Kind.TOO_LARGE,
        Kind.CONTENT_FILTERED,
    }
)
_NO_MODEL = re.compile(r"model .{0,120}(?:not found|was removed|is not available)", re.IGNORECASE)
_NO_CREDIT = re.compile(r"calls? ?/ ?month|monthly|payment method|add (?:a )?payment", re.IGNORECASE)


class _Body(Struct):
    message: str | None = None
    error_type: str | None = None
    code: str | None = None


_body = msgspec.json.Decoder(_Body)


def decode_failure(status: int, headers: Headers, body: bytes) -> Failure:
    """Name what a non-2xx reply describes. `message` is bounded and holds no secret."""
    told = _read(body)
    message, word = told.message or "", told.error_type or told.code or ""
    kind = _BY_WORD.get(word) or _BY_STATUS.get(status)
    if kind is None:
        kind = Kind.UPSTREAM_BAD_REQUEST if 400 <= status < 500 else Kind.UPSTREAM_ERROR
    if word not in _BY_WORD:
        kind = _refined(kind, message)
    return Failure(
        kind,
        _sentence(kind, message),
        status=status,
        provider_code=word[:64] or None,
        retry_after_s=retry_after_s(headers, message),
    )


def decode_reply_failure(word: str, message: str | None) -> Failure:
    """Name a failure that is told inside HTTP 200: a `finish_reason`, or an error object without one."""
    kind = _refined(_BY_WORD.get(word, Kind.STREAM_ERROR), message or "")
    return Failure(kind, _sentence(kind, message or ""), provider_code=word[:64] or None)


def _read(body: bytes) -> _Body:
    try:
        return _body.decode(body)
    except UNREADABLE:
        return _Body()


def _refined(kind: Kind, message: str) -> Kind:
    """Conditions that share a status and differ in prose only."""
    prose = unquoted(message)
    if kind is Kind.RATE_LIMITED and (_NO_CREDIT.search(prose) or tells_no_credit(message)):
        return Kind.QUOTA_EXHAUSTED
    if kind in (Kind.UPSTREAM_BAD_REQUEST, Kind.STREAM_ERROR) and overflows(prose):
        return Kind.CONTEXT_TOO_LONG
    if kind is Kind.UPSTREAM_BAD_REQUEST and _NO_MODEL.search(message):
        return Kind.UPSTREAM_NOT_FOUND
    return kind


def _sentence(kind: Kind, message: str) -> str:
    if kind in _SAFE_TO_QUOTE and message.strip():
        return clean(message)
    return _SENTENCES.get(kind, "The provider rejected the request.")
