"""Nobody takes an invented answer for a real one: where simulated models answer, everything says so."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from tests.e2e.harness import Running
from tests.e2e.processes import Process, turnout
from turnout.config import schema

CHAT = "/v1/chat/completions"


def body(model: str, **more: Any) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        **more,
    }


@pytest.fixture
def nowhere() -> Iterator[str]:
    """A port on which nobody will ever listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_real_key_and_an_unreachable_provider_give_an_error(tmp_path: Path, nowhere: str) -> None:
    proxy = {"HTTPS_PROXY": nowhere, "https_proxy": nowhere}  # so that the test calls nobody
    process = Process("run", "--port", "0", cwd=tmp_path, piped=False, OPENAI_API_KEY="sk-x", **proxy)
    with process:
        url = process.ready().url
        assert "simulated" not in process.wait_for("ready on")
        for model in ("gpt-4o", "auto"):
            reply = httpx2.post(url + CHAT, json=body(model), timeout=30)
            assert reply.status_code in (502, 503), reply.text
            assert "x-turnout-simulated" not in reply.headers
        listed = httpx2.get(url + "/v1/models").json()["data"]
        assert not [m["id"] for m in listed if m["id"].startswith("claude")]
        assert process.stop() == 0


def test_simulate_adds_the_simulated_ones_and_says_so(tmp_path: Path) -> None:
    with Process(
        "run", "--port", "0", "--speed", "0", "--simulate", cwd=tmp_path, OPENAI_API_KEY="sk-x"
    ) as process:
        url = process.ready().url
        line = process.wait_for("ready on")
        assert "simulated" in line and "anthropic" in line.partition("invented:")[2]
        assert "openai" not in line.partition("invented:")[2]
        reply = httpx2.post(url + CHAT, json=body("claude-haiku-4-5"), timeout=30)
        assert reply.headers["x-turnout-simulated"] == "true"
        assert process.stop() == 0


def test_a_key_that_brings_no_model_is_no_reason_to_invent(tmp_path: Path) -> None:
    done = turnout("run", "--port", "0", cwd=tmp_path, AZURE_OPENAI_API_KEY="az")
    assert done.returncode == 2
    assert "AZURE_OPENAI_API_KEY" in done.stderr and "--simulate" in done.stderr


def test_every_way_to_look_says_simulated(tmp_path: Path, running: Running) -> None:
    reply = httpx2.post(running.url + CHAT, json=body("gpt-4o"), timeout=20)
    assert reply.headers["x-turnout-simulated"] == "true"
    assert reply.json()["turnout"]["simulated"] is True
    stream = httpx2.post(running.url + CHAT, json=body("gpt-4o", stream=True), timeout=20)
    assert stream.headers["x-turnout-simulated"] == "true"
    assert '"simulated":true' in stream.text
    vector = httpx2.post(
        running.url + "/v1/embeddings", json={"model": "text-embedding-3-small", "input": "x"}, timeout=20
    )
    assert vector.headers["x-turnout-simulated"] == "true"
    request_id = reply.headers["x-turnout-request-id"]
    assert running.row(request_id).simulated == 1
    store = running.gateway.config.store
    assert "openai/gpt-4o (simulated)" in turnout("logs", "--store", store, "-n", "3", cwd=tmp_path).stdout
    shown = turnout("logs", "--store", store, "--request", request_id, cwd=tmp_path).stdout
    assert json.loads(shown)["simulated"] == 1


def test_what_is_real_is_not_called_simulated(tmp_path: Path) -> None:
    def real(config: schema.Config, urls: dict[str, str]) -> schema.Config:
        providers = {name: replace(provider, simulated=False) for name, provider in config.providers.items()}
        return replace(config, providers=providers)

    with Running(tmp_path, real) as gateway:
        reply = httpx2.post(gateway.url + CHAT, json=body("gpt-4o"), timeout=20)
        assert "x-turnout-simulated" not in reply.headers
        assert "simulated" not in reply.json()["turnout"]
        assert gateway.row(reply.headers["x-turnout-request-id"]).simulated == 0


def test_lists_mark_what_is_simulated(tmp_path: Path) -> None:
    for command in ("models", "providers"):
        assert "openai (simulated)" in turnout(command, cwd=tmp_path).stdout
        assert all(row["simulated"] for row in json.loads(turnout(command, "--json", cwd=tmp_path).stdout))
        real = json.loads(turnout(command, "--json", cwd=tmp_path, OPENAI_API_KEY="sk-x").stdout)
        assert real and not any(row["simulated"] for row in real)
    assert not any(row["base_url"] for row in json.loads(turnout("providers", "--json", cwd=tmp_path).stdout))


def test_init_and_serve_work_without_any_key(tmp_path: Path) -> None:
    assert turnout("init", cwd=tmp_path).returncode == 0
    checked = turnout("check", "--strict", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, ""), "what is simulated needs no key"
    checked = turnout("check", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    with Process("serve", "--port", "0", "--workers", "2", cwd=tmp_path) as process:
        url = process.ready().url
        assert "all simulated" in process.wait_for("ready on")
        assert "Paris" in httpx2.post(url + CHAT, json=body("auto"), timeout=30).text
        assert process.stop() == 0


def test_a_reload_may_want_the_first_simulated_provider(tmp_path: Path) -> None:
    file = tmp_path / "turnout.yaml"
    file.write_text("models: {gpt-4o: {provider: openai}}\nserver: {port: 0}\n")
    with Process("serve", cwd=tmp_path) as process:
        url = process.ready().url
        file.write_text(
            "providers: {groq: {simulated: true}}\nmodels: {gpt-oss-20b: {provider: groq}}\nserver: {port: 0}\n"
        )
        process.wait_for("configuration reloaded")
        assert "Paris" in httpx2.post(url + CHAT, json=body("gpt-oss-20b"), timeout=30).text
        assert process.stop() == 0
