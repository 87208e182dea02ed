"""Recordings through the codecs alone: no socket, so that every recording can be tried in seconds."""

from __future__ import annotations

from tests.fidelity.recordings import Dialect, Recording
from turnout.core.events import Event, Failed, Frame, fold
from turnout.wire.codec import Meta
from turnout.wire.registry import CODECS

META = Meta(id="req_0000000000000001", created=1, model="m", include_usage=True)


def other(dialect: Dialect) -> Dialect:
    return "anthropic" if dialect == "openai_chat" else "openai_chat"


def quirks(recording: Recording) -> frozenset[str]:
    return frozenset({"no_done"}) if recording.no_done else frozenset()


def frames(recording: Recording) -> list[Frame]:
    codec = CODECS[recording.dialect]
    if not recording.streamed:
        return [Frame(recording.body, codec.decode_answer(recording.body))]
    decoder = codec.stream_decoder(quirks(recording))
    return decoder.feed(recording.body) + decoder.eof(None)


def events(recording: Recording) -> list[Event]:
    return [event for frame in frames(recording) for event in frame.events]


def same_dialect(recording: Recording) -> bytes:
    """What a client of the provider's own dialect receives: a JSON body goes through unless it is no reply at all."""
    codec = CODECS[recording.dialect]
    if recording.streamed:
        return codec.relay(META).relay(frames(recording))
    last = events(recording)[-1]
    return codec.encode_error(last.failure, META.id) if isinstance(last, Failed) else recording.body


def across(recording: Recording) -> tuple[bool, bytes]:
    """What a client of the other dialect receives: is it a stream, and its bytes."""
    codec = CODECS[other(recording.dialect)]
    found = events(recording)
    if recording.streamed:
        encoder = codec.stream_encoder(META)
        return True, b"".join(encoder.encode([event]) for event in found)
    last = found[-1]
    if isinstance(last, Failed):
        return False, codec.encode_error(last.failure, META.id)
    return False, codec.encode_answer(fold(found), META)
