"""Canonical requests, written for a provider of this dialect; and its section of the loss table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.wire.requests import (
    ANY,
    CALLS,
    COMMON_LOSSES,
    NAMED,
    RESULTS,
    SCHEMA,
    TOOL,
    chat,
    limit_cases,
    params,
    said,
)
from turnout.core.model import (
    Audio,
    Document,
    FileId,
    Image,
    Inline,
    Message,
    OpaqueTool,
    Params,
    PlainText,
    Reasoning,
    ReasoningControl,
    Refusal,
    Request,
    ResponseFormat,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from turnout.wire.body import json_text
from turnout.wire.codec import Target
from turnout.wire.losses import losses_to
from turnout.wire.openai_responses import CODEC

REASONING = Target("some-model", frozenset({"reasoning", "tools"}))
NO_SAMPLING = Target("some-model", quirks=frozenset({"no_sampling"}))


def body_of(request: Request, target: Target = ANY, dropped: tuple[str, ...] = ()) -> dict[str, Any]:
    encoded = CODEC.encode_request(request, target)
    assert encoded.dropped == dropped
    body: dict[str, Any] = json.loads(encoded.body)
    return body


def test_a_conversation_becomes_items() -> None:
    body = body_of(
        chat(messages=(Message("system", (Text("S"),)), Message("user", (Text("Hi"),)), CALLS, RESULTS))
    )
    assert body["instructions"] == "S" and body["store"] is False and body["model"] == "some-model"
    assert body["input"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "I will look."},
        {"type": "function_call", "call_id": "call-1", "name": "weather", "arguments": '{"city": "Rome"}'},
        {"type": "function_call", "call_id": "call-2", "name": "attractions", "arguments": '{"city":"Rome"}'},
        {"type": "function_call_output", "call_id": "call-2", "output": "Colosseum"},
        {"type": "function_call_output", "call_id": "call-1", "output": "sunny"},
        {"role": "user", "content": "And tomorrow?"},
    ]


def test_a_lone_instruction_is_input() -> None:
    body = body_of(chat(messages=(Message("system", (Text("S"),)),)))
    assert body["input"] == [{"role": "system", "content": "S"}] and "instructions" not in body


def test_media() -> None:
    body = body_of(
        chat(
            Text("Look"),
            Image(Url("https://x/y.png"), "low"),
            Image(Inline("image/png", "AAAA")),
            Document(Inline("application/pdf", "JVBE")),
            Document(Url("https://x/y.pdf")),
            Document(PlainText("plain"), "Title"),
            Audio(Inline("audio/wav", "UklG"), "wav"),
        )
    )
    assert body["input"][0]["content"] == [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
        {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBE"},
        {"type": "input_file", "file_url": "https://x/y.pdf"},
        {"type": "input_text", "text": "Title\n\nplain"},
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
    ]


def test_results_with_media_and_custom_calls() -> None:
    call = Message("assistant", (Refusal("no"), ToolCall("c", "g", "free", custom=True)))
    result = Message("user", (ToolResult("c", (Text("a"), Image(Url("https://x"))), None),))
    assert body_of(chat(messages=(call, result)))["input"] == [
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"type": "custom_tool_call", "call_id": "c", "name": "g", "input": "free"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c",
            "output": [
                {"type": "input_text", "text": "a"},
                {"type": "input_image", "image_url": "https://x"},
            ],
        },
    ]


def test_a_failed_result_says_so_in_words() -> None:
    request = chat(ToolResult("c", (Text("boom"),), True))
    (item,) = body_of(request, dropped=("tool_results.is_error",))["input"]
    assert item["output"] == "Error: boom"


def test_proofs_go_back_to_where_they_came_from() -> None:
    own = Reasoning("hm", "rs_1:gAAA", None, "openai_responses")
    item, _ = body_of(said(own, Text("x")))["input"]
    summary = [{"type": "summary_text", "text": "hm"}]
    assert item == {"type": "reasoning", "summary": summary, "id": "rs_1", "encrypted_content": "gAAA"}


def test_tools_are_not_strict_unless_asked() -> None:
    custom = OpaqueTool(
        "openai_chat",
        "custom",
        json_text(
            {
                "type": "custom",
                "custom": {
                    "name": "g",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}},
                },
            }
        ),
    )
    body = body_of(chat(tools=(TOOL, custom), tool_choice=NAMED, params=Params(parallel_tool_calls=False)))
    assert body["tools"] == [
        {
            "type": "function",
            "name": "weather",
            "description": "Looks it up",
            "parameters": json.loads(bytes(SCHEMA)),
            "strict": False,
        },
        {
            "type": "custom",
            "name": "g",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"},
        },
    ]
    assert body["tool_choice"] == {"type": "function", "name": "weather"}
    assert body["parallel_tool_calls"] is False


def test_parameters() -> None:
    wanted = ResponseFormat("json_schema", None, SCHEMA, True)
    given = Params(
        max_tokens=50,
        temperature=0.5,
        top_p=0.9,
        user="u",
        prompt_cache_key="k",
        verbosity="low",
        logprobs=True,
    )
    body = body_of(chat(params=given, response_format=wanted, stream=True))
    assert (body["max_output_tokens"], body["temperature"], body["top_p"]) == (50, 0.5, 0.9)
    assert (body["user"], body["prompt_cache_key"], body["stream"]) == ("u", "k", True)
    assert body["include"] == ["message.output_text.logprobs"]
    schema = {"type": "json_schema", "name": "answer", "schema": json.loads(bytes(SCHEMA)), "strict": True}
    assert body["text"] == {"format": schema, "verbosity": "low"}


@pytest.mark.parametrize(
    ("control", "wire"),
    [
        (ReasoningControl(effort="high"), {"effort": "high"}),
        (ReasoningControl("disabled"), {"effort": "none"}),
        (ReasoningControl("adaptive", "low"), {"effort": "low", "summary": "auto"}),
        (ReasoningControl(None, "low", None, "summarized"), {"effort": "low", "summary": "auto"}),
        (ReasoningControl("adaptive", "low", None, "omitted"), {"effort": "low"}),
    ],
)
def test_reasoning(control: ReasoningControl, wire: dict[str, str]) -> None:
    body = body_of(chat(reasoning=control), REASONING)
    assert body["reasoning"] == wire and body["include"] == ["reasoning.encrypted_content"]


LOSSES: dict[str, tuple[Request, Target]] = {
    **limit_cases("openai_responses"),
    "assistant.content": (said(Image(Url("https://x"))), ANY),
    "audio.reference": (chat(Text("x"), Audio(FileId("a"))), ANY),
    "document.context": (chat(Document(PlainText("x"), context="c")), ANY),
    "frequency_penalty": (params(frequency_penalty=0.5), ANY),
    "max_tokens.range": (params(max_tokens=1), ANY),
    "presence_penalty": (params(presence_penalty=0.5), ANY),
    "reasoning.budget_tokens": (chat(reasoning=ReasoningControl("enabled", None, 2048)), ANY),
    "reasoning.unsigned": (said(Reasoning("hm"), Text("x")), ANY),
    "seed": (params(seed=1), ANY),
    "stop": (params(stop=("END",)), ANY),
    "temperature": (params(temperature=0.1), NO_SAMPLING),
    "top_k": (params(top_k=5), ANY),
    "top_logprobs": (params(top_logprobs=3), NO_SAMPLING),
    "top_p": (params(top_p=0.1), NO_SAMPLING),
}
LOSSES |= {name: case for name, case in COMMON_LOSSES.items() if name in losses_to("openai_responses")}


@pytest.mark.parametrize("field", sorted(losses_to("openai_responses")))
def test_what_is_declared_is_dropped(field: str) -> None:
    request, target = LOSSES[field]
    assert CODEC.encode_request(request, target).dropped == (field,)


def test_what_is_dropped_is_declared() -> None:
    assert set(LOSSES) == set(losses_to("openai_responses"))


def test_paths() -> None:
    assert CODEC.path("chat", ANY, True) == "/responses"
    dated = Target("m", quirks=frozenset({"api_version.2025-04-01-preview"}))
    assert CODEC.path("chat", dated, False) == "/responses?api-version=2025-04-01-preview"
    assert CODEC.path("embeddings", ANY, False) == "/embeddings"
