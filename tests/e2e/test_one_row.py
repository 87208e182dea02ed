"""One row a call, wherever it ends: each place is made to happen, and the log says once and truly what became of the call.

What is no call has no row: `GET /v1/models`, `/healthz`, `/metrics`, `/v1/route`, a path that is not served, a WebSocket's handshake, a
head that is not HTTP. Nothing is asked of a model there, so there is nothing to account for.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace
from websockets.asyncio.client import connect

from tests.e2e.harness import Running
from turnout.config import schema
from turnout.core.record import LogRow
from turnout.layers.tap import TappedReply
from turnout.routing.plan import Planner
from turnout.wire.anthropic import codec as anthropic
from turnout.wire.openai_chat import codec as openai_chat

KEY = "key-of-the-test"
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
ACROSS = "claude-sonnet-4-6"  # not a model of the OpenAI dialect: its replies are encoded, not relayed


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    def change(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
        server = replace(config.server, body_ms=600)
        models = {name: schema.Model(provider="openai") for name in ("gpt-image-2", "gpt-4o-mini-tts")}
        keys = (schema.Key(name="app", key=KEY),)
        return replace(config, keys=keys, server=server, models={**config.models, **models})

    with Running(tmp_path_factory.mktemp("rows"), change) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def healthy(running: Running) -> Iterator[None]:
    yield
    running.heal()


def body(model: str = "gpt-4o-mini", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}], **more}


def ask(running: Running, path: str, sent: Any, key: str = KEY) -> tuple[int, bytes]:
    """Status and body; what was cut off ends where it was cut."""
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=20)
    data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    try:
        connection.request("POST", path, data, headers)
        reply = connection.getresponse()
        try:
            return reply.status, reply.read()
        except http.client.IncompleteRead as cut:
            return reply.status, cut.partial
    finally:
        connection.close()


def opened(running: Running, path: str, sent: bytes, length: int | None = None) -> socket.socket:
    host, port = urlsplit(running.url).netloc.split(":")
    client = socket.create_connection((host, int(port)), timeout=20)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    client.sendall(f"{head}content-length: {len(sent) if length is None else length}\r\n\r\n".encode() + sent)
    return client


def leave(client: socket.socket) -> None:
    """At once, by a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.fixture
def new_row(running: Running) -> Callable[[], LogRow]:
    """The one row since the test began, once the call has ended."""
    known = {row.id for row in running.rows(limit=10_000)}

    def look() -> LogRow:
        for _ in range(2000):
            if running.gateway.gate.in_flight == 0:
                found = [row for row in running.rows(limit=10_000) if row.id not in known]
                if found:
                    (row,) = found
                    return row
            time.sleep(0.005)
        raise AssertionError("no row")

    return look


NewRow = Callable[[], LogRow]


def told(row: LogRow) -> tuple[int, str | None]:
    return row.status, row.error


# -- before there is a call worth the name
@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize(
    ("sent", "key", "status", "error"),
    [
        (body(), "wrong", 401, "unauthenticated"),
        (b"{", KEY, 400, "bad_request"),
        (b"[" * 10_000, KEY, 400, "bad_request"),
        (body(turnout={"budget_usd": "lots"}), KEY, 400, "bad_request"),
        (body("no-such-model"), KEY, 404, "unknown_model"),
        (b"x" * (33 * 1024 * 1024), KEY, 413, "too_large"),
    ],
    ids=["key", "json", "deep", "controls", "model", "large"],
)
def test_a_refusal(
    running: Running, new_row: NewRow, path: str, sent: Any, key: str, status: int, error: str
) -> None:
    assert ask(running, path, sent, key)[0] == status
    assert told(new_row()) == (status, error)


def test_the_client_leaves_during_the_body(running: Running, new_row: NewRow) -> None:
    client = opened(running, CHAT, b'{"model":', length=500)
    while running.gateway.gate.in_flight == 0:
        time.sleep(0.001)
    leave(client)
    assert new_row().error == "client_disconnect"


def test_a_body_that_does_not_arrive(running: Running, new_row: NewRow) -> None:
    with opened(running, CHAT, b'{"model":', length=500) as client:
        assert client.recv(65536).startswith(b"HTTP/1.1 408 ")
    assert told(new_row()) == (408, "body_timeout")


def test_what_is_no_call_has_no_row(running: Running) -> None:
    before = len(running.rows(limit=10_000))
    host, port = urlsplit(running.url).netloc.split(":")
    for head in (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauth",
        b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + KEY.encode() + b"\r\n\r\n",
        b"GET /v1/nothing HTTP/1.1\r\nhost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(head)
            if head.endswith(b"\r\n\r\n"):
                assert client.recv(65536)
    assert len(running.rows(limit=10_000)) == before


# -- defects of ours
def broken(*_: object, **__: object) -> Any:
    raise ZeroDivisionError("injected")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_the_router_breaks(
    running: Running, new_row: NewRow, monkeypatch: pytest.MonkeyPatch, path: str, stream: bool
) -> None:
    monkeypatch.setattr(Planner, "decide", broken)
    assert ask(running, path, body(stream=stream))[0] == 500
    assert told(new_row()) == (500, "internal")


def test_the_count_breaks(running: Running, new_row: NewRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic.AnthropicCodec, "encode_count", broken)
    assert ask(running, MESSAGES + "/count_tokens", body())[0] == 500
    assert told(new_row()) == (500, "internal")


def test_the_service_breaks(running: Running, new_row: NewRow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TappedReply, "__init__", broken)
    assert ask(running, CHAT, body())[0] == 500
    assert told(new_row()) == (500, "internal")


@pytest.mark.parametrize("model", ["gpt-4o-mini", ACROSS])
def test_encoding_a_whole_reply_breaks(
    running: Running, new_row: NewRow, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setattr(openai_chat.OpenAIChatCodec, "encode_answer", broken)
    monkeypatch.setattr(openai_chat.OpenAIChatCodec, "annotate", broken)
    assert ask(running, CHAT, body(model))[0] == 500
    assert told(new_row()) == (500, "internal")


@pytest.mark.parametrize("model", ["gpt-4o-mini", ACROSS])
def test_relaying_a_stream_breaks(
    running: Running, new_row: NewRow, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    real = "relay" if model != ACROSS else "stream_encoder"
    make = getattr(openai_chat.OpenAIChatCodec, real)

    def late(codec: Any, meta: Any) -> Any:
        made, calls = make(codec, meta), []
        work = made.relay if real == "relay" else made.encode

        class Breaking:
            def relay(self, given: Any) -> bytes:
                calls.append(given)
                if len(calls) > 1:
                    broken()
                found: bytes = work(given)
                return found

            encode = relay

        return Breaking()

    monkeypatch.setattr(openai_chat.OpenAIChatCodec, real, late)
    sent = body(model, stream=True, messages=[{"role": "user", "content": "Write a long story " * 20}])
    status, answer = ask(running, CHAT, sent)
    assert status == 200
    assert b"[DONE]" not in answer
    assert told(new_row()) == (200, "internal")


# -- clients that leave
def until(condition: Callable[[], bool]) -> None:
    for _ in range(4000):
        if condition():
            return
        time.sleep(0.002)
    raise AssertionError("it did not happen")


STORY = [{"role": "user", "content": "Write a long story " * 20}]


@pytest.mark.parametrize("stream", [False, True])
def test_the_client_leaves_before_the_head(running: Running, new_row: NewRow, stream: bool) -> None:
    running.fault("openai", {"kind": "hang"})
    client = opened(running, CHAT, json.dumps(body(stream=stream)).encode())
    until(lambda: bool(running.control("openai", "GET", "stats")["open"]))
    leave(client)
    assert told(new_row()) == (499, "client_disconnect")


@pytest.mark.parametrize("model", ["gpt-4o-mini", ACROSS])
def test_the_client_leaves_mid_stream(running: Running, new_row: NewRow, model: str) -> None:
    provider = "anthropic" if model == ACROSS else "openai"
    running.fault(provider, {"kind": "stall_after", "chunks": 2})
    client = opened(running, CHAT, json.dumps(body(model, stream=True, messages=STORY)).encode())
    assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    leave(client)
    assert told(new_row()) == (200, "client_disconnect")


@pytest.mark.parametrize("stream", [False, True])
def test_the_client_leaves_at_the_last_byte(running: Running, new_row: NewRow, stream: bool) -> None:
    client = opened(running, CHAT, json.dumps(body(stream=stream)).encode())
    end = b"0\r\n\r\n" if stream else b"}"
    seen = b""
    while not seen.endswith(end):
        seen += client.recv(65536)
    leave(client)
    assert told(new_row()) == (200, None)


async def test_a_turn_on_a_websocket_is_cancelled(running: Running, new_row: NewRow) -> None:
    running.fault("openai", {"kind": "hang"})
    url = running.url.replace("http://", "ws://") + RESPONSES
    async with connect(url, proxy=None, additional_headers={"authorization": f"Bearer {KEY}"}) as made:
        await made.send(json.dumps({"type": "response.create", "model": "gpt-4o", "input": "Hi"}))
        await asyncio.to_thread(until, lambda: bool(running.control("openai", "GET", "stats")["open"]))
    row = await asyncio.to_thread(new_row)
    assert told(row) == (499, "client_disconnect")


# -- other operations, and a plain end
@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (CHAT, body()),
        (CHAT, body(ACROSS, stream=True)),
        (MESSAGES, body()),
        (MESSAGES + "/count_tokens", body()),
        (MESSAGES + "/count_tokens", body(ACROSS)),
        (RESPONSES, {"model": "gpt-4o", "input": "Hi"}),
        (RESPONSES, {"model": ACROSS, "input": "Hi", "stream": True}),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hi"}),
        ("/v1/images/generations", {"model": "gpt-image-2", "prompt": "A cat"}),
        ("/v1/audio/speech", {"model": "gpt-4o-mini-tts", "input": "Hi", "voice": "alloy"}),
    ],
)
def test_an_answer(running: Running, new_row: NewRow, path: str, sent: dict[str, Any]) -> None:
    status, answer = ask(running, path, sent)
    row = new_row()
    assert (status, told(row)) == (200, (200, None)), answer
    assert row.requested_model == sent["model"]


@pytest.mark.parametrize(
    ("path", "model"), [("/v1/images/generations", "gpt-image-2"), ("/v1/audio/speech", "gpt-4o-mini-tts")]
)
@pytest.mark.parametrize("part", ["peek_passed", "decode_passed"])
def test_a_passed_operation_breaks(
    running: Running, new_row: NewRow, monkeypatch: pytest.MonkeyPatch, path: str, model: str, part: str
) -> None:
    monkeypatch.setattr(openai_chat.OpenAIChatCodec, part, broken)
    monkeypatch.setattr(openai_chat.OpenAIChatCodec, "passed_decoder", broken)
    sent = {"model": model, "prompt": "A cat", "input": "Hi", "voice": "alloy"}
    assert ask(running, path, sent)[0] == 500
    assert told(new_row()) == (500, "internal")
