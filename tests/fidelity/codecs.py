"""Recordings through the codecs alone: no socket, so that every recording can be tried in seconds."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fidelity.recordings import DIALECTS, Dialect, Recording, all_recordings
from turnout.core.events import Event, Failed, Frame, fold
from turnout.wire.codec import Codec, Meta
from turnout.wire.registry import CODECS, PROVIDERS

META = Meta(id="req_0000000000000001", created=1, model="m", include_usage=True)


def clients_of(dialect: Dialect) -> tuple[Dialect, ...]:
    """Every dialect that clients speak, but the provider's own."""
    return tuple(client for client in CODECS if client != dialect)


def spoken() -> tuple[Recording, ...]:
    """The recordings whose dialect Turnout speaks."""
    return tuple(recording for recording in all_recordings() if recording.dialect in PROVIDERS)


def skipped() -> list[str]:
    """A line for each recorded dialect that is not registered."""
    counts = [(d, sum(r.dialect == d for r in all_recordings())) for d in DIALECTS if d not in PROVIDERS]
    return [f"skipped: {dialect} is not registered; {count} recordings" for dialect, count in counts]


def own_codec(dialect: Dialect) -> Codec | None:
    """The codec of a dialect that clients speak as well as providers."""
    return CODECS.get(dialect)


def quirks(recording: Recording) -> frozenset[str]:
    return frozenset({"no_done"}) if recording.no_done else frozenset()


def frames(recording: Recording) -> list[Frame]:
    codec = PROVIDERS[recording.dialect]
    if not recording.streamed:
        return [Frame(recording.body, codec.decode_answer(recording.body))]
    decoder = codec.stream_decoder(quirks(recording))
    return decoder.feed(recording.body) + decoder.eof(None)


def events(recording: Recording) -> list[Event]:
    return [event for frame in frames(recording) for event in frame.events]


def same_dialect(recording: Recording, codec: Codec) -> bytes:
    """What a client of the provider's own dialect receives: a JSON body goes through unless it is no reply at all."""
    if recording.streamed:
        return codec.relay(META).relay(frames(recording))
    last = events(recording)[-1]
    return codec.encode_error(last.failure, META.id) if isinstance(last, Failed) else recording.body


def across(recording: Recording, found: Sequence[Event], client: Dialect, *, at_once: bool = False) -> bytes:
    """What a client of another dialect receives for a reply that was decoded to `found`: event by event, or all `at_once`."""
    codec = CODECS[client]
    if recording.streamed:
        encoder = codec.stream_encoder(META)
        return encoder.encode(found) if at_once else b"".join(encoder.encode([event]) for event in found)
    last = found[-1]
    if isinstance(last, Failed):
        return codec.encode_error(last.failure, META.id)
    return codec.encode_answer(fold(found), META)
