"""Ways through the codec that its tests share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from turnout.core.events import Event
from turnout.wire.codec import Meta
from turnout.wire.openai_responses import CODEC

META = Meta("req_0123456789abcdef", 1_700_000_000, "some-model", True)


def sse(*events: dict[str, Any]) -> bytes:
    """Events as OpenAI sends them."""
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events
    )


def encode(events: Sequence[Event], meta: Meta = META) -> bytes:
    """One call of the encoder an event."""
    encoder = CODEC.stream_encoder(meta)
    return b"".join(encoder.encode((event,)) for event in events)


def data_of(stream: bytes) -> list[dict[str, Any]]:
    """The data of every event, the name checked against the type."""
    found = []
    for block in stream.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found
