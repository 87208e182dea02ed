"""What a newcomer trips over: base URLs, the bare address, browsers, web pages instead of APIs."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import anthropic
import openai
import pytest
from msgspec.structs import replace

from tests.e2e.harness import Running
from turnout.config import schema

ORIGIN = "https://app.example"
CHAT = {"model": "gpt-4o-mini", "max_tokens": 20, "messages": [{"role": "user", "content": "Hi"}]}
INPUT = {"model": "gpt-4o-mini", "input": "Hi"}


@pytest.fixture(scope="module")
def browsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    def change(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
        server = replace(config.server, cors_origins=(ORIGIN,))
        keys = (schema.Key(name="app", key="a-key-that-nobody-sees"),)
        return replace(config, server=server, keys=keys)

    with Running(tmp_path_factory.mktemp("browsed"), change) as gateway:
        yield gateway


def ask(
    running: Running, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), named)
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "body", "mark"),
    [
        ("/chat/completions", CHAT, "choices"),
        ("/v1/v1/chat/completions", CHAT, "choices"),
        ("//v1/chat/completions", CHAT, "choices"),
        ("/v1//chat/completions", CHAT, "choices"),
        ("/v1/chat/completions/", CHAT, "choices"),
        ("/openai/v1/chat/completions", CHAT, "choices"),
        ("/v1beta/openai/chat/completions", CHAT, "choices"),
        ("/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21", CHAT, "choices"),
        ("/openai/deployments/gpt-4o-mini/chat/completions", {"messages": CHAT["messages"]}, "choices"),
        ("/v1/v1/messages", CHAT, "content"),
        ("/messages", CHAT, "content"),
        ("/v1/v1/messages/count_tokens", CHAT, "input_tokens"),
        ("/responses", INPUT, "output"),
        ("/v1/v1/responses", INPUT, "output"),
        ("/embeddings", {"model": "text-embedding-3-small", "input": "Hi"}, "data"),
        (
            "/models/gemini-2.5-flash-lite:generateContent",
            {"contents": [{"parts": [{"text": "Hi"}]}]},
            "candidates",
        ),
    ],
)
def test_what_can_mean_one_thing_is_answered(running: Running, path: str, body: Any, mark: str) -> None:
    status, _, answer = ask(running, "POST", path, body)
    assert status == 200, answer
    assert mark in json.loads(answer)


@pytest.mark.parametrize(
    ("path", "mark"),
    [("/models", "data"), ("/v1/models/", "data"), ("//v1/models", "data"), ("/models/gpt-4o-mini", "id"),
     ("/openai/v1/models", "data"), ("/v1/v1/models", "data"), ("/healthz/", "status"), ("/v1beta/models", "models")],
)  # fmt: skip
def test_lists_too(running: Running, path: str, mark: str) -> None:
    status, _, answer = ask(running, "GET", path)
    assert status == 200, answer
    assert mark in json.loads(answer)


def test_sdks_with_a_base_url_that_is_a_version_off(running: Running) -> None:
    made = anthropic.Anthropic(base_url=f"{running.url}/v1", api_key="any", max_retries=0)
    assert made.messages.create(**CHAT).content  # type: ignore[call-overload]
    for base_url in (running.url, f"{running.url}/v1/", f"{running.url}/v1/v1"):
        client = openai.OpenAI(base_url=base_url, api_key="any", max_retries=0)
        assert client.chat.completions.create(**CHAT).choices  # type: ignore[call-overload]
    azure = openai.AzureOpenAI(azure_endpoint=running.url, api_key="any", api_version="2024-10-21")
    assert azure.chat.completions.create(**CHAT).choices  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("path", "headers", "words"),
    [
        ("/v2/chat", {}, "this server's address and /v1"),
        ("/v1/messages/nothing", {}, "without /v1"),
        ("/v3/message", {"anthropic_version": "2023-06-01"}, "without /v1"),
        ("/v1beta/nothing", {}, "without a version"),
        ("/openai/deployments/x/nothing", {}, "this server's address and /v1"),
        ("/v1/admin/v1/chat/completions", {}, "this server's address and /v1"),
    ],
)
def test_what_could_be_anything_gets_a_hint(
    running: Running, path: str, headers: dict[str, str], words: str
) -> None:
    status, _, answer = ask(running, "POST", path, CHAT, **headers)
    assert status == 404
    assert words in json.loads(answer)["error"]["message"]


def test_the_bare_address_says_what_this_is(browsed: Running) -> None:
    status, headers, page = ask(browsed, "GET", "/", accept="text/html,*/*")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    address = urlsplit(browsed.url).netloc
    assert f"http://{address}/v1".encode() in page
    status, headers, answer = ask(browsed, "GET", "/")
    about = json.loads(answer)
    assert (status, about["name"]) == (200, "turnout")
    assert about["base_urls"] == {
        "openai": f"http://{address}/v1",
        "anthropic": f"http://{address}",
        "google-genai": f"http://{address}",
    }
    assert b"a-key-that-nobody-sees" not in page + answer
    for path in (about["health"], about["ready"]):
        assert ask(browsed, "GET", path)[0] == 200
    _, _, page = ask(browsed, "GET", "/", accept="text/html", host='"><script>alert(1)</script>')
    assert b"<script>" not in page


def test_options_says_what_may_be_done(running: Running) -> None:
    status, headers, body = ask(running, "OPTIONS", "/v1/chat/completions", origin=ORIGIN)
    assert (status, headers["allow"], body) == (204, "POST, OPTIONS", b"")
    assert not [name for name in headers if name.startswith("access-control")]  # off by default
    assert "content-length" not in headers
    status, headers, _ = ask(running, "POST", "/v1/chat/completions", CHAT, origin=ORIGIN)
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example"])
def test_pages_of_named_origins_may_call(browsed: Running, origin: str) -> None:
    named = origin == ORIGIN
    asks = {
        "access_control_request_method": "POST",
        "access_control_request_headers": "authorization,content-type",
    }
    status, headers, _ = ask(browsed, "OPTIONS", "/v1/chat/completions", origin=origin, **asks)
    assert status == 204
    assert headers.get("access-control-allow-origin") == (origin if named else None)
    assert headers.get("access-control-allow-headers") == ("authorization,content-type" if named else None)
    key = {"authorization": "Bearer a-key-that-nobody-sees"}
    for sent, auth, expected in ((CHAT, key, 200), ({**CHAT, "stream": True}, key, 200), (CHAT, {}, 401)):
        status, headers, answer = ask(browsed, "POST", "/v1/chat/completions", sent, origin=origin, **auth)
        assert status == expected
        assert headers.get("access-control-allow-origin") == (origin if named else None)
        assert headers["vary"] == "Origin"
        if "stream" in sent:
            assert answer.rstrip().endswith(b"data: [DONE]")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_web_page_is_told_as_one_and_the_model_is_named(
    running: Running, healthy: Running, path: str, stream: bool
) -> None:
    for provider in running.provider_urls:
        running.fault(provider, {"kind": "html", "status": 200})
    status, _, answer = ask(running, "POST", path, {**CHAT, "stream": stream}, x_turnout_degrade="forbid")
    assert status == 502
    message = json.loads(answer)["error"]["message"]
    assert re.search(r"HTML page; is its base_url right\?.*'gpt-4o-mini'", message), message
