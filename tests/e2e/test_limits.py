"""Numbers that are too large for a model: lowered and told when a request is translated, the provider's affair when it is not; limits that
nobody knew: another candidate answers where the choice, or the translation, was Turnout's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2 as httpx
import pytest
from msgspec.structs import replace

from tests.e2e.harness import Running
from turnout.config import schema
from turnout.core.errors import Kind

ASK = [{"role": "user", "content": "What is the capital of France?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT = ["gpt-4o", "gpt-5.4", "claude-haiku-4-5", "claude-opus-5-5", "gemini-3.8-flash", "mistral-large", "gpt-oss-120b", "deepseek-v4-flash"]  # fmt: skip


ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-unheard-9",
    "content": [{"type": "text", "text": "Paris"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 5, "output_tokens": 1},
}


class Unheard(ThreadingHTTPServer):
    """Anthropic's next model: it answers, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.asked: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Answering(BaseHTTPRequestHandler):
    server: Unheard

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def unheard() -> Iterator[Unheard]:
    with Unheard() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, unheard: Unheard) -> Iterator[Running]:
    def change(config: schema.Config, urls: dict[str, str]) -> schema.Config:
        proxy = schema.Provider(dialect="anthropic", base_url=urls["anthropic"], api_key="k")
        coming = schema.Provider(dialect="anthropic", base_url=unheard.url, api_key="k")
        wrong = schema.Model("openai", "gpt-4o", max_output=64_000, fallbacks=("claude-haiku-4-5",))
        models = {
            **config.models,
            "opus": schema.Model("proxy", "claude-opus-5-5"),
            "unheard": schema.Model("coming", "claude-unheard-9"),
            "wrong": wrong,
        }
        return replace(
            config, providers={**config.providers, "proxy": proxy, "coming": coming}, models=models
        )

    with Running(tmp_path_factory.mktemp("limits"), change) as found:
        yield found


@pytest.fixture(autouse=True)
def _healed(running: Running) -> Iterator[None]:
    running.heal()
    yield


def chat(running: Running, model: str, **members: Any) -> httpx.Response:
    body = {"model": model, "messages": ASK, **members}
    return httpx.post(running.url + "/v1/chat/completions", json=body, timeout=20)


def messages(running: Running, model: str, **members: Any) -> httpx.Response:
    body = {"model": model, "messages": ASK, "max_tokens": 100, **members}
    return httpx.post(running.url + "/v1/messages", json=body, timeout=20)


def sent(running: Running, provider: str) -> dict[str, Any]:
    last = running.control(provider, "GET", "requests")["requests"][-1]
    body: dict[str, Any] = json.loads(last["body"])
    return body


@pytest.mark.parametrize("model", [name for name in CHAT if not name.startswith("claude")])
def test_a_coding_agents_maximum_is_lowered_and_named(running: Running, model: str) -> None:
    reply = messages(running, model, max_tokens=2_000_000, temperature=1.0)
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-turnout-attempts"] == "1"
    known = running.gateway.app.engine.catalog.cards[model].max_output
    dropped = reply.headers.get("x-turnout-dropped", "").split(",")
    assert ("max_tokens" in dropped) == (known is not None)


@pytest.mark.parametrize("model", CHAT)
def test_an_agents_heat_is_lowered(running: Running, model: str) -> None:
    """A caller of Gemini's dialect, which goes up to 2."""
    body = {
        "contents": [{"parts": [{"text": "Hi"}]}],
        "generationConfig": {"temperature": 1.9, "maxOutputTokens": 500_000, "topP": 1},
    }
    reply = httpx.post(f"{running.url}/v1beta/models/{model}:generateContent", json=body, timeout=20)
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-turnout-attempts"] == "1"


def test_a_request_of_the_providers_own_dialect_is_its_affair(running: Running) -> None:
    reply = chat(running, "gpt-4o", max_tokens=2_000_000)
    assert reply.status_code == 400
    assert sent(running, "openai")["max_tokens"] == 2_000_000


def test_a_model_under_another_name_behind_a_proxy_is_the_model_that_it_is(running: Running) -> None:
    reply = chat(
        running,
        "opus",
        reasoning_effort="high",
        response_format={"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}},
    )
    assert reply.status_code == 200, reply.text
    body = sent(running, "anthropic")
    assert body["max_tokens"] == 128_000
    assert body["thinking"]["type"] == "adaptive"
    assert body["output_config"]["format"]["schema"] == SCHEMA
    assert "system" not in body
    assert "x-turnout-notice" not in reply.headers


def test_a_maximum_that_is_guessed_is_told(running: Running, unheard: Unheard) -> None:
    reply = chat(running, "unheard")
    assert reply.status_code == 200, reply.text
    assert unheard.asked[-1]["max_tokens"] == 128_000
    assert reply.headers["x-turnout-notice"] == "default-max-tokens"
    (notice,) = reply.json()["turnout"]["notices"]
    assert notice["code"] == "default-max-tokens" and "128000" in notice["message"]
    assert running.row(reply.headers["x-turnout-request-id"]).notices == ("default-max-tokens",)


def test_a_maximum_that_the_caller_said_is_not_told(running: Running, unheard: Unheard) -> None:
    for most in (50, 200_000):
        reply = chat(running, "unheard", max_tokens=most)
        assert reply.status_code == 200, reply.text
        assert unheard.asked[-1]["max_tokens"] == most, "a guess bounds nobody"
        assert "x-turnout-notice" not in reply.headers
    assert "x-turnout-notice" not in chat(running, "claude-haiku-4-5").headers


# -- limits that nobody knew
def test_a_refused_number_of_a_translated_request_goes_to_the_fallback(running: Running) -> None:
    reply = messages(running, "wrong", max_tokens=60_000)
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-turnout-model"] == "anthropic/claude-haiku-4-5"
    assert [attempt.failure for attempt in _attempts(running, reply)] == [Kind.UPSTREAM_BAD_REQUEST, None]


def test_the_callers_own_number_is_his_affair(running: Running) -> None:
    assert chat(running, "wrong", max_tokens=60_000).status_code == 400


REFUSED = {"kind": "status", "status": 400, "message": "The moon is not right."}


def test_what_a_chosen_model_refuses_another_may_take(running: Running) -> None:
    model = chat(running, "auto").headers["x-turnout-model"]
    provider, _, id = model.partition("/")
    running.fault(provider, REFUSED, id)
    reply = chat(running, "auto")
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-turnout-model"] != model
    assert reply.headers["x-turnout-attempts"] == "2"


def test_what_two_refuse_is_the_requests_fault(running: Running) -> None:
    for provider in running.provider_urls:
        running.fault(provider, REFUSED)
    reply = chat(running, "auto")
    assert reply.status_code == 400
    assert reply.headers["x-turnout-attempts"] == "2"


def test_what_a_named_model_refuses_of_a_translated_request_is_told(running: Running) -> None:
    running.fault("openai", REFUSED, "gpt-4o")
    reply = messages(running, "wrong")
    assert reply.status_code == 400
    assert reply.headers["x-turnout-attempts"] == "1"


def _attempts(running: Running, reply: httpx.Response) -> Any:
    return running.row(reply.headers["x-turnout-request-id"]).attempts
