"""The engine as a library, against simulated providers that really listen."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, assert_type

import pytest
from msgspec.structs import replace

import turnout
from tests.e2e.harness import Running
from tests.e2e.material import PERSON_SCHEMA, WEATHER_QUESTION, WEATHER_SCHEMA
from turnout.config import schema
from turnout.config.defaults import demo_config
from turnout.core.record import LogRow
from turnout.store.ports import LogFilter
from turnout.store.sqlite import SqliteStore
from turnout.upstream.known import load_known

QUESTION = "What is the capital of France?"
MODELS = ["gpt-4o", "claude-sonnet-4-6"]
TOOLS: list[Mapping[str, Any]] = [
    {
        "type": "function",
        "function": {"name": "get_weather", "description": "Weather", "parameters": WEATHER_SCHEMA},
    }
]
KEYS = (
    schema.Key(name="cheap", key="cheap-secret", models=("gpt-4o-mini",)),
    schema.Key(name="poor", key="poor-secret", budget_usd=0, team="search"),
)
RESILIENCE = schema.Resilience(backoff_ms=0)


@pytest.fixture
def config(healthy: Running, tmp_path: Path) -> schema.Config:
    found = demo_config(load_known(), healthy.provider_urls, {})
    return replace(found, store=f"sqlite:///{tmp_path}/library.db", resilience=RESILIENCE)


@pytest.fixture
async def client(config: schema.Config) -> AsyncIterator[turnout.Client]:
    async with turnout.Client(config, environ={}) as opened:
        yield opened


@pytest.fixture
def alone(config: schema.Config) -> schema.Config:
    """Models without substitutes."""
    models = {name: replace(model, fallbacks=()) for name, model in config.models.items()}
    return replace(config, models=models, resilience=replace(RESILIENCE, retries_same=0))


def rows(config: schema.Config) -> list[LogRow]:
    """What a closed client has stored, newest first."""
    store = SqliteStore(config.store)
    found = store.query(LogFilter(limit=1000))
    store.close()
    return found


# -- replies
@pytest.mark.parametrize("model", MODELS)
async def test_a_reply(client: turnout.Client, model: str) -> None:
    reply = await client.chat(QUESTION, model=model, tags={"job": "7"})
    assert_type(reply, turnout.Reply)
    assert "Paris" in reply.text
    assert reply.model.endswith(model)
    assert reply.usage is not None and reply.usage.output > 0
    assert reply.cost_usd is not None and reply.cost_usd > 0
    assert [attempt.cause for attempt in reply.attempts] == ["first"]
    assert (reply.finish_reason, reply.tool_calls, reply.notices, reply.refusal) == ("stop", (), (), "")
    assert reply.raw["object"] == "chat.completion"
    assert reply.raw["turnout"]["request_id"] == reply.request_id
    assert reply.message["content"] == reply.text
    assert reply.simulated


@pytest.mark.parametrize("model", MODELS)
async def test_a_stream(client: turnout.Client, model: str) -> None:
    stream = client.stream([{"role": "user", "content": QUESTION}], model=model)
    events = [event async for event in stream]
    assert isinstance(events[0], turnout.Started)
    assert isinstance(events[-1], turnout.Finished)
    text = "".join(event.text for event in events if isinstance(event, turnout.TextDelta))
    reply = await stream.reply()
    assert "Paris" in text
    assert (reply.text, reply.request_id) == (text, stream.request_id)
    assert reply.raw["object"] == "chat.completion"
    whole = await client.chat(QUESTION, model=model)
    assert (reply.usage, reply.cost_usd, reply.finish_reason) == (whole.usage, whole.cost_usd, "stop")
    assert "".join([piece async for piece in client.stream(QUESTION, model=model).text]) == text
    assert (await client.stream(QUESTION, model=model).reply()).text == text


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", MODELS)
async def test_tools_round_trip(client: turnout.Client, model: str, streamed: bool) -> None:
    async def ask() -> turnout.Reply:
        if streamed:
            return await client.stream(messages, model=model, tools=TOOLS).reply()
        return await client.chat(messages, model=model, tools=TOOLS)

    messages: list[Mapping[str, Any]] = [{"role": "user", "content": WEATHER_QUESTION}]
    first = await ask()
    assert [(call.name, call.json()) for call in first.tool_calls] == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Tokyo"}),
    ]
    messages.append(first.message)
    for call, answer in zip(first.tool_calls, ("18 degrees", "25 degrees"), strict=True):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": answer})
    second = await ask()
    assert "18 degrees" in second.text and "25 degrees" in second.text


async def test_tool_calls_come_as_events(client: turnout.Client) -> None:
    events = [
        event async for event in client.stream(WEATHER_QUESTION, model="claude-sonnet-4-6", tools=TOOLS)
    ]
    starts = [event for event in events if isinstance(event, turnout.ToolStart)]
    assert [start.name for start in starts] == ["get_weather", "get_weather"]
    first = [
        event.arguments
        for event in events
        if isinstance(event, turnout.ToolDelta) and event.index == starts[0].index
    ]
    assert json.loads("".join(first)) == {"city": "Paris"}


async def test_reasoning(client: turnout.Client) -> None:
    stream = client.stream(
        "What is 12*12?", model="claude-sonnet-4-6", reasoning_effort="medium", max_tokens=16000
    )
    thought = "".join([event.text async for event in stream if isinstance(event, turnout.ReasoningDelta)])
    reply = await stream.reply()
    assert thought and reply.reasoning == thought


@pytest.mark.parametrize("model", MODELS)
async def test_structured_output(client: turnout.Client, model: str) -> None:
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "person", "schema": PERSON_SCHEMA, "strict": True},
    }
    reply = await client.chat("Invent a person as JSON.", model=model, response_format=wanted)
    assert set(reply.json()) == {"name", "age", "hobbies"}


async def test_embeddings(client: turnout.Client) -> None:
    vectors = await client.embed(["a", "b"], model="text-embedding-3-small", dimensions=8)
    assert_type(vectors, turnout.Embeddings)
    assert [len(vector) for vector in vectors] == [8, 8]
    assert vectors[0] != vectors[1] and list(vectors[0:1]) == [vectors[0]]
    assert vectors.usage is not None and vectors.cost_usd is not None
    assert list(await client.embed("a", model="text-embedding-3-small", dimensions=8)) == [vectors[0]]


async def test_a_route_is_explained_and_nobody_is_asked(
    client: turnout.Client, config: schema.Config, healthy: Running
) -> None:
    before = [healthy.control(name, "GET", "stats")["requests"] for name in healthy.provider_urls]
    plan = await client.route(
        "Translate to French: good morning", compliance=["eu"] if "eu" in config.policies else None
    )
    assert_type(plan, turnout.Explanation)
    assert plan.task is not None and plan.task.name == "translation"
    assert plan.plan.model and plan.plan.fallbacks
    after = [healthy.control(name, "GET", "stats")["requests"] for name in healthy.provider_urls]
    assert [now - then for now, then in zip(after, before, strict=True)] == [0] * len(
        after
    )  # stats do not count
    await client.close()
    assert rows(config) == []


async def test_controls_reach_the_engine(client: turnout.Client, config: schema.Config) -> None:
    reply = await client.chat(
        QUESTION, task="summarization", priority="low", cost_center="lab", tags={"a": "b"}, budget_usd="0.5"
    )
    await client.close()
    (row,) = rows(config)
    assert row.request_id == reply.request_id
    assert (row.task, row.priority, row.cost_center, row.tags) == (
        "summarization",
        "low",
        "lab",
        (("a", "b"),),
    )


# -- other dialects
async def test_any_dialect(client: turnout.Client) -> None:
    message = {"role": "user", "content": QUESTION}
    anthropic = await client.request(
        "/v1/messages", {"model": "gpt-4o", "max_tokens": 99, "messages": [message]}
    )
    assert_type(anthropic, turnout.Response)
    assert "Paris" in anthropic.json()["content"][0]["text"]
    assert anthropic.request_id == anthropic.json()["turnout"]["request_id"]
    gemini = await client.request(
        "/v1beta/models/gpt-4o:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]},
    )
    assert "Paris" in gemini.json()["candidates"][0]["content"]["parts"][0]["text"]
    first = await client.request("/v1/responses", {"model": "gpt-4o", "input": QUESTION})
    again = {"model": "claude-sonnet-4-6", "input": "Thanks", "previous_response_id": first.json()["id"]}
    assert (await client.request("/v1/responses", again)).json()["status"] == "completed"
    kept = await client.request(f"/v1/responses/{first.json()['id']}")
    assert kept.json()["output"] == first.json()["output"]
    count = await client.request(
        "/v1/messages/count_tokens",
        {"model": "gpt-4o", "messages": [message]},
        headers={"X-Turnout-Tags": "a=b"},
    )
    assert count.json()["input_tokens"] > 0
    assert {"auto", "gpt-4o"} <= {
        model["id"] for model in (await client.request("/v1/models")).json()["data"]
    }
    speech = await client.request("/v1/audio/speech", {"model": "tts-1", "input": "Hello", "voice": "alloy"})
    assert speech.headers["content-type"].startswith("audio/") and speech.content
    assert b"turnout_requests_total" in (await client.request("/metrics")).content


async def test_any_dialects_stream(client: turnout.Client) -> None:
    message = {"role": "user", "content": QUESTION}
    asked = {"model": "gpt-4o", "max_tokens": 99, "stream": True, "messages": [message]}
    events = [event async for event in client.request_stream("/v1/messages", asked)]
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")
    spoken = {"model": "gpt-4o-mini-tts", "input": "Hello", "voice": "alloy"}
    assert b"".join([piece async for piece in client.request_stream("/v1/audio/speech", spoken)])


# -- errors
async def test_errors_of_the_caller(client: turnout.Client, config: schema.Config) -> None:
    with pytest.raises(turnout.BudgetExceeded) as poor:
        await client.chat(QUESTION, budget_usd=0)
    assert (poor.value.code, poor.value.status) == ("budget_exceeded", 402)
    with pytest.raises(turnout.BadRequest, match="no model is called 'nobody'") as unknown:
        await client.chat(QUESTION, model="nobody")
    assert (unknown.value.status, unknown.value.failure.param) == (404, "model")
    with pytest.raises(turnout.BadRequest, match="must be one of"):
        await client.stream(QUESTION, priority="urgent").reply()  # type: ignore[arg-type]
    with pytest.raises(turnout.BadRequest):
        await client.chat([{"role": "nobody", "content": "hi"}], model="claude-sonnet-4-6")
    with pytest.raises(turnout.BadRequest) as nowhere:
        await client.request("/v1/nothing", {})
    assert nowhere.value.code == "unknown_route" and nowhere.value.request_id
    with pytest.raises(TypeError):
        await client.chat([{"role": "user", "content": object()}])
    await client.close()
    stored = {row.request_id: row for row in rows(config)}
    assert stored[poor.value.request_id].error == "budget_exceeded"
    assert stored[unknown.value.request_id].status == 404
    assert len(stored) == 4  # what is no call has no row


@pytest.mark.parametrize(
    ("fault", "expected", "code"),
    [
        ({"kind": "status", "status": 429, "retry_after": 7}, turnout.RateLimited, "rate_limited"),
        ({"kind": "status", "status": 500}, turnout.Unavailable, "upstream_error"),
        ({"kind": "status", "status": 400, "message": "No."}, turnout.BadRequest, "upstream_bad_request"),
        ({"kind": "hang"}, turnout.Timeout, "deadline_exceeded"),
    ],
)
async def test_errors_of_a_provider(
    alone: schema.Config,
    healthy: Running,
    fault: dict[str, Any],
    expected: type[turnout.TurnoutError],
    code: str,
) -> None:
    healthy.fault("openai", fault)
    async with turnout.Client(alone, environ={}) as client:
        with pytest.raises(expected) as failed:
            await client.chat(QUESTION, model="gpt-4o", deadline_ms=300, degrade="forbid")
        assert failed.value.code == code
        assert failed.value.request_id.startswith("req_")
        if code == "rate_limited":
            assert failed.value.retry_after_s == 7
    (row,) = rows(alone)
    assert (row.request_id, row.error, row.status) == (failed.value.request_id, code, failed.value.status)


@pytest.mark.parametrize("model", MODELS)
async def test_a_broken_stream_raises_after_what_arrived(
    alone: schema.Config, healthy: Running, model: str
) -> None:
    healthy.fault("openai" if model == "gpt-4o" else "anthropic", {"kind": "cut_after", "chunks": 4})
    async with turnout.Client(alone, environ={}) as client:
        pieces: list[str] = []
        stream = client.stream("Tell me a long story.", model=model)
        with pytest.raises(turnout.Unavailable) as failed:
            async for piece in stream.text:
                pieces.append(piece)  # noqa: PERF401
        assert pieces and failed.value.code == "truncated"
        assert failed.value.request_id == stream.request_id
        with pytest.raises(turnout.Unavailable):
            await stream.reply()
        asked = {
            "model": model,
            "stream": True,
            "messages": [{"role": "user", "content": "Tell me a long story."}],
        }
        events: list[Any] = []
        with pytest.raises(turnout.Unavailable):
            async for event in client.request_stream("/v1/chat/completions", asked):
                events.append(event)  # noqa: PERF401
        assert len(events) > 1


async def test_a_fallback_is_noted(client: turnout.Client, healthy: Running) -> None:
    healthy.fault("openai", {"kind": "status", "status": 500})
    reply = await client.chat(QUESTION, model="gpt-4o")
    assert "Paris" in reply.text and not reply.model.startswith("openai/")
    assert [notice.code for notice in reply.notices]
    assert len(reply.attempts) >= 2 and reply.attempts[0].failure is not None
    stream = client.stream(QUESTION, model="gpt-4o")
    assert (await stream.reply()).notices


# -- cancellation
async def cancelled(running: Running, before: int) -> None:
    await changed(running, "cancelled", before)


async def changed(running: Running, counter: str, before: int) -> None:
    """Wait for a provider's counter, without holding up the loop that makes it count."""
    while (await asyncio.to_thread(running.control, "openai", "GET", "stats"))[counter] == before:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("how", ["task", "timeout", "stream", "loop", "variable", "close", "reader"])
async def test_who_leaves_cancels_the_provider(client: turnout.Client, healthy: Running, how: str) -> None:
    stalls = {"kind": "stall_after", "chunks": 3}
    healthy.fault("openai", {"kind": "hang"} if how in ("task", "timeout") else stalls)
    before = healthy.control("openai", "GET", "stats")["cancelled"]
    stream = client.stream("Tell me a long story.", model="gpt-4o")
    if how == "task":
        seen = healthy.control("openai", "GET", "stats")["requests"]
        task = asyncio.create_task(client.chat(QUESTION, model="gpt-4o"))
        await changed(healthy, "requests", seen)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    elif how == "timeout":
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.chat(QUESTION, model="gpt-4o"), 0.3)
    elif how == "stream":
        async with stream:
            await anext(aiter(stream))
    elif how == "loop":
        async for _ in client.stream("Tell me a long story.", model="gpt-4o"):
            break
    elif how == "variable":
        async for _ in stream.text:
            break
        with pytest.raises(turnout.Unavailable, match="closed before its end"):
            await stream.reply()
    elif how == "close":
        reading = aiter(stream)
        await anext(reading)
        await client.close()
        with pytest.raises(turnout.Unavailable):
            while True:
                await anext(reading)
    else:
        started = asyncio.Event()

        async def read() -> None:
            async for _ in stream:
                started.set()

        reader = asyncio.create_task(read())
        await started.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    await asyncio.wait_for(cancelled(healthy, before), 20)


async def test_who_is_waiting_when_the_client_closes_is_told(
    client: turnout.Client, config: schema.Config, healthy: Running
) -> None:
    healthy.fault("openai", {"kind": "hang"})
    seen = healthy.control("openai", "GET", "stats")["requests"]
    task = asyncio.create_task(client.chat(QUESTION, model="gpt-4o"))
    await changed(healthy, "requests", seen)
    await client.close()
    with pytest.raises(turnout.Unavailable) as failed:
        await task
    assert failed.value.code == "shutting_down"
    (row,) = rows(config)
    assert row.request_id == failed.value.request_id


# -- many, and the log
async def test_many_calls_at_once_have_a_row_each(client: turnout.Client, config: schema.Config) -> None:
    replies = await asyncio.gather(
        *(client.chat(f"{QUESTION} ({n})", model=MODELS[n % 2]) for n in range(100)),
        *(client.stream(QUESTION, model=MODELS[n % 2]).reply() for n in range(100)),
    )
    assert all("Paris" in reply.text for reply in replies)
    assert await client.close()
    stored = {row.request_id: row for row in rows(config)}
    assert stored.keys() == {reply.request_id for reply in replies}
    assert {row.key for row in stored.values()} == {"library"}
    assert sum(row.stream for row in stored.values()) == 100
    costs = [reply.cost_usd or 0 for reply in replies]
    assert sum(row.cost_nano or 0 for row in stored.values()) == pytest.approx(sum(costs) * 1e9)


# -- keys
async def test_a_key_brings_its_rules(config: schema.Config) -> None:
    config = replace(config, keys=KEYS)
    async with turnout.Client(config, key="cheap", environ={}) as client:
        assert (await client.chat(QUESTION)).model == "openai/gpt-4o-mini"
        with pytest.raises(turnout.NoCandidate) as refused:
            await client.chat(QUESTION, model="gpt-4o")
        assert refused.value.code == "forbidden"
        models = (await client.request("/v1/models")).json()["data"]
        assert {model["id"] for model in models if "/" not in model["id"]} >= {"gpt-4o-mini"}
        assert "gpt-4o" not in {model["id"] for model in models}
        with pytest.raises(turnout.BudgetExceeded):
            await client.under("poor").chat(QUESTION)
        assert (await client.under(None).chat(QUESTION, model="gpt-4o")).model == "openai/gpt-4o"
        with pytest.raises(turnout.ConfigurationError, match="there are: cheap, poor") as unknown:
            client.under("cheap-secret")
        assert "cheap-secret" not in str(unknown.value)
    stored = rows(config)
    assert [row.key for row in stored] == ["library", "poor", "cheap", "cheap"]
    assert stored[1].team == "search"


async def test_the_operator_may_name_what_a_provider_keeps(config: schema.Config, healthy: Running) -> None:
    """A key may not: nobody knows whose it is."""
    config = replace(config, keys=KEYS)
    content = [{"type": "file", "file": {"file_id": "file-1"}}, {"type": "text", "text": "Read."}]
    messages: list[Mapping[str, Any]] = [{"role": "user", "content": content}]
    async with turnout.Client(config, environ={}) as client:
        with pytest.raises(turnout.BadRequest, match="of this key's"):
            await client.under("cheap").chat(messages, model="gpt-4o-mini")
        seen = healthy.control("openai", "GET", "stats")["requests"]
        try:
            await client.chat(messages, model="gpt-4o-mini", degrade="forbid")
        except turnout.TurnoutError as error:
            assert "of this key's" not in error.message  # the simulation has no files
        assert healthy.control("openai", "GET", "stats")["requests"] > seen


# -- configurations
async def test_configurations_in_every_form(config: schema.Config, healthy: Running, tmp_path: Path) -> None:
    url = healthy.provider_urls["openai"]
    given: dict[str, Any] = {
        "store": f"sqlite:///{tmp_path}/given.db",
        "providers": {"openai": {"base_url": url, "api_key": "${OPENAI_API_KEY}"}},
        "models": {"gpt-4o": {"provider": "openai"}},
    }
    environ = {"OPENAI_API_KEY": "sim-openai"}
    path = tmp_path / "turnout.yaml"
    path.write_text(json.dumps(given))
    for source in (given, path, str(path)):
        async with turnout.Client(source, environ=environ) as client:
            assert "Paris" in (await client.chat(QUESTION)).text


async def test_without_a_configuration_it_is_as_turnout_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with turnout.Client(environ={}) as client:
        reply = await client.chat("Say hi", model="groq/openai/gpt-oss-20b")
        assert reply.simulated and reply.text
    assert (tmp_path / "turnout.db").exists()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere.yaml", "cannot read nowhere.yaml"),
        ({"modells": {}}, "modells"),
        ({"providers": {"openai": {"api_key": "${NO_SUCH}"}}}, "NO_SUCH"),
        ({"store": "sqlite:////nowhere/at/all.db"}, "nowhere"),
    ],
)
async def test_what_is_wrong_with_a_configuration_is_said(source: Any, says: str) -> None:
    client = turnout.Client(source, environ={})
    with pytest.raises(turnout.ConfigurationError, match=says) as failed:
        await client.open()
    assert failed.value.code == "bad_configuration"
    with pytest.raises(RuntimeError, match="could not start"):
        await client.chat(QUESTION)


async def test_misuse_is_said(config: schema.Config) -> None:
    client = turnout.Client(config, environ={})
    with pytest.raises(RuntimeError, match="not open yet"):
        await client.chat(QUESTION)
    await client.open()
    with pytest.raises(RuntimeError, match="open already"):
        await client.open()
    with pytest.raises(RuntimeError, match="another event loop"):
        await asyncio.to_thread(lambda: asyncio.run(client.route(QUESTION)))
    stream = client.stream(QUESTION)
    assert await client.close()
    assert await client.close()
    for misuse in (client.chat(QUESTION), stream.reply(), client.open()):
        with pytest.raises(RuntimeError, match="is closed"):
            await misuse
    with pytest.raises(RuntimeError, match="is closed"):
        client.stream(QUESTION)


# -- without a loop
@pytest.fixture
def sync(config: schema.Config) -> Iterator[turnout.SyncClient]:
    with turnout.SyncClient(config, environ={}) as opened:
        yield opened


def test_sync_from_eight_threads(sync: turnout.SyncClient, config: schema.Config) -> None:
    def work(number: int) -> list[str]:
        found = [sync.chat(QUESTION, model=MODELS[number % 2]).request_id for _ in range(5)]
        for _ in range(5):
            stream = sync.stream(QUESTION, model=MODELS[number % 2])
            assert "Paris" in "".join(stream.text)
            assert stream.reply().request_id == stream.request_id
            found.append(stream.request_id)
        return found

    with ThreadPoolExecutor(8) as threads:
        ids = [one for found in threads.map(work, range(8)) for one in found]
    assert sync.close()
    assert len(ids) == 80
    assert {row.request_id for row in rows(config)} == set(ids)
    assert not [thread for thread in threading.enumerate() if thread.name == "turnout"]


def test_sync_has_every_method(sync: turnout.SyncClient) -> None:
    public = {name for name in vars(turnout.Client) if not name.startswith("_")}
    assert public == {name for name in vars(turnout.SyncClient) if not name.startswith("_")}
    assert_type(sync.chat(QUESTION, model="gpt-4o"), turnout.Reply)
    assert isinstance(list(sync.stream(QUESTION, model="gpt-4o"))[-1], turnout.Finished)
    assert len(sync.embed(["a", "b"], model="text-embedding-3-small")) == 2
    assert sync.route(QUESTION).plan.model
    assert sync.request("/v1/models").json()["data"]
    asked = {
        "model": "gpt-4o",
        "max_tokens": 9,
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert next(iter(sync.request_stream("/v1/messages", asked)))["type"] == "message_start"
    assert sync.under(None).chat(QUESTION, model="gpt-4o").text
    with pytest.raises(turnout.BudgetExceeded):
        sync.chat(QUESTION, budget_usd=0)
    with pytest.raises(turnout.ConfigurationError):
        sync.under("nobody")


@pytest.mark.parametrize("how", ["loop", "with", "close"])
def test_sync_who_leaves_cancels_the_provider(sync: turnout.SyncClient, healthy: Running, how: str) -> None:
    healthy.fault("openai", {"kind": "stall_after", "chunks": 3})
    before = healthy.control("openai", "GET", "stats")["cancelled"]
    stream = sync.stream("Tell me a long story.", model="gpt-4o")
    if how == "loop":
        for _ in stream:
            break
    elif how == "with":
        with stream:
            next(iter(stream))
    else:
        reading = iter(stream)
        next(reading)
        sync.close()
        with pytest.raises(RuntimeError, match="is closed"):
            next(reading)
    asyncio.run(asyncio.wait_for(cancelled(healthy, before), 20))


def test_sync_a_waiting_thread_is_told_of_the_end(sync: turnout.SyncClient, healthy: Running) -> None:
    healthy.fault("openai", {"kind": "hang"})
    seen = healthy.control("openai", "GET", "stats")["requests"]
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(sync.chat, QUESTION, model="gpt-4o")
        while healthy.control("openai", "GET", "stats")["requests"] == seen:
            pass
        sync.close()
        with pytest.raises(turnout.Unavailable):
            waiting.result(20)


def test_sync_misuse_is_said(config: schema.Config) -> None:
    client = turnout.SyncClient(config, environ={})
    with pytest.raises(RuntimeError, match="not open yet"):
        client.chat(QUESTION)
    client.open()
    with pytest.raises(RuntimeError, match="open already"):
        client.open()
    assert client.close()
    assert client.close()
    for misuse in (client.open, lambda: client.chat(QUESTION)):
        with pytest.raises(RuntimeError, match="is closed"):
            misuse()
    with pytest.raises(turnout.ConfigurationError):
        turnout.SyncClient({"modells": {}}).open()
    assert not [thread for thread in threading.enumerate() if thread.name == "turnout"]
