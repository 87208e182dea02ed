"""A provider that speaks Responses itself: what it stored is referred to, what it did not make is spelt out."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.e2e.processes import Process


class Provider(BaseHTTPRequestHandler):
    asked: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        type(self).asked.append((self.path, body))
        number = len(type(self).asked)
        item = {
            "type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": f"answer {number}", "annotations": []}],
        }  # fmt: skip
        thought = {"type": "reasoning", "id": f"rs_{number}", "summary": []}
        reply = {
            "id": f"resp_{number}", "object": "response", "created_at": 1, "status": "completed", "model": "m",
            "output": [thought, item], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
            "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3,
                      "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
        }  # fmt: skip
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[openai.OpenAI, list[tuple[str, dict[str, Any]]]]]:
    Provider.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_address[1]}"
    (tmp_path / "turnout.yaml").write_text(
        "server: {port: 0}\nstore: sqlite:///log.db\nproviders:\n"
        f"  one: {{dialect: openai_responses, base_url: '{at}/one', api_key: secret}}\n"
        f"  two: {{dialect: openai_responses, base_url: '{at}/two', api_key: secret}}\n"
        "models:\n  first: {provider: one, tier: standard}\n  second: {provider: two, tier: standard}\n"
    )
    with Process("serve", cwd=tmp_path) as process:
        with openai.OpenAI(base_url=process.ready().url + "/v1", api_key="any", max_retries=0) as client:
            yield client, Provider.asked
        process.stop()
    server.shutdown()


def test_who_made_it_is_asked_by_reference_and_others_in_full(
    gateway: tuple[openai.OpenAI, list[tuple[str, dict[str, Any]]]],
) -> None:
    client, asked = gateway
    first = client.responses.create(model="first", input="question 1")
    client.responses.create(model="first", input="question 2", previous_response_id=first.id)
    assert asked[1][0] == "/one/responses"
    assert asked[1][1]["previous_response_id"] == first.id
    assert asked[1][1]["input"] == "question 2"
    client.responses.create(model="second", input="question 3", previous_response_id="resp_2")
    path, body = asked[2]
    assert path == "/two/responses"
    assert "previous_response_id" not in body
    said = [
        item["content"] if item["role"] == "user" else item["content"][0]["text"] for item in body["input"]
    ]
    assert said == ["question 1", "answer 1", "question 2", "answer 2", "question 3"]  # and no bare reasoning


def test_an_id_that_turnout_does_not_know_is_the_providers_affair(
    gateway: tuple[openai.OpenAI, list[tuple[str, dict[str, Any]]]],
) -> None:
    client, asked = gateway
    client.responses.create(model="first", input="question", previous_response_id="resp_elsewhere")
    assert asked[0][1]["previous_response_id"] == "resp_elsewhere"


def test_unstored_is_spelt_out_nowhere(
    gateway: tuple[openai.OpenAI, list[tuple[str, dict[str, Any]]]],
) -> None:
    client, _ = gateway
    first = client.responses.create(model="first", input="question", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
