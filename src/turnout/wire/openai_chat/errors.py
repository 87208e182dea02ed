"""Failures in OpenAI's words, both ways.

Providers of this dialect agree on little: errors come as an object, as text, as a list, without an `error` at all, as HTML. A failure is named from
its code and type words where they are known, then from prose for what is told only there, then from the status. What a 400-type
error says is useful to the caller and is passed on, bounded and with what looks like a credential masked; an authentication error may
echo the key and is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from turnout.core.errors import Failure, Kind, Removal
from turnout.wire.codec import Headers
from turnout.wire.prose import clean, retry_after_s

_ANY = msgspec.json.Decoder(Any)
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

_TOO_LONG = re.compile(
    r"maximum context|context (?:length|window|size|limit)|prompt is too long|input is too long|too many (?:input )?tokens"
    r"|exceeds? the (?:maximum|model'?s)[^.]{0,40}(?:tokens|context|length)|reduce the length of the (?:messages|prompt)",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(
    r"insufficient.{0,20}(?:credit|quota|fund|balance)|exceeded your current quota|credit balance|billing|out of credits",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content[ _-]?(?:filter|management policy|policy)|safety system|flagged", re.IGNORECASE
)


class Read(Struct):
    """What an error says, wherever it says it."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str | None = None
    status: int | None = None


def decode_failure(status: int, headers: Headers, body: bytes) -> Failure:
    """Name what a non-2xx reply describes. `message` is bounded and holds no secret."""
    read = read_error(_parse(body))
    kind = _kind(status, read)
    return Failure(
        kind,
        _sentence(kind, read.message),
        status=status,
        provider_code=(read.code or read.type)[:64] or None,
        param=read.param,
        retry_after_s=retry_after_s(headers, read.message),
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


def _parse(body: bytes) -> object:
    try:
        return _ANY.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def read_error(body: object) -> Read:
    """Find the error in whatever shape it has."""
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, dict):
        return Read()
    error = body.get("error", body)
    if isinstance(error, str):
        return Read(error, code=_word(body.get("code")), type=_word(body.get("type")))
    if not isinstance(error, dict):
        return Read()
    message = error.get("message") or error.get("detail") or body.get("message") or ""
    param = error.get("param")
    status = error.get("status_code") or error.get("status") or error.get("code")
    number = (
        int(status) if isinstance(status, int) or (isinstance(status, str) and status.isdigit()) else None
    )
    return Read(
        message if isinstance(message, str) else "",
        _word(error.get("type")),
        _word(error.get("code")) or _word(error.get("status")),
        param[:128] if isinstance(param, str) and param else None,
        number if number is not None and 400 <= number < 600 else None,
    )


def _word(value: object) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _kind(status: int, read: Read) -> Kind:
    for word in (read.code, read.type):
        kind = _BY_WORD.get(word.lower())
        if kind is not None and not (kind is Kind.RATE_LIMITED and status and status < 429):
            return _refined(kind, read.message)
    found = _BY_STATUS.get(status)
    if found is None:
        if read.type.lower() in ("invalid_request_error", "bad_request_error") or 400 <= status < 500:
            found = Kind.UPSTREAM_BAD_REQUEST
        else:
            found = Kind.UPSTREAM_ERROR
    return _refined(found, read.message)


def _refined(kind: Kind, message: str) -> Kind:
    """Conditions that are told in prose only."""
    if kind in (Kind.UPSTREAM_BAD_REQUEST, Kind.TOO_LARGE) and _TOO_LONG.search(message):
        return Kind.CONTEXT_TOO_LONG
    if kind in (Kind.UPSTREAM_BAD_REQUEST, Kind.RATE_LIMITED) and _NO_CREDIT.search(message):
        return Kind.QUOTA_EXHAUSTED
    if kind is Kind.UPSTREAM_BAD_REQUEST and _FILTERED.search(message):
        return Kind.CONTENT_FILTERED
    return kind


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
