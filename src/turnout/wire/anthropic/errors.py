"""Failures in Anthropic's words, both ways.

A provider's error is named once, here, from its type word, its status and (for the few conditions that Anthropic tells only in
prose: prompt too long, credit used up, output filtered) its message. A message of a 400-type error is useful to the caller and
is passed on, bounded and with anything that looks like a credential masked; other messages are Turnout's own sentences, because
an authentication error may echo the key. It must not decide what to do about a failure: that is the failure table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

from turnout.core.errors import Failure, Kind, Removal
from turnout.wire import google_rpc
from turnout.wire.codec import Headers
from turnout.wire.google_rpc import delay_s
from turnout.wire.overflow import overflows
from turnout.wire.prose import clean, retry_after_s, tells_bad_key, tells_no_credit, unquoted
from turnout.wire.refusals import Read, parse, read_error

_BY_TYPE: Mapping[str, Kind] = MappingProxyType(
    {
        "invalid_request_error": Kind.UPSTREAM_BAD_REQUEST,
        "authentication_error": Kind.UPSTREAM_AUTH,
        "billing_error": Kind.QUOTA_EXHAUSTED,
        "permission_error": Kind.UPSTREAM_AUTH,
        "not_found_error": Kind.UPSTREAM_NOT_FOUND,
        "request_too_large": Kind.TOO_LARGE,
        "rate_limit_error": Kind.RATE_LIMITED,
        "timeout_error": Kind.FIRST_TOKEN_TIMEOUT,
        "overloaded_error": Kind.OVERLOADED,
        "api_error": Kind.UPSTREAM_ERROR,
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
        503: Kind.OVERLOADED,
        504: Kind.FIRST_TOKEN_TIMEOUT,
        529: Kind.OVERLOADED,
    }
)

_SENTENCES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.UPSTREAM_AUTH: "The provider refused Turnout's credential.",
        Kind.QUOTA_EXHAUSTED: "The provider account's credit or quota is used up.",
        Kind.RATE_LIMITED: "The provider limits the rate of requests.",
        Kind.OVERLOADED: "The provider is overloaded.",
        Kind.FIRST_TOKEN_TIMEOUT: "The provider timed out.",
        Kind.UPSTREAM_ERROR: "The provider failed.",
        Kind.STREAM_ERROR: "The provider reported an error inside the stream.",
    }
)
_SAFE_TO_QUOTE = frozenset(
    {
        Kind.UPSTREAM_BAD_REQUEST,
        Kind.UPSTREAM_NOT_FOUND,
        Kind.CONTEXT_TOO_LONG,
        Kind.TOO_LARGE,
        Kind.CONTENT_FILTERED,
    }
)

_FILTERED = re.compile(
    r"content[ _-]?filter|content policy|usage policy|safety (?:filter|system)", re.IGNORECASE
)
_PARAM = re.compile(r"([a-z_]+(?:\.[\w$]+)*): ")


_encode = msgspec.json.Encoder().encode


def decode_failure(status: int, headers: Headers, body: bytes) -> Failure:
    """Name what a non-2xx reply describes. `message` is bounded and holds no secret."""
    read = read_error(parse(body))
    message = read.message
    kind = _kind(status, read)
    return Failure(
        kind,
        _sentence(kind, message),
        status=status,
        provider_code=_code(read),
        param=_param(kind, message),
        retry_after_s=delay_s(read.details) or retry_after_s(headers, message),
    )


def decode_stream_failure(error: bytes) -> Failure:
    """Name what an `error` event, or an error object under HTTP 200, describes."""
    read = read_error({"error": parse(error)})
    message = read.message
    kind = _BY_TYPE.get(read.type, Kind.STREAM_ERROR)
    if kind is Kind.UPSTREAM_BAD_REQUEST:
        kind = _refined(kind, message)
    if kind is Kind.UPSTREAM_ERROR:
        kind = Kind.STREAM_ERROR
    return Failure(kind, _sentence(kind, message), provider_code=_code(read), param=_param(kind, message))


def _code(read: Read) -> str | None:
    words = (word for word in (read.type, read.code) if word not in ("", "error") and not word.isdigit())
    return next((word[:64] for word in words), None)


def _kind(status: int, read: Read) -> Kind:
    """The type's word, then the status with Google's details, and prose only for what neither tells apart."""
    kind = _BY_TYPE.get(read.type)
    typed = kind is not None
    if kind is None:
        kind = _BY_STATUS.get(status)
    if kind is None:
        kind = Kind.UPSTREAM_BAD_REQUEST if 400 <= status < 500 else Kind.UPSTREAM_ERROR
    if kind is Kind.UPSTREAM_ERROR and status in _BY_STATUS:
        kind = _BY_STATUS[status]
    if read.details or read.code in google_rpc.WORDS:
        return google_rpc.refined(kind, read.message, read.details)
    if typed and kind not in _WIDE:
        return kind
    return _refined(kind, read.message)


_WIDE = frozenset({Kind.UPSTREAM_BAD_REQUEST, Kind.TOO_LARGE})
"""Kinds whose type word covers conditions that are told apart in prose only."""


def _refined(kind: Kind, message: str) -> Kind:
    prose = unquoted(message)
    if kind in _WIDE and overflows(prose):
        return Kind.CONTEXT_TOO_LONG
    if kind in (Kind.UPSTREAM_BAD_REQUEST, Kind.RATE_LIMITED) and tells_no_credit(message):
        return Kind.QUOTA_EXHAUSTED
    if kind is not Kind.UPSTREAM_BAD_REQUEST:
        return kind
    if tells_bad_key(message):
        return Kind.UPSTREAM_AUTH
    return Kind.CONTENT_FILTERED if _FILTERED.search(prose) else kind


def _sentence(kind: Kind, message: str) -> str:
    if kind in _SAFE_TO_QUOTE and message.strip():
        return clean(message)
    return _SENTENCES.get(kind, "The provider rejected the request.")


def _param(kind: Kind, message: str) -> str | None:
    if kind not in (Kind.UPSTREAM_BAD_REQUEST, Kind.UPSTREAM_NOT_FOUND):
        return None
    match = _PARAM.match(message)
    return match[1][:128] if match else None


_TYPES: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
    }
)


class _WireError(Struct, omit_defaults=True):
    type: str
    message: str
    code: str
    param: str | None = None
    details: tuple[Removal, ...] = ()


class _WireErrorBody(Struct):
    type: str
    error: _WireError
    request_id: str


def encode_error(failure: Failure, request_id: str) -> bytes:
    """`{"type":"error","error":{type,message,code[,param][,details]},"request_id"}`; `type` follows the row's status."""
    status = failure.row.status
    word = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    message = failure.message
    if failure.kind is Kind.CONTEXT_TOO_LONG and "prompt is too long" not in message:
        message = f"prompt is too long: {message}"  # the words that clients of this dialect test for
    return _encode(
        _WireErrorBody(
            "error", _WireError(word, message, failure.code, failure.param, failure.details), request_id
        )
    )


def encode_stream_error(failure: Failure, request_id: str) -> bytes:
    """The same as an `error` event, for a stream whose status was already sent."""
    return b"".join((b"event: error\ndata: ", encode_error(failure, request_id), b"\n\n"))
