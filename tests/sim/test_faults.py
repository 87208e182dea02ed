"""Faults on demand, limits, and what the control endpoint tells; over bare HTTP and with the SDKs."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.sim.conftest import KEY, Providers
from turnout.sim import Fault, Match, Rule, SimConfig, start

ASK: Any = [{"role": "user", "content": "What is the capital of France?"}]
BODY = {"model": "gpt-4o", "messages": ASK}


def post(providers: Providers, fault: str | None = None, **more: Any) -> httpx2.Response:
    headers = {"authorization": f"Bearer {KEY}"} | ({"x-sim-fault": fault} if fault else {})
    return httpx2.post(
        providers.urls["openai"] + "/chat/completions", json={**BODY, **more}, headers=headers, timeout=5
    )


@pytest.mark.parametrize(
    ("status", "openai_class", "anthropic_class"),
    [
        (400, openai.BadRequestError, anthropic.BadRequestError),
        (401, openai.AuthenticationError, anthropic.AuthenticationError),
        (403, openai.PermissionDeniedError, anthropic.PermissionDeniedError),
        (404, openai.NotFoundError, anthropic.NotFoundError),
        (429, openai.RateLimitError, anthropic.RateLimitError),
        (500, openai.InternalServerError, anthropic.InternalServerError),
        (503, openai.InternalServerError, anthropic.InternalServerError),
        (529, openai.InternalServerError, anthropic.InternalServerError),
    ],
)
def test_status(providers: Providers, status: int, openai_class: Any, anthropic_class: Any) -> None:
    for provider in ("openai", "anthropic"):
        providers.control[provider].faults.add(Rule(Fault("status", status=status, retry_after=7)))
    with providers.openai() as client, pytest.raises(openai_class) as caught:
        client.chat.completions.create(model="gpt-4o", messages=ASK)
    assert caught.value.response.headers["retry-after"] == "7"
    with providers.anthropic() as other, pytest.raises(anthropic_class):
        other.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=ASK)


@pytest.mark.parametrize("kind", ["reset", "connect_reset", "no_http"])
@pytest.mark.parametrize("stream", [False, True])
def test_no_reply(providers: Providers, kind: str, stream: bool) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        post(providers, kind, stream=stream)


@pytest.mark.parametrize("clean", [False, True])
def test_a_cut_stream(providers: Providers, clean: bool) -> None:
    providers.control["openai"].faults.add(Rule(Fault("cut_after", chunks=2, clean=clean)))
    if not clean:
        with pytest.raises(httpx2.RemoteProtocolError):
            post(providers, stream=True)
        return
    text = post(providers, stream=True).text
    assert '"content":"The' in text
    assert "[DONE]" not in text
    assert '"finish_reason":"stop"' not in text


def test_a_cut_body(providers: Providers) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        post(providers, "cut_after")


def test_bodies_that_are_wrong(providers: Providers) -> None:
    html = post(providers, "html")
    assert (html.status_code, html.headers["content-type"]) == (502, "text/html")
    with pytest.raises(ValueError):
        post(providers, "malformed_json").json()
    with pytest.raises(ValueError):
        post(providers, "garbage").json()
    assert post(providers, "wrong_content_type").headers["content-type"] == "text/plain"
    assert post(providers, "empty").json()["choices"][0]["message"]["content"] == ""
    with pytest.raises(httpx2.RemoteProtocolError, match="too long"):
        post(providers, "huge_header")
    assert "[DONE]" not in post(providers, "malformed_json", stream=True).text


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_an_error_inside_a_stream(providers: Providers, kind: str) -> None:
    providers.control[kind].faults.add(Rule(Fault("error_event", chunks=2)))
    if kind == "openai":
        with providers.openai() as client, pytest.raises(openai.APIError):
            list(client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True))
        return
    with providers.anthropic() as other, pytest.raises(anthropic.APIError, match="Overloaded"):
        list(other.messages.create(model="claude-haiku-4-5", max_tokens=99, messages=ASK, stream=True))


@pytest.mark.parametrize(
    ("fault", "stream"), [("hang", False), ("hang", True), ("stall_after:2", True), ("stall_after", False)]
)
async def test_a_client_that_gives_up_is_counted(providers: Providers, fault: str, stream: bool) -> None:
    stats = providers.control["openai"].stats
    before = stats().cancelled
    async with httpx2.AsyncClient(timeout=0.3) as client:
        with pytest.raises(httpx2.TimeoutException):
            await client.post(
                providers.urls["openai"] + "/chat/completions",
                json={**BODY, "stream": stream},
                headers={"authorization": f"Bearer {KEY}", "x-sim-fault": fault},
            )
    deadline = time.monotonic() + 5
    while stats().cancelled == before:
        assert time.monotonic() < deadline, "the provider did not notice"
        await asyncio.sleep(0.01)


def test_pings_mask_a_stall(providers: Providers) -> None:
    providers.control["openai"].faults.add(Rule(Fault("stall_after", chunks=2, pings=True)))
    headers = {"authorization": f"Bearer {KEY}"}
    url = providers.urls["openai"] + "/chat/completions"
    seen = b""
    with httpx2.stream("POST", url, json={**BODY, "stream": True}, headers=headers, timeout=5) as reply:
        for data in reply.iter_raw():
            seen += data
            if seen.count(b": keep-alive") == 2:
                break
    assert b"[DONE]" not in seen


def test_slow_first_token(providers: Providers) -> None:
    """A client that will not wait so long gives up; one that will has its answer."""
    assert post(providers, "slow_first_token:50").status_code == 200
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(
            providers.urls["openai"] + "/chat/completions",
            json=BODY,
            headers={"authorization": f"Bearer {KEY}", "x-sim-fault": "slow_first_token:600000"},
            timeout=1,
        )


def test_rules_end_and_match(providers: Providers) -> None:
    url = providers.origin("openai") + "/_sim/faults"
    rule = {"match": {"model": "gpt-4o"}, "fault": {"kind": "status", "status": 503}, "times": 2}
    assert httpx2.post(url, json=rule).status_code == 200
    assert post(providers, model="gpt-4o-mini").status_code == 200
    assert [post(providers).status_code for _ in range(3)] == [503, 503, 200]
    httpx2.post(url, json={"fault": {"kind": "status"}, "probability": 0.5})
    assert httpx2.get(url).json()["faults"][0]["probability"] == 0.5
    assert {post(providers).status_code for _ in range(40)} == {200, 500}
    httpx2.delete(url)
    assert httpx2.get(url).json() == {"faults": []}
    assert httpx2.post(url, json={"fault": {"kind": "nonsense"}}).status_code == 400
    providers.control["openai"].faults.add(Rule(Fault("status"), Match("gpt-4o-mini")))
    assert post(providers).status_code == 200


def test_what_arrived_is_told_without_its_key(providers: Providers) -> None:
    origin = providers.origin("openai")
    httpx2.delete(origin + "/_sim/requests")
    post(providers, user="someone")
    (seen,) = httpx2.get(origin + "/_sim/requests?last=5").json()["requests"]
    assert '"user":"someone"' in seen["body"].replace(" ", "")
    assert seen["headers"]["authorization"] == "***"
    stats = httpx2.get(origin + "/_sim/stats").json()
    assert stats["open"] == 0
    assert stats["bytes_in"] > 0 < stats["bytes_out"]


async def test_limits_bind_and_are_told() -> None:
    server = await start(SimConfig(speed=0))
    try:
        for provider, model in (("openai", "gpt-4o"), ("anthropic", "claude-haiku-4-5")):
            server.control[provider].limits.set(model, 1)
        async with openai.AsyncOpenAI(
            base_url=server.base_urls["openai"], api_key=KEY, max_retries=0
        ) as client:
            raw = await client.chat.completions.with_raw_response.create(model="gpt-4o", messages=ASK)
            assert raw.headers["x-ratelimit-remaining-requests"] == "0"
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(model="gpt-4o", messages=ASK)
            assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60
            assert caught.value.code == "rate_limit_exceeded"
        async with anthropic.AsyncAnthropic(
            base_url=server.base_urls["anthropic"], api_key=KEY, max_retries=0
        ) as other:
            arguments: Any = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": ASK}
            await other.messages.create(**arguments)
            with pytest.raises(anthropic.RateLimitError):
                await other.messages.create(**arguments)
    finally:
        await server.close()


async def replies(seed: int) -> list[str]:
    """The bodies of a whole answer and a stream from new providers, without the time."""
    server = await start(SimConfig(seed=seed, speed=0))
    try:
        found = []
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}"}) as client:
            for stream in (False, True):
                body = {
                    "model": "gpt-4o",
                    "stream": stream,
                    "messages": [{"role": "user", "content": "Tell me about trains."}],
                }
                reply = await client.post(server.base_urls["openai"] + "/chat/completions", json=body)
                found.append(reply.text)
        return [_timeless(text) for text in found]
    finally:
        await server.close()


def _timeless(text: str) -> str:
    before, _, after = text.partition('"created":')
    return before + (_timeless(after.lstrip("0123456789")) if after else "")


async def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second, other = [await replies(seed) for seed in (1, 1, 2)]
    assert first == second
    assert first != other


async def test_a_paced_stream_takes_its_time() -> None:
    """At a ten-thousandth of the speed nobody has the patience."""
    server = await start(SimConfig(speed=10_000))
    try:
        url = server.base_urls["groq"]
        async with openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0, timeout=1) as client:
            with pytest.raises(openai.APITimeoutError):
                await client.chat.completions.create(model="openai/gpt-oss-20b", messages=ASK, stream=True)
    finally:
        await server.close()


async def test_closing_ends_streams_in_flight() -> None:
    server = await start(SimConfig(speed=0))
    server.control["openai"].faults.add(Rule(Fault("hang")))
    async with httpx2.AsyncClient(timeout=10) as client:
        pending = asyncio.create_task(
            client.post(
                server.base_urls["openai"] + "/chat/completions",
                json=BODY,
                headers={"authorization": f"Bearer {KEY}"},
            )
        )
        while not server.control["openai"].stats().open:  # noqa: ASYNC110 - a counter of another connection
            await asyncio.sleep(0.005)
        await server.close()
        with pytest.raises(httpx2.TransportError):
            await pending
    assert server.control["openai"].stats().open == 0
