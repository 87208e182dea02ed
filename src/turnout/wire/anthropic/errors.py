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
from msgspec import Raw, Struct

from turnout.core.errors import Failure, Kind, Removal
from turnout.wire.codec import Headers
from turnout.wire.prose import clean, retry_after_s

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

_TOO_LONG = re.compile(
    r"prompt is too long|(?:exceed|larger than|longer than)[^.]{0,60}context|context (?:length|window|limit)[^.]{0,60}exceed"
    r"|maximum context|input is too long|too many (?:input )?tokens|exceeds? the maximum number of (?:input )?tokens",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(
    r"credit balance|usage limits?\b|spend(?:ing)? limit|insufficient.{0,20}(?:credit|quota|fund)|billing",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content[ _-]?filter|content policy|usage policy|safety (?:filter|system)", re.IGNORECASE
)
_PARAM = re.compile(r"([a-z_]+(?:\.[\w$]+)*): ")


class _Error(Struct):
    type: str | None = None
    message: str | None = None
    status: str | int | None = None
    code: str | int | None = None


class _Envelope(Struct):
    error: Raw = Raw()
    message: Raw = Raw()
    type: Raw = Raw()


_envelope = msgspec.json.Decoder(_Envelope)
_envelopes = msgspec.json.Decoder(list[_Envelope])
_error = msgspec.json.Decoder(_Error)
_str = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def decode_failure(status: int, headers: Headers, body: bytes) -> Failure:
    """Name what a non-2xx reply describes. `message` is bounded and holds no secret."""
    error = _read_error(body)
    message = error.message or ""
    kind = _kind(status, error.type or "", message)
    return Failure(
        kind,
        _sentence(kind, message),
        status=status,
        provider_code=_code(error),
        param=_param(kind, message),
        retry_after_s=retry_after_s(headers, message),
    )


def decode_stream_failure(error: bytes) -> Failure:
    """Name what an `error` event, or an error object under HTTP 200, describes."""
    read = _error_object(error)
    message = read.message or ""
    kind = _refined(_BY_TYPE.get(read.type or "", Kind.STREAM_ERROR), message)
    if kind is Kind.UPSTREAM_ERROR:
        kind = Kind.STREAM_ERROR
    return Failure(kind, _sentence(kind, message), provider_code=_code(read), param=_param(kind, message))


def _read_error(body: bytes) -> _Error:
    try:
        envelope = _envelopes.decode(body)[0] if body.lstrip()[:1] == b"[" else _envelope.decode(body)
    except (*_UNREADABLE, IndexError):
        return _Error()
    if bytes(envelope.error):
        return _error_object(bytes(envelope.error))
    return _Error(_text(envelope.type), _text(envelope.message))


def _error_object(raw: bytes) -> _Error:
    try:
        return _error.decode(raw)
    except _UNREADABLE:
        return _Error(message=_text(Raw(raw)))


def _text(raw: Raw) -> str | None:
    try:
        return _str.decode(raw)
    except _UNREADABLE:
        return None


def _code(error: _Error) -> str | None:
    for word in (error.type, error.status, error.code):
        if isinstance(word, str) and word:
            return word[:64]
    return None


def _kind(status: int, word: str, message: str) -> Kind:
    kind = _BY_TYPE.get(word) or _BY_STATUS.get(status)
    if kind is None:
        kind = Kind.UPSTREAM_BAD_REQUEST if 400 <= status < 500 else Kind.UPSTREAM_ERROR
    if kind is Kind.UPSTREAM_ERROR and status in _BY_STATUS:
        kind = _BY_STATUS[status]
    return _refined(kind, message)


def _refined(kind: Kind, message: str) -> Kind:
    """Conditions that share a type word and differ in prose only."""
    if kind in (Kind.UPSTREAM_BAD_REQUEST, Kind.TOO_LARGE) and _TOO_LONG.search(message):
        return Kind.CONTEXT_TOO_LONG
    if kind in (Kind.UPSTREAM_BAD_REQUEST, Kind.RATE_LIMITED, Kind.UPSTREAM_AUTH) and _NO_CREDIT.search(
        message
    ):
        return Kind.QUOTA_EXHAUSTED
    if kind is Kind.UPSTREAM_BAD_REQUEST and _FILTERED.search(message):
        return Kind.CONTENT_FILTERED
    return kind


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
