"""What a row says of the tries behind a call: who failed, how, when, and what it cost."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest
from msgspec.structs import replace

from tests.e2e.harness import Running
from turnout.config import schema
from turnout.core.errors import Kind

ASK = [{"role": "user", "content": "What is the capital of France?"}]
ANSWER = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    }
).encode()


class Forgetful:
    """A provider that keeps connections alive and closes them when the second request comes."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, contextlib.suppress(OSError):
            for served in range(2):
                length = 0
                while (line := lines.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                lines.read(length)
                if served or not length:
                    return
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                connection.sendall(head % len(ANSWER) + ANSWER)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    forgetful = Forgetful()

    def change(config: schema.Config, urls: dict[str, str]) -> schema.Config:
        provider = schema.Provider(
            dialect="openai_chat", base_url=f"http://127.0.0.1:{forgetful.port}/v1", api_key="k"
        )
        return replace(
            config,
            providers={**config.providers, "forgetful": provider},
            models={**config.models, "m": schema.Model(provider="forgetful", id="m")},
        )

    with Running(tmp_path_factory.mktemp("attempts"), change) as found:
        yield found
    forgetful.listener.close()


@pytest.fixture(autouse=True)
def _healed(running: Running) -> Iterator[None]:
    yield
    running.heal()


def ask(
    running: Running, body: dict[str, Any], path: str = "/v1/chat/completions", **headers: str
) -> httpx.Response:
    return httpx.post(running.url + path, json=body, headers=headers, timeout=20)


def test_a_stream_that_breaks_midway_is_a_failed_attempt(running: Running) -> None:
    running.fault("openai", {"kind": "cut_after", "chunks": 3})
    reply = ask(running, {"model": "gpt-4o", "stream": True, "messages": ASK})
    row = running.row(reply.headers["x-turnout-request-id"])
    (attempt,) = row.attempts
    assert (attempt.failure, row.error, row.provider) == (Kind.TRUNCATED, "truncated", "openai")
    assert attempt.cost_nano == row.cost_nano
    label = '{failure="truncated",model="openai/gpt-4o"}'
    assert f"turnout_attempts_total{label} 1.0" in httpx.get(running.url + "/metrics").text


def test_a_call_that_nobody_answers_says_who_was_asked(running: Running) -> None:
    for provider in running.provider_urls:
        running.fault(provider, {"kind": "status", "status": 500})
    reply = ask(running, {"model": "gpt-4o", "messages": ASK})
    row = running.row(reply.headers["x-turnout-request-id"])
    assert reply.status_code >= 500
    assert (row.served_model, row.provider) == (row.attempts[-1].model, row.attempts[-1].model.split("/")[0])
    asked = {attempt.model.split("/")[0] for attempt in row.attempts}
    assert len(asked) > 1
    for provider in asked:  # every provider's own failures can be found
        assert row.id in [found.id for found in running.rows(provider=provider)]
    assert row.attempts[0].cause == "first"
    assert {attempt.cause for attempt in row.attempts[1:]} <= {"fallback", "retry"}


def test_a_client_that_leaves_before_the_head_leaves_its_attempt_and_its_cost(running: Running) -> None:
    running.fault("openai", {"kind": "hang"})
    before = len(running.rows())
    parts = urlsplit(running.url)
    body = json.dumps({"model": "gpt-4o", "messages": ASK}).encode()
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
        client.sendall(b"content-length: %d\r\n\r\n%b" % (len(body), body))
        while running.control("openai", "GET", "stats")["open"] == 0:
            pass
    while len(running.rows()) == before:
        pass
    row = running.rows(limit=1)[0]
    (attempt,) = row.attempts
    assert (row.error, attempt.failure, row.provider) == (
        "client_disconnect",
        Kind.CLIENT_DISCONNECT,
        "openai",
    )
    assert attempt.cost_nano == row.cost_nano
    assert row.cost_nano  # the provider was at work: an estimate, and not nothing
    assert row.price_source not in ("none", "unknown")


def test_the_callers_own_deadline_is_not_the_providers_failure(running: Running) -> None:
    for provider in running.provider_urls:
        running.fault(provider, {"kind": "slow_first_token", "ms": 5000})
    for stream in (False, True):
        reply = ask(
            running,
            {"model": "gpt-4o", "stream": stream, "messages": ASK},
            **{"x-turnout-deadline-ms": "150"},
        )
        row = running.row(reply.headers["x-turnout-request-id"])
        assert (reply.status_code, row.error) == (504, "deadline_exceeded")
        assert Kind.FIRST_TOKEN_TIMEOUT not in [attempt.failure for attempt in row.attempts]
    running.heal_faults_only()
    reply = ask(running, {"model": "gpt-4o", "messages": ASK})
    assert reply.headers["x-turnout-model"] == "openai/gpt-4o"  # nothing is held against it


def slowly(running: Running, wait_s: float, *lines: bytes) -> bytes:
    """Send a head, wait, send the body; what came back."""
    parts = urlsplit(running.url)
    body = json.dumps({"model": "gpt-4o", "messages": ASK}).encode()
    head = b"\r\n".join(
        [b"POST /v1/chat/completions HTTP/1.1", b"host: x", b"content-type: application/json", *lines]
    )
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
        client.sendall(b"%b\r\ncontent-length: %d\r\n\r\n" % (head, len(body)))
        threading.Event().wait(wait_s)
        client.sendall(body)
        return client.recv(65536)


def test_a_model_that_was_never_called_is_no_attempt(running: Running) -> None:
    reply = slowly(running, 0.1, b"x-turnout-deadline-ms: 50")
    assert reply.startswith(b"HTTP/1.1 504")
    assert b"x-turnout-attempts: 0" in reply
    row = running.rows(limit=1)[0]
    assert (row.error, row.attempts, row.cost_nano) == ("deadline_exceeded", (), 0)


def test_a_request_that_was_sent_again_is_two_attempts(running: Running) -> None:
    first = ask(running, {"model": "m", "messages": ASK})
    second = ask(running, {"model": "m", "messages": ASK})
    assert (first.headers["x-turnout-attempts"], second.headers["x-turnout-attempts"]) == ("1", "2")
    row = running.row(second.headers["x-turnout-request-id"])
    assert [(attempt.failure, attempt.cause) for attempt in row.attempts] == [
        (Kind.TRUNCATED, "first"),
        (None, "retry"),
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_what_failed_attempts_cost_is_in_the_calls_cost(running: Running, stream: bool) -> None:
    running.fault("openai", {"kind": "empty"}, times=1)
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if stream else {}
    reply = ask(running, {"model": "gpt-4o", "stream": stream, "messages": ASK, **options})
    row = running.row(reply.headers["x-turnout-request-id"])
    empty, answer = row.attempts
    assert (empty.failure, answer.failure) == (Kind.EMPTY, None)
    assert empty.cost_nano and answer.cost_nano
    assert row.cost_nano == empty.cost_nano + answer.cost_nano


def test_when_all_are_empty_the_answer_says_so(running: Running) -> None:
    for provider in running.provider_urls:
        running.fault(provider, {"kind": "empty"})
    reply = ask(running, {"model": "gpt-4o", "messages": ASK})
    assert reply.status_code == 200
    assert "empty" in reply.headers.get_list("x-turnout-notice")
    row = running.row(reply.headers["x-turnout-request-id"])
    assert row.cost_nano == sum(attempt.cost_nano or 0 for attempt in row.attempts)


def test_a_count_that_a_provider_makes_is_free(running: Running) -> None:
    body = {"model": "claude-sonnet-4-6", "messages": ASK}
    reply = ask(running, body, "/v1/messages/count_tokens")
    row = running.rows(limit=1)[0]
    assert reply.json()["input_tokens"] > 0
    assert (row.op, row.provider, row.cost_nano, row.price_source) == ("count_tokens", "anthropic", 0, "none")


def test_overhead_is_neither_a_slow_upload_nor_a_pause(running: Running) -> None:
    running.fault("openai", {"kind": "status", "status": 429, "retry_after": 1}, times=1)
    assert slowly(running, 0.3).startswith(b"HTTP/1.1 200")
    row = running.rows(limit=1)[0]
    assert row.total_ms >= 300
    assert row.overhead_ms < row.total_ms - 250


def test_the_operator_is_told_once_for_each_kind(
    running: Running, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    running.gateway._complaints._told.clear()
    for _ in range(3):
        running.fault("openai", {"kind": "status", "status": 401}, times=1)
        running.forget()
        ask(running, {"model": "gpt-4o", "messages": ASK})
    running.rows()
    lines = [line for line in capfd.readouterr().err.splitlines() if "upstream_auth" in line]
    assert len(lines) == 1
    assert "openai: upstream_auth (HTTP 401) from openai/gpt-4o" in lines[0]
    assert "check the provider's key" in lines[0]
