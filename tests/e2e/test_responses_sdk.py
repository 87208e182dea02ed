"""The official OpenAI SDK's Responses API, sync and async, against providers of other dialects."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.e2e.harness import Running
from tests.e2e.material import PERSON_SCHEMA, WEATHER_QUESTION, WEATHER_SCHEMA, png

MODELS = ["claude-sonnet-4-6", "gpt-4o", "gpt-oss-120b", "mistral-large"]
TOOLS: Any = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "Weather in a city",
        "parameters": WEATHER_SCHEMA,
    }
]


@pytest.fixture
def client(running: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(running: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def calls_of(response: Any) -> list[tuple[str, Any]]:
    return [(i.name, json.loads(i.arguments)) for i in response.output if i.type == "function_call"]


PARIS_AND_TOKYO = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Tokyo"})]


@pytest.mark.parametrize("model", MODELS)
def test_text(client: openai.OpenAI, running: Running, model: str) -> None:
    raw = client.responses.with_raw_response.create(
        model=model, instructions="Be brief.", input="What is the capital of France?"
    )
    response = raw.parse()
    assert "Paris" in response.output_text
    assert response.status == "completed"
    assert response.usage is not None
    row = running.row(raw.headers["x-turnout-request-id"])
    assert (row.input_tokens, row.output_tokens) == (
        response.usage.input_tokens,
        response.usage.output_tokens,
    )
    assert row.dialect == "openai_responses"
    assert row.cost_nano


@pytest.mark.parametrize("model", MODELS)
def test_stream_adds_up_to_the_whole(client: openai.OpenAI, model: str) -> None:
    arguments: dict[str, Any] = {"model": model, "input": "What is the capital of France?"}
    whole = client.responses.create(**arguments)
    with client.responses.stream(**arguments) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == final.output_text == whole.output_text
    assert events[-1].type == "response.completed"
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(numbers)
    assert final.usage is not None
    assert whole.usage is not None
    assert final.usage.output_tokens == whole.usage.output_tokens


@pytest.mark.parametrize("model", MODELS)
async def test_async(async_client: openai.AsyncOpenAI, model: str) -> None:
    reply = await async_client.responses.create(model=model, input="Name the capital of Italy")
    assert "Rome" in reply.output_text
    stream = await async_client.responses.create(model=model, input="Name the capital of Italy", stream=True)
    text = [event.delta async for event in stream if event.type == "response.output_text.delta"]
    assert "Rome" in "".join(text)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_parallel_tools_round_trip(client: openai.OpenAI, model: str, streamed: bool) -> None:
    items: list[Any] = [{"role": "user", "content": WEATHER_QUESTION}]
    arguments: dict[str, Any] = {"model": model, "input": items, "tools": TOOLS}
    if streamed:
        with client.responses.stream(**arguments) as stream:
            first: Any = stream.get_final_response()
    else:
        first = client.responses.create(**arguments)
    assert calls_of(first) == PARIS_AND_TOKYO
    calls = [item for item in first.output if item.type == "function_call"]
    items += [item.to_dict() for item in first.output]
    items += [
        {"type": "function_call_output", "call_id": call.call_id, "output": answer}
        for call, answer in zip(calls, ("18 degrees, sunny", "25 degrees, rain"), strict=True)
    ]
    for item in items:
        item.pop("parsed_arguments", None)
    second = client.responses.create(**arguments)
    assert "18 degrees" in second.output_text
    assert "25 degrees" in second.output_text


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_tool_choice(client: openai.OpenAI, model: str) -> None:
    def asked(choice: Any, **more: Any) -> Any:
        return client.responses.create(
            model=model, input=WEATHER_QUESTION, tools=TOOLS, tool_choice=choice, **more
        )

    assert not calls_of(asked("none"))
    assert calls_of(asked("required"))
    named = asked({"type": "function", "name": "get_weather"}, parallel_tool_calls=False)
    assert len(calls_of(named)) == 1


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_images(client: openai.OpenAI, model: str) -> None:
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{png(64, 48)}", "detail": "auto"}
    content: Any = [{"type": "input_text", "text": "What do you see?"}, picture]
    reply = client.responses.create(model=model, input=[{"role": "user", "content": content}])
    assert "64x48" in reply.output_text


class Person(BaseModel):
    name: str
    age: int
    hobbies: list[str]


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_structured_output(client: openai.OpenAI, model: str) -> None:
    parsed = client.responses.parse(model=model, input="Invent a person as JSON.", text_format=Person)
    assert isinstance(parsed.output_parsed, Person)
    shape: Any = {
        "format": {"type": "json_schema", "name": "person", "schema": PERSON_SCHEMA, "strict": True}
    }
    reply = client.responses.create(model=model, input="Invent a person as JSON.", text=shape)
    assert set(json.loads(reply.output_text)) == {"name", "age", "hobbies"}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", ["deepseek-v4-pro", "claude-sonnet-4-6"])
def test_reasoning_round_trip(client: openai.OpenAI, model: str, streamed: bool) -> None:
    items: list[Any] = [{"role": "user", "content": "What is 17 * 23?"}]
    arguments: dict[str, Any] = {
        "model": model,
        "input": items,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 16_000,
    }
    if streamed:
        with client.responses.stream(**arguments) as stream:
            first: Any = stream.get_final_response()
    else:
        first = client.responses.create(**arguments)
    thoughts = [item for item in first.output if item.type == "reasoning"]
    shown = [part.text for item in thoughts for part in (*item.summary, *(item.content or ()))]
    assert "".join(shown)
    assert "391" in first.output_text
    if model == "deepseek-v4-pro":  # the other does not say
        assert first.usage.output_tokens_details.reasoning_tokens
    items += [item.to_dict() for item in first.output]
    items.append({"role": "user", "content": "Thanks"})
    assert client.responses.create(**arguments).output_text


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_output_limit_is_incomplete(client: openai.OpenAI, model: str) -> None:
    cut = client.responses.create(model=model, input="Tell me about trains.", max_output_tokens=16)
    assert cut.status == "incomplete"
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"
    with client.responses.stream(model=model, input="Tell me about trains.", max_output_tokens=16) as stream:
        assert list(stream)[-1].type == "response.incomplete"


def test_auto(client: openai.OpenAI) -> None:
    reply = client.responses.create(model="auto", input="What is the capital of France?")
    assert "Paris" in reply.output_text


def test_errors_have_the_sdks_own_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="no-such-model", input="Hi")
    with pytest.raises(openai.BadRequestError) as wrong:
        client.responses.create(model="gpt-4o", input="Hi", extra_body={"temperature": "hot"})
    assert wrong.value.param == "temperature"


# -- previous_response_id


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_a_conversation_by_reference(client: openai.OpenAI, model: str, streamed: bool) -> None:
    """A tool's result is sent by itself: the call that it answers is remembered, for providers that remember nothing."""
    arguments: dict[str, Any] = {"model": model, "tools": TOOLS}
    if streamed:
        with client.responses.stream(input=WEATHER_QUESTION, **arguments) as stream:
            first: Any = stream.get_final_response()
    else:
        first = client.responses.create(input=WEATHER_QUESTION, **arguments)
    results: Any = [
        {"type": "function_call_output", "call_id": item.call_id, "output": answer}
        for item, answer in zip(
            [item for item in first.output if item.type == "function_call"],
            ("18 degrees, sunny", "25 degrees, rain"),
            strict=True,
        )
    ]
    other = "gpt-4o" if model.startswith("claude") else "claude-sonnet-4-6"
    for answering in (model, other):  # and the conversation may move
        arguments["model"] = answering
        second = client.responses.create(previous_response_id=first.id, input=results, **arguments)
        assert "18 degrees" in second.output_text
        assert "25 degrees" in second.output_text
        third = client.responses.create(previous_response_id=second.id, input="Thanks", **arguments)
        assert third.output_text


def test_stored_responses_can_be_read_and_deleted(client: openai.OpenAI) -> None:
    first = client.responses.create(model="gpt-4o", input="What is the capital of France?")
    second = client.responses.create(model="gpt-4o", input="Thanks", previous_response_id=first.id)
    assert client.responses.retrieve(first.id).output_text == first.output_text
    items = list(client.responses.input_items.list(second.id, order="asc"))
    assert [item.type for item in items] == ["message", "message", "message"]
    client.responses.delete(first.id)
    for gone in (client.responses.retrieve, client.responses.delete):
        with pytest.raises(openai.NotFoundError):
            gone(first.id)
    with pytest.raises(openai.BadRequestError) as missing:
        client.responses.create(model="gpt-4o", input="Thanks", previous_response_id=first.id)
    assert missing.value.code == "previous_response_not_found"
    assert client.responses.create(model="gpt-4o", input="Thanks", previous_response_id=second.id).output_text


def test_what_is_not_stored_cannot_be_referred_to(client: openai.OpenAI) -> None:
    first = client.responses.create(model="gpt-4o", input="Hello", store=False)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="gpt-4o", input="Thanks", previous_response_id=first.id)


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_count_tokens(client: openai.OpenAI, model: str) -> None:
    few = client.responses.input_tokens.count(model=model, input="Hello")
    many = client.responses.input_tokens.count(model=model, input="Hello " * 500)
    assert 0 < few.input_tokens < many.input_tokens
