"""The official Gemini SDK (google-genai), sync and async, against providers of other dialects."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from tests.e2e.harness import Running
from tests.e2e.material import PERSON_SCHEMA, WEATHER_QUESTION, WEATHER_SCHEMA, png

MODELS = ["claude-sonnet-4-6", "gpt-4o", "gpt-oss-120b", "mistral-large"]
TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(
                name="get_weather", description="Weather in a city", parameters_json_schema=WEATHER_SCHEMA
            )
        ]
    )
]


@pytest.fixture
def client(running: Running) -> genai.Client:
    return genai.Client(api_key="any", http_options=types.HttpOptions(base_url=running.url, timeout=20_000))


def config(**more: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(
        system_instruction="Be brief.",
        max_output_tokens=2000,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        **more,
    )


def calls_of(response: types.GenerateContentResponse) -> list[tuple[str, Any]]:
    return [(str(call.name), call.args) for call in response.function_calls or []]


PARIS_AND_TOKYO = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Tokyo"})]


@pytest.mark.parametrize("model", MODELS)
def test_text_and_stream(client: genai.Client, running: Running, model: str) -> None:
    question = "What is the capital of France?"
    whole = client.models.generate_content(model=model, contents=question, config=config())
    assert "Paris" in str(whole.text)
    assert whole.candidates is not None
    assert whole.candidates[0].finish_reason is types.FinishReason.STOP
    assert whole.usage_metadata is not None
    assert whole.usage_metadata.prompt_token_count
    chunks = list(client.models.generate_content_stream(model=model, contents=question, config=config()))
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    last = chunks[-1]
    assert last.usage_metadata is not None
    assert last.usage_metadata.candidates_token_count == whole.usage_metadata.candidates_token_count
    assert last.candidates is not None
    assert last.candidates[0].finish_reason is types.FinishReason.STOP


@pytest.mark.parametrize("model", MODELS)
async def test_async(client: genai.Client, model: str) -> None:
    reply = await client.aio.models.generate_content(model=model, contents="Name the capital of Italy")
    assert "Rome" in str(reply.text)
    stream = await client.aio.models.generate_content_stream(
        model=model, contents="Name the capital of Italy"
    )
    assert "Rome" in "".join([chunk.text or "" async for chunk in stream])
    await client.aio.aclose()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_parallel_tools_round_trip(client: genai.Client, model: str, streamed: bool) -> None:
    contents: list[Any] = [types.Content(role="user", parts=[types.Part.from_text(text=WEATHER_QUESTION)])]
    arguments: dict[str, Any] = {"model": model, "contents": contents, "config": config(tools=TOOLS)}
    if streamed:
        parts = [
            part
            for chunk in client.models.generate_content_stream(**arguments)
            for candidate in chunk.candidates or []
            for part in (candidate.content.parts if candidate.content else None) or []
        ]
    else:
        first = client.models.generate_content(**arguments)
        assert calls_of(first) == PARIS_AND_TOKYO
        assert first.candidates is not None
        assert first.candidates[0].content is not None
        parts = first.candidates[0].content.parts or []
    calls = [part.function_call for part in parts if part.function_call]
    assert [(call.name, call.args) for call in calls] == PARIS_AND_TOKYO
    answers = [
        types.Part(
            function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": weather})
        )
        for call, weather in zip(calls, ("18 degrees, sunny", "25 degrees, rain"), strict=True)
    ]
    contents += [types.Content(role="model", parts=parts), types.Content(role="user", parts=answers)]
    second = client.models.generate_content(**arguments)
    assert "18 degrees" in str(second.text)
    assert "25 degrees" in str(second.text)


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_tool_choice(client: genai.Client, model: str) -> None:
    def asked(mode: str) -> types.GenerateContentResponse:
        calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode(mode))
        choice = types.ToolConfig(function_calling_config=calling)
        return client.models.generate_content(
            model=model, contents=WEATHER_QUESTION, config=config(tools=TOOLS, tool_config=choice)
        )

    assert not calls_of(asked("NONE"))
    assert calls_of(asked("ANY"))


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_images(client: genai.Client, model: str) -> None:
    picture = types.Part.from_bytes(data=base64.b64decode(png(64, 48)), mime_type="image/png")
    reply = client.models.generate_content(model=model, contents=["What do you see?", picture])
    assert "64x48" in str(reply.text)


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_structured_output(client: genai.Client, model: str) -> None:
    shape = config(response_mime_type="application/json", response_json_schema=PERSON_SCHEMA)
    reply = client.models.generate_content(model=model, contents="Invent a person as JSON.", config=shape)
    assert set(json.loads(str(reply.text))) == {"name", "age", "hobbies"}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", ["deepseek-v4-pro", "claude-sonnet-4-6"])
def test_reasoning_is_thought(client: genai.Client, model: str, streamed: bool) -> None:
    thinking = config(thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024))
    arguments: dict[str, Any] = {"model": model, "contents": "What is 17 * 23?", "config": thinking}
    if streamed:
        replies = list(client.models.generate_content_stream(**arguments))
    else:
        replies = [client.models.generate_content(**arguments)]
    parts = [
        part
        for reply in replies
        for candidate in reply.candidates or []
        for part in (candidate.content.parts if candidate.content else None) or []
    ]
    assert "".join(part.text or "" for part in parts if part.thought)
    assert "391" in "".join(part.text or "" for part in parts if not part.thought)
    usage = replies[-1].usage_metadata
    assert usage is not None
    assert usage.candidates_token_count


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_limits_and_stop_sequences(client: genai.Client, model: str) -> None:
    short = types.GenerateContentConfig(max_output_tokens=5)
    cut = client.models.generate_content(model=model, contents="Tell me about trains.", config=short)
    assert cut.candidates is not None
    assert cut.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    stopped = client.models.generate_content(
        model=model, contents="What is the capital of France?", config=config(stop_sequences=["Paris"])
    )
    assert "Paris" not in (stopped.text or "")


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "gpt-4o"])
def test_count_tokens(client: genai.Client, model: str) -> None:
    few = client.models.count_tokens(model=model, contents="Hello")
    many = client.models.count_tokens(model=model, contents="Hello " * 500)
    assert 0 < (few.total_tokens or 0) < (many.total_tokens or 0)


def test_models(client: genai.Client) -> None:
    names = [str(model.name) for model in client.models.list()]
    assert "models/gpt-4o" in names
    assert client.models.get(model="gpt-4o").name == "models/gpt-4o"


def test_auto_and_the_log(client: genai.Client, running: Running) -> None:
    reply = client.models.generate_content(model="auto", contents="What is the capital of France?")
    assert "Paris" in str(reply.text)
    assert reply.sdk_http_response is not None
    headers = {name.lower(): value for name, value in (reply.sdk_http_response.headers or {}).items()}
    row = running.row(headers["x-turnout-request-id"])
    assert (row.dialect, row.requested_model) == ("gemini", "auto")
    assert row.cost_nano


def test_errors_have_the_sdks_own_classes(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as missing:
        client.models.generate_content(model="no-such-model", contents="Hi")
    assert (missing.value.code, missing.value.status) == (404, "NOT_FOUND")
    with pytest.raises(errors.ClientError) as wrong:
        client.models.generate_content(model="gpt-4o", contents="Hi", config={"candidate_count": 99})
    assert wrong.value.code == 400
