"""Whole responses: a provider's JSON body as events, and an answer as the JSON body for a Gemini client."""

from __future__ import annotations

from msgspec import Raw

from turnout.core.events import (
    Answer,
    Block,
    Choice,
    Event,
    Failed,
    Finished,
    FoldedAudio,
    FoldedReasoning,
    FoldedRefusal,
    FoldedText,
    FoldedTool,
    OpaqueBlock,
    Usage,
)
from turnout.wire.body import malformed
from turnout.wire.codec import Meta
from turnout.wire.gemini.errors import decode_stream_failure
from turnout.wire.gemini.marks import DIALECT
from turnout.wire.gemini.reading import UNREADABLE, Reader, given, read_chunk
from turnout.wire.gemini.reasons import stop_word
from turnout.wire.gemini.replies import (
    Part,
    WirePart,
    add_signature,
    audio_part,
    call_part,
    candidate,
    response,
    response_id,
    said_beside,
    tail,
)
from turnout.wire.gemini.stream import Decoder
from turnout.wire.gemini.usage import usage_json


def decode_answer(body: bytes) -> tuple[Event, ...]:
    """Events of a whole body, terminal event included. An array is a stream that came at once."""
    if body.lstrip()[:1] == b"[":
        decoder = Decoder()
        frames = decoder.feed(body) + decoder.eof(None)
        return tuple(event for frame in frames for event in frame.events)
    try:
        chunk = read_chunk(body)
        if given(chunk.error):
            return (Failed(decode_stream_failure(bytes(chunk.error))),)
        if chunk.candidates is None and not given(chunk.prompt_feedback) and chunk.usage_metadata is None:
            return (Failed(malformed("The provider's reply is not a response of this dialect.")),)
        reader = Reader()
        events = reader.events(chunk, body)
        return tuple(events) if type(events[-1]) is Failed else (*events, *reader.rest(), Finished())
    except UNREADABLE:
        return (Failed(malformed("The provider's reply cannot be read.")),)


def encode_answer(answer: Answer, meta: Meta) -> bytes:
    members: dict[str, Raw] = {}
    candidates: list[Raw] = []
    for number, choice in enumerate(answer.choices or (Choice(),)):
        parts, beside = _parts(choice, members)
        if parts or "promptFeedback" not in members:
            candidates.append(candidate(number, parts, stop_word(choice.stop), beside))
    started = answer.started
    return response(
        candidates,
        members,
        usage_json(answer.usage or Usage()),
        tail(started.model or meta.model, response_id(started.id, meta)),
        None,
    )


def _parts(choice: Choice, members: dict[str, Raw]) -> tuple[list[Part], dict[str, Raw]]:
    parts: list[Part] = []
    beside: dict[str, Raw] = {}
    for block in choice.blocks:
        if not isinstance(block, OpaqueBlock):
            _add(block, parts)
        elif block.dialect == DIALECT and not said_beside(block, beside, members):
            parts.append(block.raw)
    return parts, beside


def _add(block: Block, parts: list[Part]) -> None:
    match block:
        case FoldedText(text) | FoldedRefusal(text):
            if text:
                parts.append(WirePart(text))
        case FoldedReasoning(text, signature, redacted, origin):
            if text:
                parts.append(WirePart(text, True))
            if redacted is not None:
                add_signature(parts, redacted, origin, redacted=True)
            if signature is not None:
                add_signature(parts, signature, origin, alone=not text)
        case FoldedTool(call_id, name, arguments, custom, signature, origin):
            parts.append(call_part(call_id, name, arguments, custom, signature, origin))
        case FoldedAudio(data, transcript, audio_id):
            parts += audio_part(data, transcript, audio_id)
