"""What each provider is sent, and what it sends: its row of shipped data against its documentation and its recorded traffic."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from msgspec import Struct

from tests.unit.wire.recorded import ROOT, needs_recordings
from turnout.core.errors import Failure, Kind
from turnout.core.events import Failed, Finished, Stop, Usage
from turnout.core.model import (
    Message,
    Params,
    Reasoning,
    ReasoningControl,
    Request,
    ResponseFormat,
    Text,
    Tool,
    ToolChoice,
)
from turnout.upstream.known import load_known
from turnout.wire.body import json_text
from turnout.wire.codec import ProviderCodec, Target
from turnout.wire.losses import losses_to
from turnout.wire.openai_chat import CODEC
from turnout.wire.openai_chat.quirks import QUIRKS

KNOWN = load_known()
PROVIDER: ProviderCodec = CODEC
SCHEMA = json_text({"type": "object", "properties": {"city": {"type": "string"}}})
HIGH = ReasoningControl("enabled", "high")
OFF = ReasoningControl("disabled")
BUDGET = ReasoningControl("enabled", None, 2_048)
TOOL = Tool("weather", None, SCHEMA, True)
FORCED: dict[str, Any] = {"tools": (TOOL,), "tool_choice": ToolChoice("required")}
JSON = ResponseFormat("json_schema", "answer", SCHEMA)
THOUGHT = (
    Message("user", (Text("Hi"),)),
    Message("assistant", (Reasoning("hm", "sig", None, "anthropic"), Text("Hello"))),
    Message("user", (Text("And?"),)),
)


def ask(**members: Any) -> Request:
    """A request of another dialect."""
    messages = members.pop("messages", (Message("user", (Text("Hi"),)),))
    return Request("anthropic", "m", messages, **members)


def params(**members: Any) -> Request:
    return ask(params=Params(**members))


def target_of(provider: str, model: str | None = None) -> Target:
    fact, row = KNOWN.providers[provider], KNOWN.models[model] if model else None
    assert fact.dialect == "openai_chat"
    assert row is None or row.provider == provider
    quirks = frozenset(fact.quirks) | frozenset(row.quirks if row else ())
    return Target(row.id if row else "m", frozenset(row.capabilities if row else ()), quirks)


class Row(Struct, frozen=True):
    """`sent`: members of the body, `None` for those that must not be there."""

    provider: str
    request: Request
    sent: dict[str, Any]
    dropped: tuple[str, ...] = ()
    model: str | None = None


ROWS = (
    Row("openai", params(max_tokens=9), {"max_completion_tokens": 9, "max_tokens": None}),
    Row("openai", ask(reasoning=OFF), {"reasoning_effort": "minimal"}, ("reasoning.effort",), "gpt-5"),
    Row("openai", ask(reasoning=OFF), {"reasoning_effort": "none"}, (), "gpt-5.4"),
    Row(
        "openai",
        params(temperature=0.5, top_p=0.9, stop=("END",), parallel_tool_calls=False),
        {"temperature": None, "top_p": None, "stop": None},
        ("temperature", "top_p", "stop"),
        "o4-mini",
    ),
    Row(
        "openai",
        ask(tools=(TOOL,), params=Params(parallel_tool_calls=False)),
        {"parallel_tool_calls": None},
        ("parallel_tool_calls",),
        "o3",
    ),
    Row("azure", params(max_tokens=9), {"max_completion_tokens": 9}),
    Row("azure_deployments", params(max_tokens=9), {"max_completion_tokens": 9}),
    Row("google_openai", ask(reasoning=OFF), {"reasoning_effort": "none"}),
    Row(
        "google_openai",
        ask(reasoning=ReasoningControl(effort="xhigh")),
        {"reasoning_effort": "high"},
        ("reasoning.effort",),
    ),
    Row(
        "deepseek",
        ask(reasoning=ReasoningControl(effort="max")),
        {"thinking": {"type": "enabled"}, "reasoning_effort": "max"},
        (),
        "deepseek-v4-pro",
    ),
    Row("deepseek", ask(reasoning=OFF), {"thinking": {"type": "disabled"}, "reasoning_effort": None}),
    Row(
        "deepseek",
        ask(reasoning=HIGH, **FORCED),
        {"thinking": {"type": "disabled"}, "tool_choice": "required"},
        ("reasoning.forced_tool_choice",),
        "deepseek-v4-pro",
    ),
    Row("deepseek", ask(**FORCED), {"thinking": None, "tool_choice": "required"}, (), "deepseek-chat"),
    Row(
        "deepseek",
        ask(response_format=JSON),
        {"response_format": {"type": "json_object"}},
        ("response_format.emulated",),
    ),
    Row(
        "groq",
        ask(
            messages=(Message("user", (Text("Hi"),), "ann"),),
            params=Params(n=2, logprobs=True, top_logprobs=2),
        ),
        {"n": None, "logprobs": None, "top_logprobs": None, "messages": [{"role": "user", "content": "Hi"}]},
        ("messages.name", "logprobs", "top_logprobs", "n"),
    ),
    Row("groq", params(n=1, logprobs=False), {"n": None, "logprobs": None}),
    Row(
        "groq",
        ask(reasoning=HIGH),
        {"reasoning_format": "parsed", "reasoning_effort": "default"},
        ("reasoning.effort",),
        "qwen3-32b",
    ),
    Row("groq", ask(), {"reasoning_format": "parsed", "reasoning_effort": None}, (), "qwen3-32b"),
    Row("groq", ask(reasoning=OFF), {"reasoning_effort": "none"}, (), "qwen3-32b"),
    Row("groq", ask(reasoning=OFF), {"reasoning_effort": "low"}, ("reasoning.effort",), "gpt-oss-120b"),
    Row("openrouter", ask(reasoning=HIGH), {"reasoning": {"effort": "high"}, "reasoning_effort": None}),
    Row("openrouter", ask(reasoning=BUDGET), {"reasoning": {"max_tokens": 2_048}}),
    Row("openrouter", ask(reasoning=OFF), {"reasoning": {"effort": "none"}}),
    Row("vercel", ask(reasoning=ReasoningControl("enabled")), {"reasoning": {"enabled": True}}),
    Row("together", ask(reasoning=HIGH), {"reasoning": {"enabled": True}, "reasoning_effort": "high"}),
    Row("together", ask(reasoning=OFF), {"reasoning": {"enabled": False}, "reasoning_effort": None}),
    Row("together", params(top_k=5), {"top_k": 5}),
    Row(
        "fireworks",
        ask(reasoning=ReasoningControl(effort="minimal")),
        {"reasoning_effort": "low"},
        ("reasoning.effort",),
    ),
    Row("nebius", ask(reasoning=OFF), {"reasoning_effort": "low"}, ("reasoning.effort",)),
    Row(
        "xai",
        params(presence_penalty=0.1, frequency_penalty=0.1, stop=("END",)),
        {"presence_penalty": None, "frequency_penalty": None, "stop": None},
        ("presence_penalty", "frequency_penalty", "stop"),
    ),
    Row("xai", ask(reasoning=OFF), {"reasoning_effort": "none"}, (), "grok-4.3"),
    Row("cerebras", ask(reasoning=OFF), {"reasoning_effort": "none"}, (), "cerebras-glm-4.7"),
    Row(
        "cerebras",
        params(max_tokens=9, presence_penalty=0.1),
        {"max_completion_tokens": 9},
        ("presence_penalty",),
    ),
    Row("perplexity", params(seed=1, stop=("END",)), {"seed": None, "stop": None}, ("stop", "seed")),
    Row("moonshot", ask(reasoning=OFF), {"thinking": {"type": "disabled"}}, (), "kimi-k2.6"),
    Row(
        "moonshot", ask(reasoning=HIGH), {"thinking": {"type": "enabled"}}, ("reasoning.effort",), "kimi-k2.6"
    ),
    Row("moonshot", ask(reasoning=HIGH), {"thinking": None, "reasoning_effort": "high"}, (), "kimi-k3"),
    Row(
        "moonshot",
        ask(reasoning=ReasoningControl(effort="medium")),
        {"reasoning_effort": "low"},
        ("reasoning.effort",),
        "kimi-k3",
    ),
    Row(
        "moonshot",
        ask(reasoning=HIGH),
        {"thinking": None, "reasoning_effort": None},
        ("reasoning.effort",),
        "kimi-k2.7-code",
    ),
    Row("moonshot", ask(**FORCED), {"tool_choice": None}, ("tools.strict", "tool_choice"), "kimi-k3"),
    Row("moonshot", params(temperature=1.5), {"temperature": 1}, ("temperature.range",)),
    Row(
        "zai",
        ask(reasoning=HIGH),
        {"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
        (),
        "glm-5.3",
    ),
    Row(
        "zai",
        ask(reasoning=HIGH),
        {"thinking": {"type": "enabled"}, "reasoning_effort": None},
        ("reasoning.effort",),
        "glm-4.7",
    ),
    Row(
        "zai",
        ask(reasoning=BUDGET),
        {"thinking": {"type": "enabled"}},
        ("reasoning.budget_tokens",),
        "glm-4.7",
    ),
    Row("zai", ask(**FORCED), {"tool_choice": None}, ("tool_choice",)),
    Row("minimax", ask(response_format=JSON), {"response_format": None}, ("response_format.emulated",)),
    Row("alibaba", ask(reasoning=BUDGET), {"enable_thinking": True, "thinking_budget": 2_048}),
    Row("alibaba", ask(reasoning=HIGH), {"enable_thinking": True, "thinking_budget": 16_384}),
    Row("gpustack", ask(reasoning=OFF), {"enable_thinking": False}),
    Row("vllm", ask(reasoning=OFF), {"chat_template_kwargs": {"enable_thinking": False}}),
    Row(
        "llamacpp",
        ask(reasoning=HIGH),
        {"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "high"},
    ),
    Row("lmstudio", params(top_k=5), {"top_k": 5}),
    Row("venice", ask(reasoning=OFF), {"venice_parameters": {"disable_thinking": True}}),
    Row("venice", ask(reasoning=HIGH), {"reasoning_effort": "high", "venice_parameters": None}),
    Row("snowflake", ask(reasoning=HIGH), {"reasoning": {"effort": "high"}, "temperature": 1}),
    Row("snowflake", ask(reasoning=OFF), {"reasoning": None, "temperature": None}),
    Row(
        "snowflake",
        ask(reasoning=HIGH, params=Params(temperature=0.2)),
        {"temperature": 1},
        ("temperature",),
    ),
    Row("snowflake", ask(tools=(TOOL,)), {}, ("tools.strict",)),
    Row("github_copilot", params(max_tokens=9), {"max_completion_tokens": 9}),
    Row("nvidia", ask(reasoning=HIGH), {"reasoning_effort": "high"}),
    Row("deepinfra", ask(reasoning=OFF), {"reasoning_effort": "none"}),
    Row("databricks", params(max_tokens=9), {"max_tokens": 9}),
    Row("writer", params(max_tokens=9, stop=("I am",)), {"max_tokens": 9, "stop": ["I am"]}),
    Row("huggingface", params(seed=3), {"seed": 3}),
    Row("cloudflare", params(seed=3), {"seed": 3}),
)


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row.provider}-{row.model or ''}-{'-'.join(row.sent)}"
)
def test_a_request(row: Row) -> None:
    encoded = PROVIDER.encode_request(row.request, target_of(row.provider, row.model))
    body = json.loads(encoded.body)
    assert {name: body.get(name) for name in row.sent} == row.sent
    assert encoded.dropped == row.dropped
    assert set(row.dropped) <= set(losses_to("openai_chat"))


@pytest.mark.parametrize(
    ("provider", "model", "member"),
    [
        ("deepseek", "deepseek-v4-pro", "reasoning_content"),
        ("moonshot", "kimi-k3", "reasoning_content"),
        ("zai", "glm-5.3", "reasoning_content"),
        ("cerebras", "cerebras-gpt-oss-120b", "reasoning"),
        ("crusoe", None, "reasoning"),
        ("ollama_openai", None, "reasoning"),
        ("openrouter", None, "reasoning_details"),
        ("vercel", None, "reasoning_details"),
        ("openai", "gpt-5", None),
    ],
)
def test_earlier_reasoning_goes_back_in_the_providers_member(
    provider: str, model: str | None, member: str | None
) -> None:
    encoded = PROVIDER.encode_request(ask(messages=THOUGHT), target_of(provider, model))
    message = json.loads(encoded.body)["messages"][1]
    members = {"reasoning_content", "reasoning", "reasoning_details"} & message.keys()
    assert members == ({member} if member else set())
    assert ("reasoning.history" in encoded.dropped) == (member is None)


def test_a_schema_in_words_joins_the_instructions() -> None:
    plain = ask(response_format=JSON)
    told = ask(
        messages=(Message("system", (Text("Be brief."),)), Message("user", (Text("Hi"),))),
        response_format=JSON,
    )
    target = target_of("minimax")
    alone = json.loads(PROVIDER.encode_request(plain, target).body)["messages"]
    joined = json.loads(PROVIDER.encode_request(told, target).body)["messages"]
    assert [message["role"] for message in alone] == ["system", "user"]
    assert alone[0]["content"].endswith(bytes(SCHEMA).decode())
    assert joined[0]["content"] == f"Be brief.\n\n{alone[0]['content']}"


def test_a_model_that_is_known_to_do_no_schema_gets_it_in_words_unless_its_own_dialect_asks() -> None:
    target = Target("m", frozenset({"tools", "json_mode"}))
    foreign = PROVIDER.encode_request(ask(response_format=JSON), target)
    assert foreign.dropped == ("response_format.emulated",)
    own = Request("openai_chat", "m", (Message("user", (Text("Hi"),)),), response_format=JSON)
    assert json.loads(PROVIDER.encode_request(own, target).body)["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("provider", "quirks", "path"),
    [
        ("openai", (), "/chat/completions"),
        ("writer", (), "/chat"),
        ("azure", (), "/chat/completions"),
        ("azure_deployments", (), "/deployments/my%2Fgpt/chat/completions?api-version=2024-10-21"),
        (
            "azure_deployments",
            ("api_version.2024-12-01-preview",),
            "/deployments/my%2Fgpt/chat/completions?api-version=2024-12-01-preview",
        ),
        ("azure", ("api_version.2024-05-01-preview",), "/chat/completions?api-version=2024-05-01-preview"),
    ],
)
def test_paths(provider: str, quirks: tuple[str, ...], path: str) -> None:
    known = frozenset(KNOWN.providers[provider].quirks)
    assert PROVIDER.path("chat", Target("my/gpt", quirks=known | set(quirks)), False) == path


# -- recorded traffic
def recorded(provider: str) -> list[dict[str, Any]]:
    with (ROOT / "INDEX.tsv").open() as index:
        rows = [
            row
            for row in csv.DictReader(index, delimiter="\t")
            if row["format"] == "openai.chat" and row["provider"] == provider
        ]
    return [json.loads((ROOT / row["path"]).read_text()) for row in rows]


SPELLED = (
    Row("deepseek", ask(reasoning=OFF), {"thinking": {}}),
    Row("deepseek", ask(reasoning=HIGH), {"thinking": {}}),
    Row("deepseek", ask(reasoning=HIGH), {"reasoning_effort": ""}),
    Row("openrouter", ask(reasoning=HIGH), {"reasoning": {}}),
    Row("openrouter", ask(reasoning=OFF), {"reasoning": {}}),
    Row("vercel", ask(reasoning=ReasoningControl("enabled")), {"reasoning": {}}),
    Row("venice", ask(reasoning=OFF), {"venice_parameters": {}}),
    Row("gpustack", ask(reasoning=OFF), {"enable_thinking": False}),
    Row("groq", ask(), {"reasoning_format": ""}, (), "qwen3-32b"),
    Row("groq", ask(reasoning=OFF), {"reasoning_effort": ""}, (), "qwen3-32b"),
    Row("groq", ask(reasoning=HIGH), {"reasoning_effort": ""}, (), "gpt-oss-120b"),
    Row("cerebras", ask(reasoning=OFF), {"reasoning_effort": ""}, (), "cerebras-glm-4.7"),
    Row("snowflake", ask(reasoning=ReasoningControl(effort="low")), {"reasoning": {}, "temperature": 1}),
    Row("writer", params(max_tokens=340), {"max_tokens": 340}),
)


@needs_recordings
@pytest.mark.parametrize("row", SPELLED, ids=lambda row: f"{row.provider}-{'-'.join(row.sent)}")
def test_a_spelling_is_one_that_the_provider_was_seen_to_take(row: Row) -> None:
    body = json.loads(PROVIDER.encode_request(row.request, target_of(row.provider, row.model)).body)
    members = {name: body[name] for name in row.sent}
    taken = [e["request"]["body"] or {} for e in recorded(row.provider) if e["response"]["status"] == 200]
    assert any(all(request.get(name) == value for name, value in members.items()) for request in taken)


@needs_recordings
@pytest.mark.parametrize(
    "provider",
    "alibaba avian azure bedrock cerebras cloudflare copilot crusoe databricks deepseek doubleword gemini gpustack groq heroku "
    "huggingface litellm-proxy llamacpp mistralrs moonshot ollama openai openrouter perplexity portkey snowflake together venice "
    "vercel writer xai zai".split(),
)
def test_every_recorded_reply_is_read_with_the_providers_quirks(provider: str) -> None:
    row = {"copilot": "github_copilot", "ollama": "ollama_openai", "gemini": "google_openai"}.get(
        provider, provider
    )
    fact = KNOWN.providers.get(row)
    quirks = frozenset(fact.quirks) if fact and fact.dialect == "openai_chat" else frozenset()
    exchanges = recorded(provider)
    assert exchanges
    for exchange in exchanges:
        body, status = exchange["response"]["body"], exchange["response"]["status"]
        if status != 200 or not body:
            continue
        if isinstance(body, str):
            decoder = PROVIDER.stream_decoder(quirks)
            frames = decoder.feed(body.encode()) + decoder.eof(None)
            events = [event for frame in frames for event in frame.events]
        else:
            events = list(PROVIDER.decode_answer(json.dumps(body).encode()))
        if _has_error(body):
            assert isinstance(events[-1], Failed) and events[-1].failure.kind is not Kind.MALFORMED
        else:
            assert events[-1] == Finished(), exchange["source"]


def _has_error(body: Any) -> bool:
    text = body if isinstance(body, str) else json.dumps(body)
    return '"error":{' in text.replace(" ", "")


@needs_recordings
@pytest.mark.parametrize("provider", ["writer", "gpustack", "perplexity"])
def test_a_provider_that_never_says_done_is_complete_when_its_transfer_is(provider: str) -> None:
    streams = [e["response"]["body"] for e in recorded(provider) if isinstance(e["response"]["body"], str)]
    undone = [body.encode() for body in streams if "[DONE]" not in body]
    assert undone
    for body in undone:
        cut = PROVIDER.stream_decoder()
        cut_events = [
            event
            for frame in cut.feed(body) + cut.eof(Failure(Kind.TRUNCATED, "cut"))
            for event in frame.events
        ]
        assert isinstance(cut_events[-1], Failed), "the transport does not prove that it is whole"
        decoder = PROVIDER.stream_decoder()
        events = [event for frame in decoder.feed(body) + decoder.eof(None) for event in frame.events]
        assert events[-1] == Finished()
        assert any(isinstance(event, Usage) for event in events)


FAILURES = {
    "azure": {404: Kind.UPSTREAM_NOT_FOUND, 401: Kind.UPSTREAM_AUTH, 429: Kind.RATE_LIMITED},
    "deepseek": {400: Kind.UPSTREAM_BAD_REQUEST, 401: Kind.UPSTREAM_AUTH},
    "doubleword": {403: Kind.UPSTREAM_AUTH, 400: Kind.UPSTREAM_BAD_REQUEST, 404: Kind.UPSTREAM_NOT_FOUND},
    "groq": {404: Kind.UPSTREAM_NOT_FOUND, 400: Kind.UPSTREAM_BAD_REQUEST},
    "ollama": {401: Kind.UPSTREAM_AUTH, 400: Kind.CONTEXT_TOO_LONG},
    "perplexity": {400: Kind.CONTEXT_TOO_LONG},
    "venice": {404: Kind.UPSTREAM_NOT_FOUND},
    "llamacpp": {401: Kind.UPSTREAM_AUTH, 500: Kind.UPSTREAM_ERROR},
}


@needs_recordings
@pytest.mark.parametrize("provider", FAILURES)
def test_a_recorded_failure_is_named(provider: str) -> None:
    found = {}
    for exchange in recorded(provider):
        status = exchange["response"]["status"]
        if status in FAILURES[provider]:
            body = json.dumps(exchange["response"]["body"]).encode()
            found[status] = PROVIDER.decode_failure(status, (), body).kind
            too_long = any(words in body.decode() for words in ("context size", "maximum context"))
            assert found[status] is (Kind.CONTEXT_TOO_LONG if too_long else FAILURES[provider][status])
    assert found.keys() == FAILURES[provider].keys()


@pytest.mark.parametrize(
    ("word", "reason"),
    [("sensitive", "content_filter"), ("model_context_window_exceeded", "length"), ("eos", "stop")],
)
def test_finish_reasons_of_their_own(word: str, reason: str) -> None:
    choice = {"index": 0, "message": {"content": "x"}, "finish_reason": word}
    stops = [
        e for e in PROVIDER.decode_answer(json.dumps({"choices": [choice]}).encode()) if isinstance(e, Stop)
    ]
    assert [(stop.reason, stop.raw) for stop in stops] == [(reason, word)]


def test_every_quirk_that_a_shipped_row_has_is_in_the_table_and_every_word_is_needed_by_somebody() -> None:
    used = {
        word
        for rows in (KNOWN.providers.values(), KNOWN.models.values())
        for row in rows
        for word in row.quirks
    }
    unneeded = {word for word in QUIRKS if not any(w == word or w.startswith(word) for w in used)}
    assert unneeded == {"api_version.", "no_stream_options"}, "words for configurations only"
