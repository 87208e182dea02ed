"""Malformed, hostile and unauthorised requests: a clear error in the dialect, one log row, nothing else."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.harness import Running
from tests.security.conftest import KEY

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
GOOD: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "Hi"}],
}


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.json: Any = json.loads(body)

    def error(self, path: str) -> dict[str, Any]:
        """The error object, checked to be in the dialect of `path`."""
        if path.startswith(MESSAGES):
            assert self.json["type"] == "error"
            assert self.json["error"]["type"]
        else:
            assert set(self.json["error"]) >= {"message", "type", "param", "code"}
        found: dict[str, Any] = self.json["error"]
        assert found["message"]
        return found


def send(
    gateway: Running, path: str, body: bytes, key: str | None = KEY, method: str = "POST", **headers: str
) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=20)
    extra = {"authorization": f"Bearer {key}"} if key else {}
    try:
        connection.request(method, path, body, {"content-type": "application/json", **extra, **headers})
        reply = connection.getresponse()
        return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
    finally:
        connection.close()


def encoded(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


@pytest.fixture(params=[CHAT, MESSAGES])
def path(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_a_good_request_passes(fortress: Running, path: str) -> None:
    answer = send(fortress, path, encoded())
    assert answer.status == 200, answer.json
    assert fortress.row(answer.headers["x-turnout-request-id"]).team == "search"


DEEP = b'{"model":"gpt-4o-mini","messages":' + b"[" * 10_000 + b"]" * 10_000 + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"\xff"}]}',
        b"{}",
        b'{"model":7,"messages":[]}',
        b'{"model":"gpt-4o-mini","model":"gpt-4o","messages":[]}',
        b'{"model":"gpt-4o-mini","stream":"yes","messages":[]}',
        b'{"model":"","messages":[]}',
        b'{"model":"auto","messages":"Hi"}',
        b'{"model":"auto","messages":[{"role":"user","content":{"a":1}}]}',
        b'{"model":"auto","messages":[7]}',
        b'{"model":"gpt-4o-mini","messages":[],"turnout":7}',
        b'{"model":"gpt-4o-mini","messages":[],"turnout":{"budget_usd":"lots"}}',
        encoded()[:-1],
        encoded() + b"x",
        DEEP,
    ],
)
def test_malformed_bodies(fortress: Running, path: str, body: bytes) -> None:
    answer = send(fortress, path, body)
    assert answer.status == 400
    answer.error(path)
    row = fortress.row(answer.headers["x-turnout-request-id"])
    assert (row.status, row.error, row.cost_nano) == (400, "bad_request", 0)


def test_wrong_types_across_dialects_name_the_field(fortress: Running) -> None:
    wrong = {
        "model": "claude-sonnet-4-6",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": "hot",
    }
    answer = send(fortress, CHAT, json.dumps(wrong).encode())
    assert answer.status == 400
    assert "temperature" in answer.error(CHAT)["message"]


def test_a_hundred_megabytes_are_refused(fortress: Running, path: str) -> None:
    host, port = urlsplit(fortress.url).netloc.split(":")
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: 104857600\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(head.encode())

        def pour() -> None:
            try:
                for _ in range(1600):
                    client.sendall(b"x" * 65536)
            except OSError:
                return

        sender = threading.Thread(target=pour, daemon=True)
        sender.start()
        reply = client.recv(65536)
        sender.join(20)
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"too_large" in reply


def test_a_chunked_body_is_measured_while_it_comes(fortress: Running, path: str) -> None:
    host, port = urlsplit(fortress.url).netloc.split(":")
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(head.encode())
        try:
            for _ in range(40):
                client.sendall(chunk)
        except OSError:
            pass
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_slow_body_is_timed_out(fortress: Running, path: str) -> None:
    host, port = urlsplit(fortress.url).netloc.split(":")
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: 100\r\n\r\n{{"
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(head.encode())
        reply = client.recv(65536)
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b"body_timeout" in reply


@pytest.mark.parametrize("key", [None, "wrong", "", KEY + "x", KEY[:-1], "é", "a" * 4000])
def test_keys(fortress: Running, path: str, key: str | None) -> None:
    headers = {} if key is None else {"x-api-key": key.encode().decode("latin-1")}
    answer = send(fortress, path, encoded(), None, **headers)
    assert answer.status == 401
    assert answer.error(path)
    assert KEY not in json.dumps(answer.json)
    assert fortress.row(answer.headers["x-turnout-request-id"]).error == "unauthenticated"


def test_a_key_is_checked_before_the_body_is_read(fortress: Running) -> None:
    host, port = urlsplit(fortress.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 500000\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_every_endpoint_needs_the_key(fortress: Running) -> None:
    for method, where in [
        ("GET", "/v1/models"),
        ("GET", "/metrics"),
        ("POST", "/v1/route"),
        ("POST", "/v1/embeddings"),
    ]:
        assert send(fortress, where, encoded(), None, method).status == 401
    for where in ("/healthz", "/readyz"):
        assert send(fortress, where, b"", None, "GET").status == 200


def test_a_key_for_one_model(fortress: Running, path: str) -> None:
    assert send(fortress, path, encoded(), "key-for-one-model").status == 200
    answer = send(fortress, path, encoded(model="gpt-4o"), "key-for-one-model")
    assert answer.status == 403
    answer.error(path)
    listed = send(fortress, "/v1/models", b"", "key-for-one-model", "GET").json["data"]
    assert "gpt-4o" not in [model["id"] for model in listed]


@pytest.mark.parametrize(
    "model", ["nope", "auto:nope", "gpt-4o\r\nx-evil: 1", "../../etc/passwd", "x" * 5000, "gpt-4o-mini\x00"]
)
def test_unknown_models(fortress: Running, path: str, model: str) -> None:
    answer = send(fortress, path, encoded(model=model))
    assert answer.status == 404
    assert answer.error(path)
    assert len(json.dumps(answer.json)) < 2000


def test_values_with_line_breaks_reach_no_header(fortress: Running, path: str) -> None:
    evil = {"cost_center": "a\r\nset-cookie: b", "tags": {"k": "v\n"}}
    answer = send(fortress, path, encoded(turnout=evil))
    assert answer.status == 400
    assert "set-cookie" not in answer.headers


def test_headers_that_smuggle_are_refused(fortress: Running) -> None:
    host, port = urlsplit(fortress.url).netloc.split(":")
    body = encoded()
    for bad in (
        b"anthropic-beta: a\rx-evil: 1\r\n",
        b"content-length: 1\r\n",
        b"transfer-encoding: chunked\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(
                b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: %b\r\ncontent-length: %d\r\n%b\r\n%b"
                % (KEY.encode(), len(body), bad, body)
            )
            assert client.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_wrong_paths_and_methods(fortress: Running) -> None:
    missing = send(fortress, "/v1/nothing", b"{}")
    assert missing.status == 404
    assert missing.error("/v1/nothing")["code"] == "unknown_route"
    wrong = send(fortress, CHAT, b"", method="GET")
    assert wrong.status == 405
    assert wrong.headers["allow"] == "POST"
    assert send(fortress, MESSAGES + "/nothing", b"{}").error(MESSAGES)


def test_a_compressed_body_that_cannot_be_opened_is_refused_in_words(fortress: Running, path: str) -> None:
    answer = send(fortress, path, b"\x1f\x8b", **{"content-encoding": "gzip"})
    assert answer.status == 400
    assert "compressed" in answer.error(path)["message"]


def test_the_gateway_still_serves(fortress: Running, path: str) -> None:
    assert send(fortress, path, encoded()).status == 200
    assert fortress.gateway.gate.in_flight == 0


def test_secrets_and_prompts_are_in_no_row(fortress: Running) -> None:
    secret = "my-very-private-sentence"
    send(fortress, CHAT, encoded(messages=[{"role": "user", "content": secret}]))
    send(fortress, CHAT, f'{{"model":"gpt-4o-mini","messages":"{secret}"}}'.encode())
    send(fortress, CHAT, f'{{"{secret}": 1, "{secret}": 2}}'.encode(), "wrong-" + KEY)
    text = repr(fortress.rows(limit=10_000))
    assert KEY not in text
    assert not re.search(secret, text)
