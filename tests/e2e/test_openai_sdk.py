"""The official OpenAI SDK, sync and async, against providers of both dialects."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.e2e.harness import Running
from tests.e2e.material import PERSON_SCHEMA, WEATHER_QUESTION, WEATHER_SCHEMA, png

MODELS = [
    "gpt-4o",
    "gpt-oss-120b",
    "deepseek-v4-flash",
    "mistral-large",
    "gemini-3.8-flash",
    "claude-sonnet-4-6",
]
TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "get_weather", "description": "Weather in a city", "parameters": WEATHER_SCHEMA},
    }
]
JSON_FORMAT: Any = {
    "type": "json_schema",
    "json_schema": {"name": "person", "schema": PERSON_SCHEMA, "strict": True},
}


@pytest.fixture
def client(running: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=running.url + "/v1", api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(running: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=running.url + "/v1", api_key="any", max_retries=0) as made:
        yield made


def user(text: str) -> Any:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


@pytest.mark.parametrize("model", MODELS)
def test_text(client: openai.OpenAI, running: Running, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=user("What is the capital of France?")
    )
    reply = raw.parse()
    assert "Paris" in (reply.choices[0].message.content or "")
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.prompt_tokens > 0
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    row = running.row(raw.headers["x-turnout-request-id"])
    assert row.served_model == raw.headers["x-turnout-model"]
    assert row.cost_nano
    assert float(raw.headers["x-turnout-cost-usd"]) == pytest.approx(row.cost_nano / 1e9)
    assert row.output_tokens == reply.usage.completion_tokens


@pytest.mark.parametrize("model", MODELS)
async def test_text_async(async_client: openai.AsyncOpenAI, model: str) -> None:
    reply = await async_client.chat.completions.create(
        model=model, messages=user("What is the capital of France?")
    )
    assert "Paris" in (reply.choices[0].message.content or "")


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_stream(client: openai.OpenAI, model: str, usage: bool) -> None:
    extra: Any = {"stream_options": {"include_usage": True}} if usage else {}
    whole = client.chat.completions.create(model=model, messages=user("What is the capital of France?"))
    with client.chat.completions.create(
        model=model, messages=user("What is the capital of France?"), stream=True, **extra
    ) as stream:
        chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    reasons = [
        chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason
    ]
    assert reasons == ["stop"]
    counted = [chunk.usage for chunk in chunks if chunk.usage is not None]
    if usage:
        assert counted[-1] == whole.usage or counted[-1].total_tokens == whole.usage.total_tokens  # type: ignore[union-attr]
    else:
        assert not [chunk for chunk in chunks if not chunk.choices and chunk.usage is not None]


@pytest.mark.parametrize("model", MODELS)
async def test_stream_async(async_client: openai.AsyncOpenAI, model: str) -> None:
    stream = await async_client.chat.completions.create(
        model=model, messages=user("Name the capital of Italy"), stream=True
    )
    text = ""
    async for chunk in stream:
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
    assert "Rome" in text


def calls_of(message: Any) -> list[tuple[str, Any]]:
    return [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or []]


@pytest.mark.parametrize("model", MODELS)
def test_parallel_tools_round_trip(client: openai.OpenAI, model: str) -> None:
    messages = user(WEATHER_QUESTION)
    first = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
    choice = first.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert calls_of(choice.message) == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Tokyo"}),
    ]
    messages.append(choice.message.model_dump(exclude_none=True))
    for call, answer in zip(
        choice.message.tool_calls or [], ("18 degrees, sunny", "25 degrees, rain"), strict=True
    ):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": answer})
    second = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
    assert second.choices[0].finish_reason == "stop"
    assert "18 degrees" in (second.choices[0].message.content or "")
    assert "25 degrees" in (second.choices[0].message.content or "")


@pytest.mark.parametrize("model", MODELS)
def test_parallel_tools_streamed(client: openai.OpenAI, model: str) -> None:
    with client.chat.completions.stream(model=model, messages=user(WEATHER_QUESTION), tools=TOOLS) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].finish_reason == "tool_calls"
    assert calls_of(final.choices[0].message) == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Tokyo"}),
    ]


@pytest.mark.parametrize("model", MODELS)
async def test_parallel_tools_async(async_client: openai.AsyncOpenAI, model: str) -> None:
    reply = await async_client.chat.completions.create(
        model=model, messages=user(WEATHER_QUESTION), tools=TOOLS, tool_choice="required"
    )
    assert [arguments["city"] for _, arguments in calls_of(reply.choices[0].message)] == ["Paris", "Tokyo"]


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-6"])
def test_tool_choice_and_no_parallel(client: openai.OpenAI, model: str) -> None:
    none = client.chat.completions.create(
        model=model, messages=user(WEATHER_QUESTION), tools=TOOLS, tool_choice="none"
    )
    assert not none.choices[0].message.tool_calls
    named: Any = {"type": "function", "function": {"name": "get_weather"}}
    one = client.chat.completions.create(
        model=model,
        messages=user(WEATHER_QUESTION),
        tools=TOOLS,
        tool_choice=named,
        parallel_tool_calls=False,
    )
    assert len(one.choices[0].message.tool_calls or []) == 1


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-6", "gemini-3.1-pro"])
def test_images(client: openai.OpenAI, model: str) -> None:
    content = [
        {"type": "text", "text": "What do you see?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + png(64, 48), "detail": "low"}},
    ]
    reply = client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])  # type: ignore[list-item, misc]
    assert "64x48" in (reply.choices[0].message.content or "")


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-6", "gemini-3.1-pro"])
def test_structured_output(client: openai.OpenAI, model: str) -> None:
    reply = client.chat.completions.create(
        model=model, messages=user("Invent a person as JSON."), response_format=JSON_FORMAT
    )
    person = json.loads(reply.choices[0].message.content or "")
    assert set(person) == {"name", "age", "hobbies"}
    assert isinstance(person["age"], int)


class Person(BaseModel):
    name: str
    age: int


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-6"])
async def test_structured_output_parsed_async(async_client: openai.AsyncOpenAI, model: str) -> None:
    reply = await async_client.chat.completions.parse(
        model=model, messages=user("Invent a person."), response_format=Person
    )
    assert isinstance(reply.choices[0].message.parsed, Person)


def test_reasoning_text_and_tokens(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="deepseek-v4-pro", messages=user("What is 17 * 23?"))
    message: Any = reply.choices[0].message
    assert message.reasoning_content
    assert "391" in (message.content or "")
    hidden = client.chat.completions.create(
        model="gpt-5.4", messages=user("What is 17 * 23?"), reasoning_effort="low"
    )
    assert hidden.usage is not None
    assert hidden.usage.completion_tokens_details is not None
    assert hidden.usage.completion_tokens_details.reasoning_tokens


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_of_the_other_dialect_survives_a_round_trip(
    client: openai.OpenAI, running: Running, streamed: bool
) -> None:
    """Thinking, its signature and a tool call go through an OpenAI client's history back to Anthropic, which checks them."""
    messages = user(WEATHER_QUESTION)
    arguments: Any = {
        "model": "claude-sonnet-4-6",
        "messages": messages,
        "tools": TOOLS,
        "reasoning_effort": "medium",
        "max_tokens": 16000,
    }
    if streamed:
        with client.chat.completions.stream(**arguments) as stream:
            details: list[Any] = []
            for event in stream:
                if event.type == "chunk" and event.chunk.choices:
                    details += getattr(event.chunk.choices[0].delta, "reasoning_details", None) or []
            message: Any = stream.get_final_completion().choices[0].message
        kept = message.model_dump(exclude_none=True)
        kept.pop("parsed", None)
        text = "".join(detail.get("text") or "" for detail in details)
        signature = "".join(detail.get("signature") or "" for detail in details)
        kept["reasoning_details"] = [
            {
                "type": "reasoning.text",
                "text": text,
                "signature": signature,
                "format": "anthropic-claude-v1",
                "index": 0,
            }
        ]
    else:
        message = client.chat.completions.create(**arguments).choices[0].message
        kept = message.model_dump(exclude_none=True)
        assert kept["reasoning_details"][0]["signature"]
    messages.append(kept)
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
    reply = client.chat.completions.create(**{**arguments, "messages": messages})
    assert "sunny" in (reply.choices[0].message.content or "")
    sent = running.control("anthropic", "GET", "requests?last=1")["requests"][-1]["body"]
    sent = json.loads(sent) if isinstance(sent, str) else sent
    thinking = [
        b
        for m in sent["messages"]
        if m["role"] == "assistant"
        for b in m["content"]
        if b["type"] == "thinking"
    ]
    assert thinking
    assert thinking[0]["signature"]


def test_prompt_cache_usage(client: openai.OpenAI, running: Running) -> None:
    long = "Rules of the house: " + "be kind and exact. " * 600
    messages: Any = [{"role": "system", "content": long}, {"role": "user", "content": "Hello"}]
    for _ in range(2):
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=messages)
    usage = raw.parse().usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens
    row = running.row(raw.headers["x-turnout-request-id"])
    assert row.cache_read_tokens == usage.prompt_tokens_details.cached_tokens
    assert (row.input_tokens or 0) + (row.cache_read_tokens or 0) == usage.prompt_tokens


def test_embeddings(client: openai.OpenAI, running: Running) -> None:
    raw = client.embeddings.with_raw_response.create(model="text-embedding-3-small", input=["one", "two"])
    reply = raw.parse()
    assert len(reply.data) == 2
    assert len(reply.data[0].embedding) > 100
    row = running.row(raw.headers["x-turnout-request-id"])
    assert (row.op, row.input_tokens) == ("embeddings", reply.usage.prompt_tokens)
    assert row.cost_nano


def test_models(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "auto" in names
    assert "claude-sonnet-4-6" in names
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


def test_auto_is_routed_and_annotated(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=user("Hi"))
    reply: Any = raw.parse()
    assert raw.headers["x-turnout-tier"] == "light"
    assert reply.turnout["model"] == raw.headers["x-turnout-model"]
    assert reply.turnout["request_id"] == raw.headers["x-turnout-request-id"]
    assert reply.turnout["cost_usd"] == pytest.approx(float(raw.headers["x-turnout-cost-usd"]))


def test_stream_annotation_is_in_the_first_and_last_chunk(client: openai.OpenAI) -> None:
    for model in ("gpt-4o", "claude-sonnet-4-6"):
        chunks: list[Any] = list(
            client.chat.completions.create(model=model, messages=user("Hi"), stream=True)
        )
        marked = [chunk for chunk in chunks if getattr(chunk, "turnout", None)]
        assert marked[0] is chunks[0]
        assert marked[-1] is chunks[-1]
        assert marked[-1].turnout["cost_usd"] > 0


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-6"])
def test_max_tokens_and_stop(client: openai.OpenAI, model: str) -> None:
    cut = client.chat.completions.create(model=model, messages=user("Tell me about trains."), max_tokens=5)
    assert cut.choices[0].finish_reason == "length"
    stopped = client.chat.completions.create(
        model=model, messages=user("What is the capital of France?"), stop=["Paris"]
    )
    assert "Paris" not in (stopped.choices[0].message.content or "")
    assert stopped.choices[0].finish_reason == "stop"


def test_n_choices(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="gpt-4o", messages=user("Hi"), n=2)
    assert [choice.index for choice in reply.choices] == [0, 1]


def test_dropped_fields_are_told(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="claude-sonnet-4-6", messages=user("Hi"), seed=7, logit_bias={"1": 1}
    )
    assert "seed" in raw.headers["x-turnout-dropped"]


def test_errors_have_the_sdks_own_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="no-such-model", messages=user("Hi"))
    assert missing.value.code == "unknown_model"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="gpt-4o", messages="Hi")  # type: ignore[arg-type]
    assert wrong.value.status_code == 400
    with pytest.raises(openai.BadRequestError) as controls:
        client.chat.completions.create(
            model="gpt-4o", messages=user("Hi"), extra_headers={"x-turnout-priority": "urgent"}
        )
    assert controls.value.param == "x-turnout-priority"
