"""Hand-written pieces of the format, after the API's specification, for the tests beside this file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from turnout.core.errors import Failure
from turnout.core.events import Automaton, Event, Frame
from turnout.wire.bedrock import CODEC
from turnout.wire.bedrock.eventstream import pack_message
from turnout.wire.codec import ProviderCodec

EVENT = {":content-type": "application/json", ":message-type": "event"}


def frame(kind: str, payload: dict[str, Any]) -> bytes:
    """One event as the API frames it, padding included."""
    return pack_message({":event-type": kind, **EVENT}, json.dumps({**payload, "p": "abcdef"}).encode())


def exception(kind: str, message: str) -> bytes:
    headers = {
        ":exception-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return pack_message(headers, json.dumps({"message": message}).encode())


def start() -> bytes:
    return frame("messageStart", {"role": "assistant"})


def delta(index: int, **kind: Any) -> bytes:
    return frame("contentBlockDelta", {"contentBlockIndex": index, "delta": kind})


def block_start(index: int, **kind: Any) -> bytes:
    return frame("contentBlockStart", {"contentBlockIndex": index, "start": kind})


def block_stop(index: int) -> bytes:
    return frame("contentBlockStop", {"contentBlockIndex": index})


def stop(reason: str = "end_turn", **members: Any) -> bytes:
    return frame("messageStop", {"stopReason": reason, **members})


def metadata(**usage: Any) -> bytes:
    counts = usage or {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
    return frame("metadata", {"metrics": {"latencyMs": 1}, "usage": counts})


def whole() -> bytes:
    """Text and a tool call, from first to last frame."""
    call = {"toolUseId": "tooluse_1", "name": "weather"}
    return b"".join(
        (
            start(),
            delta(0, text="Hello"),
            delta(0, text=", wörld"),
            block_stop(0),
            block_start(1, toolUse=call),
            delta(1, toolUse={"input": '{"city":'}),
            delta(1, toolUse={"input": ' "Oslo"}'}),
            block_stop(1),
            stop("tool_use"),
            metadata(),
        )
    )


def frames_of(
    data: bytes, cuts: Sequence[int] = (), failure: Failure | None = None, codec: ProviderCodec = CODEC
) -> list[Frame]:
    """Frames of a whole stream, fed in pieces that end at `cuts`."""
    decoder = codec.stream_decoder()
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


def decode(
    data: bytes, cuts: Sequence[int] = (), failure: Failure | None = None, codec: ProviderCodec = CODEC
) -> list[Event]:
    return events_of(frames_of(data, cuts, failure, codec))
