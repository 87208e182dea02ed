"""A new provider of a known dialect is one row of data: served on a real socket, asked by three SDK dialects' worth of clients."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from msgspec.structs import replace

from tests.e2e.harness import Running
from tests.e2e.processes import turnout
from turnout.config import schema
from turnout.config.load import load_text
from turnout.upstream.known import load_known

KNOWN = load_known()
ROW = """
providers:
  house: {dialect: openai_chat, base_url: "URL", api_key: sk-house, quirks: [chat_template_thinking, no_stop]}
models:
  qwen-house: {provider: house, id: qwen3-32b, tier: light, price: {input: 1, output: 2}}
"""
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


class House:
    """A server of one's own that speaks the dialect. `asked` holds (path, headers, body) of every request."""

    def __init__(self) -> None:
        asked = self.asked = list[tuple[str, dict[str, str], dict[str, Any]]]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked.append((self.path, headers, body))
                kind, answer = _streamed() if body.get("stream") else _whole()
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"


def _whole() -> tuple[str, bytes]:
    message = {"role": "assistant", "content": "Hello from the house"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "qwen3-32b",
        "choices": [choice],
    }
    return "application/json", json.dumps({**answer, "usage": USAGE}).encode()


def _streamed() -> tuple[str, bytes]:
    head = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "qwen3-32b"}
    deltas: list[tuple[dict[str, str], str | None]] = [
        ({"role": "assistant", "content": "Hello "}, None),
        ({"content": "from the house"}, None),
        ({}, "stop"),
    ]
    chunks: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in deltas
    ]
    chunks.append({**head, "choices": [], "usage": USAGE})
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    return "text/event-stream", f"{events}data: [DONE]\n\n".encode()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    served = House()
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    thread.join(10)
    served.server.server_close()


@pytest.fixture(scope="module")
def served(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    row = load_text(ROW.replace("URL", house.url), "row.yaml", {}, tuple(KNOWN.providers))

    def change(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
        return replace(config, providers=row.providers, models=row.models, routing=schema.Routing())

    with Running(tmp_path_factory.mktemp("house"), change) as running:
        yield running


def test_openai_sdk(served: Running, house: House) -> None:
    client = openai.OpenAI(base_url=f"{served.url}/v1", api_key="none")
    reply = client.chat.completions.create(model="qwen-house", messages=[{"role": "user", "content": "Hi"}])
    assert reply.choices[0].message.content == "Hello from the house"
    path, headers, body = house.asked[-1]
    assert (path, headers["authorization"], body["model"]) == (
        "/v1/chat/completions",
        "Bearer sk-house",
        "qwen3-32b",
    )


def test_openai_sdk_streamed(served: Running) -> None:
    client = openai.OpenAI(base_url=f"{served.url}/v1", api_key="none")
    chunks = client.chat.completions.create(
        model="house/qwen3-32b", messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "Hello from the house"
    assert served.rows(model="qwen-house")[0].cost_nano == 20_000


def test_anthropic_sdk_and_the_quirks_of_the_row(served: Running, house: House) -> None:
    client = anthropic.Anthropic(base_url=served.url, api_key="none")
    message = client.messages.with_raw_response.create(
        model="qwen-house",
        max_tokens=100,
        messages=[{"role": "user", "content": "Hi"}],
        stop_sequences=["END"],
        thinking={"type": "disabled"},
    )
    assert [block.text for block in message.parse().content if block.type == "text"] == [
        "Hello from the house"
    ]
    body = house.asked[-1][2]
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "stop" not in body
    assert message.headers["x-turnout-dropped"] == "stop"


def test_models_lists_the_whole_catalog_when_all_keys_are_set(tmp_path: Path) -> None:
    keys = {p.key_variable: "sk-1" for p in KNOWN.providers.values() if p.key_variable}
    done = turnout("models", "--json", cwd=tmp_path, **keys)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) >= 50
    assert len({row["provider"] for row in rows}) >= 20
    assert all(row["price_source"] for row in rows)
    assert all(row["input_usd_per_mtok"] is not None for row in rows)
