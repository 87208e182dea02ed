"""What a code, a type or a typed detail says is not overruled by prose, in any dialect; and the sentence is found wherever it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.core.errors import Failure, Kind
from turnout.core.model import DialectName
from turnout.wire.prose import MESSAGE_CHARS_MAX, retry_after_s, unquoted
from turnout.wire.refusals import read_error
from turnout.wire.registry import PROVIDERS

RPC = "type.googleapis.com/google.rpc."
RETRY: Any = {"@type": RPC + "RetryInfo", "retryDelay": "15.5s"}


def quota(quota_id: str) -> Any:
    return {"@type": RPC + "QuotaFailure", "violations": [{"quotaId": quota_id, "quotaValue": "10"}]}


def failure(dialect: DialectName, status: int, body: Any) -> Failure:
    return PROVIDERS[dialect].decode_failure(status, (), json.dumps(body).encode())


def error(message: str, **members: Any) -> Any:
    return {"error": {"message": message, **members}}


@pytest.mark.parametrize(
    ("dialect", "status", "body", "kind"),
    [
        # the code speaks
        (
            "openai_chat",
            429,
            error(
                "Rate limit reached for requests per min. See your billing page.", code="rate_limit_exceeded"
            ),
            Kind.RATE_LIMITED,
        ),
        (
            "openai_chat",
            429,
            error("You exceeded your current quota", type="tokens", code="rate_limit_exceeded"),
            Kind.RATE_LIMITED,
        ),
        ("openai_chat", 429, error("slow down", code="insufficient_quota"), Kind.QUOTA_EXHAUSTED),
        ("openai_chat", 429, error("slow down", type="exceeded_current_quota_error"), Kind.QUOTA_EXHAUSTED),
        (
            "openai_chat",
            400,
            error("Unknown parameter: maximum context", code="unknown_parameter"),
            Kind.UPSTREAM_BAD_REQUEST,
        ),
        (
            "anthropic",
            429,
            error("Your credit balance and billing limits apply", type="rate_limit_error"),
            Kind.RATE_LIMITED,
        ),
        (
            "anthropic",
            403,
            error("Your usage limits forbid this", type="permission_error"),
            Kind.UPSTREAM_AUTH,
        ),
        # no code: prose, but not words that say something else
        ("openai_chat", 429, error("Limit: 3 requests per min. Add a billing method."), Kind.RATE_LIMITED),
        ("openai_chat", 429, error("You exceeded your current quota."), Kind.QUOTA_EXHAUSTED),
        (
            "openai_chat",
            429,
            error("You exceeded your current quota of 10 requests per minute."),
            Kind.RATE_LIMITED,
        ),
        ("openai_chat", 400, error("Incorrect API key provided: xa***."), Kind.UPSTREAM_AUTH),
        (
            "cohere",
            429,
            {"message": "You are using a Trial key, which is limited to 10 API calls / minute."},
            Kind.RATE_LIMITED,
        ),
        (
            "cohere",
            429,
            {"message": "You are using a Trial key, which is limited to 1000 API calls / month."},
            Kind.QUOTA_EXHAUSTED,
        ),
        ("ollama", 400, {"error": "invalid option: upgrade"}, Kind.UPSTREAM_BAD_REQUEST),
        ("ollama", 429, {"error": "you have reached your usage limit, please upgrade"}, Kind.QUOTA_EXHAUSTED),
    ],
)
def test_what_is_typed_is_not_overruled(dialect: DialectName, status: int, body: Any, kind: Kind) -> None:
    assert failure(dialect, status, body).kind is kind


@pytest.mark.parametrize(
    "name", ["get_billing_info", "credit balance", "prompt is too long", "content filter"]
)
@pytest.mark.parametrize("quotes", ["`{}`", "'{}'", '"{}"', "“{}”"])
@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic", "gemini", "bedrock", "cohere"])
def test_a_quoted_name_never_counts(dialect: DialectName, quotes: str, name: str) -> None:
    sentence = f"Invalid schema for function {quotes.format(name)}: the type is missing."
    body = {"message": sentence} if dialect in ("bedrock", "cohere") else error(sentence)
    assert failure(dialect, 400, body).kind is Kind.UPSTREAM_BAD_REQUEST


def test_a_name_counts_no_more_without_quotes() -> None:
    body = error("Function get_billing_info has no schema", type="invalid_request_error")
    dialects: tuple[DialectName, ...] = ("openai_chat", "anthropic", "gemini")
    for dialect in dialects:
        assert failure(dialect, 400, body).kind is Kind.UPSTREAM_BAD_REQUEST


def test_an_apostrophe_opens_no_quotation() -> None:
    assert unquoted("the model's limit isn't 'x y' at all") == "the model's limit isn't  …  at all"


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses", "anthropic", "gemini"])
def test_googles_details_are_read_in_every_dialect_that_google_speaks(
    dialect: DialectName, wrapped: bool
) -> None:
    def google(status: int, word: str, message: str, *details: Any) -> Failure:
        body: Any = error(message, code=status, status=word, details=list(details))
        return failure(dialect, status, [body] if wrapped else body)

    prose = "You exceeded your current quota, please check your plan and billing details."
    minute = google(429, "RESOURCE_EXHAUSTED", prose, quota("RequestsPerMinutePerProject"), RETRY)
    assert (minute.kind, minute.retry_after_s) == (Kind.RATE_LIMITED, 15.5)
    day = google(429, "RESOURCE_EXHAUSTED", "slow down", quota("RequestsPerDayPerProject"), RETRY)
    assert day.kind is Kind.QUOTA_EXHAUSTED
    assert google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.").kind is (
        Kind.QUOTA_EXHAUSTED
    )
    key = google(400, "INVALID_ARGUMENT", "no", {"@type": RPC + "ErrorInfo", "reason": "API_KEY_INVALID"})
    assert key.kind is Kind.UPSTREAM_AUTH
    if dialect != "gemini":  # which names the reason, the closer word
        assert minute.provider_code == "RESOURCE_EXHAUSTED"


LONG = "Your request exceeded model token limit: 262144 (requested: 291351)"


@pytest.mark.parametrize(
    "body",
    [
        error(json.dumps(error(LONG))),
        error("litellm.BadRequestError: XaiException - " + json.dumps({"error": LONG})),
        {"error": json.dumps({"message": LONG})},
        {"error": {"error": {"message": LONG}}},
        {"error": {"message": "Provider returned error", "error": LONG}},
        error("Provider returned error", code=400, metadata={"raw": json.dumps(error(LONG))}),
        {"detail": LONG},
        {"detail": [{"loc": ["body", "messages"], "msg": LONG, "type": "value_error"}]},
        {"error": {"detail": [{"msg": LONG}]}},
        {"object": "error", "message": {"detail": [{"msg": LONG}]}},
        [{"error": [{"message": LONG}]}],
        {"message": LONG},
    ],
    ids=str,
)
def test_the_sentence_is_found_where_it_stands(body: Any) -> None:
    dialects: tuple[DialectName, ...] = ("openai_chat", "anthropic")
    for dialect in dialects:
        told = failure(dialect, 400, body)
        assert told.kind is Kind.CONTEXT_TOO_LONG
        assert LONG in told.message and "{" not in told.message


def test_the_word_nearest_to_the_cause_counts() -> None:
    body = error(json.dumps(error("x", code="context_length_exceeded")), code="upstream_error")
    assert failure("openai_chat", 500, body).kind is Kind.CONTEXT_TOO_LONG


def test_json_that_a_caller_wrote_is_no_error_of_the_provider() -> None:
    body = error('Invalid arguments of the call: {"error":{"code":"insufficient_quota","message":"x"}}')
    assert failure("openai_chat", 400, body).kind is Kind.UPSTREAM_BAD_REQUEST


def test_what_did_not_validate_is_named() -> None:
    told = failure("openai_chat", 422, {"detail": [{"loc": ["body", "top_p"], "msg": "must be below 1"}]})
    assert (told.param, told.message) == ("top_p", "top_p: must be below 1")


NODES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "message",
                    "detail",
                    "code",
                    "type",
                    "status",
                    "details",
                    "metadata",
                    "raw",
                    "loc",
                    "msg",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(NODES)
def test_no_body_breaks_the_reader(body: Any) -> None:
    read_error(body)
    for dialect in PROVIDERS:
        told = failure(dialect, 503, body)
        assert told.status == 503 and len(told.message) <= MESSAGE_CHARS_MAX


def test_delays_in_milliseconds() -> None:
    assert retry_after_s([(b"x-amz-retry-after", b"1500")]) == 1.5
    assert retry_after_s([(b"Retry-After-Ms", b"250"), (b"retry-after", b"9")]) == 0.25
