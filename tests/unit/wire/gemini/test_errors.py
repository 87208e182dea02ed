"""Failures in Google's words, both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.wire.gemini.test_recordings import ROOT
from turnout.core.errors import Failure, Kind
from turnout.wire.gemini import CODEC


def error(status: int, word: str, message: str, *details: dict[str, Any]) -> Failure:
    body = {"error": {"code": status, "message": message, "status": word, "details": list(details)}}
    plain = CODEC.decode_failure(status, (), json.dumps(body).encode())
    assert CODEC.decode_failure(status, (), json.dumps([body]).encode()) == plain
    return plain


def quota(quota_id: str, value: str = "10") -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    return {"@type": kind, "violations": [{"quotaId": quota_id, "quotaValue": value}]}


@pytest.mark.parametrize(
    ("status", "word", "message", "kind"),
    [
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", Kind.UPSTREAM_AUTH),
        (400, "INVALID_ARGUMENT", "Please use a valid role", Kind.UPSTREAM_BAD_REQUEST),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1250074) exceeds the maximum number of tokens allowed (1048576).",
            Kind.CONTEXT_TOO_LONG,
        ),
        (
            400,
            "FAILED_PRECONDITION",
            "User location is not supported for the API use.",
            Kind.UPSTREAM_BAD_REQUEST,
        ),
        (401, "UNAUTHENTICATED", "AIzaSecretSecretSecret", Kind.UPSTREAM_AUTH),
        (403, "PERMISSION_DENIED", "Key 1234 is denied", Kind.UPSTREAM_AUTH),
        (404, "NOT_FOUND", "models/x is not found", Kind.UPSTREAM_NOT_FOUND),
        (429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later.", Kind.RATE_LIMITED),
        (429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", Kind.QUOTA_EXHAUSTED),
        (500, "INTERNAL", "An internal error has occurred.", Kind.UPSTREAM_ERROR),
        (503, "UNAVAILABLE", "The model is overloaded.", Kind.OVERLOADED),
        (504, "DEADLINE_EXCEEDED", "late", Kind.FIRST_TOKEN_TIMEOUT),
    ],
)
def test_kinds(status: int, word: str, message: str, kind: Kind) -> None:
    failure = error(status, word, message)
    assert (failure.kind, failure.provider_code, failure.status) == (kind, word, status)
    if kind is Kind.UPSTREAM_AUTH:
        assert message not in failure.message


def test_quotas_and_delays() -> None:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "15.5s"}
    minute = error(429, "RESOURCE_EXHAUSTED", "q", quota("RequestsPerMinutePerProject"), retry)
    assert (minute.kind, minute.retry_after_s) == (Kind.RATE_LIMITED, 15.5)
    assert (
        error(429, "RESOURCE_EXHAUSTED", "q", quota("RequestsPerDayPerProject")).kind is Kind.QUOTA_EXHAUSTED
    )
    assert error(429, "RESOURCE_EXHAUSTED", "q", quota("PerMinute", "0")).kind is Kind.QUOTA_EXHAUSTED


def test_the_member_at_fault() -> None:
    kind = "type.googleapis.com/google.rpc.BadRequest"
    detail = {"@type": kind, "fieldViolations": [{"field": "contents", "description": "x"}]}
    assert error(400, "INVALID_ARGUMENT", "x", detail).param == "contents"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"[1]",
        b'{"error":"text"}',
        b'{"error":{"details":[1,{"violations":2}]}}',
        b"\xff",
    ],
)
def test_bodies_that_are_no_errors_of_this_api(body: bytes) -> None:
    assert CODEC.decode_failure(503, (), body).kind is Kind.OVERLOADED
    assert CODEC.decode_failure(418, (), body).kind is Kind.UPSTREAM_BAD_REQUEST


@pytest.mark.parametrize("name", ["gemini-429-free-tier.json", "vertex-429-array-wrapped.json"])
def test_composed_errors(name: str) -> None:
    path: Path = ROOT / "composed-errors" / name
    if not path.exists():
        pytest.skip("no recordings beside the repository")
    response = json.loads(path.read_text())["response"]
    body = response["body"] if isinstance(response["body"], str) else json.dumps(response["body"])
    failure = CODEC.decode_failure(response["status"], (), body.encode())
    assert failure.kind is Kind.RATE_LIMITED
    assert failure.retry_after_s == (15.0 if "free-tier" in name else None)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_failure_can_be_told(kind: Kind) -> None:
    failure = Failure(kind, "message", param="contents", retry_after_s=2.5)
    told = json.loads(CODEC.encode_error(failure, "req_1"))["error"]
    assert told["code"] == failure.row.status and told["message"] == "message"
    assert told["status"].isupper()
    assert told["details"][0]["reason"] == kind.value.upper()
    assert {"requestId": "req_1", "@type": "type.googleapis.com/google.rpc.RequestInfo"} in told["details"]
    assert told["details"][-1]["retryDelay"] == "2.5s"
    assert CODEC.encode_stream_error(failure, "req_1") == b"data: %b\r\n\r\n" % CODEC.encode_error(
        failure, "req_1"
    )
