"""Failures in Google's words, both ways.

A provider's error is named from its `google.rpc` status word, its HTTP status, its typed `details` and, for the few conditions that are
told only in prose (prompt too long, a bad key under status 400), its message. The stream without `alt=sse` wraps the error in an array.
A message of a 400-type error is passed on, bounded and masked; other sentences are Turnout's own. What to do about a failure is
not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw, Struct

from turnout.core.errors import Failure, Kind
from turnout.wire.codec import Headers
from turnout.wire.google_rpc import Detail, delay_s, read_details, refined
from turnout.wire.prose import clean, retry_after_s

_BY_WORD: Mapping[str, Kind] = MappingProxyType(
    {
        "INVALID_ARGUMENT": Kind.UPSTREAM_BAD_REQUEST,
        "FAILED_PRECONDITION": Kind.UPSTREAM_BAD_REQUEST,
        "OUT_OF_RANGE": Kind.UPSTREAM_BAD_REQUEST,
        "UNIMPLEMENTED": Kind.UPSTREAM_BAD_REQUEST,
        "ALREADY_EXISTS": Kind.UPSTREAM_BAD_REQUEST,
        "UNAUTHENTICATED": Kind.UPSTREAM_AUTH,
        "PERMISSION_DENIED": Kind.UPSTREAM_AUTH,
        "NOT_FOUND": Kind.UPSTREAM_NOT_FOUND,
        "RESOURCE_EXHAUSTED": Kind.RATE_LIMITED,
        "DEADLINE_EXCEEDED": Kind.FIRST_TOKEN_TIMEOUT,
        "UNAVAILABLE": Kind.OVERLOADED,
        "INTERNAL": Kind.UPSTREAM_ERROR,
        "UNKNOWN": Kind.UPSTREAM_ERROR,
        "ABORTED": Kind.UPSTREAM_ERROR,
        "CANCELLED": Kind.UPSTREAM_ERROR,
        "DATA_LOSS": Kind.UPSTREAM_ERROR,
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
        499: Kind.UPSTREAM_ERROR,
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


class _Error(Struct):
    code: int | str | None = None
    message: str | None = None
    status: str | None = None
    details: Any = None


class _Envelope(Struct):
    error: Raw = Raw()


_envelope = msgspec.json.Decoder(_Envelope)
_envelopes = msgspec.json.Decoder(list[_Envelope])
_error = msgspec.json.Decoder(_Error)
_str = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def decode_failure(status: int, headers: Headers, body: bytes) -> Failure:
    """Name what a non-2xx reply describes. `message` is bounded and holds no secret."""
    return _failure(_read_error(body), status, headers)


def decode_stream_failure(error: bytes) -> Failure:
    """Name what an error object inside a stream, or under HTTP 200, describes."""
    read = _error_object(error)
    code = read.code if isinstance(read.code, int) and 400 <= read.code < 600 else 0
    failure = _failure(read, code, ())
    if failure.kind is Kind.UPSTREAM_ERROR:
        sentence = _SENTENCES[Kind.STREAM_ERROR]
        return Failure(Kind.STREAM_ERROR, sentence, provider_code=failure.provider_code)
    return failure


def _failure(error: _Error, status: int, headers: Headers) -> Failure:
    message = error.message or ""
    details = read_details(error.details)
    kind = _kind(status, error.status or "", message, details)
    return Failure(
        kind,
        _sentence(kind, message),
        status=status or None,
        provider_code=_code(error, details),
        param=_param(kind, details),
        retry_after_s=delay_s(details) or retry_after_s(headers, message),
    )


def _read_error(body: bytes) -> _Error:
    try:
        envelope = _envelopes.decode(body)[0] if body.lstrip()[:1] == b"[" else _envelope.decode(body)
    except (*_UNREADABLE, IndexError):
        return _Error()
    return _error_object(bytes(envelope.error))


def _error_object(raw: bytes) -> _Error:
    try:
        return _error.decode(raw)
    except _UNREADABLE:
        pass
    try:
        return _Error(message=_str.decode(raw))
    except _UNREADABLE:
        return _Error()


def _kind(status: int, word: str, message: str, details: Sequence[Detail]) -> Kind:
    kind = _BY_WORD.get(word) or _BY_STATUS.get(status)
    if kind is None:
        kind = Kind.UPSTREAM_BAD_REQUEST if 400 <= status < 500 else Kind.UPSTREAM_ERROR
    if kind is Kind.UPSTREAM_ERROR and status in _BY_STATUS:
        kind = _BY_STATUS[status]
    return refined(kind, message, details)


def _code(error: _Error, details: Sequence[Detail]) -> str | None:
    reason = next((detail.reason for detail in details if detail.reason), None)
    word = reason or error.status
    return word[:64] if word else None


def _param(kind: Kind, details: Sequence[Detail]) -> str | None:
    if kind is not Kind.UPSTREAM_BAD_REQUEST:
        return None
    fields = (violation.field for detail in details for violation in detail.field_violations or ())
    return next((field[:128] for field in fields if field), None)


def _sentence(kind: Kind, message: str) -> str:
    if kind in _SAFE_TO_QUOTE and message.strip():
        return clean(message)
    return _SENTENCES.get(kind, "The provider rejected the request.")


# -- for a Gemini client
_WORDS: Mapping[int, str] = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        408: "DEADLINE_EXCEEDED",
        429: "RESOURCE_EXHAUSTED",
        499: "CANCELLED",
        500: "INTERNAL",
        502: "UNAVAILABLE",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)
_RPC = "type.googleapis.com/google.rpc."


class _WireDetail(Struct, omit_defaults=True, rename="camel"):
    type: str = msgspec.field(name="@type")
    reason: str | None = None
    domain: str | None = None
    metadata: dict[str, str] | None = None
    request_id: str | None = None
    retry_delay: str | None = None
    field_violations: list[dict[str, str]] | None = None


class _WireError(Struct):
    code: int
    message: str
    status: str
    details: list[_WireDetail]


class _WireBody(Struct):
    error: _WireError


def _counts(failure: Failure) -> dict[str, str] | None:
    """How many models each filter removed; in this dialect the values are strings."""
    return {one.filter: str(one.models) for one in failure.details} or None


def encode_error(failure: Failure, request_id: str) -> bytes:
    """`{"error":{code,message,status,details}}`; the details hold Turnout's code, the request's id, and how long to wait."""
    status = failure.row.status
    details = [
        _WireDetail(_RPC + "ErrorInfo", failure.code.upper(), "turnout", _counts(failure)),
        _WireDetail(_RPC + "RequestInfo", request_id=request_id),
    ]
    if failure.param is not None:
        violation = {"field": failure.param, "description": failure.message}
        details.append(_WireDetail(_RPC + "BadRequest", field_violations=[violation]))
    if failure.retry_after_s is not None:
        details.append(_WireDetail(_RPC + "RetryInfo", retry_delay=f"{failure.retry_after_s:g}s"))
    word = _WORDS.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    return _encode(_WireBody(_WireError(status, failure.message, word, details)))


def encode_stream_error(failure: Failure, request_id: str) -> bytes:
    """The same as a chunk, for a stream whose status was already sent."""
    return b"data: %b\r\n\r\n" % encode_error(failure, request_id)
