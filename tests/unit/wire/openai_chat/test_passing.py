"""Operations that are passed as they are: every recorded reply is metered as its provider counted; broken ones never look whole."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from tests.unit.wire.recorded import exchanges, needs_recordings
from turnout.core.call import PASSED, Envelope, Op
from turnout.core.errors import CallFailed, Failure, Kind
from turnout.core.events import (
    Automaton,
    Event,
    Failed,
    Finished,
    Frame,
    OpaqueBlock,
    Started,
    Stop,
    TextDelta,
    Usage,
)
from turnout.wire.codec import Meta, PassingCodec, StreamDecoder, Target
from turnout.wire.openai_chat.codec import OpenAIChatCodec

CODEC = OpenAIChatCodec()
SSE = b"text/event-stream; charset=utf-8"
JSON = b"application/json"


def envelope(op: Op, **members: Any) -> Envelope:
    return CODEC.peek_passed(op, JSON, json.dumps({"model": "m", **members}).encode())


def decoder(op: Op, content_type: bytes = SSE, **members: Any) -> StreamDecoder:
    return CODEC.passed_decoder(op, envelope(op, **members), content_type, frozenset())


def run(decoding: StreamDecoder, data: bytes, cuts: list[int] | None = None) -> list[Frame]:
    frames: list[Frame] = []
    begin = 0
    for cut in [*sorted(cuts or []), len(data)]:
        frames += decoding.feed(data[begin:cut])
        begin = cut
    return frames + decoding.eof(None)


def events_of(frames: list[Frame]) -> list[Event]:
    return [event for frame in frames for event in frame.events]


def sse(*events: dict[str, Any], done: bool = False) -> bytes:
    data = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return data + (b"data: [DONE]\n\n" if done else b"")


def test_the_codec_passes_every_operation() -> None:
    assert isinstance(CODEC, PassingCodec)
    paths = [CODEC.path(op, Target("m"), False) for op in PASSED]
    assert len(set(paths)) == len(PASSED)
    assert "/chat/completions" not in paths


# -- recordings
FORMATS: dict[str, Op] = {
    "openai.completions": "completions",
    "openai.images": "images",
    "openai.transcriptions": "transcriptions",
    "openai.speech": "speech",
    "openai.moderations": "moderations",
}


def recordings() -> list[Any]:
    return [
        pytest.param(op, exchange, id=f"{exchange['provider']}-{op}-{number}")
        for name, op in FORMATS.items()
        for number, exchange in enumerate(exchanges(name))
    ]


def content_type_of(response: Any) -> bytes:
    kind = "text/event-stream" if isinstance(response["body"], str) else "application/json"
    return str(response["headers"].get("content-type", kind)).encode()


@needs_recordings
@pytest.mark.parametrize(("op", "exchange"), recordings())
def test_recorded(op: Op, exchange: Any) -> None:
    response = exchange["response"]
    body, content_type = response["body"], content_type_of(response)
    if response.get("body_encoding") == "base64":
        check_stream(op, base64.b64decode(body), content_type)
    elif content_type.startswith(b"text/event-stream"):
        check_recorded_stream(op, body.encode(), exchange)
    else:
        check_recorded_body(op, body, content_type, response["status"])


def check_recorded_body(op: Op, body: Any, content_type: bytes, status: int) -> None:
    data = json.dumps(body).encode()
    assert CODEC.is_whole(content_type)
    if status != 200:
        failure = CODEC.decode_failure(status, [], data)
        assert failure.row.status >= 400
        return
    events = CODEC.decode_passed(op, envelope(op), content_type, data)
    assert events[-1] == Finished()
    usage = next((event for event in events if isinstance(event, Usage)), None)
    told = body.get("usage") or {}
    if op == "completions":
        assert (usage is None) == (not told)
    prompt = told.get("prompt_tokens", told.get("input_tokens", 0))
    output = told.get("completion_tokens", told.get("output_tokens", 0))
    seconds = told.get("seconds", body.get("duration", 0))
    if prompt or output or seconds:
        assert usage is not None
        assert (usage.prompt, usage.output, usage.audio_ms) == (prompt, output, round(seconds * 1000))
        details = told.get("input_token_details", {})
        assert usage.input_audio == details.get("audio_tokens", 0)
        made = told.get("output_tokens_details", {})
        assert usage.output_image == made.get("image_tokens", 0)
    else:
        assert usage is None


def check_stream(op: Op, data: bytes, content_type: bytes) -> list[Event]:
    """No byte is lost, one end, whatever the split."""
    frames = run(decoder(op, content_type), data)
    assert b"".join(frame.raw for frame in frames) == data
    events = events_of(frames)
    chance = random.Random(1)
    for size in (2, 9, 40):
        split = run(decoder(op, content_type), data, [chance.randrange(len(data) + 1) for _ in range(size)])
        assert b"".join(frame.raw for frame in split) == data
        kept = [event for event in events_of(split) if not isinstance(event, OpaqueBlock)]
        assert kept == [event for event in events if not isinstance(event, OpaqueBlock)]
    automaton = Automaton()
    for event in events:
        automaton.accept(event)
    assert automaton.ended
    return events


def check_recorded_stream(op: Op, data: bytes, exchange: Any) -> None:
    events = check_stream(op, data, SSE)
    if b"[DONE]" not in data:  # Writer's own format
        assert isinstance(events[-1], Failed)
        return
    assert events[-1] == Finished()
    assert any(isinstance(event, TextDelta) for event in events)
    assert isinstance(next(event for event in events if isinstance(event, Stop)), Stop)
    if "include_usage" in (exchange.get("features") or ""):
        assert any(isinstance(event, Usage) and event.output for event in events)
    chance = random.Random(2)
    end = data.rindex(b"[DONE]")
    for cut in [0, end, *(chance.randrange(end) for _ in range(20))]:
        last = events_of(run(decoder(op), data[:cut]))[-1]
        assert isinstance(last, Failed) and last.failure.kind is Kind.TRUNCATED


# -- streams
PICTURE = {
    "input_tokens": 4,
    "input_tokens_details": {"text_tokens": 4, "image_tokens": 0},
    "output_tokens": 272,
}
STREAMS: list[tuple[Op, bytes, Usage]] = [
    (
        "images",
        sse(
            {"type": "image_generation.partial_image", "b64_json": "AA=="},
            {"type": "image_generation.completed", "b64_json": "AA==", "usage": PICTURE},
        ),
        Usage(input=4, output=272, output_image=272),
    ),
    (
        "image_edits",
        sse({"type": "image_edit.completed", "b64_json": "AA==", "usage": PICTURE}),
        Usage(input=4, output=272, output_image=272),
    ),
    (
        "transcriptions",
        sse(
            {"type": "transcript.text.delta", "delta": "Hi"},
            {
                "type": "transcript.text.done",
                "text": "Hi",
                "usage": {
                    "type": "tokens",
                    "input_tokens": 14,
                    "input_token_details": {"text_tokens": 2, "audio_tokens": 12},
                    "output_tokens": 3,
                },
            },
        ),
        Usage(input=14, output=3, input_audio=12),
    ),
    (
        "speech",
        sse(
            {"type": "speech.audio.delta", "audio": "AA=="},
            {
                "type": "speech.audio.done",
                "usage": {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14},
            },
        ),
        Usage(input=5, output=9),
    ),
]


@pytest.mark.parametrize(("op", "data", "usage"), STREAMS, ids=[op for op, _, _ in STREAMS])
def test_streams_end_with_their_own_event(op: Op, data: bytes, usage: Usage) -> None:
    events = check_stream(op, data, SSE)
    assert isinstance(events[0], Started)
    assert events[-2:] == [usage, Finished()]
    last = data.rindex(b"data:")
    for cut in range(last + 1, len(data) - 2):
        end = events_of(run(decoder(op), data[:cut]))[-1]
        assert isinstance(end, Failed) and end.failure.kind is Kind.TRUNCATED


def test_two_images_end_with_the_second() -> None:
    one = sse({"type": "image_generation.completed", "b64_json": "AA==", "usage": PICTURE})
    decoding = decoder("images", n=2)
    assert Finished() not in events_of(decoding.feed(one))
    broken = decoder("images", n=2)
    broken.feed(one)
    cut = events_of(broken.eof(Failure(Kind.STALLED, "")))
    assert isinstance(cut[-1], Failed)
    events = events_of(decoding.feed(one))
    assert events[-2:] == [Usage(input=8, output=544, output_image=544), Finished()]


def test_one_image_of_two_and_a_proven_end_is_what_the_provider_had_to_say() -> None:
    one = sse({"type": "image_generation.completed", "b64_json": "AA=="})
    assert events_of(run(decoder("images", n=2), one))[-1] == Finished()


@pytest.mark.parametrize("op", ["images", "transcriptions", "speech"])
def test_a_stream_without_its_end_is_cut(op: Op) -> None:
    end = events_of(run(decoder(op), sse({"type": "something.delta"})))[-1]
    assert isinstance(end, Failed) and end.failure.kind is Kind.TRUNCATED
    assert events_of(run(decoder(op), sse({"type": "something.delta"}, done=True)))[-1] == Finished()


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "no", "type": "server_error"}},
        {"type": "error", "error": {"message": "no"}},
        {"type": "error", "message": "no", "code": "server_error"},
    ],
)
def test_errors_inside_a_stream(error: dict[str, Any]) -> None:
    events = events_of(run(decoder("images"), sse({"type": "image_generation.partial_image"}, error)))
    assert isinstance(events[-1], Failed) and events[-1].failure.kind is Kind.STREAM_ERROR
    assert sum(isinstance(event, Failed) for event in events) == 1


def test_garbage_in_a_stream() -> None:
    events = events_of(run(decoder("speech"), b"data: {broken\n\n"))
    assert isinstance(events[-1], Failed) and events[-1].failure.kind is Kind.MALFORMED


# -- sound
def test_sound_has_the_proven_end_of_its_body() -> None:
    def sound() -> StreamDecoder:
        return decoder("speech", b"audio/mpeg", input="Grüße")

    events = events_of([*sound().feed(b"\xff\xfb"), *sound().eof(None)])
    assert events[:2] == [Started(), Usage(characters=5)]
    whole = sound()
    whole.feed(b"x")
    assert events_of(whole.eof(None)) == [Finished()]
    broken = sound()
    broken.feed(b"x")
    cut = Failure(Kind.TRUNCATED, "cut")
    assert events_of(broken.eof(cut)) == [Failed(cut)]
    silent = events_of(sound().eof(None))
    assert isinstance(silent[-1], Failed) and silent[-1].failure.kind is Kind.EMPTY


# -- whole replies
def test_whole_replies_that_are_none() -> None:
    asked = envelope("images")
    for body, kind in ((b'{"data":[', Kind.MALFORMED), (b'{"error":{"message":"no"}}', Kind.STREAM_ERROR)):
        last = CODEC.decode_passed("images", asked, JSON, body)[-1]
        assert isinstance(last, Failed) and last.failure.kind is kind
    text = CODEC.decode_passed("transcriptions", envelope("transcriptions"), b"text/plain", b"hello")
    assert text == (Started(), Finished())


@pytest.mark.parametrize(
    "usage", [None, [], "x", {"input_tokens": -1}, {"seconds": True}, {"seconds": -2}, {"seconds": 1e400}, {}]
)
def test_usage_that_is_none(usage: Any) -> None:
    body = json.dumps({"text": "x", "usage": usage}).encode()
    events = CODEC.decode_passed("transcriptions", envelope("transcriptions"), JSON, body)
    assert not any(isinstance(event, Usage) for event in events)


# -- requests
def test_a_moderation_without_a_model() -> None:
    asked = CODEC.peek_passed("moderations", JSON, b'{"input":"x"}')
    assert asked.model == "omni-moderation-latest"
    assert CODEC.rewrite(asked, Target("omni-moderation-latest")) == b'{"input":"x"}'
    assert json.loads(CODEC.rewrite(asked, Target("other"))) == {"input": "x", "model": "other"}
    with pytest.raises(CallFailed):
        CODEC.peek_passed("images", JSON, b'{"prompt":"x"}')


def test_only_completions_are_asked_for_usage() -> None:
    for op in PASSED:
        sent = json.loads(CODEC.rewrite(envelope(op, stream=True, x=1), Target("other")))
        asked = {"stream_options": {"include_usage": True}} if op == "completions" else {}
        assert sent == {"model": "other", "stream": True, "x": 1, **asked}


def test_speech_as_events_is_a_stream() -> None:
    assert envelope("speech", stream_format="sse").stream
    assert not envelope("speech", stream_format="audio").stream


@pytest.mark.parametrize(
    ("op", "members", "expected"),
    [
        ("completions", {"prompt": "x"}, 16),
        ("completions", {"prompt": ["x", "y"], "max_tokens": 5, "n": 3}, 15),
        ("completions", {"prompt": [1, 2], "max_tokens": 5, "best_of": 4}, 20),
        ("images", {"prompt": "x"}, 6240),
        ("images", {"prompt": "x", "quality": "low", "n": 2}, 816),
        ("speech", {"input": "four"}, 8),
        ("moderations", {"input": [{"type": "text", "text": "x"}]}, 0),
    ],
)
def test_what_a_reply_may_need(op: Op, members: dict[str, Any], expected: int) -> None:
    assert CODEC.describe_passed(op, envelope(op, **members)).params.max_tokens == expected


def test_a_completions_relay_hides_usage_that_was_not_asked_for() -> None:
    data = sse(
        {"choices": [{"index": 0, "text": "a"}]},
        {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        done=True,
    )
    for asked in (True, False):
        relay = CODEC.relay(Meta("id", 0, "m", asked))
        shown = b"".join(relay.relay([frame]) for frame in run(decoder("completions"), data))
        assert (b"usage" in shown) is asked
        assert shown.endswith(b"data: [DONE]\n\n")
