"""Every recorded exchange of this dialect, through every part of the codec.

Recordings are read in place beside the repository (or under `TURNOUT_SHARED`); without them these tests are skipped.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.unit.wire.gemini.wire import META, decode, encode, events_of, frames_of
from turnout.core.errors import Kind
from turnout.core.events import (
    Failed,
    Finished,
    FoldedReasoning,
    FoldedText,
    FoldedTool,
    Stop,
    TextDelta,
    fold,
)
from turnout.wire.codec import Framing, Target
from turnout.wire.gemini import CODEC

SHARED = Path(os.environ.get("TURNOUT_SHARED", Path(__file__).parents[5] / "shared"))
ROOT = SHARED / "recordings"
NO_REPLY = "google-live-speech-translation"  # messages of the Live API: no candidates, never complete
pytestmark = pytest.mark.skipif(
    not (ROOT / "INDEX.tsv").exists(), reason="no recordings beside the repository"
)


def exchanges(wire_format: str = "gemini.generateContent") -> list[Any]:
    if not (ROOT / "INDEX.tsv").exists():
        return []
    with (ROOT / "INDEX.tsv").open() as index:
        rows = [row for row in csv.DictReader(index, delimiter="\t") if row["format"] == wire_format]
    return [json.loads((ROOT / row["path"]).read_text()) for row in rows]


@pytest.fixture(scope="module")
def recorded() -> list[Any]:
    return exchanges()


def ok(recorded: list[Any], kind: type) -> list[Any]:
    return [
        exchange
        for exchange in recorded
        if exchange["response"]["status"] == 200
        and isinstance(exchange["response"]["body"], kind)
        and NO_REPLY not in exchange["source"]
    ]


def chunks_of(body: Any) -> list[Any]:
    """An independent reading of a body."""
    if not isinstance(body, str):
        return [body]
    if body.startswith("["):
        found: list[Any] = json.loads(body)
        return found
    return [json.loads(line[5:]) for line in re.split(r"\r?\n", body) if line.startswith("data:")]


def events(exchange: Any) -> list[Any]:
    body = exchange["response"]["body"]
    if isinstance(body, str):
        return decode(body.encode())
    return list(CODEC.decode_answer(json.dumps(body, ensure_ascii=False).encode()))


def test_streams_decode_whole_whatever_the_split(recorded: list[Any]) -> None:
    chance = random.Random(20261123)
    streams = ok(recorded, str)
    assert len(streams) > 90
    for exchange in streams:
        data = exchange["response"]["body"].encode()
        cuts = [chance.randrange(len(data) + 1) for _ in range(6)]
        frames = frames_of(data, cuts)
        assert b"".join(frame.raw for frame in frames) == data
        assert events_of(frames) == decode(data), exchange["source"]
        assert events_of(frames)[-1] == Finished(), exchange["source"]
        framing: Framing = "array" if data.startswith(b"[") else "sse"
        meta = type(META)(META.id, META.created, META.model, True, framing=framing)
        assert CODEC.relay(meta).relay(frames) == data


def test_a_cut_stream_is_never_complete(recorded: list[Any]) -> None:
    chance = random.Random(7)
    for exchange in ok(recorded, str):
        data = exchange["response"]["body"].encode()
        whole = fold(decode(data))
        last = data.rstrip().rfind(b"finishReason")
        for cut in (last, *(chance.randrange(1, last) for _ in range(3))):
            seen = decode(data[:cut])
            finished_early = b"finishReason" in data[:cut] and exchange["source"].find("two_terminal") >= 0
            assert finished_early or isinstance(seen[-1], Failed), (exchange["source"], cut)
            assert fold(seen) != whole


def test_replies_mean_what_their_parts_say(recorded: list[Any]) -> None:
    for exchange in ok(recorded, str) + ok(recorded, dict):
        answer = fold(events(exchange))
        assert answer.failure is None, (exchange["source"], answer.failure)
        chunks = chunks_of(exchange["response"]["body"])
        candidates = [item for piece in chunks for item in piece.get("candidates") or ()]
        parts = [part for item in candidates for part in (item.get("content") or {}).get("parts") or ()]
        blocks = [block for choice in answer.choices for block in choice.blocks]
        text = "".join(part.get("text", "") for part in parts if not part.get("thought"))
        thought = "".join(part.get("text", "") for part in parts if part.get("thought"))
        if not any(item.get("index") for item in candidates):
            assert "".join(block.text for block in blocks if isinstance(block, FoldedText)) == text
            assert "".join(block.text for block in blocks if isinstance(block, FoldedReasoning)) == thought
        calls = [part["functionCall"] for part in parts if part.get("functionCall", {}).get("name")]
        tools = [block for block in blocks if isinstance(block, FoldedTool)]
        assert [tool.name for tool in tools] == [call["name"] for call in calls]
        for tool, call in zip(tools, calls, strict=True):
            if not call.get("willContinue"):
                assert json.loads(tool.arguments) == call.get("args", {})
        proofs = [part["thoughtSignature"] for part in parts if "thoughtSignature" in part]
        kept = [block.signature for block in blocks if isinstance(block, FoldedTool | FoldedReasoning)]
        opaque = json.dumps([bytes(b.raw).decode() for b in blocks if hasattr(b, "raw")])
        for proof in proofs:
            assert any(one and one.endswith(proof) for one in kept) or proof in opaque, exchange["source"]
        usage: dict[str, Any] = next(
            (piece["usageMetadata"] for piece in reversed(chunks) if "usageMetadata" in piece), {}
        )
        if "totalTokenCount" in usage:
            assert answer.usage is not None
            assert answer.usage.prompt + answer.usage.output == usage["totalTokenCount"]


def test_answers_are_the_same_streamed_and_whole(recorded: list[Any]) -> None:
    for exchange in ok(recorded, str) + ok(recorded, dict):
        seen = events(exchange)
        if not any(isinstance(event, Stop) for event in seen):
            continue  # one recorded reply does not say why it ended; a client is always told
        answer = fold(seen)
        again = fold(CODEC.decode_answer(CODEC.encode_answer(answer, META)))
        assert plain(again.choices) == plain(answer.choices), exchange["source"]
        for meta in (META, replace(META, framing="array")):
            streamed = fold(decode(encode(seen, meta=meta)))
            assert by_kind(streamed) == by_kind(answer), exchange["source"]


def plain(value: Any) -> Any:
    """Without the white space inside verbatim JSON, and without the reply's id in ids that were made here."""
    return json.loads(re.sub(rb"gcall_\w+_", b"gcall_", msgspec.json.encode(value)))


def by_kind(answer: Any) -> Any:
    """Blocks, those that stand beside the content last: a stream tells them at its end."""
    return [
        (plain(sorted(choice.blocks, key=lambda block: hasattr(block, "raw"))), choice.stop)
        for choice in answer.choices
    ]


def test_requests_survive_decoding_and_encoding(recorded: list[Any]) -> None:
    checked = 0
    for exchange in recorded:
        body = exchange["request"].get("body")
        if exchange["response"]["status"] != 200 or not isinstance(body, dict) or "contents" not in body:
            continue
        request = CODEC.decode_request(json.dumps(body).encode())
        encoded = CODEC.encode_request(request, Target("gemini-2.5-flash"))
        assert encoded.dropped == (), (exchange["source"], encoded.dropped)
        assert plain(CODEC.decode_request(encoded.body)) == plain(replace(request, model="")), exchange[
            "source"
        ]
        checked += 1
    assert checked > 500


def test_errors_are_named(recorded: list[Any]) -> None:
    seen: dict[Kind, int] = {}
    for exchange in recorded:
        response = exchange["response"]
        if response["status"] == 200:
            continue
        body = json.dumps(response["body"]).encode()
        failure = CODEC.decode_failure(response["status"], (), body)
        seen[failure.kind] = seen.get(failure.kind, 0) + 1
    assert seen == {
        Kind.RATE_LIMITED: 4,
        Kind.CONTEXT_TOO_LONG: 1,
        Kind.UPSTREAM_NOT_FOUND: 7,
        Kind.UPSTREAM_AUTH: 4,  # three bad keys among them, told as status 400
        Kind.UPSTREAM_BAD_REQUEST: 4,
    }


def test_text_deltas_are_one_event_each(recorded: list[Any]) -> None:
    """The relay's and the encoder's fast path is the plain chunk; real streams have it."""
    plain = sum(
        1
        for exchange in ok(recorded, str)
        for frame in frames_of(exchange["response"]["body"].encode())
        if any(isinstance(event, TextDelta) for event in frame.events)
    )
    assert plain > 100
