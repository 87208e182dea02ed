"""Every recorded exchange of Ollama's native chat, against a plain reading of its JSON."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.unit.wire.recorded import check_cuts, check_stream, exchanges, needs_recordings, ok
from turnout.core.errors import Kind
from turnout.core.events import Answer, Finished, FoldedReasoning, FoldedText, FoldedTool, Usage, fold
from turnout.wire.ollama import CODEC

pytestmark = needs_recordings


@pytest.fixture(scope="module")
def recorded() -> list[Any]:
    return exchanges("ollama.chat")


def assert_same(answer: Answer, pieces: list[dict[str, Any]]) -> None:
    last = pieces[-1]
    blocks = answer.choices[0].blocks if answer.choices else ()
    texts = [block.text for block in blocks if isinstance(block, FoldedText)]
    assert "".join(texts) == "".join(piece["message"].get("content") or "" for piece in pieces)
    thoughts = [block.text for block in blocks if isinstance(block, FoldedReasoning)]
    assert "".join(thoughts) == "".join(piece["message"].get("thinking") or "" for piece in pieces)
    told = [call for piece in pieces for call in piece["message"].get("tool_calls") or []]
    calls = [block for block in blocks if isinstance(block, FoldedTool)]
    assert [(c.name, json.loads(c.arguments)) for c in calls] == [
        (call["function"]["name"], call["function"]["arguments"]) for call in told
    ]
    assert all(call.id == one["id"] for call, one in zip(calls, told, strict=True) if "id" in one)
    assert len({call.id for call in calls}) == len(calls) and all(call.id for call in calls)
    stop = answer.choices[0].stop
    assert stop is not None and stop.raw == last["done_reason"]
    expected = {"stop": "tool_use" if told else "stop", "length": "length"}.get(stop.raw, "other")
    assert stop.reason == expected
    if "eval_count" in last:
        assert answer.usage == Usage(input=last["prompt_eval_count"], output=last["eval_count"])
    else:
        assert answer.usage is None
    assert answer.started.model == last["model"]


def test_streams(recorded: list[Any]) -> None:
    chance = random.Random(20261124)
    streams = ok(recorded, str)
    assert len(streams) == 15
    for exchange in streams:
        text = exchange["response"]["body"]
        events = check_stream(CODEC, text.encode(), chance)
        assert events[-1] == Finished(), exchange["source"]
        assert_same(fold(events), [json.loads(line) for line in text.splitlines()])
        check_cuts(CODEC, text.encode(), b'"done":true', chance)


def test_streams_with_other_line_ends_and_blank_lines(recorded: list[Any]) -> None:
    chance = random.Random(7)
    for exchange in ok(recorded, str)[:5]:
        data = exchange["response"]["body"].encode()
        expected = check_stream(CODEC, data, chance)
        assert check_stream(CODEC, data.replace(b"\n", b"\r\n\r\n"), chance) == expected
        assert check_stream(CODEC, data.rstrip(b"\n"), chance) == expected


def test_whole_replies(recorded: list[Any]) -> None:
    replies = ok(recorded, dict)
    assert len(replies) == 26
    for exchange in replies:
        body = exchange["response"]["body"]
        for data in (json.dumps(body), json.dumps(body, indent=2)):
            events = CODEC.decode_answer(data.encode())
            assert events[-1] == Finished(), exchange["source"]
            assert_same(fold(events), [body])


def test_ids_differ_between_turns(recorded: list[Any]) -> None:
    ids: list[str] = []
    for exchange in ok(recorded, str):
        answer = fold(check_stream(CODEC, exchange["response"]["body"].encode(), random.Random(1)))
        ids += [block.id for block in answer.choices[0].blocks if isinstance(block, FoldedTool)]
    assert len(ids) == len(set(ids)) == 2


def test_failures(recorded: list[Any]) -> None:
    failed = [e["response"] for e in recorded if e["response"]["status"] != 200]
    assert len(failed) == 1
    failure = CODEC.decode_failure(404, [], json.dumps(failed[0]["body"]).encode())
    assert failure.kind is Kind.UPSTREAM_NOT_FOUND and "nonexistent-model" in failure.message
