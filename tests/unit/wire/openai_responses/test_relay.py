"""Same dialect on both sides: bytes pass, but for what is Turnout's own."""

from __future__ import annotations

import json

from tests.unit.wire.openai_responses.wire import META, data_of, sse
from turnout.core.errors import Failure, Kind
from turnout.wire.codec import Meta, Target
from turnout.wire.openai_responses import CODEC
from turnout.wire.openai_responses.marks import UNSIGNED, seal

CREATED = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "model": "gpt"}}
DELTA = {"type": "response.output_text.delta", "sequence_number": 1, "output_index": 0, "delta": "x"}
COMPLETED = {
    "type": "response.completed",
    "sequence_number": 2,
    "response": {"id": "resp_1", "status": "completed", "output": [], "unknown": {"kept": 1.0}},
}
STREAM = sse(CREATED, DELTA, COMPLETED)
NOTED = Meta("req_1", 0, "m", True, b'{"a":1}', lambda: b'{"b":2}')


def through(data: bytes, meta: Meta = META, failure: Failure | None = None, size: int = 50) -> bytes:
    decoder, relay = CODEC.stream_decoder(), CODEC.relay(meta)
    out = [relay.relay(decoder.feed(data[n : n + size])) for n in range(0, len(data), size)]
    return b"".join(out) + relay.relay(decoder.eof(failure))


def test_a_stream_passes_byte_for_byte() -> None:
    odd = b": keep\n\n" + STREAM.replace(b"\n", b"\r\n") + b"data: [DONE]\n\n"
    for stream in (STREAM, odd):
        for size in (1, 7, 10_000):
            assert through(stream, size=size) == stream


def test_the_first_and_the_last_event_are_annotated() -> None:
    first, delta, last = data_of(through(STREAM, NOTED))
    assert first.pop("turnout") == {"a": 1} and last.pop("turnout") == {"b": 2}
    assert [first, delta, last] == [CREATED, DELTA, COMPLETED]


def test_a_cut_stream_ends_in_an_error() -> None:
    for cut in range(len(sse(CREATED)), len(STREAM) - 2):
        events = data_of(through(STREAM[:cut]))
        assert [event["type"] for event in events][-2:] == ["error", "response.failed"]
        assert all(event["type"] != "response.completed" for event in events)
        assert events[-1]["response"]["id"] == "resp_1"
    stalled = data_of(through(sse(CREATED, DELTA), NOTED, Failure(Kind.STALLED, "late")))
    assert [event["sequence_number"] for event in stalled] == [0, 1, 2, 3]


def test_a_provider_s_own_error_passes() -> None:
    failed = {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error"}}}
    stream = sse(CREATED, {"type": "error", "error": {"code": "server_error", "message": "m"}}, failed)
    assert through(stream) == stream


def test_a_body_is_rewritten_where_it_must_be_and_nowhere_else() -> None:
    body = b'{ "model":"m", "input":[{"role":"user","content":"\\u00e9"}], "temperature":1.0, "new":{ } }'
    envelope = CODEC.peek(body)
    assert CODEC.rewrite(envelope, Target("m")) == body
    other = CODEC.rewrite(envelope, Target("gpt-x"))
    assert b'"temperature":1.0' in other and b'"\\u00e9"' in other and json.loads(other)["model"] == "gpt-x"
    ours = CODEC.peek(b'{"model":"m","input":"x","turnout":{"priority":"low"}}')
    assert CODEC.rewrite(ours, Target("m")) == b'{"model":"m","input":"x"}'


def test_reasoning_of_others_does_not_reach_a_provider_that_cannot_check_it() -> None:
    kept: list[dict[str, object]] = [
        {"role": "user", "content": "turnout-unsigned"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
    ]
    foreign: list[dict[str, object]] = [
        {"type": "reasoning", "id": "rs_turnout_x_0", "summary": [], "encrypted_content": sealed}
        for sealed in (UNSIGNED, seal("c2ln", "anthropic"), None)
    ]
    own = {
        "type": "reasoning",
        "id": "rs_turnout_x_1",
        "summary": [],
        "encrypted_content": seal("rs_2:gBBB", "openai_responses"),
    }
    body = json.dumps({"model": "m", "input": [*foreign, *kept, own]}).encode()
    restored = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gBBB"}
    assert json.loads(CODEC.rewrite(CODEC.peek(body), Target("m")))["input"] == [*kept, restored]
