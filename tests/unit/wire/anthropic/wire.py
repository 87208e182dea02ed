"""Hand-written pieces of the format, after the API's specification, for the tests beside this file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from turnout.core.errors import Failure
from turnout.core.events import Automaton, Event, Frame
from turnout.wire.anthropic import CODEC
from turnout.wire.codec import Meta

META = Meta(id="req_0000000000000001", created=1_700_000_000, model="fallback-model", include_usage=True)


def sse(*events: dict[str, Any]) -> bytes:
    """Events as the API frames them: named, one data line, a blank line."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events
    )


def message_start(**usage: Any) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage or {"input_tokens": 10, "output_tokens": 1},
    }
    return {"type": "message_start", "message": message}


def block(index: int, content_block: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content_block},
        *[{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", "index": index},
    ]


def text_delta(text: str) -> dict[str, Any]:
    return {"type": "text_delta", "text": text}


def text_block(index: int, *texts: str) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, *[text_delta(text) for text in texts])


def message_delta(reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": usage or {"output_tokens": 7}}


MESSAGE_STOP: dict[str, Any] = {"type": "message_stop"}
PING: dict[str, Any] = {"type": "ping"}


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
    """The data objects of an event stream; each event's name must be its type."""
    found = []
    for piece in data.decode().split("\n\n")[:-1]:
        name, _, line = piece.partition("\ndata: ")
        value = json.loads(line)
        assert name == f"event: {value['type']}"
        found.append(value)
    return found
