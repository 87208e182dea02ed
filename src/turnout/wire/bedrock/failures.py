"""Bedrock's exceptions as failures, whether they come as a status and a body or as a frame of a stream.

The exception's name decides; it is in `x-amzn-errortype`, in the body's `__type`, or in the frame's `:exception-type`. Where all that
came is a status, the status decides. One name covers many conditions: a `ValidationException` may mean a prompt that is too long, a
filter, or a model that this account cannot use, and only its prose tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

from turnout.core.errors import Failure, Kind
from turnout.wire.codec import Headers
from turnout.wire.overflow import overflows
from turnout.wire.prose import clean, retry_after_s, unquoted

_BY_NAME: Mapping[str, Kind] = MappingProxyType(
    {
        "throttling": Kind.RATE_LIMITED,
        "toomanyrequests": Kind.RATE_LIMITED,
        "servicequotaexceeded": Kind.QUOTA_EXHAUSTED,
        "accessdenied": Kind.UPSTREAM_AUTH,
        "unrecognizedclient": Kind.UPSTREAM_AUTH,
        "expiredtoken": Kind.UPSTREAM_AUTH,
        "requestexpired": Kind.UPSTREAM_AUTH,
        "invalidsignature": Kind.UPSTREAM_AUTH,
        "incompletesignature": Kind.UPSTREAM_AUTH,
        "signaturedoesnotmatch": Kind.UPSTREAM_AUTH,
        "missingauthenticationtoken": Kind.UPSTREAM_AUTH,
        "invalidclienttokenid": Kind.UPSTREAM_AUTH,
        "optinrequired": Kind.UPSTREAM_AUTH,
        "notauthorized": Kind.UPSTREAM_AUTH,
        "resourcenotfound": Kind.UPSTREAM_NOT_FOUND,
        "unknownoperation": Kind.UPSTREAM_NOT_FOUND,
        "validation": Kind.UPSTREAM_BAD_REQUEST,
        "serialization": Kind.UPSTREAM_BAD_REQUEST,
        "conflict": Kind.UPSTREAM_BAD_REQUEST,
        "modelnotready": Kind.OVERLOADED,
        "serviceunavailable": Kind.OVERLOADED,
        "modeltimeout": Kind.FIRST_TOKEN_TIMEOUT,
        "model": Kind.UPSTREAM_ERROR,
        "modelstream": Kind.STREAM_ERROR,
        "internalserver": Kind.UPSTREAM_ERROR,
        "internalfailure": Kind.UPSTREAM_ERROR,
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
        424: Kind.UPSTREAM_ERROR,
        429: Kind.RATE_LIMITED,
        503: Kind.OVERLOADED,
        504: Kind.FIRST_TOKEN_TIMEOUT,
    }
)

_IN_STREAM: Mapping[Kind, Kind] = MappingProxyType(
    {Kind.UPSTREAM_ERROR: Kind.STREAM_ERROR, Kind.FIRST_TOKEN_TIMEOUT: Kind.STREAM_ERROR}
)

_SENTENCES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.UPSTREAM_AUTH: "The provider refused Turnout's credential.",
        Kind.QUOTA_EXHAUSTED: "The provider account's quota is used up.",
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

_TOO_LONG = re.compile(r"too long|exceeds? (?:the )?maximum length", re.IGNORECASE)  # beside `wire.overflow`
_FILTERED = re.compile(
    r"content[ _-]?filter|content policy|usage policy|blocked by .{0,40}(?:filter|policy)", re.IGNORECASE
)
_NO_MODEL = re.compile(
    r"model identifier is invalid|on-demand throughput|end of its life|model version|provided model .{0,20}(?:not|doesn)",
    re.IGNORECASE,
)
_PER_DAY = re.compile(r"per day|daily", re.IGNORECASE)


class _Body(Struct, rename="camel"):
    kind: str | None = msgspec.field(name="__type", default=None)
    message: str | None = None
    capital: str | None = msgspec.field(name="Message", default=None)
    original_message: str | None = None


_body = msgspec.json.Decoder(_Body)


def decode_failure(status: int, headers: Headers, body: bytes) -> Failure:
    """Name what a non-2xx reply describes. `message` is bounded and holds no secret."""
    told = _read(body)
    name = _header_name(headers) or exception_name(told.kind)
    message = _message(told)
    kind = _BY_NAME.get(_key(name)) or _BY_STATUS.get(status)
    if kind is None:
        kind = Kind.UPSTREAM_BAD_REQUEST if 400 <= status < 500 else Kind.UPSTREAM_ERROR
    kind = _refined(kind, message)
    return Failure(
        kind,
        _sentence(kind, message),
        status=status,
        provider_code=name[:64] or None,
        retry_after_s=retry_after_s(headers, message),
    )


def decode_stream_failure(name: str, payload: bytes) -> Failure:
    """Name what an exception frame, or an exception under HTTP 200, describes."""
    told = _read(payload)
    name = exception_name(name or told.kind)
    message = _message(told)
    kind = _refined(_BY_NAME.get(_key(name), Kind.STREAM_ERROR), message)
    kind = _IN_STREAM.get(kind, kind)
    return Failure(kind, _sentence(kind, message), provider_code=name[:64] or None)


def exception_name(text: str | None) -> str:
    """`ValidationException` of `com.amazon.coral.validate#ValidationException:http://…`."""
    return (text or "").partition(":")[0].rpartition("#")[2].strip()


def _header_name(headers: Headers) -> str:
    for name, value in headers:
        if name.lower() == b"x-amzn-errortype":
            return exception_name(value.decode("latin-1"))
    return ""


def _key(name: str) -> str:
    return name.lower().removesuffix("exception").removesuffix("error")


def _read(body: bytes) -> _Body:
    try:
        return _body.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _Body()


def _message(told: _Body) -> str:
    return told.message or told.capital or told.original_message or ""


def _refined(kind: Kind, message: str) -> Kind:
    """Conditions that share a name and differ in prose only."""
    prose = unquoted(message)
    if kind is Kind.RATE_LIMITED and _PER_DAY.search(prose):  # the one exception name has both
        return Kind.QUOTA_EXHAUSTED
    if kind is not Kind.UPSTREAM_BAD_REQUEST:
        return kind
    if overflows(prose) or _TOO_LONG.search(prose):
        return Kind.CONTEXT_TOO_LONG
    if _NO_MODEL.search(prose):
        return Kind.UPSTREAM_NOT_FOUND
    return Kind.CONTENT_FILTERED if _FILTERED.search(prose) else kind


def _sentence(kind: Kind, message: str) -> str:
    if kind in _SAFE_TO_QUOTE and message.strip():
        return clean(message)
    return _SENTENCES.get(kind, "The provider rejected the request.")
