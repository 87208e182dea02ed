"""Every recorded exchange of this dialect, through every part of the codec, and against what the official SDK's models read in it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from openai.types.responses import Response

from tests.unit.wire.openai_responses.wire import META, encode
from tests.unit.wire.recorded import check_stream, decode, exchanges, frames_of, needs_recordings, ok
from turnout.core.errors import Kind
from turnout.core.events import (
    Answer,
    Failed,
    Finished,
    FoldedReasoning,
    FoldedRefusal,
    FoldedText,
    FoldedTool,
    Stop,
    fold,
    unfold,
)
from turnout.wire.codec import Target
from turnout.wire.openai_responses import CODEC

CONTRADICTED = "openai-shell-container.1"  # shortened by hand: its deltas are not how its final text begins
pytestmark = needs_recordings


@pytest.fixture(scope="module")
def recorded() -> list[Any]:
    found = exchanges("openai.responses")
    assert len(found) > 600
    return found


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def text_of(answer: Answer) -> str:
    return "".join(
        b.text for c in answer.choices for b in c.blocks if isinstance(b, FoldedText | FoldedRefusal)
    )


def thoughts_of(answer: Answer) -> str:
    """Parts are joined by blank lines; the comparison is of the words."""
    told = (b.text for c in answer.choices for b in c.blocks if isinstance(b, FoldedReasoning))
    return "".join("".join(told).split())


def tools_of(answer: Answer) -> list[tuple[str, str, str]]:
    blocks = [b for c in answer.choices for b in c.blocks]
    return [(b.id, b.name, b.arguments) for b in blocks if isinstance(b, FoldedTool)]


def sdk_text(response: Response) -> str:
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    return "".join(part.text if part.type == "output_text" else part.refusal for part in parts)


def sdk_thoughts(response: Response) -> str:
    shown = []
    for item in response.output:
        if item.type == "reasoning":
            summary = "".join(part.text for part in item.summary or [])
            content = "".join(part.text for part in item.content or [])
            shown.append(summary if content == summary else summary + content)
    return "".join("".join(shown).split())


def sdk_tools(response: Response) -> list[tuple[str, str, str]]:
    calls = []
    for item in response.output:
        if item.type == "function_call":
            calls.append((item.call_id, item.name, item.arguments))
        elif item.type == "custom_tool_call":
            calls.append((item.call_id, item.name, item.input))
    return calls


def check_usage(answer: Answer, wire: dict[str, Any] | None) -> None:
    assert (answer.usage is None) == (not wire)
    if answer.usage is None or not wire:
        return
    cached = (wire.get("input_tokens_details") or {}).get("cached_tokens") or 0
    thought = (wire.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    usage = answer.usage
    assert (usage.prompt, usage.output) == (wire["input_tokens"], wire["output_tokens"])
    assert (usage.cache_read, usage.reasoning) == (cached, thought)


def check_stop(answer: Answer, wire: dict[str, Any]) -> None:
    stop = answer.choices[0].stop if answer.choices else None
    assert stop is not None
    reason = (wire.get("incomplete_details") or {}).get("reason")
    if wire["status"] == "incomplete":
        assert stop.reason == ("length" if reason in ("max_output_tokens", "", None) else "other")
    elif wire["status"] in ("completed", "complete"):
        assert stop.reason == ("tool_use" if tools_of(answer) else "stop")
    else:
        assert stop == Stop("other", wire["status"])


def test_whole_replies_say_what_the_sdk_reads(recorded: list[Any]) -> None:
    replies = ok(recorded, dict)
    assert len(replies) > 400
    for exchange in replies:
        body = exchange["response"]["body"]
        events = CODEC.decode_answer(compact(body))
        assert isinstance(events[-1], Finished), exchange["source"]
        answer = fold(events)
        response = Response.construct(**body)
        assert text_of(answer) == sdk_text(response), exchange["source"]
        assert thoughts_of(answer) == sdk_thoughts(response), exchange["source"]
        assert tools_of(answer) == sdk_tools(response), exchange["source"]
        check_usage(answer, body.get("usage"))
        check_stop(answer, body)
        assert fold(unfold(answer)) == answer


def final_of(body: str) -> dict[str, Any] | None:
    lines = [line[5:].strip() for line in body.splitlines() if line.startswith("data:")]
    for line in lines:
        event = json.loads(line) if line != "[DONE]" else {}
        if event.get("type") in ("response.completed", "response.incomplete"):
            return dict(event["response"])
    return None


def test_streams_say_what_their_final_response_says(recorded: list[Any]) -> None:
    chance = random.Random(11)
    streams = ok(recorded, str)
    assert len(streams) > 150
    for exchange in streams:
        body = exchange["response"]["body"]
        events = check_stream(CODEC, body.encode(), chance)
        final = final_of(body)
        if final is None:
            assert isinstance(events[-1], Failed) and events[-1].failure.kind is Kind.QUOTA_EXHAUSTED
            continue
        assert isinstance(events[-1], Finished), exchange["source"]
        answer = fold(events)
        check_usage(answer, final.get("usage"))
        check_stop(answer, final)
        contradicted = CONTRADICTED in exchange["source"]
        if final["output"] and not contradicted:  # some providers leave it out
            response = Response.construct(**final)
            assert text_of(answer) == sdk_text(response), exchange["source"]
            assert tools_of(answer) == sdk_tools(response), exchange["source"]
            assert thoughts_of(answer) == sdk_thoughts(response), exchange["source"]


def end_of(body: bytes) -> int:
    """Where the last brace of the terminal event is."""
    at = 0
    for frame in frames_of(CODEC, body):
        if Finished() in frame.events:
            return at + frame.raw.rindex(b"}")
        at += len(frame.raw)
    return 0


def test_a_cut_stream_never_looks_finished(recorded: list[Any]) -> None:
    chance = random.Random(12)
    for exchange in ok(recorded, str)[::4]:
        body = exchange["response"]["body"].encode()
        end = end_of(body)
        for cut in [0, end, *(chance.randrange(end) for _ in range(8))] if end else ():
            events = decode(CODEC, body[:cut])
            assert isinstance(events[-1], Failed) and events[-1].failure.kind is Kind.TRUNCATED
            assert Finished() not in events


def test_errors_are_named(recorded: list[Any]) -> None:
    errors = [e["response"] for e in recorded if e["response"]["status"] != 200]
    assert len(errors) > 20
    for response in errors:
        failure = CODEC.decode_failure(response["status"], (), compact(response["body"]))
        assert failure.kind is not Kind.MALFORMED and failure.message
        if response["status"] == 401:
            assert failure.kind is Kind.UPSTREAM_AUTH and "key" not in failure.message.lower()


def test_requests_survive_their_own_dialect(recorded: list[Any]) -> None:
    bodies = [e["request"]["body"] for e in recorded if isinstance(e["request"]["body"], dict)]
    assert len(bodies) > 500
    for body in bodies:
        request = CODEC.decode_request(compact(body))
        encoded = CODEC.encode_request(request, Target(request.model))
        assert encoded.dropped == ()
        assert CODEC.decode_request(encoded.body) == request


def test_what_is_encoded_for_a_client_says_the_same(recorded: list[Any]) -> None:
    for exchange in ok(recorded, dict)[::5]:
        answer = fold(CODEC.decode_answer(compact(exchange["response"]["body"])))
        if not answer.choices or answer.choices[0].stop is None or answer.choices[0].stop.reason == "other":
            continue
        whole = fold(CODEC.decode_answer(CODEC.encode_answer(answer, META)))
        streamed = fold(decode(CODEC, encode(tuple(unfold(answer)))))
        for again in (whole, streamed):
            assert text_of(again) == text_of(answer)
            assert thoughts_of(again) == thoughts_of(answer)
            assert tools_of(again) == [(i, n, a or "{}") for i, n, a in tools_of(answer)]
            assert again.choices[0].stop is not None
            assert again.choices[0].stop.reason == answer.choices[0].stop.reason
            if answer.usage is not None:
                assert again.usage is not None
                assert (again.usage.input, again.usage.output) == (answer.usage.input, answer.usage.output)
