"""Cohere's refusals, by its own statuses."""

from __future__ import annotations

import json

import pytest

from turnout.core.errors import Kind
from turnout.wire.cohere import CODEC


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "invalid request: message must be at least 1 token long", Kind.UPSTREAM_BAD_REQUEST),
        (400, "too many tokens: size limit exceeded by 3 tokens.", Kind.CONTEXT_TOO_LONG),
        (401, "invalid api token sk-secret", Kind.UPSTREAM_AUTH),
        (402, "Please add or update your payment method", Kind.QUOTA_EXHAUSTED),
        (403, "forbidden", Kind.UPSTREAM_AUTH),
        (404, "model 'x' not found", Kind.UPSTREAM_NOT_FOUND),
        (422, "invalid combination of fields", Kind.UPSTREAM_BAD_REQUEST),
        (429, "Too many requests", Kind.RATE_LIMITED),
        (429, "You are using a Trial key, limited to 1000 API calls / month.", Kind.QUOTA_EXHAUSTED),
        (498, "blocked token", Kind.CONTENT_FILTERED),
        (499, "request cancelled by user", Kind.UPSTREAM_ERROR),
        (500, "internal server error", Kind.UPSTREAM_ERROR),
        (501, "tools are not implemented for this model", Kind.UNSUPPORTED),
        (503, "service unavailable", Kind.OVERLOADED),
        (504, "gateway timeout", Kind.FIRST_TOKEN_TIMEOUT),
    ],
)
def test_statuses(status: int, message: str, kind: Kind) -> None:
    failure = CODEC.decode_failure(status, [], json.dumps({"id": "x", "message": message}).encode())
    assert (failure.kind, failure.status) == (kind, status)
    assert "sk-secret" not in failure.message
    assert (failure.message == message) is (kind.name in QUOTED)


QUOTED = {"UPSTREAM_BAD_REQUEST", "CONTEXT_TOO_LONG", "UPSTREAM_NOT_FOUND", "UNSUPPORTED", "CONTENT_FILTERED"}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"message": 4}', b"[" * 100_000])
def test_bodies_that_say_nothing(body: bytes) -> None:
    failure = CODEC.decode_failure(500, [(b"Retry-After", b"7")], body)
    assert (failure.kind, failure.message) == (Kind.UPSTREAM_ERROR, "The provider failed.")
    assert failure.retry_after_s == 7.0
