"""The official OpenAI SDK against every simulated provider that speaks its format."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest

from tests.e2e.material import PERSON_SCHEMA, WEATHER_QUESTION, WEATHER_SCHEMA, png
from tests.sim.conftest import KEY, Providers
from turnout.sim import SIM_MODELS

CHAT = [
    pytest.param(model.provider, model.id, id=model.id)
    for model in SIM_MODELS
    if model.provider != "anthropic" and model.does == "chat"
]
ONE_EACH = [
    ("openai", "gpt-4o"),
    ("groq", "openai/gpt-oss-120b"),
    ("deepseek", "deepseek-v4-flash"),
    ("mistral", "mistral-large-latest"),
    ("google", "gemini-3.8-flash"),
]
TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "get_weather", "description": "Weather in a city", "parameters": WEATHER_SCHEMA},
    }
]
CAPITAL: Any = [{"role": "user", "content": "What is the capital of France?"}]


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize(("provider", "model"), CHAT)
def test_text_and_stream_agree(providers: Providers, provider: str, model: str) -> None:
    with providers.openai(provider) as client:
        whole = client.chat.completions.create(model=model, messages=CAPITAL)
        chunks = list(
            client.chat.completions.create(
                model=model, messages=CAPITAL, stream=True, stream_options={"include_usage": True}
            )
        )
    assert whole.choices[0].message.content == "The capital of France is Paris."
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == [
        "stop"
    ]
    counted = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert whole.usage is not None
    assert {usage.total_tokens for usage in counted} == {whole.usage.total_tokens}


@pytest.mark.parametrize(("provider", "model"), ONE_EACH)
async def test_async(providers: Providers, provider: str, model: str) -> None:
    async with openai.AsyncOpenAI(base_url=providers.urls[provider], api_key=KEY, max_retries=0) as client:
        stream = await client.chat.completions.create(model=model, messages=CAPITAL, stream=True)
        text = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
    assert "Paris" in text


@pytest.mark.parametrize(("provider", "model"), ONE_EACH)
@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_tools_round_trip(providers: Providers, provider: str, model: str, streamed: bool) -> None:
    messages = user(WEATHER_QUESTION)
    with providers.openai(provider) as client:
        if streamed:
            with client.chat.completions.stream(model=model, messages=messages, tools=TOOLS) as stream:
                choice: Any = stream.get_final_completion().choices[0]
        else:
            choice = client.chat.completions.create(model=model, messages=messages, tools=TOOLS).choices[0]
        calls = choice.message.tool_calls
        assert choice.finish_reason == "tool_calls"
        assert [json.loads(call.function.arguments) for call in calls] == [
            {"city": "Paris"},
            {"city": "Tokyo"},
        ]
        assert len({call.id for call in calls}) == 2
        assert all(
            call.id.startswith("call_") if provider != "mistral" else len(call.id) == 9 for call in calls
        )
        messages.append(
            {"role": "assistant", "tool_calls": [call.model_dump(exclude={"index"}) for call in calls]}
        )
        told = ("18 degrees", "25 degrees")
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": text}
            for call, text in zip(calls, told, strict=True)
        ]
        reply = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
    assert all(text in (reply.choices[0].message.content or "") for text in told)


def test_tool_choice(providers: Providers) -> None:
    with providers.openai() as client:

        def calls(**more: Any) -> list[Any]:
            reply = client.chat.completions.create(
                model="gpt-4o", messages=more.pop("messages", user(WEATHER_QUESTION)), tools=TOOLS, **more
            )
            return list(reply.choices[0].message.tool_calls or [])

        assert not calls(tool_choice="none")
        assert not calls(messages=user("Tell me a joke"))
        assert calls(messages=user("Tell me a joke"), tool_choice="required")
        assert calls(
            messages=user("Hi"), tool_choice={"type": "function", "function": {"name": "get_weather"}}
        )
        assert len(calls(parallel_tool_calls=False)) == 1


def test_structured_output(providers: Providers) -> None:
    strict: Any = {
        "type": "json_schema",
        "json_schema": {"name": "person", "schema": PERSON_SCHEMA, "strict": True},
    }
    with providers.openai() as client:
        reply = client.chat.completions.create(
            model="gpt-4o", messages=user("Invent a person."), response_format=strict
        )
        person = json.loads(reply.choices[0].message.content or "")
        assert set(person) == {"name", "age", "hobbies"}
        assert isinstance(person["age"], int)
        loose = client.chat.completions.create(
            model="gpt-4o",
            messages=user("Answer as JSON: is water wet?"),
            response_format={"type": "json_object"},
        )
        assert isinstance(json.loads(loose.choices[0].message.content or ""), dict)
        with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
            client.chat.completions.create(
                model="gpt-4o", messages=user("Hi"), response_format={"type": "json_object"}
            )


def test_images(providers: Providers) -> None:
    def ask(url: str) -> Any:
        parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
        return [{"role": "user", "content": parts}]

    with providers.openai() as client:
        reply = client.chat.completions.create(
            model="gpt-4o", messages=ask("data:image/png;base64," + png(64, 48))
        )
        assert "an image (png, 64x48)" in (reply.choices[0].message.content or "")
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="gpt-4o", messages=ask("data:image/png;base64,@@@@"))


def test_reasoning(providers: Providers) -> None:
    question = user("What is 17 * 23?")
    with providers.openai("deepseek") as client:
        message: Any = (
            client.chat.completions.create(model="deepseek-v4-pro", messages=question).choices[0].message
        )
        assert "391" in message.reasoning_content
        chunks: list[Any] = list(
            client.chat.completions.create(model="deepseek-v4-pro", messages=question, stream=True)
        )
        told = "".join(
            getattr(c.choices[0].delta, "reasoning_content", None) or "" for c in chunks if c.choices
        )
        assert told == message.reasoning_content
    with providers.openai() as other:
        hidden = other.chat.completions.create(model="gpt-5.4", messages=question)
        assert hidden.usage is not None
        assert hidden.usage.completion_tokens_details is not None
        assert hidden.usage.completion_tokens_details.reasoning_tokens
        cut = other.chat.completions.create(model="gpt-5.4", messages=question, max_completion_tokens=10)
        assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("", "length")


def test_limits_of_an_answer(providers: Providers) -> None:
    with providers.openai() as client:
        cut = client.chat.completions.create(
            model="gpt-4o", messages=user("Tell me about trains."), max_tokens=5
        )
        assert cut.choices[0].finish_reason == "length"
        assert cut.usage is not None
        assert cut.usage.completion_tokens == 5
        stopped = client.chat.completions.create(model="gpt-4o", messages=CAPITAL, stop=["Paris"])
        assert stopped.choices[0].message.content == "The capital of France is "
        many = client.chat.completions.create(model="gpt-4o", messages=user("Tell me about trains."), n=2)
        assert len({choice.message.content for choice in many.choices}) == 2


def test_automatic_cache(providers: Providers) -> None:
    messages: Any = [{"role": "system", "content": "Be kind and exact. " * 400}, *CAPITAL]
    with providers.openai() as client:
        first, second = (
            client.chat.completions.create(model="gpt-4o", messages=messages).usage for _ in range(2)
        )
    assert first is not None
    assert first.prompt_tokens_details is not None
    assert first.prompt_tokens_details.cached_tokens == 0
    assert second is not None
    assert second.prompt_tokens_details is not None
    assert 1024 <= (second.prompt_tokens_details.cached_tokens or 0) <= second.prompt_tokens
    with providers.openai("deepseek") as other:
        for _ in range(2):
            usage: Any = other.chat.completions.create(model="deepseek-v4-flash", messages=messages).usage
    assert usage.prompt_cache_hit_tokens + usage.prompt_cache_miss_tokens == usage.prompt_tokens
    assert usage.prompt_cache_hit_tokens


@pytest.mark.parametrize(
    ("provider", "model", "size"),
    [
        ("openai", "text-embedding-3-small", 1536),
        ("openai", "text-embedding-3-large", 3072),
        ("mistral", "mistral-embed", 1024),
    ],
)
def test_embeddings(providers: Providers, provider: str, model: str, size: int) -> None:
    with providers.openai(provider) as client:
        coded = client.embeddings.create(model=model, input=["one", "two"])
        plain = client.embeddings.create(model=model, input="one", encoding_format="float")
    assert [len(row.embedding) for row in coded.data] == [size, size]
    assert plain.data[0].embedding == pytest.approx(coded.data[0].embedding, abs=1e-6)
    assert sum(value * value for value in plain.data[0].embedding) == pytest.approx(1, abs=1e-3)


def test_models(providers: Providers) -> None:
    with providers.openai("google") as client:
        assert "gemini-3.1-pro-preview" in [model.id for model in client.models.list()]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"messages": "Hi"}, "invalid_type"),
    ({"temperature": "hot"}, "invalid_type"),
    ({"temperature": 9}, "invalid_value"),
    ({"max_tokens": 10**6}, "invalid_value"),
    ({"messages": user("word " * 120_000)}, "context_length_exceeded"),
    ({"model": "gpt-5.4", "max_tokens": 5}, "unsupported_parameter"),
    ({"model": "gpt-5.4", "temperature": 0.2}, "unsupported_value"),
    ({"model": "nope"}, "model_not_found"),
]


@pytest.mark.parametrize(("change", "code"), BAD)
def test_refusals(providers: Providers, change: dict[str, Any], code: str) -> None:
    body = {"model": "gpt-4o", "messages": CAPITAL, **change}
    with providers.openai() as client, pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(**body)
    assert caught.value.code == code
    assert isinstance(
        caught.value, openai.NotFoundError if code == "model_not_found" else openai.BadRequestError
    )


def test_tool_messages_must_answer_calls(providers: Providers) -> None:
    orphan: Any = [*CAPITAL, {"role": "tool", "tool_call_id": "call_1", "content": "x"}]
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    unanswered: Any = [*CAPITAL, {"role": "assistant", "tool_calls": [call]}, *CAPITAL]
    with providers.openai() as client:
        with pytest.raises(openai.BadRequestError, match="must be a response"):
            client.chat.completions.create(model="gpt-4o", messages=orphan)
        with pytest.raises(openai.BadRequestError, match="call_1"):
            client.chat.completions.create(model="gpt-4o", messages=unanswered)


def test_fields_that_a_provider_does_not_know(providers: Providers) -> None:
    with providers.openai() as client:
        with pytest.raises(openai.BadRequestError, match="Unrecognized request argument supplied: turnout"):
            client.chat.completions.create(model="gpt-4o", messages=CAPITAL, extra_body={"turnout": {}})
        client.chat.completions.create(model="gpt-4o", messages=CAPITAL, extra_body={"x_unheard_of": 1})
    with providers.openai("mistral") as other, pytest.raises(openai.UnprocessableEntityError):
        other.chat.completions.create(model="mistral-small-latest", messages=CAPITAL, seed=1)


def test_keys(providers: Providers) -> None:
    for provider, model in ONE_EACH:
        with providers.openai(provider, "sim-bad-key") as client, pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(model=model, messages=CAPITAL)
    reply = httpx2.post(providers.urls["openai"] + "/chat/completions", json={})
    assert reply.status_code == 401


@pytest.mark.parametrize(
    ("provider", "status", "pointer"),
    [
        ("openai", 404, ("error", "code")),
        ("groq", 404, ("error", "code")),
        ("deepseek", 400, ("error", "type")),
        ("mistral", 400, ("raw_status_code",)),
        ("google", 404, (0, "error", "status")),
    ],
)
def test_refusals_have_each_providers_shape(
    providers: Providers, provider: str, status: int, pointer: tuple[Any, ...]
) -> None:
    reply = httpx2.post(
        providers.urls[provider] + "/chat/completions",
        json={"model": "nope", "messages": CAPITAL},
        headers={"authorization": f"Bearer {KEY}"},
    )
    assert reply.status_code == status
    value = reply.json()
    for step in pointer:
        value = value[step]
    assert value in ("model_not_found", "invalid_request_error", 400, "NOT_FOUND")


def events(providers: Providers, provider: str, **body: Any) -> list[Any]:
    reply = httpx2.post(
        providers.urls[provider] + "/chat/completions",
        json={"stream": True, "messages": user(WEATHER_QUESTION), **body},
        headers={"authorization": f"Bearer {KEY}"},
    )
    lines = [line.removeprefix("data: ") for line in reply.text.split("\n\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_each_provider_streams_in_its_own_way(providers: Providers) -> None:
    groq = events(providers, "groq", model="openai/gpt-oss-20b", tools=TOOLS)
    assert "x_groq" in groq[0]
    assert groq[-1]["x_groq"]["usage"] == groq[-1]["usage"]
    assert [c["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] for c in groq[1:3]] == [
        '{"city":"Paris"}',
        '{"city":"Tokyo"}',
    ]
    mistral = events(providers, "mistral", model="mistral-large-latest", tools=TOOLS)
    assert len(mistral) == 2
    assert len(mistral[1]["choices"][0]["delta"]["tool_calls"]) == 2
    assert "logprobs" not in mistral[1]["choices"][0]
    assert mistral[1]["usage"]["total_tokens"]
    asked = events(providers, "openai", model="gpt-4o", tools=TOOLS, stream_options={"include_usage": True})
    assert asked[-1]["choices"] == []
    assert asked[0]["usage"] is None
    assert all(event["obfuscation"] for event in asked[:-1])
    unasked = events(providers, "openai", model="gpt-4o", tools=TOOLS)
    assert all("usage" not in event for event in unasked)
    deepseek = events(providers, "deepseek", model="deepseek-v4-flash", tools=TOOLS)
    assert deepseek[0]["usage"] is None
    assert deepseek[-1]["usage"]["prompt_cache_miss_tokens"]
