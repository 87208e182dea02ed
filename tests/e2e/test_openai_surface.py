"""The rest of OpenAI's API through the official SDK: passed as it is, metered, logged, and never whole when it broke."""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from msgspec.structs import replace

from tests.e2e.harness import Running
from tests.e2e.material import png
from turnout.config import schema
from turnout.core.record import LogRow

TEXT = "The train departs from platform nine."
CHARACTER_NANO = 15_000  # tts-1: 15 USD per million characters


@pytest.fixture
def client(running: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=running.url + "/v1", api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
async def asynchronous(running: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=running.url + "/v1", api_key="any", max_retries=0) as made:
        yield made


def last_row(running: Running, op: str) -> LogRow:
    row = running.rows()[0]
    assert row.op == op
    assert row.dialect == "openai_chat"
    return row


def picture(size: int) -> bytes:
    return base64.b64decode(png(size, size))


def spoken(client: openai.OpenAI, text: str = TEXT, **more: Any) -> bytes:
    return client.audio.speech.create(model="tts-1", voice="alloy", input=text, **more).content


# -- completions
def test_completions(client: openai.OpenAI, running: Running) -> None:
    reply = client.completions.with_raw_response.create(
        model="gpt-3.5-turbo-instruct", prompt="What is the capital of France?", max_tokens=40
    )
    answer = reply.parse()
    assert "Paris" in answer.choices[0].text
    assert answer.usage is not None
    row = last_row(running, "completions")
    assert (row.input_tokens, row.output_tokens) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )
    assert row.cost_nano == answer.usage.prompt_tokens * 1500 + answer.usage.completion_tokens * 2000
    assert float(reply.headers["x-turnout-cost-usd"]) == row.cost_nano / 1e9
    assert reply.headers["x-turnout-model"] == "openai/gpt-3.5-turbo-instruct"


@pytest.mark.parametrize("asked", [True, False])
def test_streamed_completions(client: openai.OpenAI, running: Running, asked: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if asked else {}
    chunks = list(
        client.completions.create(
            model="gpt-3.5-turbo-instruct", prompt="What is the capital of France?", stream=True, **options
        )
    )
    assert "Paris" in "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert any(chunk.usage for chunk in chunks) is asked
    row = last_row(running, "completions")
    assert (row.stream, row.finish_reason, row.usage_estimated) == (1, "stop", 0)
    assert row.cost_nano


async def test_async_completions(asynchronous: openai.AsyncOpenAI) -> None:
    stream = await asynchronous.completions.create(
        model="gpt-3.5-turbo-instruct", prompt="What is the capital of France?", stream=True
    )
    assert "Paris" in "".join([chunk.choices[0].text async for chunk in stream])


# -- moderations
def test_moderations(client: openai.OpenAI, running: Running) -> None:
    for text, flagged in (("I will kill you", True), ("a quiet morning", False)):
        assert client.moderations.create(input=text).results[0].flagged is flagged
    row = last_row(running, "moderations")
    assert (row.requested_model, row.cost_nano) == ("omni-moderation-latest", 0)
    assert row.price_source.startswith("genai-prices")
    parts: Any = [{"type": "text", "text": "I will kill you"}]
    assert client.moderations.create(model="omni-moderation-latest", input=parts).results[0].flagged


# -- images
def test_images(client: openai.OpenAI, running: Running) -> None:
    reply = client.images.generate(model="gpt-image-2", prompt="a railway switch", n=2, quality="medium")
    assert reply.data is not None and reply.usage is not None
    pictures = [base64.b64decode(image.b64_json or "") for image in reply.data]
    assert [picture[:4] for picture in pictures] == [b"\x89PNG"] * 2
    row = last_row(running, "images")
    assert (row.input_tokens, row.output_tokens) == (reply.usage.input_tokens, 2 * 1056)
    assert row.cost_nano == reply.usage.input_tokens * 5000 + 2 * 1056 * 30_000


@pytest.mark.parametrize("edit", [False, True])
def test_streamed_images(client: openai.OpenAI, running: Running, edit: bool) -> None:
    if edit:
        events: Any = client.images.edit(
            model="gpt-image-2", image=picture(8), prompt="bluer", stream=True, partial_images=1
        )
    else:
        events = client.images.generate(model="gpt-image-2", prompt="x", stream=True, partial_images=1)
    kind = "image_edit" if edit else "image_generation"
    assert [event.type for event in events] == [f"{kind}.partial_image", f"{kind}.completed"]
    row = last_row(running, "image_edits" if edit else "images")
    assert (row.stream, row.output_tokens, row.error) == (1, 272, None)
    assert row.cost_nano


def test_edits(client: openai.OpenAI, running: Running) -> None:
    """The files arrive as they left; their tokens cost what images cost."""
    one, other = picture(8), picture(16)
    reply = client.images.edit(
        model="openai/gpt-image-2", image=[("a.png", one), ("b.png", other)], prompt="bluer", n=1
    )
    assert reply.usage is not None
    shown = reply.usage.input_tokens_details
    row = last_row(running, "image_edits")
    assert row.cost_nano == shown.text_tokens * 5000 + shown.image_tokens * 8_000 + 272 * 30_000
    url = running.url + "/v1/images/variations"
    assert httpx2.post(url, data={"model": "gpt-image-2"}, files={"image": ("a.png", one)}).json()["data"]
    assert last_row(running, "image_variations").cost_nano


# -- speech
def test_speech(client: openai.OpenAI, running: Running) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=TEXT, response_format="wav"
    ) as reply:
        data = b"".join(reply.iter_bytes())
        assert reply.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(data)) as sound:
        assert sound.getnframes() > 1000
    row = last_row(running, "speech")
    assert row.cost_nano == len(TEXT) * CHARACTER_NANO
    assert spoken(client, "Grüße")[:3] == b"ID3"
    assert last_row(running, "speech").cost_nano == 5 * CHARACTER_NANO


async def test_async_speech(asynchronous: openai.AsyncOpenAI) -> None:
    create = asynchronous.audio.speech.with_streaming_response.create
    async with create(model="tts-1", voice="alloy", input=TEXT) as reply:
        assert len(await reply.read()) > 1000


def test_speech_as_events(running: Running) -> None:
    body = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": TEXT, "stream_format": "sse"}
    with httpx2.stream("POST", running.url + "/v1/audio/speech", json=body) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in reply.iter_lines() if line.startswith("data: ")]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    usage = events[-1]["usage"]
    assert (
        last_row(running, "speech").cost_nano == usage["input_tokens"] * 600 + usage["output_tokens"] * 12_000
    )


def test_speech_whose_tokens_nobody_told_has_no_known_cost(client: openai.OpenAI, running: Running) -> None:
    client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input=TEXT)
    row = last_row(running, "speech")
    assert (row.cost_nano, row.price_source) == (None, "unknown")


# -- transcriptions
def test_transcriptions_by_the_hour(client: openai.OpenAI, running: Running) -> None:
    sound = ("a.wav", spoken(client, response_format="wav"))
    reply = client.audio.transcriptions.create(model="whisper-1", file=sound)
    assert reply.text == TEXT
    assert reply.usage is not None and reply.usage.type == "duration"
    row = last_row(running, "transcriptions")
    assert row.cost_nano == round(reply.usage.seconds * 100_000)
    verbose = client.audio.transcriptions.create(
        model="whisper-1", file=sound, response_format="verbose_json"
    )
    assert verbose.text == TEXT
    assert last_row(running, "transcriptions").cost_nano
    files = {"file": sound}
    url = running.url + "/v1/audio/translations"
    assert httpx2.post(url, data={"model": "whisper-1"}, files=files).json()["text"] == TEXT
    assert last_row(running, "translations").cost_nano


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_transcriptions_as_text(client: openai.OpenAI, running: Running, form: Any) -> None:
    sound = ("a.mp3", spoken(client))
    reply: Any = client.audio.transcriptions.with_raw_response.create(
        model="whisper-1", file=sound, response_format=form
    )
    assert TEXT in reply.text
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    row = last_row(running, "transcriptions")
    assert (row.cost_nano, row.price_source) == (None, "unknown")


def test_transcriptions_by_the_token(client: openai.OpenAI, running: Running) -> None:
    sound = ("a.mp3", spoken(client))
    reply = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound)
    assert reply.usage is not None and reply.usage.type == "tokens"
    row = last_row(running, "transcriptions")
    assert row.input_audio_tokens == reply.usage.input_tokens
    assert row.cost_nano == reply.usage.input_tokens * 6000 + reply.usage.output_tokens * 10_000
    events = list(client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound, stream=True))
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == TEXT
    assert events[-1].type == "transcript.text.done"
    streamed = last_row(running, "transcriptions")
    assert (streamed.stream, streamed.cost_nano) == (1, row.cost_nano)


async def test_async_transcriptions(asynchronous: openai.AsyncOpenAI, client: openai.OpenAI) -> None:
    sound = ("a.mp3", spoken(client))
    reply = await asynchronous.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound)
    assert reply.text == TEXT


# -- rules
def test_models_that_cannot(client: openai.OpenAI, running: Running) -> None:
    for model, code in (
        ("auto", "bad_request"),
        ("auto:light", "bad_request"),
        ("no-such-model", "unknown_model"),
        ("claude-opus-5-5", "unsupported"),
        ("whisper-1", "unsupported"),
    ):
        with pytest.raises(openai.APIStatusError) as refused:
            client.audio.speech.create(model=model, voice="alloy", input="x")
        assert refused.value.code == code
        assert last_row(running, "speech").error == code
    with pytest.raises(openai.BadRequestError, match="capability:chat"):
        client.chat.completions.create(model="tts-1", messages=[{"role": "user", "content": "x"}])


def test_budgets(client: openai.OpenAI, running: Running) -> None:
    def ask(dollars: str, model: str = "tts-1") -> bytes:
        headers = {"x-turnout-budget-usd": dollars}
        return client.audio.speech.create(
            model=model, voice="alloy", input="x" * 1000, extra_headers=headers
        ).content

    assert ask("0.015")
    for model, dollars in (("tts-1", "0.0149"), ("gpt-4o-mini-tts", "0.001")):
        with pytest.raises(openai.APIStatusError) as refused:
            ask(dollars, model)
        assert refused.value.code == "budget_exceeded"
    with pytest.raises(openai.APIStatusError) as refused:
        client.images.generate(
            model="gpt-image-2", prompt="x", extra_headers={"x-turnout-budget-usd": "0.01"}
        )
    assert refused.value.code == "budget_exceeded"


def test_controls_in_a_form(client: openai.OpenAI, running: Running) -> None:
    sound = spoken(client)
    files = {"file": ("a.mp3", sound)}
    fields = {"model": "whisper-1", "turnout": '{"tags": {"for": "minutes"}}'}
    reply = httpx2.post(running.url + "/v1/audio/transcriptions", data=fields, files=files)
    assert reply.json()["text"] == TEXT
    assert last_row(running, "transcriptions").tags == (("for", "minutes"),)
    seen = running.control("openai", "GET", "requests?last=1")["requests"][0]
    assert "turnout" not in seen["body"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data; boundary=b", b"--b\r\nno end"),
        ("multipart/form-data", b""),
        ("application/json", b"{"),
        ("application/json", b'{"input":"x"}'),
        ("application/octet-stream", b"\0\1"),
    ],
)
def test_bodies_that_are_none(running: Running, content_type: str, body: bytes) -> None:
    request = urllib.request.Request(
        running.url + "/v1/audio/transcriptions",
        data=body,
        headers={"content-type": content_type},
        method="POST",
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 400
    assert json.load(refused.value)["error"]["type"] == "invalid_request_error"


# -- trouble
@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("form", ["mp3", "wav"])
def test_broken_sound_never_looks_whole(
    client: openai.OpenAI, healthy: Running, form: Any, clean: bool
) -> None:
    """A body that its provider ended as it should is whole: then nobody can tell. One that broke is broken off."""
    healthy.fault("openai", {"kind": "cut_after", "chunks": 2, "clean": clean}, model="tts-1")
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=TEXT * 5, response_format=form
    ) as reply:
        if clean:
            assert len(reply.read()) == 2 * 4096
        else:
            with pytest.raises(Exception, match=r"incomplete|closed|disconnect"):
                reply.read()
    row = last_row(healthy, "speech")
    assert row.error == (None if clean else "truncated")
    assert row.cost_nano == len(TEXT * 5) * CHARACTER_NANO


def test_broken_events_end_with_an_error(client: openai.OpenAI, healthy: Running) -> None:
    healthy.fault("openai", {"kind": "cut_after", "chunks": 1, "clean": True})
    streams: list[Any] = [
        client.images.generate(model="gpt-image-2", prompt="x", stream=True, partial_images=2),
        client.completions.create(model="gpt-3.5-turbo-instruct", prompt="capital of France?", stream=True),
    ]
    for stream in streams:
        with pytest.raises(openai.APIError, match="ended"):
            list(stream)
    newest, images = healthy.rows()[:2]
    assert (newest.op, newest.error, newest.usage_estimated) == ("completions", "truncated", 1)
    assert newest.cost_nano
    assert (images.op, images.error, images.cost_nano) == ("images", "truncated", None)


def test_what_the_provider_refuses(client: openai.OpenAI, running: Running) -> None:
    with pytest.raises(openai.BadRequestError, match="Missing required parameter: 'voice'"):
        client.audio.speech.create(model="tts-1", input="x", voice="")
    with pytest.raises(openai.BadRequestError, match="unsupported image"):
        client.images.edit(model="gpt-image-2", image=b"no picture", prompt="x")


def test_fallback_with_another_model_in_the_form(tmp_path: Path) -> None:
    """The model field is rewritten for each candidate; all else is the client's."""

    def change(config: schema.Config, _: dict[str, str]) -> schema.Config:
        ears = replace(config.models["whisper-1"], id=None, fallbacks=("gpt-4o-transcribe",))
        return replace(
            config, models={**config.models, "ears": replace(ears, id="whisper-1"), "whisper-1": ears}
        )

    with Running(tmp_path, change) as gateway:
        with openai.OpenAI(base_url=gateway.url + "/v1", api_key="any", max_retries=0) as client:
            sound = spoken(client)
            gateway.fault("openai", {"kind": "status", "status": 500}, model="whisper-1")
            reply = client.audio.transcriptions.with_raw_response.create(
                model="ears", file=("a.mp3", sound), prompt="trains"
            )
        assert reply.parse().text == TEXT
        assert reply.headers["x-turnout-model"] == "openai/gpt-4o-transcribe"
        row = gateway.rows()[0]
        assert [attempt.model for attempt in row.attempts] == ["openai/whisper-1", "openai/gpt-4o-transcribe"]


def test_keys_hold_for_forms(tmp_path: Path) -> None:
    """Another model than the allowed one cannot be smuggled in by a second field or a file."""

    def change(config: schema.Config, _: dict[str, str]) -> schema.Config:
        return replace(config, keys=(schema.Key(name="app", key="secret-key-1", models=("whisper-1",)),))

    with Running(tmp_path, change) as gateway:
        url = gateway.url + "/v1/audio/transcriptions"
        headers = {"authorization": "Bearer secret-key-1"}
        file = ("file", ("a.mp3", b"x" * 100))
        asked: list[tuple[Any, int]] = [
            ([("model", (None, "whisper-1")), file], 200),
            ([("model", (None, "gpt-4o-transcribe")), file], 403),
            ([("model", (None, "whisper-1")), file, ("model", (None, "gpt-4o-transcribe"))], 400),
            ([("model", (None, "whisper-1")), file, ("model", ("a", b"gpt-4o-transcribe"))], 400),
        ]
        for fields, status in asked:
            assert httpx2.post(url, files=fields, headers=headers).status_code == status
        assert httpx2.post(url, files=[file]).status_code == 401
