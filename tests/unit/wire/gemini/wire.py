"""Hand-written pieces of the format, after the API's specification, for the tests beside this file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from turnout.core.errors import Failure
from turnout.core.events import Automaton, Event, Frame
from turnout.wire.codec import Meta
from turnout.wire.gemini import CODEC

META = Meta(id="req_0000000000000001", created=1_700_000_000, model="fallback-model", include_usage=True)
USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 7, "totalTokenCount": 17}


def chunk(
    *parts: dict[str, Any], finish: str | None = None, usage: dict[str, int] | None = None, **members: Any
) -> dict[str, Any]:
    """A response with one candidate. `members` are the candidate's."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **members}
    if finish is not None:
        candidate["finishReason"] = finish
    whole: dict[str, Any] = {"candidates": [candidate], "modelVersion": "gemini-test", "responseId": "R1"}
    if usage is not None:
        whole["usageMetadata"] = usage
    return whole


def sse(*chunks: dict[str, Any]) -> bytes:
    """Chunks as the API frames them with `alt=sse`."""
    return b"".join(b"data: %b\r\n\r\n" % json.dumps(item).encode() for item in chunks)


def array(*chunks: dict[str, Any]) -> bytes:
    """Chunks as the API frames them without."""
    return b"[" + b"\n,\r\n".join(json.dumps(item).encode() for item in chunks) + b"\n]"


def frames_of(data: bytes, cuts: Sequence[int] = (), failure: Failure | None = None) -> list[Frame]:
    """Frames of a whole stream, fed in pieces that end at `cuts`."""
    decoder = CODEC.stream_decoder()
    frames: list[Frame] = []
    begin = 0
    for end in (*sorted(cuts), len(data)):
        frames += decoder.feed(data[begin:end])
        begin = end
    return frames + decoder.eof(failure)


def events_of(frames: Iterable[Frame]) -> list[Event]:
    """All events, checked against the grammar."""
    automaton = Automaton()
    events = [event for frame in frames for event in frame.events]
    for event in events:
        automaton.accept(event)
    assert automaton.ended
    return events


def decode(data: bytes, cuts: Sequence[int] = (), failure: Failure | None = None) -> list[Event]:
    return events_of(frames_of(data, cuts, failure))


def encode(*batches: Sequence[Event], meta: Meta = META) -> bytes:
    encoder = CODEC.stream_encoder(meta)
    return b"".join(encoder.encode(batch) for batch in batches)


def parsed(data: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream in either framing."""
    if data.startswith(b"["):
        found: list[dict[str, Any]] = json.loads(data)
        return found
    assert data.endswith(b"\r\n\r\n")
    return [json.loads(piece.removeprefix("data: ")) for piece in data.decode().split("\r\n\r\n")[:-1]]
