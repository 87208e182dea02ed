"""The official Anthropic SDK against the simulated provider."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import pytest

from tests.e2e.material import PERSON_SCHEMA, WEATHER_QUESTION, WEATHER_SCHEMA, png
from tests.sim.conftest import KEY, Providers

TOOLS: Any = [{"name": "get_weather", "description": "Weather in a city", "input_schema": WEATHER_SCHEMA}]
MODELS = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-sonnet-4-6", "claude-haiku-4-5"]
MAGIC = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB"


def ask(text: Any, **more: Any) -> Any:
    return {
        "model": "claude-sonnet-4-6",
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": text}],
        **more,
    }


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize("model", MODELS)
def test_text_and_stream_agree(providers: Providers, model: str) -> None:
    arguments = ask("What is the capital of France?", model=model)
    with providers.anthropic() as client:
        whole = client.messages.create(**arguments)
        with client.messages.stream(**arguments) as stream:
            streamed = stream.get_final_message()
    assert text_of(whole) == text_of(streamed) == "The capital of France is Paris."
    assert whole.stop_reason == streamed.stop_reason == "end_turn"
    assert whole.usage.output_tokens == streamed.usage.output_tokens
    assert whole.usage.input_tokens == streamed.usage.input_tokens


async def test_async(providers: Providers) -> None:
    async with (
        anthropic.AsyncAnthropic(base_url=providers.urls["anthropic"], api_key=KEY, max_retries=0) as client,
        client.messages.stream(**ask("Name the capital of Italy")) as stream,
    ):
        assert "Rome" in "".join([text async for text in stream.text_stream])


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("thinking", [False, True])
def test_parallel_tools_and_thinking_round_trip(providers: Providers, streamed: bool, thinking: bool) -> None:
    arguments = ask(WEATHER_QUESTION, tools=TOOLS)
    if thinking:
        arguments["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    with providers.anthropic() as client:
        if streamed:
            with client.messages.stream(**arguments) as stream:
                first: Any = stream.get_final_message()
        else:
            first = client.messages.create(**arguments)
        uses = [block for block in first.content if block.type == "tool_use"]
        assert first.stop_reason == "tool_use"
        assert [use.input for use in uses] == [{"city": "Paris"}, {"city": "Tokyo"}]
        assert all(use.id.startswith("toolu_") for use in uses)
        told = ("18 degrees", "25 degrees")
        results = [
            {"type": "tool_result", "tool_use_id": use.id, "content": text}
            for use, text in zip(uses, told, strict=True)
        ]
        arguments["messages"] += [
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": results},
        ]
        reply = client.messages.create(**arguments)
        assert all(text in text_of(reply) for text in told)
        if not thinking:
            return
        assert first.content[0].type == "thinking"
        without = [dict(turn) for turn in arguments["messages"]]
        without[1]["content"] = uses
        with pytest.raises(anthropic.BadRequestError, match="Expected `thinking`"):
            client.messages.create(**{**arguments, "messages": without})
        first.content[0].thinking += "!"
        with pytest.raises(anthropic.BadRequestError, match="Invalid `signature` in `thinking` block"):
            client.messages.create(**arguments)


def test_redacted_thinking(providers: Providers) -> None:
    with providers.anthropic() as client:
        message = client.messages.create(**ask(MAGIC, thinking={"type": "enabled", "budget_tokens": 1024}))
    assert message.content[0].type == "redacted_thinking"
    assert message.content[0].data


def test_tool_choice(providers: Providers) -> None:
    with providers.anthropic() as client:

        def calls(text: str, choice: Any) -> int:
            message = client.messages.create(**ask(text, tools=TOOLS, tool_choice=choice))
            return sum(block.type == "tool_use" for block in message.content)

        assert calls(WEATHER_QUESTION, {"type": "none"}) == 0
        assert calls("Hi", {"type": "auto"}) == 0
        assert calls("Hi", {"type": "any"}) == 1
        assert calls("Hi", {"type": "tool", "name": "get_weather"}) == 1
        assert calls(WEATHER_QUESTION, {"type": "auto", "disable_parallel_tool_use": True}) == 1


def test_structured_output_and_images(providers: Providers) -> None:
    picture: Any = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": png(64, 48)},
    }
    with providers.anthropic() as client:
        seen = client.messages.create(**ask([{"type": "text", "text": "What is it?"}, picture]))
        assert "png, 64x48" in text_of(seen)
        picture["source"]["data"] = "@@@"
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(**ask([picture]))
        config = {"format": {"type": "json_schema", "schema": PERSON_SCHEMA}}
        person = client.messages.create(**ask("Invent a person.", output_config=config))
    assert text_of(person).startswith('{"name":')


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_prompt_cache(providers: Providers, ttl: str) -> None:
    text = f"Rules that live for {ttl}: " + "be kind and exact. " * 400
    system = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}}]
    with providers.anthropic() as client:
        first, second = (client.messages.create(**ask("Hello", system=system)).usage for _ in range(2))
        short = client.messages.create(
            **ask("Hello", system=[{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}])
        ).usage
    assert first.cache_creation is not None
    written = (
        first.cache_creation.ephemeral_1h_input_tokens
        if ttl == "1h"
        else first.cache_creation.ephemeral_5m_input_tokens
    )
    assert written == first.cache_creation_input_tokens > 1024
    assert (second.cache_read_input_tokens, second.cache_creation_input_tokens) == (written, 0)
    assert first.input_tokens == second.input_tokens
    assert (short.cache_creation_input_tokens, short.cache_read_input_tokens) == (0, 0)


def test_count_tokens_and_models(providers: Providers) -> None:
    messages: Any = [{"role": "user", "content": "Hello " * 50}]
    with providers.anthropic() as client:
        counted = client.messages.count_tokens(model="claude-sonnet-4-6", messages=messages)
        said = client.messages.create(**ask("Hello " * 50))
        assert counted.input_tokens == said.usage.input_tokens
        assert {model.id for model in client.models.list()} == set(MODELS)


def test_limits_of_an_answer(providers: Providers) -> None:
    with providers.anthropic() as client:
        cut = client.messages.create(**ask("Tell me about trains.", max_tokens=5))
        assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 5)
        stopped = client.messages.create(**ask("What is the capital of France?", stop_sequences=["Paris"]))
        assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "Paris")


USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
HI = {"role": "user", "content": "Hi"}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 10**6}, "maximum allowed number of output tokens"),
    ({"extra_body": {"temperature": 2}}, "temperature"),
    ({"extra_body": {"temperature": 0.5, "top_p": 0.5}}, "cannot both be specified"),
    ({"messages": []}, "at least one message"),
    ({"messages": [{"role": "assistant", "content": "Hi"}, HI]}, "first message"),
    ({"messages": [{"role": "system", "content": "Hi"}, HI]}, "Unexpected role"),
    ({"messages": [HI, {"role": "assistant", "content": "Well, "}]}, "trailing whitespace"),
    ({"messages": [HI, {"role": "assistant", "content": [USE]}, HI]}, "without `tool_result` blocks"),
    ({"messages": [{"role": "user", "content": [RESULT]}]}, "unexpected `tool_use_id`"),
    (
        {"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": "word " * 200_000}]},
        "prompt is too long: .* > 200000 maximum",
    ),
    ({"thinking": {"type": "enabled", "budget_tokens": 10}}, "greater than or equal to 1024"),
    ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, "must be greater than"),
    ({"extra_body": {"turnout": {}}}, "turnout: Extra inputs are not permitted"),
]


@pytest.mark.parametrize(("change", "told"), BAD)
def test_refusals(providers: Providers, change: dict[str, Any], told: str) -> None:
    with providers.anthropic() as client, pytest.raises(anthropic.BadRequestError, match=told):
        client.messages.create(**ask("Hi", **change))


def test_headers_that_are_required(providers: Providers) -> None:
    url = providers.urls["anthropic"] + "/v1/messages"
    assert httpx2.post(url, json={}).status_code == 401
    missing = httpx2.post(url, json={}, headers={"x-api-key": KEY})
    assert (missing.status_code, missing.json()["error"]["message"]) == (
        400,
        "anthropic-version: header is required",
    )
    versioned = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    body = {"model": "claude-haiku-4-5", "messages": [HI]}
    assert (
        httpx2.post(url, json=body, headers=versioned).json()["error"]["message"]
        == "max_tokens: Field required"
    )
    with providers.anthropic("sim-bad") as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.create(**ask("Hi"))
    with providers.anthropic() as client, pytest.raises(anthropic.NotFoundError, match="model: nope"):
        client.messages.create(**ask("Hi", model="nope"))


def test_named_events(providers: Providers) -> None:
    reply = httpx2.post(
        providers.urls["anthropic"] + "/v1/messages",
        json=ask("What is the capital of France?", stream=True),
        headers={"x-api-key": KEY, "anthropic-version": "2023-06-01"},
    )
    names = [line.removeprefix("event: ") for line in reply.text.split("\n") if line.startswith("event: ")]
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert set(names[3:-3]) == {"content_block_delta"}
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
