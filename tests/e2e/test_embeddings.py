"""Embeddings by the OpenAI SDK, of providers that have shapes of their own: real sockets on both sides."""

from __future__ import annotations

import base64
import json
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.e2e.processes import Process

VECTORS = [[0.5, -0.25, 1.0], [0.0, 2.0, -4.0]]
REPLIES: dict[str, Any] = {
    "/v2/embed": {
        "id": "e1", "response_type": "embeddings_by_type", "texts": [],
        "embeddings": {"float": VECTORS}, "meta": {"billed_units": {"input_tokens": 7}},
    },
    "/api/embed": {"model": "m", "embeddings": VECTORS, "prompt_eval_count": 7},
    "/v1beta/models/m-gemini:batchEmbedContents": {
        "embeddings": [{"values": row} for row in VECTORS], "usageMetadata": {"promptTokenCount": 7},
    },
    "/v1/embeddings": {
        "object": "list", "model": "m", "usage": {"prompt_tokens": 7, "total_tokens": 7},
        "data": [{"object": "embedding", "index": n, "embedding": row} for n, row in enumerate(VECTORS)],
    },
}  # fmt: skip


class Provider(BaseHTTPRequestHandler):
    """Plays every provider: the path says which."""

    asked: dict[str, Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).asked[self.path] = json.loads(body)
        found = REPLIES.get(self.path)
        reply = json.dumps(found or {"message": "no such path"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[openai.OpenAI, dict[str, Any]]]:
    Provider.asked = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_address[1]}"
    folder: Path = tmp_path_factory.mktemp("embeddings")
    bases = {"cohere": at, "ollama": at, "gemini": at, "mistral": f"{at}/v1"}
    lines = ["server: {port: 0}", "store: sqlite:///log.db", "providers:"]
    lines += [f"  my-{d}: {{dialect: {d}, base_url: '{base}', api_key: secret}}" for d, base in bases.items()]
    lines.append("models:")
    price = "price: {input: 0.1, output: 0}"
    lines += [
        f"  e-{d}: {{provider: my-{d}, id: m-{d}, tier: light, capabilities: [embeddings], {price}}}"
        for d in bases
    ]
    lines += [f"  plain-bedrock: {{provider: my-bedrock, id: m, tier: light, {price}}}"]
    lines.insert(3, f"  my-bedrock: {{dialect: bedrock, base_url: '{at}', api_key: secret, signer: bearer}}")
    (folder / "turnout.yaml").write_text("\n".join(lines) + "\n")
    with Process("serve", cwd=folder) as process:
        url = process.ready().url
        with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
            yield client, Provider.asked
        process.stop()
    server.shutdown()


def floats(embedding: Any) -> list[float]:
    """The SDK leaves base64 as it is where the caller asked for it."""
    if isinstance(embedding, str):
        data = base64.b64decode(embedding)
        return list(struct.unpack(f"<{len(data) // 4}f", data))
    return list(embedding)


@pytest.mark.parametrize("dialect", ["cohere", "ollama", "gemini", "mistral"])
@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_vectors_arrive(gateway: tuple[openai.OpenAI, dict[str, Any]], dialect: str, encoding: Any) -> None:
    client, asked = gateway
    more: Any = {} if encoding is None else {"encoding_format": encoding}
    raw = client.embeddings.with_raw_response.create(
        model=f"e-{dialect}", input=["one", "two"], dimensions=3, **more
    )
    reply = raw.parse()
    assert [floats(row.embedding) for row in reply.data] == VECTORS
    assert reply.usage.prompt_tokens == 7
    assert float(raw.headers["x-turnout-cost-usd"]) == pytest.approx(7 * 0.1 / 1e6)
    sent = json.dumps(asked)
    assert '"one"' in sent
    assert '"two"' in sent


def test_who_makes_no_embeddings_says_so(gateway: tuple[openai.OpenAI, dict[str, Any]]) -> None:
    client, _ = gateway
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="plain-bedrock", input="one")
    assert "not supported" in str(refused.value)
