"""The official Anthropic SDK, sync and async, against providers of both dialects."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import pytest

from tests.e2e.harness import Running
from tests.e2e.material import PERSON_SCHEMA, WEATHER_QUESTION, WEATHER_SCHEMA, png

MODELS = [
    "claude-sonnet-4-6",
    "gpt-4o",
    "gpt-oss-120b",
    "deepseek-v4-flash",
    "mistral-large",
    "gemini-3.8-flash",
]
TOOLS: Any = [{"name": "get_weather", "description": "Weather in a city", "input_schema": WEATHER_SCHEMA}]


@pytest.fixture
def client(running: Running) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=running.url, api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(running: Running) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=running.url, api_key="any", max_retries=0) as made:
        yield made


def ask(model: str, text: str, **more: Any) -> Any:
    return {
        "model": model,
        "max_tokens": 2000,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": text}],
        **more,
    }


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def calls_of(message: Any) -> list[tuple[str, Any]]:
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


PARIS_AND_TOKYO = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Tokyo"})]


@pytest.mark.parametrize("model", MODELS)
def test_text(client: anthropic.Anthropic, running: Running, model: str) -> None:
    raw = client.messages.with_raw_response.create(**ask(model, "What is the capital of France?"))
    message = raw.parse()
    assert "Paris" in text_of(message)
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 0
    row = running.row(raw.headers["x-turnout-request-id"])
    assert (row.input_tokens, row.output_tokens) == (message.usage.input_tokens, message.usage.output_tokens)
    assert row.dialect == "anthropic"
    assert row.cost_nano


@pytest.mark.parametrize("model", MODELS)
async def test_text_async(async_client: anthropic.AsyncAnthropic, model: str) -> None:
    assert "Paris" in text_of(
        await async_client.messages.create(**ask(model, "What is the capital of France?"))
    )


@pytest.mark.parametrize("model", MODELS)
def test_stream(client: anthropic.Anthropic, model: str) -> None:
    whole = client.messages.create(**ask(model, "What is the capital of France?"))
    with client.messages.stream(**ask(model, "What is the capital of France?")) as stream:
        streamed = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert streamed == text_of(final) == text_of(whole)
    assert final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (
        whole.usage.input_tokens,
        whole.usage.output_tokens,
    )


@pytest.mark.parametrize("model", MODELS)
async def test_stream_async(async_client: anthropic.AsyncAnthropic, model: str) -> None:
    async with async_client.messages.stream(**ask(model, "Name the capital of Italy")) as stream:
        assert "Rome" in "".join([text async for text in stream.text_stream])


@pytest.mark.parametrize("model", MODELS)
def test_parallel_tools_round_trip(client: anthropic.Anthropic, model: str) -> None:
    arguments = ask(model, WEATHER_QUESTION, tools=TOOLS)
    first = client.messages.create(**arguments)
    assert first.stop_reason == "tool_use"
    assert calls_of(first) == PARIS_AND_TOKYO
    uses: list[Any] = [block for block in first.content if block.type == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": use.id, "content": answer}
        for use, answer in zip(uses, ("18 degrees, sunny", "25 degrees, rain"), strict=True)
    ]
    arguments["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    second = client.messages.create(**arguments)
    assert second.stop_reason == "end_turn"
    assert "18 degrees" in text_of(second)
    assert "25 degrees" in text_of(second)


@pytest.mark.parametrize("model", MODELS)
def test_parallel_tools_streamed(client: anthropic.Anthropic, model: str) -> None:
    with client.messages.stream(**ask(model, WEATHER_QUESTION, tools=TOOLS)) as stream:
        final = stream.get_final_message()
    assert final.stop_reason == "tool_use"
    assert calls_of(final) == PARIS_AND_TOKYO


@pytest.mark.parametrize("model", MODELS)
async def test_parallel_tools_async(async_client: anthropic.AsyncAnthropic, model: str) -> None:
    message = await async_client.messages.create(
        **ask(model, WEATHER_QUESTION, tools=TOOLS, tool_choice={"type": "any"})
    )
    assert calls_of(message) == PARIS_AND_TOKYO


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_tool_choice_and_no_parallel(client: anthropic.Anthropic, model: str) -> None:
    none = client.messages.create(**ask(model, WEATHER_QUESTION, tools=TOOLS, tool_choice={"type": "none"}))
    assert not calls_of(none)
    choice = {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}
    one = client.messages.create(**ask(model, WEATHER_QUESTION, tools=TOOLS, tool_choice=choice))
    assert len(calls_of(one)) == 1


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o", "gemini-3.1-pro"])
def test_images(client: anthropic.Anthropic, model: str) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png(64, 48)}}
    content = [{"type": "text", "text": "What do you see?"}, picture]
    message = client.messages.create(**ask(model, "", messages=[{"role": "user", "content": content}]))
    assert "64x48" in text_of(message)


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o", "gemini-3.1-pro"])
async def test_structured_output(async_client: anthropic.AsyncAnthropic, model: str) -> None:
    config = {"format": {"type": "json_schema", "schema": PERSON_SCHEMA}}
    message = await async_client.messages.create(
        **ask(model, "Invent a person as JSON.", output_config=config)
    )
    person = json.loads(text_of(message))
    assert set(person) == {"name", "age", "hobbies"}


@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_round_trip_with_its_signature(client: anthropic.Anthropic, streamed: bool) -> None:
    arguments = ask(
        "claude-sonnet-4-6",
        WEATHER_QUESTION,
        tools=TOOLS,
        max_tokens=16000,
        thinking={"type": "enabled", "budget_tokens": 2048},
    )
    if streamed:
        with client.messages.stream(**arguments) as stream:
            first: Any = stream.get_final_message()
    else:
        first = client.messages.create(**arguments)
    assert first.content[0].type == "thinking"
    assert first.content[0].signature
    uses = [block for block in first.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"} for use in uses]
    arguments["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    assert "sunny" in text_of(client.messages.create(**arguments))
    first.content[0].thinking = "something else"
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**arguments)


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_of_the_other_dialect_is_thinking(client: anthropic.Anthropic, streamed: bool) -> None:
    arguments = ask("deepseek-v4-pro", "What is 17 * 23?")
    if streamed:
        with client.messages.stream(**arguments) as stream:
            message: Any = stream.get_final_message()
    else:
        message = client.messages.create(**arguments)
    assert message.content[0].type == "thinking"
    assert message.content[0].thinking
    assert "391" in text_of(message)
    arguments["messages"] += [
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": "Thanks"},
    ]
    assert text_of(client.messages.create(**arguments))


def test_prompt_cache_controls_and_usage(client: anthropic.Anthropic, running: Running) -> None:
    long = "Rules of the house, second edition: " + "be kind and exact. " * 600
    system = [{"type": "text", "text": long, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    rows = []
    for _ in range(2):
        raw = client.messages.with_raw_response.create(**ask("claude-sonnet-4-6", "Hello", system=system))
        usage = raw.parse().usage
        rows.append((usage, running.row(raw.headers["x-turnout-request-id"])))
    (first, first_row), (second, second_row) = rows
    assert first.cache_creation_input_tokens
    assert first_row.cache_write_1h_tokens == first.cache_creation_input_tokens
    assert second.cache_read_input_tokens
    assert second_row.cache_read_tokens == second.cache_read_input_tokens
    assert (second_row.cost_nano or 0) < (first_row.cost_nano or 0)


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_count_tokens(client: anthropic.Anthropic, model: str) -> None:
    few = client.messages.count_tokens(model=model, messages=[{"role": "user", "content": "Hello"}])
    many = client.messages.count_tokens(model=model, messages=[{"role": "user", "content": "Hello " * 500}])
    assert 0 < few.input_tokens < many.input_tokens


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_max_tokens_and_stop_sequences(client: anthropic.Anthropic, model: str) -> None:
    cut = client.messages.create(**ask(model, "Tell me about trains.", max_tokens=5))
    assert cut.stop_reason == "max_tokens"
    stopped = client.messages.create(**ask(model, "What is the capital of France?", stop_sequences=["Paris"]))
    assert "Paris" not in text_of(stopped)


def test_models(client: anthropic.Anthropic) -> None:
    assert "gpt-4o" in [model.id for model in client.models.list()]


def test_errors_have_the_sdks_own_classes(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.messages.create(**ask("no-such-model", "Hi"))
    assert missing.value.body["error"]["type"] == "not_found_error"  # type: ignore[index]
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**ask("claude-sonnet-4-6", "Hi", extra_body={"temperature": "hot"}))
