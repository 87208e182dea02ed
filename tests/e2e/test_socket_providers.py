"""A provider that is asked over a WebSocket: here another Turnout, whose own provider is simulated."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.e2e.harness import Running
from tests.e2e.material import WEATHER_QUESTION, WEATHER_SCHEMA
from tests.e2e.processes import Process

TOOL: Any = {"type": "function", "name": "get_weather", "parameters": WEATHER_SCHEMA}


def config(base_url: str) -> str:
    return (
        "server: {port: 0}\nstore: sqlite:///log.db\nresilience: {retries_same: 0}\nproviders:\n"
        f"  far: {{dialect: openai_responses, base_url: '{base_url}', api_key: secret, quirks: [websocket],"
        " deadlines: {first_token_ms: 1500, stall_ms: 500}}\n"
        "models:\n  far-model: {provider: far, id: gpt-4o, tier: standard, price: {input: 1, output: 2}}\n"
    )


@pytest.fixture
def gateway(running: Running, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "turnout.yaml").write_text(config(f"{running.url}/v1"))
    with Process("serve", cwd=tmp_path) as process:
        yield process.ready().url
        process.stop()


def test_clients_of_every_kind(gateway: str) -> None:
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key="any", max_retries=0) as client:
        for _ in range(3):
            whole = client.responses.create(model="far-model", input="What is the capital of France?")
            assert "Paris" in whole.output_text
        with client.responses.stream(model="far-model", input="Name the capital of Italy") as stream:
            assert "Rome" in stream.get_final_response().output_text
        calls = client.responses.create(model="far-model", input=WEATHER_QUESTION, tools=[TOOL])
        assert [item.type for item in calls.output].count("function_call") == 2
        chat = client.chat.completions.create(
            model="far-model", messages=[{"role": "user", "content": "What is the capital of France?"}]
        )
        assert "Paris" in str(chat.choices[0].message.content)
        assert chat.usage is not None
        assert chat.usage.completion_tokens
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model="far-model", input="Hi", extra_body={"temperature": "hot"})
        again = client.responses.create(model="far-model", input="What is the capital of France?")
        assert "Paris" in again.output_text
    with anthropic.Anthropic(base_url=gateway, api_key="any", max_retries=0) as other:
        message = other.messages.create(
            model="far-model",
            max_tokens=100,
            messages=[{"role": "user", "content": "Name the capital of Italy"}],
        )
        assert "Rome" in str(message.content)


def test_many_at_once(gateway: str) -> None:
    async def ask(client: openai.AsyncOpenAI, number: int) -> str:
        question = "What is the capital of France?" if number % 2 else "Name the capital of Italy"
        stream = await client.responses.create(model="far-model", input=question, stream=True)
        return "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])

    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{gateway}/v1", api_key="any", max_retries=0) as client:
            return await asyncio.gather(*[ask(client, number) for number in range(40)])

    for number, text in enumerate(asyncio.run(all_of_them())):
        assert ("Paris" if number % 2 else "Rome") in text


def event(kind: str, **more: Any) -> str:
    return json.dumps({"type": kind, "sequence_number": 0, **more})


CREATED = event("response.created", response={"id": "resp_1", "object": "response", "status": "in_progress"})
ITEM = event("response.output_item.added", output_index=0, item={"type": "message", "id": "m", "content": []})
TEXT = event("response.output_text.delta", output_index=0, content_index=0, item_id="m", delta="Hel")


async def silent(ws: ServerConnection) -> None:
    await ws.recv()
    await ws.wait_closed()


async def cut(ws: ServerConnection) -> None:
    await ws.recv()
    for message in (CREATED, ITEM, TEXT):
        await ws.send(message)
    ws.transport.abort()


async def stalls(ws: ServerConnection) -> None:
    await ws.recv()
    for message in (CREATED, ITEM, TEXT):
        await ws.send(message)
    await ws.wait_closed()


async def garbage(ws: ServerConnection) -> None:
    await ws.recv()
    await ws.send("no JSON")
    await ws.wait_closed()


async def closes_at_once(ws: ServerConnection) -> None:
    await ws.recv()


async def limited(ws: ServerConnection) -> None:
    await ws.recv()
    error = {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "Slow down."}
    await ws.send(event("error", status=429, error=error))
    await ws.wait_closed()


async def end(server: Any) -> None:
    server.close()
    await server.wait_closed()


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Callable[[Any], str]]:
    """A gateway in front of a WebSocket server that behaves as told."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    quiet = logging.getLogger("tests.quiet")
    quiet.disabled = True
    started: list[Any] = []

    def start(handler: Any) -> str:
        async def begin() -> tuple[Any, int]:
            server = await serve(handler, "127.0.0.1", 0, logger=quiet)
            return server, next(iter(server.sockets)).getsockname()[1]

        server, port = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
        (tmp_path / "turnout.yaml").write_text(config(f"http://127.0.0.1:{port}/v1"))
        process = Process("serve", cwd=tmp_path).__enter__()
        started.append((server, process))
        return process.ready().url

    yield start
    for server, process in started:
        process.stop()
        process.__exit__(None, None, None)
        asyncio.run_coroutine_threadsafe(end(server), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.mark.parametrize("handler", [silent, garbage, closes_at_once, limited])
def test_failures_before_content_have_a_status(hostile: Callable[[Any], str], handler: Any) -> None:
    with openai.OpenAI(base_url=hostile(handler) + "/v1", api_key="any", max_retries=0, timeout=20) as client:
        with pytest.raises(openai.APIStatusError) as failed:
            client.responses.create(model="far-model", input="Hi")
        assert failed.value.status_code == (429 if handler is limited else failed.value.status_code)
        assert failed.value.status_code in (429, 502, 504)


@pytest.mark.parametrize("handler", [cut, stalls])
def test_a_broken_session_is_never_a_success(hostile: Callable[[Any], str], handler: Any) -> None:
    with openai.OpenAI(base_url=hostile(handler) + "/v1", api_key="any", max_retries=0, timeout=20) as client:
        seen: list[str] = []
        with pytest.raises(openai.APIError):
            seen.extend(
                found.type for found in client.responses.create(model="far-model", input="Hi", stream=True)
            )
        assert "response.output_text.delta" in seen
        assert "response.completed" not in seen
