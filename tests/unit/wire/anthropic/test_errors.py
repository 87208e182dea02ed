"""Failures in Anthropic's words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.core.errors import TABLE, Failure, Kind
from turnout.core.events import Failed
from turnout.wire.anthropic import CODEC
from turnout.wire.prose import MESSAGE_CHARS_MAX


def error_body(word: str, message: str) -> bytes:
    return json.dumps(
        {"type": "error", "error": {"type": word, "message": message}, "request_id": "r"}
    ).encode()


@pytest.mark.parametrize(
    ("status", "word", "message", "kind"),
    [
        (400, "invalid_request_error", "temperature: range: 0..1", Kind.UPSTREAM_BAD_REQUEST),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            Kind.CONTEXT_TOO_LONG,
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
            Kind.CONTEXT_TOO_LONG,
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the API",
            Kind.QUOTA_EXHAUSTED,
        ),
        (
            400,
            "invalid_request_error",
            "You have reached your specified API usage limits.",
            Kind.QUOTA_EXHAUSTED,
        ),
        (400, "invalid_request_error", "Output blocked by content filtering policy", Kind.CONTENT_FILTERED),
        (401, "authentication_error", "invalid x-api-key", Kind.UPSTREAM_AUTH),
        (402, "billing_error", "pay", Kind.QUOTA_EXHAUSTED),
        (403, "permission_error", "no", Kind.UPSTREAM_AUTH),
        (404, "not_found_error", "model: claude-x", Kind.UPSTREAM_NOT_FOUND),
        (413, "request_too_large", "Request exceeds the maximum size", Kind.TOO_LARGE),
        (422, "odd", "no", Kind.UPSTREAM_BAD_REQUEST),
        (429, "rate_limit_error", "This request would exceed the rate limit", Kind.RATE_LIMITED),
        (500, "api_error", "Internal server error", Kind.UPSTREAM_ERROR),
        (503, "api_error", "down", Kind.OVERLOADED),
        (504, "timeout_error", "slow", Kind.FIRST_TOKEN_TIMEOUT),
        (529, "overloaded_error", "Overloaded", Kind.OVERLOADED),
        (302, "", "", Kind.UPSTREAM_ERROR),
    ],
)
def test_kinds(status: int, word: str, message: str, kind: Kind) -> None:
    failure = CODEC.decode_failure(status, [], error_body(word, message))
    assert (failure.kind, failure.status) == (kind, status)
    assert failure.provider_code == (word or None)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b'[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}]', Kind.RATE_LIMITED),
        (429, b"[]", Kind.RATE_LIMITED),
        (400, b'{"error":"prompt is too long"}', Kind.CONTEXT_TOO_LONG),
        (400, b'{"message":"prompt is too long"}', Kind.CONTEXT_TOO_LONG),
        (502, b"<html>bad gateway</html>", Kind.UPSTREAM_ERROR),
        (529, b"", Kind.OVERLOADED),
        (401, b"\xff", Kind.UPSTREAM_AUTH),
        (500, b'{"error":' * 3000, Kind.UPSTREAM_ERROR),
    ],
)
def test_bodies_that_are_not_the_documented_shape(status: int, body: bytes, kind: Kind) -> None:
    assert CODEC.decode_failure(status, [], body).kind is kind


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ([(b"Retry-After", b"21")], "", 21.0),
        ([(b"retry-after", b"21"), (b"retry-after-ms", b"1500")], "", 1.5),
        (
            [(b"date", b"Mon, 23 Nov 2026 10:00:00 GMT"), (b"retry-after", b"Mon, 23 Nov 2026 10:00:30 GMT")],
            "",
            30.0,
        ),
        ([(b"retry-after", b"Mon, 23 Nov 2026 10:00:30 GMT")], "", None),
        ([(b"retry-after", b"soon"), (b"date", b"now")], "", None),
        ([(b"retry-after", b"-5")], "", None),
        ([(b"retry-after", b"inf")], "", None),
        ([], "Please try again in 1.574s.", 1.574),
        ([], "try again in 200ms", 0.2),
        ([], "", None),
    ],
)
def test_retry_after(headers: list[tuple[bytes, bytes]], message: str, seconds: float | None) -> None:
    failure = CODEC.decode_failure(429, headers, error_body("rate_limit_error", message))
    assert failure.retry_after_s == seconds


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-abcdefgh12345678",
        "Bearer abc.def-ghi",
        "AIzaSyA1234567890abcdef",
        "0123456789abcdef0123456789abcdef01",
    ],
)
def test_no_secret_in_a_message(secret: str) -> None:
    quoted = CODEC.decode_failure(400, [], error_body("invalid_request_error", f"bad header {secret} given"))
    assert secret not in quoted.message and "bad header" in quoted.message
    hidden = CODEC.decode_failure(401, [], error_body("authentication_error", f"key {secret} is invalid"))
    assert "***" not in hidden.message and secret not in hidden.message


def test_messages_are_bounded_and_name_the_parameter() -> None:
    failure = CODEC.decode_failure(
        400, [], error_body("invalid_request_error", "tools.0.name: " + "long " * 999)
    )
    assert len(failure.message) == MESSAGE_CHARS_MAX and failure.param == "tools.0.name"


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_an_error_body_and_event(kind: Kind) -> None:
    failure = Failure(kind, "What happened.", param="messages.0")
    found = json.loads(CODEC.encode_error(failure, "req_1"))
    assert found["type"] == "error" and found["request_id"] == "req_1"
    error = found["error"]
    assert error["message"].endswith("What happened.") and error["code"] == kind.value
    assert error["param"] == "messages.0"
    documented = {
        400: "invalid_request_error",
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
        500: "api_error",
        502: "api_error",
    }
    status = TABLE[kind].status
    assert error["type"] == documented.get(status, "invalid_request_error")
    event = CODEC.encode_stream_error(failure, "req_1")
    assert event.startswith(b"event: error\ndata: {") and event.endswith(b"}\n\n")


def test_a_prompt_that_is_too_long_says_so_in_this_dialects_words() -> None:
    body = CODEC.encode_error(Failure(Kind.CONTEXT_TOO_LONG, "maximum context length is 8192"), "r")
    assert json.loads(body)["error"]["message"].startswith("prompt is too long")


def test_an_error_under_http_200_is_a_failure() -> None:
    [event] = CODEC.decode_answer(error_body("overloaded_error", "Overloaded"))
    assert isinstance(event, Failed) and event.failure.kind is Kind.OVERLOADED


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'{"content":5}', b"<html>", b'{"content":[{}]}', b"\xff"]
)
def test_a_body_that_is_no_message_is_malformed(body: bytes) -> None:
    [event] = CODEC.decode_answer(body)
    assert isinstance(event, Failed) and event.failure.kind is Kind.MALFORMED


@settings(max_examples=100, deadline=None)
@given(st.integers(100, 599), st.binary(max_size=60))
def test_any_bytes_give_a_failure(status: int, body: bytes) -> None:
    failure = CODEC.decode_failure(status, [(b"retry-after", body[:20]), (b"date", body[20:])], body)
    assert failure.message and len(failure.message) <= MESSAGE_CHARS_MAX
