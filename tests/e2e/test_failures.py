"""Providers that fail, clients that leave: what the caller sees, what the log says, what the provider notices."""

from __future__ import annotations

import json
import time
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.harness import Running

ASK: Any = [{"role": "user", "content": "What is the capital of France?"}]
BOTH = ["gpt-4o", "claude-sonnet-4-6"]
PROVIDER = {"gpt-4o": "openai", "claude-sonnet-4-6": "anthropic"}


def openai_client(gateway: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key="any", max_retries=0)


def anthropic_client(gateway: Running) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=0)


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "status": 500}, "upstream_error"),
        ({"kind": "status", "status": 503}, "overloaded"),
        ({"kind": "status", "status": 429}, "rate_limited"),
        ({"kind": "status", "status": 401}, "upstream_auth"),
        ({"kind": "reset"}, "truncated"),
        ({"kind": "html"}, "upstream_error"),
        ({"kind": "garbage"}, "malformed_reply"),
        ({"kind": "malformed_json"}, "malformed_reply"),
        ({"kind": "empty"}, "empty_completion"),
    ],
)
def test_a_failure_before_content_is_invisible(
    healthy: Running, model: str, stream: bool, fault: dict[str, Any], kind: str
) -> None:
    healthy.fault(PROVIDER[model], fault)
    with openai_client(healthy) as client:
        raw = client.chat.completions.with_raw_response.create(model=model, messages=ASK, stream=stream)
        parsed: Any = raw.parse()
        if stream:
            text = "".join(c.choices[0].delta.content or "" for c in parsed if c.choices)
        else:
            text = parsed.choices[0].message.content
    assert "Paris" in text
    assert raw.headers["x-turnout-notice"] in ("fallback", "downgraded-unavailable")
    assert int(raw.headers["x-turnout-attempts"]) >= 2
    row = healthy.row(raw.headers["x-turnout-request-id"])
    assert row.attempts[0].failure is not None
    assert row.attempts[0].failure.value == kind
    assert row.provider != PROVIDER[model]


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("clean", [True, False])
def test_a_cut_stream_never_looks_complete(healthy: Running, model: str, clean: bool) -> None:
    healthy.fault(PROVIDER[model], {"kind": "cut_after", "chunks": 3, "clean": clean})
    with openai_client(healthy) as client:
        stream = client.chat.completions.create(model=model, messages=ASK, stream=True)
        finish = []
        with pytest.raises(openai.APIError):
            for chunk in stream:
                finish += [choice.finish_reason for choice in chunk.choices if choice.finish_reason]
        assert finish == []
    with (
        anthropic_client(healthy) as other,
        pytest.raises(anthropic.APIError),
        other.messages.stream(model=model, max_tokens=500, messages=ASK) as messages,
    ):
        messages.get_final_message()
    rows = healthy.rows(limit=2)
    assert [row.error for row in rows] == ["truncated", "truncated"]
    assert all(row.usage_estimated or row.output_tokens for row in rows)


@pytest.mark.parametrize("model", BOTH)
def test_an_error_event_inside_a_stream_reaches_the_client(healthy: Running, model: str) -> None:
    healthy.fault(PROVIDER[model], {"kind": "error_event", "chunks": 3})
    with openai_client(healthy) as client, pytest.raises(openai.APIError):
        list(client.chat.completions.create(model=model, messages=ASK, stream=True))


def test_everybody_down_is_an_error_and_never_a_401(healthy: Running) -> None:
    for provider in healthy.provider_urls:
        healthy.fault(provider, {"kind": "status", "status": 401})
    with openai_client(healthy) as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=ASK)
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_auth"
    with anthropic_client(healthy) as other, pytest.raises(anthropic.InternalServerError):
        other.messages.create(model="gpt-4o", max_tokens=50, messages=ASK)
    row = healthy.rows(limit=1)[0]
    assert (row.status, row.cost_nano, row.served_model) == (502, 0, row.attempts[-1].model)


def test_retry_after_is_passed_on(healthy: Running) -> None:
    for provider in healthy.provider_urls:
        healthy.fault(provider, {"kind": "status", "status": 429, "retry_after": 30})
    with openai_client(healthy) as client, pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=ASK)
    assert 25 <= int(caught.value.response.headers["retry-after"]) <= 30


def test_a_callers_deadline(healthy: Running) -> None:
    for provider in healthy.provider_urls:
        healthy.fault(provider, {"kind": "hang"})
    with openai_client(healthy) as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(
            model="gpt-4o", messages=ASK, extra_headers={"x-turnout-deadline-ms": "300"}
        )
    assert caught.value.status_code == 504


@pytest.mark.parametrize("model", BOTH)
def test_a_client_that_leaves_stops_the_provider(healthy: Running, model: str) -> None:
    provider = PROVIDER[model]
    healthy.fault(provider, {"kind": "stall_after", "chunks": 2, "pings": False}, times=1)
    before = healthy.control(provider, "GET", "stats")["cancelled"]
    body = {"model": model, "stream": True, "messages": ASK}
    with (
        httpx2.Client(timeout=10) as client,
        client.stream("POST", healthy.url + "/v1/chat/completions", json=body) as reply,
    ):
        assert reply.status_code == 200
        next(reply.iter_raw())
        request_id = reply.headers["x-turnout-request-id"]
    deadline = time.monotonic() + 10
    while healthy.control(provider, "GET", "stats")["cancelled"] == before:
        assert time.monotonic() < deadline, "the provider was not told"
        time.sleep(0.02)
    row = healthy.row(request_id)
    assert row.error == "client_disconnect"
    assert row.usage_estimated == 1
    assert row.cost_nano


def test_one_row_a_request_whatever_happens(healthy: Running) -> None:
    before = {row.id for row in healthy.rows(limit=100_000)}
    healthy.fault("openai", {"kind": "status", "status": 500}, times=2)
    with httpx2.Client(base_url=healthy.url, timeout=20) as client:
        bodies: list[bytes] = [
            json.dumps({"model": "gpt-4o", "messages": ASK}).encode(),
            json.dumps({"model": "gpt-4o", "stream": True, "messages": ASK}).encode(),
            json.dumps({"model": "nope", "messages": ASK}).encode(),
            b"{",
        ]
        ids = {
            client.post("/v1/chat/completions", content=body).headers["x-turnout-request-id"]
            for body in bodies
        }
    new = [row.request_id for row in healthy.rows(limit=100_000) if row.id not in before]
    assert sorted(new) == sorted(ids)
