"""Ollama's errors, which are a status and a sentence."""

from __future__ import annotations

import json

import pytest

from turnout.core.errors import Kind
from turnout.wire.ollama import CODEC


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "invalid options: temperature", Kind.UPSTREAM_BAD_REQUEST),
        (400, '"gemma3:1b" does not support tools', Kind.UNSUPPORTED),
        (400, '"gemma3:1b" does not support thinking', Kind.UNSUPPORTED),
        (400, "the input length exceeds the context length", Kind.CONTEXT_TOO_LONG),
        (401, "unauthorized", Kind.UPSTREAM_AUTH),
        (403, "this model requires a subscription, upgrade for access", Kind.UPSTREAM_AUTH),
        (404, "model 'x' not found", Kind.UPSTREAM_NOT_FOUND),
        (404, "", Kind.UPSTREAM_NOT_FOUND),
        (429, "you've reached your hourly usage limit, please upgrade", Kind.QUOTA_EXHAUSTED),
        (429, "too many concurrent requests", Kind.RATE_LIMITED),
        (500, "model requires more system memory (9.6 GiB) than is available", Kind.UPSTREAM_ERROR),
        (500, "model 'x' not found, try pulling it first", Kind.UPSTREAM_NOT_FOUND),
        (503, "server busy, please try again. maximum pending requests exceeded", Kind.OVERLOADED),
    ],
)
def test_statuses(status: int, message: str, kind: Kind) -> None:
    failure = CODEC.decode_failure(status, [], json.dumps({"error": message}).encode())
    assert (failure.kind, failure.status) == (kind, status)
    assert failure.message


@pytest.mark.parametrize("body", [b"", b"<html>", b"404 page not found", b'{"error": 4}', b"[" * 100_000])
def test_bodies_that_say_nothing(body: bytes) -> None:
    assert CODEC.decode_failure(502, [], body).kind is Kind.UPSTREAM_ERROR
    assert CODEC.decode_failure(404, [], body).kind is Kind.UPSTREAM_NOT_FOUND


def test_an_error_object_is_read_too() -> None:
    failure = CODEC.decode_failure(400, [], b'{"error":{"message":"x does not support tools"}}')
    assert (failure.kind, failure.message) == (Kind.UNSUPPORTED, "x does not support tools")
