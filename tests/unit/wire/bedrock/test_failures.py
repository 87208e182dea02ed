"""Refusals of Bedrock: the exception's name decides, its prose tells conditions of one name apart."""

from __future__ import annotations

import json

import pytest

from turnout.core.errors import Kind
from turnout.core.events import Failed
from turnout.wire.bedrock import CODEC


@pytest.mark.parametrize(
    ("status", "name", "message", "kind"),
    [
        (
            429,
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
            Kind.RATE_LIMITED,
        ),
        (429, "ThrottlingException", "Too many tokens per day, please wait.", Kind.QUOTA_EXHAUSTED),
        (400, "ServiceQuotaExceededException", "quota", Kind.QUOTA_EXHAUSTED),
        (403, "AccessDeniedException", "no", Kind.UPSTREAM_AUTH),
        (403, "UnrecognizedClientException", "no", Kind.UPSTREAM_AUTH),
        (403, "ExpiredTokenException", "no", Kind.UPSTREAM_AUTH),
        (403, "InvalidSignatureException", "no", Kind.UPSTREAM_AUTH),
        (404, "ResourceNotFoundException", "no", Kind.UPSTREAM_NOT_FOUND),
        (429, "ModelNotReadyException", "wait", Kind.OVERLOADED),
        (503, "ServiceUnavailableException", "busy", Kind.OVERLOADED),
        (408, "ModelTimeoutException", "slow", Kind.FIRST_TOKEN_TIMEOUT),
        (424, "ModelErrorException", "broken", Kind.UPSTREAM_ERROR),
        (500, "InternalServerException", "broken", Kind.UPSTREAM_ERROR),
        (400, "ValidationException", "messages: at least one", Kind.UPSTREAM_BAD_REQUEST),
        (400, "ValidationException", "Input is too long for requested model.", Kind.CONTEXT_TOO_LONG),
        (400, "ValidationException", "prompt is too long: 9 tokens > 8 maximum", Kind.CONTEXT_TOO_LONG),
        (400, "ValidationException", "Output blocked by content filtering policy", Kind.CONTENT_FILTERED),
        (400, "ValidationException", "The provided model identifier is invalid.", Kind.UPSTREAM_NOT_FOUND),
        (418, "TeapotException", "x", Kind.UPSTREAM_BAD_REQUEST),
        (599, "", "x", Kind.UPSTREAM_ERROR),
    ],
)
def test_kinds(status: int, name: str, message: str, kind: Kind) -> None:
    in_header = [(b"x-amzn-ErrorType", f"{name}:http://internal.amazon.com/coral/".encode())]
    told = json.dumps({"message": message}).encode()
    assert CODEC.decode_failure(status, in_header, told).kind is kind
    in_body = json.dumps({"__type": f"com.amazon.coral.service#{name}", "Message": message}).encode()
    failure = CODEC.decode_failure(status, [], in_body)
    assert failure.kind is kind
    assert failure.provider_code == (name or None)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, Kind.UPSTREAM_AUTH), (429, Kind.RATE_LIMITED), (503, Kind.OVERLOADED), (502, Kind.UPSTREAM_ERROR)],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b'{"message": 5}', b"\xff"])
def test_a_status_alone_is_enough(status: int, kind: Kind, body: bytes) -> None:
    assert CODEC.decode_failure(status, [], body).kind is kind


def test_a_refused_credential_is_not_quoted() -> None:
    failure = CODEC.decode_failure(403, [], b'{"message": "signature of AKIDEXAMPLE does not match"}')
    assert "AKIDEXAMPLE" not in failure.message


def test_how_long_to_wait() -> None:
    assert CODEC.decode_failure(429, [(b"Retry-After", b"3")], b"{}").retry_after_s == 3


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"output": {}}', b'{"output": {"message": {"content": 1}}}']
)
def test_a_body_that_is_no_reply_is_malformed(body: bytes) -> None:
    (failed,) = CODEC.decode_answer(body)
    assert isinstance(failed, Failed) and failed.failure.kind is Kind.MALFORMED


def test_an_exception_under_200() -> None:
    (failed,) = CODEC.decode_answer(b'{"__type": "x#ThrottlingException", "message": "slow down"}')
    assert isinstance(failed, Failed) and failed.failure.kind is Kind.RATE_LIMITED
