"""What OpenAI has beside chat and embeddings: completions, moderations, images, speech, transcriptions, translations.

Each reader takes a request's members (of JSON or of a form) and gives an `Out`: a whole body or a stream, ready to be sent.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from turnout.sim import sound, tokens
from turnout.sim.ask import Ask, SimError
from turnout.sim.brain import think
from turnout.sim.delivery import SSE_HEADERS, Stream
from turnout.sim.models import SimModel
from turnout.sim.reading import bad, picture, want

CHUNK_BYTES = 4096
IMAGES_MAX = 10
SPEECH_CHARACTERS_MAX = 4096
IMAGE_TOKENS = {"low": 272, "medium": 1056, "high": 4160}
AUDIO_TOKENS_PER_S = 10
_FORMATS = ("mp3", "wav", "pcm")


class File(Struct):
    """A file of a form."""

    name: str
    data: bytes


class Out(Struct):
    """`body`, or `stream` if it is there; `output` tokens say how long a model takes for it."""

    content_type: str
    body: bytes = b""
    stream: Stream | None = None
    output: int = 0


Reader = Callable[[dict[str, Any], SimModel, int, str], Out]


def read_form(content_type: str, body: bytes) -> dict[str, Any]:
    """Fields as text, files as `File`; a name that comes several times, or ends in `[]`, is a list. Raises `SimError`."""
    head = f"content-type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise bad("Could not parse multipart form.")
    data: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            raise bad("Could not parse multipart form.")
        filename = part.get_filename()
        value: Any = content.decode("utf-8", "replace") if filename is None else File(filename, content)
        key = name.removesuffix("[]")
        if key != name or key in data:
            data[key] = [*(data[key] if isinstance(data.get(key), list) else []), value]
        else:
            data[key] = value
    return data


def _event(data: dict[str, Any], *, named: bool = True) -> bytes:
    name = b"event: " + str(data["type"]).encode() + b"\n" if named else b""
    return name + b"data: " + msgspec.json.encode(data) + b"\n\n"


_FAILED = _event(
    {"type": "error", "error": {"message": "The server had an error.", "type": "server_error", "code": None}}
)


def _events(content: list[bytes], tail: list[bytes], output: int) -> Out:
    stream = Stream([], content, tail, b": keep-alive\n\n", _FAILED)
    return Out(SSE_HEADERS["content-type"], stream=stream, output=output)


def _json(data: dict[str, Any], output: int = 0) -> Out:
    return Out("application/json", msgspec.json.encode(data), output=output)


def _true(value: object) -> bool:
    return value is True or value == "true"


def _required(data: dict[str, Any], name: str) -> Any:
    value = want(data, name, (str, list))
    if not value:
        raise bad(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    return value


# -- completions
def completions(data: dict[str, Any], model: SimModel, seed: int, reply_id: str) -> Out:
    prompt = _required(data, "prompt")
    prompts = (
        [prompt] if isinstance(prompt, str) else [one if isinstance(one, str) else str(one) for one in prompt]
    )
    limit = want(data, "max_tokens", (int,), 0)
    stop = want(data, "stop", (str, list))
    texts, made = [], 0
    for variant in range(max(1, want(data, "n", (int,), 1, 8) or 1)):
        for text in prompts:
            ask = Ask(model.id, text, text, max_tokens=16 if limit is None else limit)
            ask.stop = [stop] if isinstance(stop, str) else list(stop or [])
            said = think(ask, model, seed, variant)
            texts.append((said.text, "length" if said.finish == "length" else "stop"))
            made += said.output_tokens
    counted = sum(tokens.count(text) for text in prompts)
    usage = {"prompt_tokens": counted, "completion_tokens": made, "total_tokens": counted + made}
    frame = {"id": reply_id, "object": "text_completion", "created": int(time.time()), "model": model.id}
    choices = [_choice(index, text, finish) for index, (text, finish) in enumerate(texts)]
    if not want(data, "stream", (bool,)):
        return _json({**frame, "choices": choices, "usage": usage}, made)
    content = [
        _event({**frame, "choices": [_choice(index, piece, None)]}, named=False)
        for index, (text, _) in enumerate(texts)
        for piece in tokens.pieces(text)
    ]
    tail = [
        _event({**frame, "choices": [_choice(index, "", finish)]}, named=False)
        for index, (_, finish) in enumerate(texts)
    ]
    if (want(data, "stream_options", (dict,)) or {}).get("include_usage"):
        tail.append(_event({**frame, "choices": [], "usage": usage}, named=False))
    return _events(content, [*tail, b"data: [DONE]\n\n"], made)


def _choice(index: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


# -- moderations
_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "harassment": ("idiot", "stupid"),
    "harassment/threatening": (),
    "hate": ("hate them",),
    "hate/threatening": (),
    "illicit": ("steal", "bomb"),
    "illicit/violent": ("bomb",),
    "self-harm": ("hurt myself",),
    "self-harm/intent": ("hurt myself",),
    "self-harm/instructions": (),
    "sexual": ("porn",),
    "sexual/minors": (),
    "violence": ("kill", "bomb", "attack"),
    "violence/graphic": (),
}


def moderations(data: dict[str, Any], model: SimModel, seed: int, reply_id: str) -> Out:
    given = _required(data, "input")
    texts = [given] if isinstance(given, str) else [_moderated(one) for one in given]
    if not isinstance(given, str) and any(isinstance(one, dict) for one in given):
        texts = [" ".join(texts)]
    return _json({"id": reply_id, "model": model.id, "results": [_verdict(text.lower()) for text in texts]})


def _moderated(part: object) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type") in ("text", "image_url"):
        return str(part.get("text") or "")
    raise bad("Invalid type for 'input'.", "input", "invalid_type")


def _verdict(text: str) -> dict[str, Any]:
    flagged = {name: any(word in text for word in words) for name, words in _CATEGORIES.items()}
    return {
        "flagged": any(flagged.values()),
        "categories": flagged,
        "category_scores": {name: 0.98 if hit else 0.0001 for name, hit in flagged.items()},
        "category_applied_input_types": {name: ["text"] for name in flagged},
    }


# -- images
def images(data: dict[str, Any], model: SimModel, seed: int, reply_id: str) -> Out:
    return _pictures(data, _required(data, "prompt"), 0, "image_generation")


def image_edits(data: dict[str, Any], model: SimModel, seed: int, reply_id: str) -> Out:
    return _pictures(data, _required(data, "prompt"), _pictures_in(data), "image_edit")


def image_variations(data: dict[str, Any], model: SimModel, seed: int, reply_id: str) -> Out:
    return _pictures(data, "", _pictures_in(data), "image_variation")


def _pictures_in(data: dict[str, Any]) -> int:
    """How many there are; each must be one."""
    given = data.get("image")
    files = given if isinstance(given, list) else [given]
    for file in files:
        if not isinstance(file, File):
            raise bad("Missing required parameter: 'image'.", "image", "missing_required_parameter")
        picture(base64.b64encode(file.data).decode(), file.name)
    return len(files)


def _pictures(data: dict[str, Any], prompt: str, given: int, kind: str) -> Out:
    count = int(data.get("n") or 1)
    if not 1 <= count <= IMAGES_MAX:
        raise bad(f"Invalid 'n': {count}.", "n", "invalid_value")
    quality = str(data.get("quality") or "low")
    text, shown, made = (
        tokens.count(prompt),
        194 * given,
        IMAGE_TOKENS.get(quality, IMAGE_TOKENS["low"]) * count,
    )
    usage = {
        "input_tokens": text + shown,
        "input_tokens_details": {"text_tokens": text, "image_tokens": shown},
        "output_tokens": made,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": made},
        "total_tokens": text + shown + made,
    }
    about = {"background": "opaque", "output_format": "png", "quality": quality, "size": "1024x1024"}
    made_of = [base64.b64encode(sound.png(f"{prompt}:{number}")).decode() for number in range(count)]
    created = int(time.time())
    if not _true(data.get("stream")):
        return _json(
            {"created": created, "data": [{"b64_json": one} for one in made_of], **about, "usage": usage}
        )
    about = {**about, "created_at": created}  # type: ignore[dict-item]
    partial = [
        _event({"type": f"{kind}.partial_image", "partial_image_index": n, "b64_json": made_of[0], **about})
        for n in range(int(data.get("partial_images") or 0))
    ]
    return _events(
        partial, [_event({"type": f"{kind}.completed", "b64_json": made_of[0], **about, "usage": usage})], 0
    )


# -- speech
def speech(data: dict[str, Any], model: SimModel, seed: int, reply_id: str) -> Out:
    text = _required(data, "input")
    if not isinstance(text, str) or len(text) > SPEECH_CHARACTERS_MAX:
        raise bad(
            f"Invalid 'input': at most {SPEECH_CHARACTERS_MAX} characters.",
            "input",
            "string_above_max_length",
        )
    if not data.get("voice"):
        raise bad("Missing required parameter: 'voice'.", "voice", "missing_required_parameter")
    form = data.get("response_format") or "mp3"
    if form not in _FORMATS:
        raise bad(
            f"Invalid value: '{form}'. Simulated are: {', '.join(_FORMATS)}.",
            "response_format",
            "invalid_value",
        )
    content_type, data_out = sound.spoken(text, form)
    pieces = [data_out[at : at + CHUNK_BYTES] for at in range(0, len(data_out), CHUNK_BYTES)]
    output = int(sound.seconds_of(text) * 20)
    if data.get("stream_format") != "sse":
        return Out(content_type, stream=Stream([], pieces, [], b"", b""), output=output)
    if model.id.startswith("tts-1"):
        raise bad("Invalid value: 'sse' is not supported with this model.", "stream_format", "invalid_value")
    said = tokens.count(text)
    usage = {"input_tokens": said, "output_tokens": output, "total_tokens": said + output}
    deltas = [
        _event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}, named=False)
        for piece in pieces
    ]
    return _events(deltas, [_event({"type": "speech.audio.done", "usage": usage}, named=False)], output)


# -- transcriptions
def transcriptions(data: dict[str, Any], model: SimModel, seed: int, reply_id: str) -> Out:
    file = data.get("file")
    if not isinstance(file, File):
        raise bad("Missing required parameter: 'file'.", "file", "missing_required_parameter")
    text, seconds = sound.heard(file.data)
    by_time = model.id.startswith("whisper")
    usage: dict[str, Any] = {"type": "duration", "seconds": -(-seconds // 1)}
    if not by_time:
        audio, made = max(1, int(seconds * AUDIO_TOKENS_PER_S)), tokens.count(text)
        usage = {
            "type": "tokens",
            "input_tokens": audio,
            "input_token_details": {"text_tokens": 0, "audio_tokens": audio},
            "output_tokens": made,
            "total_tokens": audio + made,
        }
    form = data.get("response_format") or "json"
    if form in ("text", "srt", "vtt"):
        return Out("text/plain; charset=utf-8", _subtitles(form, text, seconds).encode())
    if form not in ("json", "verbose_json"):
        raise bad(f"Invalid value: '{form}'.", "response_format", "invalid_value")
    if _true(data.get("stream")) and not by_time:
        deltas = [
            _event({"type": "transcript.text.delta", "delta": piece}, named=False)
            for piece in tokens.pieces(text)
        ]
        done = {"type": "transcript.text.done", "text": text, "usage": usage}
        return _events(deltas, [_event(done, named=False)], tokens.count(text))
    if form == "verbose_json":
        more = {"task": "transcribe", "language": "english", "duration": round(seconds, 3), "segments": []}
        return _json({**more, "text": text, "usage": usage})
    return _json({"text": text, "usage": usage})


def _subtitles(form: str, text: str, seconds: float) -> str:
    if form == "text":
        return text + "\n"
    end = f"00:{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
    if form == "vtt":
        return f"WEBVTT\n\n00:00:00.000 --> {end}.000\n{text}\n\n"
    return f"1\n00:00:00,000 --> {end},000\n{text}\n\n"


READERS: Mapping[str, tuple[str, str, Reader]] = {
    "/completions": ("completions", "cmpl-", completions),
    "/moderations": ("moderations", "modr-", moderations),
    "/images/generations": ("images", "img-", images),
    "/images/edits": ("images", "img-", image_edits),
    "/images/variations": ("images", "img-", image_variations),
    "/audio/speech": ("speech", "tts-", speech),
    "/audio/transcriptions": ("transcriptions", "asr-", transcriptions),
    "/audio/translations": ("transcriptions", "asr-", transcriptions),
}
"""Path → what a model must do, how ids begin, and who reads the request."""


def refuse(model: SimModel, path: str) -> SimError:
    return SimError(
        404, "invalid_request_error", f"The model '{model.id}' is not supported by v1{path}.", "model"
    )
