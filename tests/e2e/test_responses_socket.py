"""Responses over a WebSocket, by the official SDK and by hand: one session, many turns, every rule in force for each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.e2e.harness import Running

MODELS = ["claude-sonnet-4-6", "gpt-4o"]


@pytest.fixture
async def socket(running: Running) -> AsyncIterator[ClientConnection]:
    async with connect(url(running), proxy=None, additional_headers={"authorization": "Bearer any"}) as made:
        yield made


def url(running: Running) -> str:
    return running.url.replace("http://", "ws://") + "/v1/responses"


async def events(socket: ClientConnection, *, until: int = 1) -> list[dict[str, Any]]:
    """Events up to the `until`-th that ends a response."""
    found: list[dict[str, Any]] = []
    while until:
        found.append(json.loads(await asyncio.wait_for(socket.recv(), 20)))
        until -= found[-1]["type"] in (
            "response.completed",
            "response.incomplete",
            "response.failed",
            "error",
        )
    return found


def create(model: str, text: str, **more: Any) -> str:
    return json.dumps({"type": "response.create", "model": model, "input": text, **more})


def text_of(found: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in found if event["type"] == "response.output_text.delta")


async def becomes(running: Running, count: int) -> bool:
    """Does the provider come to have so many requests open?"""
    for _ in range(500):
        if running.control("openai", "GET", "stats")["open"] == count:
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.parametrize("model", MODELS)
async def test_the_official_sdk(running: Running, model: str) -> None:
    async with (
        openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key="any") as client,
        client.responses.connect() as connection,
    ):
        for question, answer in (("What is the capital of France?", "Paris"), ("And of Italy?", "Rome")):
            await connection.response.create(model=model, input=f"{question} Name the capital of Italy")
            text = ""
            async for event in connection:
                if event.type == "response.output_text.delta":
                    text += event.delta
                elif event.type == "response.completed":
                    break
            assert answer in text or "Rome" in text


async def test_turns_are_calls_of_their_own(socket: ClientConnection, running: Running) -> None:
    rows = []
    for model, question, answer in (
        ("claude-sonnet-4-6", "What is the capital of France?", "Paris"),
        ("gpt-4o", "Name the capital of Italy", "Rome"),
        ("auto", "What is the capital of France?", "Paris"),
    ):
        await socket.send(create(model, question))
        found = await events(socket)
        assert answer in text_of(found)
        assert found[-1]["type"] == "response.completed"
        rows.append(running.row(found[-1]["turnout"]["request_id"]))
    assert [row.requested_model for row in rows] == ["claude-sonnet-4-6", "gpt-4o", "auto"]
    assert all(row.cost_nano and row.dialect == "openai_responses" for row in rows)


async def test_lanes_run_side_by_side_and_keep_their_order(socket: ClientConnection) -> None:
    for lane in ("a", "b"):
        for question in ("What is the capital of France?", "Name the capital of Italy"):
            await socket.send(create("gpt-4o", question, stream_id=lane))
    found = await events(socket, until=4)
    for lane in ("a", "b"):
        own = [event for event in found if event["stream_id"] == lane]
        text = text_of(own)
        assert 0 <= text.index("Paris") < text.index("Rome")


@pytest.mark.parametrize(
    ("message", "code", "status"),
    [
        (create("no-such-model", "Hi"), "unknown_model", 404),
        (json.dumps({"type": "response.cancel"}), None, 400),
        (create("gpt-4o", "Hi", stream_id="white space"), None, 400),
        (create("gpt-4o", "Hi", temperature="hot"), None, 400),
        (create("auto", "Hi", turnout={"budget_usd": 0.000000001}), "budget_exceeded", 402),
        ("no JSON", None, 400),
        ("[1]", None, 400),
        ("[" * 100_000, None, 400),
    ],
)
async def test_errors_are_events_and_the_session_goes_on(
    socket: ClientConnection, message: str, code: str | None, status: int
) -> None:
    await socket.send(message)
    error, *_ = await events(socket)
    assert error["type"] == "error"
    assert error["status"] == status
    assert error["error"]["message"]
    assert code is None or error["error"]["code"] == code
    await socket.send(create("gpt-4o", "What is the capital of France?"))
    assert "Paris" in text_of(await events(socket))


async def test_a_deadline_holds_inside_the_session(socket: ClientConnection, running: Running) -> None:
    for provider in running.provider_urls:  # all of them: a hedge would answer in time
        running.fault(provider, {"kind": "slow_first_token", "ms": 5000})
    try:
        await socket.send(create("gpt-4o", "Hi", turnout={"deadline_ms": 200}))
        found = await events(socket)
        assert found[-1]["type"] in ("error", "response.failed")
    finally:
        running.heal()


async def test_a_client_that_leaves_cancels_its_turn(running: Running) -> None:
    running.fault("openai", {"kind": "slow_first_token", "ms": 20_000}, times=1)
    try:
        async with connect(url(running), proxy=None) as socket:
            await socket.send(create("gpt-4o", "Hi"))
            assert await becomes(running, 1)
        assert await becomes(running, 0)
    finally:
        running.heal()


async def test_other_paths_are_no_sockets(running: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(url(running).replace("responses", "chat/completions"), proxy=None)
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body or b"")["error"]["message"]


@pytest.mark.parametrize("model", MODELS)
async def test_a_connection_remembers_what_is_not_stored(
    socket: ClientConnection, running: Running, model: str
) -> None:
    await socket.send(create(model, "What is the capital of France?", store=False))
    first = (await events(socket))[-1]["response"]["id"]
    for _ in range(2):
        await socket.send(create(model, "Thanks", store=False, previous_response_id=first))
        found = await events(socket)
        assert found[-1]["type"] == "response.completed"
    async with connect(url(running), proxy=None) as other:
        await other.send(create(model, "Thanks", previous_response_id=first))
        [error] = await events(other)
        assert error["error"]["code"] == "previous_response_not_found"


async def test_the_bodies_of_a_session_are_bounded_together(running: Running, healthy: Running) -> None:
    running.fault("openai", {"kind": "hang"})
    async with connect(
        url(running), proxy=None, compression=None, additional_headers={"authorization": "Bearer any"}
    ) as made:
        for lane in ("a", "b", "c"):
            await made.send(create("gpt-4o", "x" * 24 * 1024 * 1024, stream_id=lane))
        refused = json.loads(await asyncio.wait_for(made.recv(), 30))
        assert (refused["type"], refused["status"], refused["stream_id"]) == ("error", 400, "c")
        assert "67108864 bytes" in refused["error"]["message"]
        await made.send(create("no-such-model", "Hi", stream_id="d"))
        other = json.loads(await asyncio.wait_for(made.recv(), 30))
        assert (other["status"], other["stream_id"]) == (404, "d")
