"""A provider that quotes what it was sent: no secret of the gateway reaches a client, no secret and no prompt its log or its standard error.

Every way to fail, by providers of every dialect, told to clients of every dialect, whole and streamed, over HTTP and the WebSocket.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.asyncio.client import connect

from tests.e2e.processes import Process

KEY = "CnryK/SEKRET+42.sk-lives-here=zz"
HEADER = "CnryH-header/value+17"
PASSWORD = "CnryP-password-23"
BASIC = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
PROMPT = "CnryQ the patient's name is Eve"
TOLD_SECRETS = [
    text.rstrip("=").encode()
    for secret in (KEY, HEADER, PASSWORD)
    for text in (secret[:9], quote(secret, safe="")[:9], base64.b64encode(secret.encode()).decode()[:12])
] + [BASIC.rstrip("=").encode()]
QUOTED = b"CnryQ"

PROVIDERS = ("openai_chat", "openai_responses", "anthropic", "gemini", "ollama", "cohere", "mistral")
CLIENTS = ("openai_chat", "openai_responses", "anthropic", "gemini")
STATUSES = (400, 401, 403, 404, 408, 413, 422, 429, 500, 503, 529)
KINDS = (
    *(f"status-{status}" for status in STATUSES),
    *("cut-400", "prose-400", "plain-500", "code-400", "ok-error", "in-band", "late", "trailing", "broken"),
)


def words(headers: dict[str, str], prompt: str) -> str:
    """All that the provider knows, in many spellings."""
    shown = [headers.get("authorization", ""), *headers.values(), KEY, HEADER, PASSWORD, BASIC]
    found = [one for one in shown if any(mark in one for mark in ("Cnry", "Basic"))]
    coded = [
        quote(KEY, safe=""),
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(f":{KEY}".encode()).decode(),
    ]
    return f"Cannot do '{prompt}' with {' and '.join([*found, *coded])}"


def error(dialect: str, text: str, code: str = "bad_thing") -> dict[str, Any]:
    if dialect == "anthropic":
        return {"type": "error", "error": {"type": "invalid_request_error", "message": text}}
    if dialect == "gemini":
        return {"error": {"code": 400, "message": text, "status": "INVALID_ARGUMENT"}}
    if dialect in ("ollama", "cohere"):
        return {"error": text, "message": text}
    return {"error": {"message": text, "type": "invalid_request_error", "param": text[:60], "code": code}}


BEGUN = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "status": "in_progress",
    "output": [],
}
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
FIRST: dict[str, list[dict[str, Any]]] = {
    "openai_chat": [{**CHUNK, "choices": [{"index": 0, "delta": {"content": "Well"}}]}],
    "openai_responses": [
        {"type": "response.created", "response": BEGUN},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Well"},
    ],
    "anthropic": [
        {
            "type": "message_start",
            "message": {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
                        "usage": {"input_tokens": 1, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Well"}},
    ],
    "gemini": [{"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "Well"}]}}]}],
    "ollama": [{"model": "m", "message": {"role": "assistant", "content": "Well"}, "done": False}],
    "cohere": [
        {"type": "message-start", "id": "m", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Well"}}}},
    ],
}  # fmt: skip
FIRST["mistral"] = FIRST["openai_chat"]


def event(dialect: str, data: dict[str, Any]) -> bytes:
    if dialect == "ollama":
        return json.dumps(data).encode() + b"\n"
    name = data.get("type")
    head = f"event: {name}\n" if isinstance(name, str) else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def failed_event(dialect: str, text: str) -> bytes:
    if dialect == "openai_responses":
        told = {"code": "server_error", "message": text}
        return event(dialect, {"type": "error", **told}) + event(
            dialect, {"type": "response.failed", "response": {**BEGUN, "status": "failed", "error": told}}
        )
    if dialect == "cohere":
        return event(dialect, {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": text}})
    return event(dialect, error(dialect, text))


def answer(kind: str, dialect: str, text: str) -> tuple[int, str, bytes]:
    """Status, content type, body."""
    stream = "application/x-ndjson" if dialect == "ollama" else "text/event-stream"
    status = int(kind.rpartition("-")[2]) if kind[-1].isdigit() else 200
    begun = b"".join(event(dialect, one) for one in FIRST[dialect])
    match kind:
        case "cut-400":  # a message that is cut in the middle of the key
            begin = "x" * (500 - 1 - 12 - len("Cannot: "))
            return status, "application/json", json.dumps(error(dialect, f"Cannot: {begin} {KEY}")).encode()
        case "prose-400":
            return status, "text/html", f"<p>{text}</p>".encode()
        case "plain-500":
            return status, "text/plain", text.encode()
        case "code-400":
            return status, "application/json", json.dumps(error(dialect, "No.", code=text[:60])).encode()
        case "ok-error":
            return status, "application/json", json.dumps(error(dialect, text)).encode()
        case "in-band":
            return status, stream, failed_event(dialect, text)
        case "late":
            return status, stream, begun + failed_event(dialect, text)
        case "trailing":
            return status, stream, begun + failed_event(dialect, text) + failed_event(dialect, text)
        case "broken":
            return status, stream, begun + failed_event(dialect, text)[:-9]
    return status, "application/json", json.dumps(error(dialect, text)).encode()


class Quoting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        kind = re.findall(r"KIND=([a-z0-9-]+)", sent)[-1]
        status, content_type, body = answer(kind, self.path.split("/")[1], words(headers, PROMPT))
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the gateway hangs up on a stream that failed


class Gateway:
    def __init__(self, folder: Path, process: Process) -> None:
        self.folder = folder
        self.process = process
        self.url = process.ready().url
        self.asked = 0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    server = Server(("127.0.0.1", 0), Quoting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_address[1]}"
    lines = ["server: {port: 0}", "store: sqlite:///log.db", "resilience: {retries_same: 0}", "providers:"]
    for dialect in PROVIDERS:
        headers = f"{{x-proof: '{HEADER}', proxy-authorization: 'Basic {BASIC}'}}"
        lines.append(
            f"  {dialect}: {{dialect: {dialect}, base_url: '{at}/{dialect}', api_key: '{KEY}', headers: {headers}}}"
        )
    lines.append("models:")
    lines += [f"  by-{dialect}: {{provider: {dialect}, tier: standard}}" for dialect in PROVIDERS]
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "turnout.yaml").write_text("\n".join(lines))
    with Process("serve", cwd=folder) as process:
        yield Gateway(folder, process)
    server.shutdown()
    server.server_close()


def request_of(client: str, model: str, text: str, *, stream: bool) -> tuple[str, dict[str, Any]]:
    messages = [{"role": "user", "content": text}]
    match client:
        case "openai_chat":
            return "/v1/chat/completions", {"model": model, "messages": messages, "stream": stream}
        case "openai_responses":
            return "/v1/responses", {"model": model, "input": text, "stream": stream}
        case "anthropic":
            return "/v1/messages", {"model": model, "max_tokens": 99, "messages": messages, "stream": stream}
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/models/{model}:{method}", {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def ask(gateway: Gateway, path: str, body: dict[str, Any]) -> bytes:
    request = urllib.request.Request(
        gateway.url + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    gateway.asked += 1
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return str(reply.headers).encode() + bytes(reply.read())
    except urllib.error.HTTPError as failed:
        return str(failed.headers).encode() + failed.read()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_client_sees_a_secret(gateway: Gateway, provider: str, client: str, stream: bool) -> None:
    for kind in KINDS:
        path, body = request_of(client, f"by-{provider}", f"{PROMPT} KIND={kind}", stream=stream)
        got = ask(gateway, path, body)
        assert b"error" in got or b"fail" in got, (kind, got)
        assert not [secret for secret in TOLD_SECRETS if secret in got], (kind, got)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_nor_over_the_websocket(gateway: Gateway, provider: str) -> None:
    async with connect(f"{gateway.url.replace('http', 'ws')}/v1/responses", proxy=None) as socket:
        for kind in KINDS:
            _, body = request_of("openai_responses", f"by-{provider}", f"{PROMPT} KIND={kind}", stream=True)
            await socket.send(json.dumps({"type": "response.create", **body}))
            gateway.asked += 1
            while True:
                got = await asyncio.wait_for(socket.recv(), 20)
                assert isinstance(got, str)
                assert not [secret for secret in TOLD_SECRETS if secret in got.encode()], (kind, got)
                if json.loads(got)["type"] in ("error", "response.failed"):
                    break


@pytest.mark.parametrize(
    "path", ["/v1/embeddings", "/v1/completions", "/v1/moderations", "/v1/images/generations"]
)
def test_nor_at_other_endpoints(gateway: Gateway, path: str) -> None:
    for kind in ("status-400", "status-429", "status-500", "ok-error", "prose-400"):
        text = f"{PROMPT} KIND={kind}"
        got = ask(gateway, path, {"model": "by-openai_chat", "input": text, "prompt": text})
        assert not [secret for secret in TOLD_SECRETS if secret in got], (kind, got)


def test_neither_log_nor_standard_error_hold_a_secret_or_a_prompt(gateway: Gateway) -> None:
    """Runs last: everything above has been asked by then; alone, it asks once more."""
    for kind in KINDS:
        path, body = request_of("openai_chat", "by-openai_chat", f"{PROMPT} KIND={kind}", stream=True)
        ask(gateway, path, body)
    assert gateway.process.stop() == 0
    stored = b"".join(path.read_bytes() for path in gateway.folder.glob("log.db*"))
    printed = "\n".join(gateway.process.lines).encode()
    assert b"invalid_request_error" in stored or b"bad_thing" in stored  # the provider's word is there
    assert b"HTTP 429" in stored and gateway.asked >= len(KINDS)
    for kept in (stored, printed):
        assert not [secret for secret in TOLD_SECRETS if secret in kept]
        assert QUOTED not in kept
