"""Programs as they are, on models of other makers: what their requests hold fits, and they get their own names back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.e2e.harness import Running

NAME = "mcp__" + "very_long_server_name_" * 2 + "get_weather_in_city_now"
MODELS = [
    "gpt-4o",
    "mistral-large",
    "gpt-oss-120b",
    "deepseek-v4-flash",
    "gemini-3.8-flash",
    "claude-sonnet-4-6",
]


@pytest.fixture(autouse=True)
def _healthy(running: Running) -> Iterator[None]:
    running.heal()
    yield


def claude_code(model: str, *, stream: bool) -> dict[str, Any]:
    """A turn of a coding agent that speaks Messages: a long user id, a long tool name, white space before a call, words of the system in
    the middle, a call that was never answered."""
    return {
        "model": model,
        "max_tokens": 400,
        "stream": stream,
        "metadata": {"user_id": "user_" + "0123456789abcdef" * 7 + "_x"},
        "system": [{"type": "text", "text": "You are a helper."}],
        "tools": [
            {
                "name": NAME,
                "description": "The weather of a city.",
                "input_schema": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                },
            }
        ],
        "tool_choice": {"type": "tool", "name": NAME},
        "messages": [
            {"role": "user", "content": "Look at the weather."},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I will look. \n"},
                    {"type": "tool_use", "id": "toolu_" + "x" * 50, "name": NAME, "input": {"city": "Rome"}},
                    {"type": "tool_use", "id": "toolu_2", "name": NAME, "input": {"city": "Oslo"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_" + "x" * 50, "content": "sunny"},
                    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "rain"},
                    {"type": "text", "text": "What is the weather in Paris?"},
                ],
            },
        ],
    }


def responses_agent(model: str, *, stream: bool) -> dict[str, Any]:
    """A turn of an agent that speaks Responses: two calls, then a developer's word, then their outputs."""
    return {
        "model": model,
        "stream": stream,
        "store": False,
        "prompt_cache_key": "k" * 100,
        "input": [
            {"role": "developer", "content": "Be brief."},
            {"role": "developer", "content": "Use tools."},
            {"role": "user", "content": "Weather in Rome and Oslo?"},
            {
                "type": "function_call",
                "call_id": "call_" + "a" * 55,
                "name": NAME[:64],
                "arguments": '{"city":"Rome"}',
            },
            {"type": "function_call", "call_id": "b", "name": NAME[:64], "arguments": '{"city":"Os'},
            {"role": "developer", "content": "The user is in a hurry."},
            {"type": "function_call_output", "call_id": "b", "output": "rain"},
            {"type": "function_call_output", "call_id": "call_" + "a" * 55, "output": "sunny"},
            {"role": "user", "content": "What is the weather in Paris?"},
        ],
        "tools": [
            {
                "type": "function",
                "name": NAME[:64],
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                },
            }
        ],
    }


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_a_coding_agents_turn_is_taken_and_its_tools_keep_their_names(
    running: Running, model: str, stream: bool
) -> None:
    if model.startswith("claude"):
        pytest.skip("the dialect's own provider is asked as its caller wrote it")
    body = claude_code(model, stream=stream)
    if model.startswith("mistral"):  # here it speaks OpenAI's dialect, in which it knows no `user`
        del body["metadata"]
    reply = httpx2.post(running.url + "/v1/messages", json=body, timeout=20)
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-turnout-attempts"] == "1", "it was refused first"
    assert f'"name":"{NAME}"' in reply.text.replace('"name": ', '"name":')


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_a_responses_agents_turn_is_taken(running: Running, model: str, stream: bool) -> None:
    reply = httpx2.post(running.url + "/v1/responses", json=responses_agent(model, stream=stream), timeout=20)
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-turnout-attempts"] == "1", "it was refused first"


def test_the_simulated_providers_refuse_what_does_not_fit(running: Running) -> None:
    """Otherwise the tests above would say nothing."""
    url = running.provider_urls["openai"] + "/chat/completions"
    ask = {"role": "user", "content": "Hi"}
    tool = {"type": "function", "function": {"name": NAME, "parameters": {"type": "object"}}}
    call = {"id": "c" * 41, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("openai", {"messages": [ask], "tools": [tool]}),
        ("openai", {"messages": [ask], "user": "u" * 65}),
        (
            "openai",
            {
                "messages": [
                    ask,
                    {"role": "assistant", "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": "c" * 41, "content": ""},
                ]
            },
        ),
        ("openai", {"messages": [ask, {"role": "assistant", "tool_calls": [{**call, "id": "c"}]}, ask]}),
        ("mistral", {"messages": [ask, {"role": "system", "content": "S"}]}),
    ]
    for provider, body in bodies:
        url = running.provider_urls[provider] + "/chat/completions"
        model = {"openai": "gpt-4o", "mistral": "mistral-large-latest"}[provider]
        reply = httpx2.post(
            url,
            content=json.dumps({"model": model, **body}),
            headers={"authorization": "Bearer sim-x"},
            timeout=20,
        )
        assert reply.status_code == 400, body


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS[1:])
def test_free_text_tools_and_groups_come_back_in_their_callers_form(
    running: Running, model: str, stream: bool
) -> None:
    """As a coding agent offers them over Responses: a text tool to edit files, a group of a server's tools."""
    patch = {"type": "custom", "name": "apply_patch", "description": "Edits files."}
    tools = [
        {
            "type": "function",
            "name": "find",
            "description": "Finds.",
            "parameters": {"type": "object", "properties": {}},
        }
    ]
    group = {"type": "namespace", "name": "crm", "description": "The customers.", "tools": tools}
    for offered, choice, kind in (
        (patch, "apply_patch", "custom_tool_call"),
        (group, "find", "function_call"),
    ):
        body = {
            "model": model,
            "stream": stream,
            "store": False,
            "input": f"Call {choice}.",
            "tools": [offered],
            "tool_choice": "required",
        }
        reply = httpx2.post(running.url + "/v1/responses", json=body, timeout=20)
        assert reply.status_code == 200, reply.text
        items = _items(reply.text) if stream else reply.json()["output"]
        (item,) = [item for item in items if item["type"].endswith("_call")]
        assert (item["type"], item["name"]) == (kind, choice)
        assert item.get("namespace") == ("crm" if offered is group else None)
        if offered is patch:
            assert isinstance(item["input"], str) and "{" not in item["input"][:1]


def _items(text: str) -> list[dict[str, Any]]:
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    (done,) = [event for event in events if event["type"] == "response.completed"]
    output: list[dict[str, Any]] = done["response"]["output"]
    return output
