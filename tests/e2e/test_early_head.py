"""A stream that begins late: its client hears that somebody is there, and reads the answer, or the failure, all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from google import genai
from msgspec.structs import replace

from tests.e2e.harness import Running
from turnout.config import schema

ASK: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]


def impatient(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
    return replace(config, server=replace(config.server, early_head_ms=30))


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("early"), impatient) as found:
        for provider in found.provider_urls:
            found.fault(provider, {"kind": "slow_first_token", "ms": 300})
        yield found


def read_openai(url: str, model: str) -> str:
    with openai.OpenAI(base_url=url + "/v1", api_key="x", max_retries=0) as client:
        chunks = client.chat.completions.create(model=model, messages=ASK, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def read_responses(url: str, model: str) -> str:
    with (
        openai.OpenAI(base_url=url + "/v1", api_key="x", max_retries=0) as client,
        client.responses.stream(model=model, input=ASK) as stream,
    ):
        return stream.get_final_response().output_text


def read_anthropic(url: str, model: str) -> str:
    with (
        anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as client,
        client.messages.stream(model=model, max_tokens=100, messages=ASK) as stream,
    ):
        return stream.get_final_text()


def read_gemini(url: str, model: str) -> str:
    client = genai.Client(api_key="x", http_options={"base_url": url})
    chunks = client.models.generate_content_stream(model=model, contents="What is the capital of France?")
    return "".join(chunk.text or "" for chunk in chunks)


READERS = [read_openai, read_responses, read_anthropic, read_gemini]


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-6"])
@pytest.mark.parametrize("read", READERS)
def test_sdks_read_on(late: Running, read: Any, model: str) -> None:
    assert "Paris" in read(late.url, model)
    row = late.rows(limit=1)[0]
    assert (row.status, row.error) == (200, None)


BODIES: list[tuple[str, dict[str, Any], bytes]] = [
    ("/v1/chat/completions", {"messages": ASK}, b": waiting"),
    ("/v1/responses", {"input": ASK, "store": False}, b": waiting"),
    ("/v1/messages", {"messages": ASK, "max_tokens": 50}, b"event: ping"),
    (
        "/v1beta/models/gpt-4o:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        b"\r\n\r\n",
    ),
]


@pytest.mark.parametrize(("path", "body", "ping"), BODIES)
def test_the_head_comes_first_and_then_signs_of_life(
    late: Running, path: str, body: dict[str, Any], ping: bytes
) -> None:
    reply = httpx2.post(late.url + path, json={"model": "gpt-4o", "stream": True, **body}, timeout=20)
    assert reply.status_code == 200
    assert reply.content.startswith(ping)
    assert "x-turnout-model" not in reply.headers
    assert b"openai/gpt-4o" in reply.content  # the first chunk says who answers
    row = late.row(reply.headers["x-turnout-request-id"])
    assert row.status == 200


@pytest.mark.parametrize(("path", "body", "ping"), BODIES)
def test_a_failure_after_the_head_is_told_in_band(
    late: Running, path: str, body: dict[str, Any], ping: bytes
) -> None:
    reply = httpx2.post(
        late.url + path,
        json={"model": "gpt-4o", "stream": True, **body},
        headers={"x-turnout-deadline-ms": "120"},
        timeout=20,
    )
    assert (reply.status_code, reply.content.startswith(ping)) == (200, True)
    assert b"deadline" in reply.content.lower()
    assert (
        b"[DONE]" not in reply.content
        and b"message_stop" not in reply.content
        and b"response.completed" not in reply.content
    )
    row = late.row(reply.headers["x-turnout-request-id"])
    assert (row.status, row.error) == (200, "deadline_exceeded")


def test_what_answers_in_time_has_its_headers(running: Running) -> None:
    body = {"model": "gpt-4o", "stream": True, "messages": ASK}
    reply = httpx2.post(running.url + "/v1/chat/completions", json=body, timeout=20)
    assert reply.headers["x-turnout-model"] == "openai/gpt-4o"
    assert reply.content.startswith(b"data:")
