"""Every recorded exchange of this dialect, through every part of the codec.

Recordings are read in place beside the repository (or under `TURNOUT_SHARED`); without them these tests are skipped.
"""

from __future__ import annotations

import csv
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.unit.wire.anthropic.wire import META, decode, encode, events_of, frames_of
from turnout.core.errors import Kind
from turnout.core.events import Failed, Finished, FoldedText, FoldedTool, fold
from turnout.wire.anthropic import CODEC
from turnout.wire.codec import Target

SHARED = Path(os.environ.get("TURNOUT_SHARED", Path(__file__).parents[5] / "shared"))
ROOT = SHARED / "recordings"
pytestmark = pytest.mark.skipif(
    not (ROOT / "INDEX.tsv").exists(), reason="no recordings beside the repository"
)


def exchanges() -> list[Any]:
    if not (ROOT / "INDEX.tsv").exists():
        return []
    with (ROOT / "INDEX.tsv").open() as index:
        rows = [row for row in csv.DictReader(index, delimiter="\t") if row["format"] == "anthropic.messages"]
    return [json.loads((ROOT / row["path"]).read_text()) for row in rows]


@pytest.fixture(scope="module")
def recorded() -> list[Any]:
    return exchanges()


def ok(recorded: list[Any], kind: type) -> list[Any]:
    return [e for e in recorded if e["response"]["status"] == 200 and isinstance(e["response"]["body"], kind)]


def test_streams_decode_whole_whatever_the_split(recorded: list[Any]) -> None:
    chance = random.Random(20261123)
    for exchange in ok(recorded, str):
        data = exchange["response"]["body"].encode()
        cuts = [chance.randrange(len(data) + 1) for _ in range(6)]
        frames = frames_of(data, cuts)
        assert b"".join(frame.raw for frame in frames) == data
        events = events_of(frames)
        assert events == decode(data), exchange["source"]
        assert events[-1] == Finished(), exchange["source"]
        assert CODEC.relay(META).relay(frames) == data


def test_streams_mean_what_their_deltas_say(recorded: list[Any]) -> None:
    """An independent reading of the bytes, up to the first end of a message: text, and fragments of client tools' input."""
    for exchange in ok(recorded, str):
        data = exchange["response"]["body"]
        text, fragments = "", ""
        kind: dict[int, str] = {}
        for line in data.splitlines():
            event: dict[str, Any] = json.loads(line[6:]) if line.startswith("data: {") else {"type": ""}
            begun, delta = event.get("content_block") or {}, event.get("delta") or {}
            if begun:
                kind[event["index"]] = begun["type"]
            text += begun.get("text") or ""
            text += delta.get("text") or ""
            if kind.get(event.get("index", -1)) == "tool_use":
                fragments += delta.get("partial_json") or ""
            if event["type"] == "message_stop":
                break
        blocks = [block for choice in fold(decode(data.encode())).choices for block in choice.blocks]
        assert "".join(block.text for block in blocks if isinstance(block, FoldedText)) == text
        calls = [block.arguments for block in blocks if isinstance(block, FoldedTool)]
        if fragments:
            assert "".join(call for call in calls if call != "{}" or "{}" in fragments) == fragments
        else:
            assert all(isinstance(json.loads(call), dict) for call in calls)


def comparable(content: list[Any]) -> list[Any]:
    """Blocks without what the canonical form leaves out: the caller of a client tool, citations that are not there."""
    kept = []
    for block in content:
        drop = {"caller"} if block["type"] == "tool_use" else set()
        if block["type"] == "text" and not block.get("citations"):
            drop = {"citations"}
        kept.append({name: value for name, value in block.items() if name not in drop})
    return kept


def test_messages_survive_decoding_and_encoding(recorded: list[Any]) -> None:
    for exchange in ok(recorded, dict):
        body = exchange["response"]["body"]
        answer = fold(CODEC.decode_answer(json.dumps(body).encode()))
        assert answer.failure is None, exchange["source"]
        again = json.loads(CODEC.encode_answer(answer, META))
        assert comparable(again["content"]) == comparable(body["content"])
        for name in ("id", "model", "stop_reason", "stop_sequence"):
            assert again.get(name) == body.get(name)
        for name in ("input_tokens", "output_tokens"):
            assert again["usage"][name] == body["usage"][name]


def test_answers_are_the_same_streamed_and_whole(recorded: list[Any]) -> None:
    for exchange in recorded:
        if exchange["response"]["status"] != 200:
            continue
        body = exchange["response"]["body"]
        if isinstance(body, str):
            events = decode(body.encode())
        else:
            events = list(CODEC.decode_answer(json.dumps(body).encode()))
        answer = fold(events)
        assert fold(decode(encode(events))) == answer, exchange["source"]
        assert fold(CODEC.decode_answer(CODEC.encode_answer(answer, META))) == answer, exchange["source"]


def test_requests_survive_decoding_and_encoding(recorded: list[Any]) -> None:
    checked = 0
    for exchange in recorded:
        body = exchange["request"].get("body")
        if exchange["response"]["status"] != 200 or not isinstance(body, dict) or "model" not in body:
            continue
        request = CODEC.decode_request(json.dumps(body).encode())
        encoded = CODEC.encode_request(request, Target(request.model))
        assert encoded.dropped == (), exchange["source"]
        if body.get("system") not in ([], [{"type": "text", "text": ""}]):
            assert CODEC.decode_request(encoded.body) == request, exchange["source"]
        checked += 1
    assert checked > 100


def test_errors_are_named(recorded: list[Any]) -> None:
    kinds = {
        "authentication_error": Kind.UPSTREAM_AUTH,
        "not_found_error": Kind.UPSTREAM_NOT_FOUND,
        "invalid_request_error": Kind.UPSTREAM_BAD_REQUEST,
    }
    for exchange in recorded:
        status, body = exchange["response"]["status"], exchange["response"]["body"]
        if status == 200:
            continue
        failure = CODEC.decode_failure(status, [], json.dumps(body).encode())
        expected = kinds[body["error"]["type"]]
        if "prompt is too long" in body["error"]["message"]:
            expected = Kind.CONTEXT_TOO_LONG
        assert failure.kind is expected
        if failure.kind is Kind.UPSTREAM_BAD_REQUEST:
            assert failure.message == body["error"]["message"]


@pytest.mark.parametrize(
    ("name", "kind", "retry_after_s"),
    [
        ("anthropic-429-rate-limit", Kind.RATE_LIMITED, 21.0),
        ("anthropic-500-api-error", Kind.UPSTREAM_ERROR, None),
        ("anthropic-529-overloaded", Kind.OVERLOADED, None),
        ("vertex-429-array-wrapped", Kind.RATE_LIMITED, None),
    ],
)
def test_composed_errors(name: str, kind: Kind, retry_after_s: float | None) -> None:
    response = json.loads((ROOT / "composed-errors" / f"{name}.json").read_text())["response"]
    headers = [(key.encode(), value.encode()) for key, value in response["headers"].items()]
    failure = CODEC.decode_failure(response["status"], headers, json.dumps(response["body"]).encode())
    assert (failure.kind, failure.retry_after_s) == (kind, retry_after_s)


def test_the_composed_stream_that_fails_midway() -> None:
    response = json.loads((ROOT / "composed-errors" / "anthropic-stream-overloaded.json").read_text())[
        "response"
    ]
    events = decode(response["body"].encode())
    last = events[-1]
    assert isinstance(last, Failed) and last.failure.kind is Kind.OVERLOADED
    assert fold(events).choices[0].blocks == (FoldedText("Hel"),)
