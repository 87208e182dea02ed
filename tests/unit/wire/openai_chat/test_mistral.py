"""Every recorded exchange with Mistral, whose replies are OpenAI's with lists for content, calls without a place, and usage in the finish chunk."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.unit.wire.recorded import check_cuts, check_stream, exchanges, needs_recordings, ok
from turnout.core.errors import Kind
from turnout.core.events import (
    Answer,
    Choice,
    Failed,
    Finished,
    FoldedReasoning,
    FoldedText,
    FoldedTool,
    Stop,
    ToolDelta,
    fold,
)
from turnout.wire.mistral import CODEC as MISTRAL
from turnout.wire.openai_chat import CODEC

STOPS = {"stop": "stop", "length": "length", "tool_calls": "tool_use"}


@pytest.fixture(scope="module")
def recorded() -> list[Any]:
    return exchanges("mistral.chat")


def spoken(content: Any) -> tuple[str, str]:
    """(text, thinking) of a content."""
    if not isinstance(content, list):
        return content or "", ""
    text = "".join(part["text"] for part in content if part["type"] == "text")
    thoughts = [part["thinking"] for part in content if part["type"] == "thinking"]
    return text, "".join(piece["text"] for pieces in thoughts for piece in pieces)


def gathered(stream: str) -> dict[str, Any]:
    """A stream read without the codec, in the shape of a whole reply."""
    choices: dict[int, dict[str, Any]] = {}
    reply: dict[str, Any] = {}
    for line in stream.splitlines():
        if not line.startswith("data: {"):
            continue
        chunk = json.loads(line[6:])
        reply |= {"id": chunk["id"], "model": chunk["model"], "usage": chunk.get("usage")}
        for choice in chunk["choices"]:
            whole = choices.setdefault(choice["index"], {"text": "", "thought": "", "calls": []})
            text, thought = spoken(choice["delta"].get("content"))
            whole["text"] += text
            whole["thought"] += thought
            for call in choice["delta"].get("tool_calls") or []:
                if call["function"]["name"]:
                    whole["calls"].append({"id": call["id"], **call["function"]})
                else:
                    whole["calls"][-1]["arguments"] += call["function"]["arguments"]
            whole["finish_reason"] = choice["finish_reason"]
    return {**reply, "choices": choices}


def plain(body: dict[str, Any]) -> dict[str, Any]:
    choices = {}
    for choice in body["choices"]:
        text, thought = spoken(choice["message"]["content"])
        calls = [{"id": c["id"], **c["function"]} for c in choice["message"].get("tool_calls") or []]
        choices[choice["index"]] = {"text": text, "thought": thought, "calls": calls, **choice}
    return {**body, "choices": choices}


def assert_choice(choice: Choice, told: dict[str, Any]) -> None:
    blocks = choice.blocks
    assert "".join(b.text for b in blocks if isinstance(b, FoldedText)) == told["text"]
    assert "".join(b.text for b in blocks if isinstance(b, FoldedReasoning)) == told["thought"]
    calls = [
        {"id": b.id, "name": b.name, "arguments": b.arguments} for b in blocks if isinstance(b, FoldedTool)
    ]
    assert calls == told["calls"]
    assert choice.stop is not None
    assert (choice.stop.reason, choice.stop.raw) == (STOPS[told["finish_reason"]], told["finish_reason"])


def assert_same(answer: Answer, reply: dict[str, Any]) -> None:
    assert (answer.started.id, answer.started.model) == (reply["id"], reply["model"])
    assert len(answer.choices) == len(reply["choices"])
    for number, told in reply["choices"].items():
        assert_choice(answer.choices[number], told)
    counted, usage = answer.usage, reply["usage"]
    details = usage.get("prompt_tokens_details") or {}
    assert counted is not None
    prompt = usage["prompt_tokens"] + details.get("audio_tokens", 0)
    assert (counted.prompt, counted.output) == (prompt, usage["completion_tokens"])
    assert counted.prompt + counted.output == usage["total_tokens"]
    cached = details.get("cached_tokens") or min(usage.get("num_cached_tokens") or 0, counted.prompt)
    assert counted.cache_read == cached
    assert counted.input_audio == details.get("audio_tokens", 0)


@needs_recordings
def test_streams(recorded: list[Any]) -> None:
    chance = random.Random(20261124)
    streams = ok(recorded, str)
    assert len(streams) == 55
    for exchange in streams:
        data = exchange["response"]["body"].encode()
        events = check_stream(CODEC, data, chance)
        assert events[-1] == Finished(), exchange["source"]
        assert_same(fold(events), gathered(exchange["response"]["body"]))
        check_cuts(MISTRAL, data, b"[DONE]", chance)


@needs_recordings
def test_whole_replies(recorded: list[Any]) -> None:
    replies = ok(recorded, dict)
    assert len(replies) == 126
    for exchange in replies:
        body = exchange["response"]["body"]
        events = MISTRAL.decode_answer(json.dumps(body).encode())
        assert events[-1] == Finished(), exchange["source"]
        assert_same(fold(events), plain(body))


@needs_recordings
def test_failures(recorded: list[Any]) -> None:
    kinds = {400: Kind.UPSTREAM_NOT_FOUND, 401: Kind.UPSTREAM_AUTH}
    failed = [e["response"] for e in recorded if e["response"]["status"] != 200]
    assert len(failed) == 4
    for response in failed:
        failure = MISTRAL.decode_failure(response["status"], [], json.dumps(response["body"]).encode())
        assert failure.kind is kinds[response["status"]]


def test_arguments_may_be_an_object() -> None:
    call = {"id": "abcdefghi", "function": {"name": "f", "arguments": {"a": 1}}}
    body = {"choices": [{"index": 0, "message": {"content": "", "tool_calls": [call]}}]}
    events = CODEC.decode_answer(json.dumps(body).encode())
    assert ToolDelta(0, '{"a":1}') in events and not isinstance(events[-1], Failed)


def test_a_full_window_is_a_length() -> None:
    body = {"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "model_length"}]}
    assert Stop("length", "model_length") in CODEC.decode_answer(json.dumps(body).encode())
