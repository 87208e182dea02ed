"""The official SDKs retry on top of Turnout: they are told when that helps, and the provider is spared where it does not."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.harness import Running
from turnout.core.call import ANONYMOUS, Call, Controls, Envelope
from turnout.core.errors import Failure, Kind, Told
from turnout.core.model import DialectName
from turnout.edge.replying import error_head
from turnout.upstream.telling import limits_in, told_headers

ASK: Any = [{"role": "user", "content": "What is the capital of France?"}]


def asked(gateway: Running) -> dict[str, int]:
    return {name: gateway.control(name, "GET", "stats")["requests"] for name in gateway.provider_urls}


def all_fail(gateway: Running, fault: dict[str, Any]) -> None:
    for provider in gateway.provider_urls:
        gateway.fault(provider, fault)


def call_openai(gateway: Running) -> Any:
    with (
        openai.OpenAI(base_url=gateway.url + "/v1", api_key="any", max_retries=2) as client,
        pytest.raises(openai.APIStatusError) as caught,
    ):
        client.chat.completions.create(model="gpt-4o", messages=ASK)
    return caught.value.response


def call_anthropic(gateway: Running) -> Any:
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=2) as client,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        client.messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=ASK)
    return caught.value.response


@pytest.mark.parametrize("ask", [call_openai, call_anthropic])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 401},
        {"kind": "status", "status": 429, "retry_after": 90},
        {"kind": "status", "status": 500},
    ],
    ids=["a bad key", "a long wait", "perhaps billed"],
)
def test_the_provider_is_asked_by_one_request_only(healthy: Running, ask: Any, fault: dict[str, Any]) -> None:
    all_fail(healthy, fault)
    before = asked(healthy)
    response = ask(healthy)
    made = {name: count - before[name] for name, count in asked(healthy).items()}
    assert response.headers["x-should-retry"] == "false"
    assert sum(made.values()) == int(response.headers["x-turnout-attempts"])
    if fault["status"] == 401:
        assert max(made.values()) >= 1
        row = healthy.row(response.headers["x-turnout-request-id"])
        assert len({attempt.model for attempt in row.attempts}) == len(row.attempts)


@pytest.mark.parametrize("ask", [call_openai, call_anthropic])
def test_an_overload_may_be_asked_again(healthy: Running, ask: Any) -> None:
    all_fail(healthy, {"kind": "status", "status": 503})
    before = asked(healthy)
    response = ask(healthy)
    assert response.headers["x-should-retry"] == "true"
    made = sum(count - before[name] for name, count in asked(healthy).items())
    assert made > int(response.headers["x-turnout-attempts"])  # that of the SDK's last request alone


@pytest.mark.parametrize(
    ("dialect", "prefix"), [("openai", "x-ratelimit-"), ("anthropic", "anthropic-ratelimit-")]
)
def test_rate_limits_pass_in_the_same_dialect_only(healthy: Running, dialect: str, prefix: str) -> None:
    model = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-6"}[dialect]
    with openai.OpenAI(base_url=healthy.url + "/v1", api_key="any", max_retries=0) as client:
        first: Any = client.chat.completions.with_raw_response.create(model=model, messages=ASK)
    with anthropic.Anthropic(base_url=healthy.url, api_key="any", max_retries=0) as other:
        second: Any = other.messages.with_raw_response.create(model=model, max_tokens=50, messages=ASK)
    same, foreign = (first, second) if dialect == "openai" else (second, first)
    assert any(name.startswith(prefix) for name in same.headers)
    assert not any("ratelimit" in name for name in foreign.headers)


# -- the header lines
def head(failure: Failure, dialect: DialectName = "openai_chat") -> dict[str, str]:
    call = Call(
        number=1,
        op="chat",
        dialect=dialect,
        envelope=Envelope("m", False, False, {}, b"{}"),
        controls=Controls(),
        principal=ANONYMOUS,
        decode=lambda body: pytest.fail("nobody reads it"),
        arrived_ns=0,
        arrived_unix_s=0.0,
    )
    return {name.decode(): value.decode() for name, value in error_head(call, failure).pairs()}


@pytest.mark.parametrize(
    ("wait_s", "seconds", "milliseconds"),
    [
        (0.0, "1", "1"),
        (0.2, "1", "200"),
        (1.2, "2", "1200"),
        (59.01, "60", "59010"),
        (7200.0, "120", "120000"),
    ],
)
def test_a_wait_is_rounded_up_and_bounded(wait_s: float, seconds: str, milliseconds: str) -> None:
    told = head(Failure(Kind.RATE_LIMITED, "x", retry_after_s=wait_s))
    assert (told["retry-after"], told["retry-after-ms"]) == (seconds, milliseconds)
    assert told["x-should-retry"] == ("false" if wait_s > 60 else "true")
    assert "retry-after-ms" not in head(Failure(Kind.RATE_LIMITED, "x", retry_after_s=wait_s), "anthropic")


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_its_advice(kind: Kind) -> None:
    row = Failure(kind, "x").row
    advice = head(Failure(kind, "x")).get("x-should-retry")
    if row.billed != "no" or row.status in (400, 401, 402, 403, 404, 413, 422) or row.health == "credential":
        assert advice == "false"
    if kind in (Kind.OVERLOADED, Kind.OVERLOADED_HERE, Kind.RATE_LIMITED, Kind.SHUTTING_DOWN):
        assert advice == "true"
    assert "x-should-retry" not in head(Failure(kind, "x"), "gemini")


@pytest.mark.parametrize("word", [b"true", b"false"])
def test_a_providers_own_advice_is_passed_on_with_its_refusal(word: bytes) -> None:
    headers = ((b"x-should-retry", word), (b"anthropic-ratelimit-requests-limit", b"50"), (b"server", b"x"))
    told = Told("anthropic", 529, b"{}", told_headers(headers))
    for kind in (Kind.OVERLOADED, Kind.UPSTREAM_BAD_REQUEST):
        lines = head(Failure(kind, "x", told=told), "anthropic")
        assert lines["x-should-retry"] == word.decode()
        assert lines["anthropic-ratelimit-requests-limit"] == "50" and "server" not in lines
    assert head(Failure(Kind.OVERLOADED, "x", told=told))["x-should-retry"] == "true"  # another dialect


def test_only_plain_values_pass() -> None:
    assert limits_in(
        [(b"x-ratelimit-reset", b"1.5s"), (b"x-ratelimit-a", b"<b>"), (b"x-ratelimit-b", b"9" * 65)]
    ) == ((b"x-ratelimit-reset", b"1.5s"),)
