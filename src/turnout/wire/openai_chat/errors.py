"""Failures in OpenAI's words, both ways.

Providers of this dialect agree on little: errors come as an object, as text, as a list, without an `error` at all, as HTML. A failure is named from
its code and type words where they are known, then from the status with Google's details, and from prose for what is told only there. What a 400-type
error says is useful to the caller and is passed on, bounded and with what looks like a credential masked; an authentication error may
echo the key and is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import UNSET, Struct, UnsetType

from turnout.core.errors import Failure, Kind, Removal
from turnout.wire import google_rpc
from turnout.wire.codec import Headers
from turnout.wire.google_rpc import delay_s
from turnout.wire.overflow import overflows
from turnout.wire.prose import clean, retry_after_s, tells_bad_key, tells_no_credit, unquoted
from turnout.wire.refusals import Read, parse, read_error

_encode = msgspec.json.Encoder().encode

_BY_WORD: Mapping[str, Kind] = MappingProxyType(
    {
        "context_length_exceeded": Kind.CONTEXT_TOO_LONG,
        "exceed_context_size_error": Kind.CONTEXT_TOO_LONG,
        "string_above_max_length": Kind.CONTEXT_TOO_LONG,
        "model_context_window_exceeded": Kind.CONTEXT_TOO_LONG,
        "too_many_prompt_tokens": Kind.CONTEXT_TOO_LONG,
        "insufficient_quota": Kind.QUOTA_EXHAUSTED,
        "billing_not_active": Kind.QUOTA_EXHAUSTED,
        "billing_hard_limit_reached": Kind.QUOTA_EXHAUSTED,
        "insufficient_balance": Kind.QUOTA_EXHAUSTED,
        "rate_limit_exceeded": Kind.RATE_LIMITED,
        "rate_limit_error": Kind.RATE_LIMITED,
        "content_filter": Kind.CONTENT_FILTERED,
        "content_policy_violation": Kind.CONTENT_FILTERED,
        "invalid_api_key": Kind.UPSTREAM_AUTH,
        "authentication_error": Kind.UPSTREAM_AUTH,
        "permission_error": Kind.UPSTREAM_AUTH,
        "model_not_found": Kind.UPSTREAM_NOT_FOUND,
        "deploymentnotfound": Kind.UPSTREAM_NOT_FOUND,
        "invalid_model": Kind.UPSTREAM_NOT_FOUND,
        "overloaded_error": Kind.OVERLOADED,
        "engine_overloaded_error": Kind.OVERLOADED,
        # Moonshot
        "exceeded_current_quota_error": Kind.QUOTA_EXHAUSTED,
        "rate_limit_reached_error": Kind.RATE_LIMITED,
        "invalid_authentication_error": Kind.UPSTREAM_AUTH,
        "resource_not_found_error": Kind.UPSTREAM_NOT_FOUND,
        # Alibaba
        "arrearage": Kind.QUOTA_EXHAUSTED,
        "data_inspection_failed": Kind.CONTENT_FILTERED,
        "datainspectionfailed": Kind.CONTENT_FILTERED,
        # Google, in this dialect
        "unauthenticated": Kind.UPSTREAM_AUTH,
        "permission_denied": Kind.UPSTREAM_AUTH,
        "not_found": Kind.UPSTREAM_NOT_FOUND,
        "unavailable": Kind.OVERLOADED,
        "deadline_exceeded": Kind.FIRST_TOKEN_TIMEOUT,
        # a member of the request is at fault, whatever it is called or holds
        "unsupported_parameter": Kind.UPSTREAM_BAD_REQUEST,
        "unsupported_value": Kind.UPSTREAM_BAD_REQUEST,
        "unknown_parameter": Kind.UPSTREAM_BAD_REQUEST,
        "missing_required_parameter": Kind.UPSTREAM_BAD_REQUEST,
        "invalid_type": Kind.UPSTREAM_BAD_REQUEST,
        "invalid_function_parameters": Kind.UPSTREAM_BAD_REQUEST,
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
    r"content[ _-]?(?:filter|management policy|policy)|safety system|\bflagged\b", re.IGNORECASE
)


def decode_failure(status: int, headers: Headers, body: bytes) -> Failure:
    """Name what a non-2xx reply describes. `message` is bounded and holds no secret."""
    read = read_error(parse(body))
    kind = _kind(status, read)
    return Failure(
        kind,
        _sentence(kind, read.message),
        status=status,
        provider_code=(read.code or read.type)[:64] or None,
        param=read.param,
        retry_after_s=delay_s(read.details) or retry_after_s(headers, read.message),
    )


def decode_stream_failure(error: object) -> Failure:
    """Name what an error object in a stream, or under HTTP 200, describes."""
    read = read_error({"error": error})
    kind = _kind(read.status or 0, read)
    if kind is Kind.UPSTREAM_ERROR:
        kind = Kind.STREAM_ERROR
    return Failure(
        kind,
        _sentence(kind, read.message),
        provider_code=(read.code or read.type)[:64] or None,
        param=read.param,
    )


def _kind(status: int, read: Read) -> Kind:
    """The code's word, the type's, the status with Google's details, and only then prose: what is typed is not overruled."""
    for word in (read.code, read.type):
        kind = _BY_WORD.get(word.lower())
        if kind is not None and not (kind is Kind.RATE_LIMITED and status and status < 429):
            return kind
    found = _BY_STATUS.get(status)
    if found is None:
        if read.type.lower() in ("invalid_request_error", "bad_request_error") or 400 <= status < 500:
            found = Kind.UPSTREAM_BAD_REQUEST
        else:
            found = Kind.UPSTREAM_ERROR
    if read.details or read.code in google_rpc.WORDS:
        return google_rpc.refined(found, read.message, read.details)
    return _refined(found, read.message)


def _refined(kind: Kind, message: str) -> Kind:
    """Conditions that are told in prose only."""
    prose = unquoted(message)
    if kind in (Kind.UPSTREAM_BAD_REQUEST, Kind.TOO_LARGE) and overflows(prose):
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


# -- for an OpenAI client
_TYPES: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        402: "insufficient_quota",
        403: "permission_error",
        429: "rate_limit_error",
    }
)
_CODES: Mapping[Kind, str] = MappingProxyType(
    {Kind.CONTEXT_TOO_LONG: "context_length_exceeded", Kind.CONTENT_FILTERED: "content_filter"}
)


class _WireError(Struct):
    message: str
    type: str
    param: str | None
    code: str
    request_id: str
    details: tuple[Removal, ...] | UnsetType = UNSET


class _WireErrorBody(Struct):
    error: _WireError


def encode_error(failure: Failure, request_id: str) -> bytes:
    """`{"error":{message,type,param,code,request_id[,details]}}`; `code` is the failure's stable word, or the one that SDK users test for."""
    status = failure.row.status
    word = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    code = _CODES.get(failure.kind, failure.code)
    return _encode(
        _WireErrorBody(
            _WireError(failure.message, word, failure.param, code, request_id, failure.details or UNSET)
        )
    )


def encode_stream_error(failure: Failure, request_id: str) -> bytes:
    """The same as a data event, for a stream whose status was already sent. No `[DONE]` follows."""
    return b"".join((b"data: ", encode_error(failure, request_id), b"\n\n"))
