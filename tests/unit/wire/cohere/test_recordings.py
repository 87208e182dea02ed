"""Every recorded exchange of Cohere's v2 chat, against a plain reading of its JSON."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.unit.wire.recorded import check_cuts, check_stream, exchanges, needs_recordings, ok
from turnout.core.errors import Kind
from turnout.core.events import (
    Answer,
    Finished,
    FoldedReasoning,
    FoldedText,
    FoldedTool,
    OpaqueBlock,
    Stop,
    fold,
)
from turnout.wire.cohere import CODEC

pytestmark = needs_recordings
STOPS = {
    "COMPLETE": "stop",
    "MAX_TOKENS": "length",
    "STOP_SEQUENCE": "stop_sequence",
    "TOOL_CALL": "tool_use",
}


@pytest.fixture(scope="module")
def recorded() -> list[Any]:
    return exchanges("cohere.chat")


def gathered(stream: str) -> dict[str, Any]:
    """A stream read without the codec, in the shape of a whole reply."""
    content: dict[int, dict[str, str]] = {}
    calls: dict[int, dict[str, Any]] = {}
    message: dict[str, Any] = {"tool_plan": "", "citations": []}
    reply: dict[str, Any] = {"message": message}
    for line in stream.splitlines():
        if not line.startswith("data: {"):
            continue
        event = json.loads(line[6:])
        delta = event.get("delta", {})
        said = delta.get("message", {})
        match event["type"]:
            case "message-start":
                reply["id"] = event["id"]
            case "content-start" | "content-delta":
                block = content.setdefault(event["index"], {})
                for name in ("text", "thinking"):
                    if name in said["content"]:
                        block[name] = block.get(name, "") + said["content"][name]
            case "tool-plan-delta":
                message["tool_plan"] += said["tool_plan"]
            case "tool-call-start":
                calls[event["index"]] = said["tool_calls"]
            case "tool-call-delta":
                calls[event["index"]]["function"]["arguments"] += said["tool_calls"]["function"]["arguments"]
            case "citation-start":
                message["citations"].append(said["citations"])
            case "message-end":
                reply |= delta
    message["content"], message["tool_calls"] = list(content.values()), list(calls.values())
    return reply


def assert_same(answer: Answer, reply: dict[str, Any]) -> None:
    blocks = answer.choices[0].blocks
    message, usage = reply["message"], reply["usage"]
    content = message.get("content") or []
    texts = [block.text for block in blocks if isinstance(block, FoldedText)]
    told = [message.get("tool_plan") or "", *(piece.get("text", "") for piece in content)]
    assert sorted(texts) == sorted(text for text in told if text)
    thoughts = [block.text for block in blocks if isinstance(block, FoldedReasoning)]
    assert thoughts == [piece["thinking"] for piece in content if piece.get("thinking")]
    calls = [(c.id, c.name, c.arguments) for c in blocks if isinstance(c, FoldedTool)]
    assert calls == [
        (call["id"], call["function"]["name"], call["function"]["arguments"].removeprefix("null"))
        for call in message.get("tool_calls") or []
    ]
    cited = [json.loads(bytes(block.raw)) for block in blocks if isinstance(block, OpaqueBlock)]
    assert cited == (message.get("citations") or [])
    assert answer.choices[0].stop == Stop(STOPS[reply["finish_reason"]], reply["finish_reason"])  # type: ignore[arg-type]
    counted = answer.usage
    assert counted is not None
    assert counted.prompt == usage["billed_units"]["input_tokens"]
    assert counted.output == usage["billed_units"]["output_tokens"]
    assert counted.reasoning == min(usage["tokens"].get("reasoning_tokens", 0), counted.output)
    assert counted.cache_read <= usage.get("cached_tokens", 0)
    assert answer.started.id == reply["id"]


def test_streams(recorded: list[Any]) -> None:
    chance = random.Random(20261124)
    streams = ok(recorded, str)
    assert len(streams) == 26
    for exchange in streams:
        data = exchange["response"]["body"].encode()
        events = check_stream(CODEC, data, chance)
        assert events[-1] == Finished(), exchange["source"]
        assert_same(fold(events), gathered(exchange["response"]["body"]))
        check_cuts(CODEC, data, b'"type":"message-end"', chance)


def test_streams_with_other_line_ends(recorded: list[Any]) -> None:
    chance = random.Random(7)
    for exchange in ok(recorded, str)[:5]:
        data = exchange["response"]["body"].encode()
        expected = check_stream(CODEC, data, chance)
        assert check_stream(CODEC, data.replace(b"\n", b"\r\n"), chance) == expected


def test_whole_replies(recorded: list[Any]) -> None:
    replies = ok(recorded, dict)
    assert len(replies) == 64
    for exchange in replies:
        body = exchange["response"]["body"]
        events = CODEC.decode_answer(json.dumps(body).encode())
        assert events[-1] == Finished(), exchange["source"]
        assert_same(fold(events), body)


def test_failures(recorded: list[Any]) -> None:
    kinds = {400: Kind.CONTEXT_TOO_LONG, 401: Kind.UPSTREAM_AUTH, 404: Kind.UPSTREAM_NOT_FOUND}
    failed = [e["response"] for e in recorded if e["response"]["status"] != 200]
    assert len(failed) == 3
    for response in failed:
        failure = CODEC.decode_failure(response["status"], [], json.dumps(response["body"]).encode())
        assert failure.kind is kinds[response["status"]]
        assert (failure.message == response["body"]["message"]) is (response["status"] != 401)
