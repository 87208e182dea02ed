"""Every recorded exchange of Bedrock that this version speaks.

Recordings are read in place beside the repository (or under `TURNOUT_SHARED`); without them these tests are skipped.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.unit.wire.bedrock.wire import decode, events_of, frames_of
from turnout.core.errors import Kind
from turnout.core.events import (
    Event,
    Failed,
    Finished,
    FoldedReasoning,
    FoldedText,
    FoldedTool,
    Started,
    Usage,
    fold,
)
from turnout.wire.bedrock import CODEC, INVOKE_ANTHROPIC
from turnout.wire.bedrock.eventstream import pack_message
from turnout.wire.codec import ProviderCodec

SHARED = Path(os.environ.get("TURNOUT_SHARED", Path(__file__).parents[5] / "shared"))
ROOT = SHARED / "recordings"
pytestmark = pytest.mark.skipif(
    not (ROOT / "INDEX.tsv").exists(), reason="no recordings beside the repository"
)


def exchanges(wanted: str) -> list[Any]:
    if not (ROOT / "INDEX.tsv").exists():
        return []
    with (ROOT / "INDEX.tsv").open() as index:
        rows = [row for row in csv.DictReader(index, delimiter="\t") if row["format"] == wanted]
    return [json.loads((ROOT / row["path"]).read_text()) for row in rows]


CONVERSE = exchanges("bedrock.converse")
INVOKE = [e for e in exchanges("bedrock.invoke.anthropic") if "prompt" not in (e["request"]["body"] or {})]


def body_bytes(response: dict[str, Any]) -> bytes:
    """The exact bytes; where only the decoded events were kept, framed anew."""
    if response.get("body_encoding") == "base64":
        return base64.b64decode(response["body"])
    return b"".join(
        pack_message(event["headers"], json.dumps(event["payload"]).encode()) for event in response["events"]
    )


def streams(recorded: list[Any]) -> list[Any]:
    found = [e["response"] for e in recorded if e["stream"] and e["response"]["status"] == 200]
    assert found
    return found


def is_whole(response: dict[str, Any]) -> bool:
    """Hand-made cases lack the last frame, which every recorded stream has."""
    kinds = {event["headers"].get(":event-type") for event in response["events"]}
    return "chunk" in kinds or {"messageStop", "metadata"} <= kinds


@pytest.mark.parametrize(("recorded", "codec"), [(CONVERSE, CODEC), (INVOKE, INVOKE_ANTHROPIC)])
def test_streams_decode_whole_whatever_the_split(recorded: list[Any], codec: ProviderCodec) -> None:
    chance = random.Random(20261124)
    for response in streams(recorded):
        data = body_bytes(response)
        cuts = [chance.randrange(len(data) + 1) for _ in range(8)]
        frames = frames_of(data, cuts, codec=codec)
        assert b"".join(frame.raw for frame in frames) == data
        events = events_of(frames)
        assert events == decode(data, codec=codec)
        if is_whole(response):
            assert events[-1] == Finished()
        else:
            assert isinstance(events[-1], Failed) and events[-1].failure.kind is Kind.TRUNCATED


@pytest.mark.parametrize(("recorded", "codec"), [(CONVERSE, CODEC), (INVOKE, INVOKE_ANTHROPIC)])
def test_no_cut_is_ever_finished(recorded: list[Any], codec: ProviderCodec) -> None:
    chance = random.Random(1)
    for response in streams(recorded):
        data = body_bytes(response)
        for _ in range(6):
            end = chance.randrange(len(data))
            failed = decode(data[:end], codec=codec)[-1]
            assert isinstance(failed, Failed) and failed.failure.kind is Kind.TRUNCATED


@pytest.mark.parametrize(("recorded", "codec"), [(CONVERSE, CODEC), (INVOKE, INVOKE_ANTHROPIC)])
def test_a_flipped_bit_is_never_finished(recorded: list[Any], codec: ProviderCodec) -> None:
    chance = random.Random(2)
    for response in streams(recorded):
        data = bytearray(body_bytes(response))
        for _ in range(6):
            where = chance.randrange(len(data))
            data[where] ^= (bit := 1 << chance.randrange(8))
            failed = decode(bytes(data), codec=codec)[-1]
            assert isinstance(failed, Failed) and failed.failure.kind in (Kind.MALFORMED, Kind.TRUNCATED)
            data[where] ^= bit


def plain_stream(events: list[Any]) -> dict[str, Any]:
    """An independent reading of the recorded frames; the provider's own tools apart."""
    text, thought, calls, stop, usage = "", "", {}, None, None
    own: set[int] = set()
    for event in events:
        payload = event["payload"]
        index, delta = payload.get("contentBlockIndex"), payload.get("delta") or {}
        begun = (payload.get("start") or {}).get("toolUse")
        if begun and begun.get("type") != "server_tool_use":
            calls[index] = [begun["toolUseId"], begun["name"], ""]
        elif payload.get("start"):
            own.add(index)
        text += delta.get("text") or ""
        thought += (delta.get("reasoningContent") or {}).get("text") or ""
        if "toolUse" in delta and index not in own:
            calls[index][2] += delta["toolUse"]["input"]
        stop = payload.get("stopReason", stop)
        usage = payload.get("usage", usage)
    return {
        "text": text,
        "thought": thought,
        "calls": [(a, b, json.loads(c or "{}")) for a, b, c in calls.values()],
        "stop": stop,
        "usage": counts(usage),
    }


def plain_body(body: dict[str, Any]) -> dict[str, Any]:
    text, thought, calls = "", "", []
    for block in body["output"]["message"]["content"]:
        text += block.get("text") or ""
        text += "".join(p.get("text", "") for p in block.get("citationsContent", {}).get("content", ()))
        thought += block.get("reasoningContent", {}).get("reasoningText", {}).get("text", "")
        call = block.get("toolUse")
        if call and call.get("type") != "server_tool_use":
            calls.append((call["toolUseId"], call["name"], call["input"]))
    return {
        "text": text,
        "thought": thought,
        "calls": calls,
        "stop": body["stopReason"],
        "usage": counts(body.get("usage")),
    }


def counts(usage: dict[str, Any] | None) -> list[int] | None:
    if usage is None:
        return None
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    return [usage.get(name, 0) for name in names]


def meant(events: list[Event]) -> dict[str, Any]:
    answer = fold(events)
    choice = answer.choices[0]
    usage: Usage | None = answer.usage
    return {
        "text": "".join(block.text for block in choice.blocks if isinstance(block, FoldedText)),
        "thought": "".join(block.text for block in choice.blocks if isinstance(block, FoldedReasoning)),
        "calls": [
            (block.id, block.name, json.loads(block.arguments))
            for block in choice.blocks
            if isinstance(block, FoldedTool)
        ],
        "stop": choice.stop.raw if choice.stop else None,
        "usage": None if usage is None else [usage.input, usage.output, usage.cache_read, usage.cache_write],
    }


def test_converse_streams_mean_what_their_frames_say() -> None:
    for response in streams(CONVERSE):
        assert meant(decode(body_bytes(response))) == plain_stream(response["events"])


def test_converse_bodies_mean_what_they_say() -> None:
    bodies = [e["response"]["body"] for e in CONVERSE if not e["stream"] and e["response"]["status"] == 200]
    assert len(bodies) > 100
    for body in bodies:
        events = list(CODEC.decode_answer(json.dumps(body).encode()))
        assert events[0] == Started() and events[-1] == Finished()
        assert meant(events) == plain_body(body)


def test_invoked_streams_are_what_anthropics_decoder_reads() -> None:
    """An independent reading of the recordings' own decoded events."""
    for response in streams(INVOKE):
        inner = [event["decoded"] for event in response["events"]]
        events = decode(body_bytes(response), codec=INVOKE_ANTHROPIC)
        deltas = [event.get("delta") or {} for event in inner]
        found = meant(events)
        assert found["text"] == "".join(delta.get("text", "") for delta in deltas)
        given = "".join(delta.get("partial_json", "") for delta in deltas)
        blocks = fold(events).choices[0].blocks
        assert "".join(b.arguments for b in blocks if isinstance(b, FoldedTool)) == given
        prompt = inner[-1]["amazon-bedrock-invocationMetrics"]["inputTokenCount"]
        written = [e["usage"]["output_tokens"] for e in inner if e["type"] == "message_delta"][-1]
        assert found["usage"][:2] == [prompt, written]


def test_invoked_bodies_decode() -> None:
    for exchange in INVOKE:
        response = exchange["response"]
        if not exchange["stream"] and response["status"] == 200:
            events = INVOKE_ANTHROPIC.decode_answer(json.dumps(response["body"]).encode())
            assert events[-1] == Finished()
            assert (fold(events).usage is None) == ("usage" not in response["body"])


def test_recorded_refusals_have_kinds() -> None:
    expected = {
        "model identifier is invalid": Kind.UPSTREAM_NOT_FOUND,
        "end of its life": Kind.UPSTREAM_NOT_FOUND,
        "on-demand throughput": Kind.UPSTREAM_NOT_FOUND,
        "Input Tokens Exceeded": Kind.CONTEXT_TOO_LONG,
        "security token": Kind.UPSTREAM_AUTH,
        "don't have access": Kind.UPSTREAM_AUTH,
    }
    seen: set[str] = set()
    for exchange in CONVERSE + INVOKE + exchanges("bedrock.count_tokens"):
        response = exchange["response"]
        if response["status"] == 200:
            continue
        headers = [(name.encode(), str(value).encode()) for name, value in response["headers"].items()]
        body = json.dumps(response["body"]).encode()
        failure = CODEC.decode_failure(response["status"], headers, body)
        words = next((words for words in expected if words in response["body"]["message"]), None)
        assert failure.kind is (Kind.UPSTREAM_BAD_REQUEST if words is None else expected[words])
        assert failure.status == response["status"]
        seen.add(words or "")
    assert seen >= set(expected)


def test_counted_tokens() -> None:
    found = [e["response"] for e in exchanges("bedrock.count_tokens") if e["response"]["status"] == 200]
    assert found
    for response in found:
        usage = CODEC.decode_usage("count_tokens", json.dumps(response["body"]).encode())
        assert usage == Usage(input=response["body"]["inputTokens"])
