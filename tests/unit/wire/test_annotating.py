"""A chunk that is the first and the last of its stream has one `turnout` member."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.wire.codec import Meta
from turnout.wire.registry import CODECS

CHAT = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}\n\n'
)
GEMINI = (
    b'data: {"candidates":[{"content":{"parts":[{"text":",\\"turnout\\":{\\"n\\":1}"}],"role":"model"},'
    b'"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"totalTokenCount":2}}\n\n'
)
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), f"a member twice: {pairs}"
    return dict(pairs)


def members(data: bytes) -> list[Any]:
    lines = [line[6:] for line in data.splitlines() if line.startswith(b"data: {")]
    return [json.loads(line, object_pairs_hook=once).get("turnout") for line in lines]


@pytest.mark.parametrize(
    ("dialect", "body"),
    [("openai_chat", CHAT + b"data: [DONE]\n\n"), ("gemini", GEMINI), ("anthropic", STOP)],
)
@pytest.mark.parametrize("last", [b'{"n":1,"cost":2}', None])
def test_a_stream_of_one_event_has_one_member(dialect: Any, body: bytes, last: bytes | None) -> None:
    codec = CODECS[dialect]
    meta = Meta(id="req_1", created=1, model="m", include_usage=True, first=b'{"n":1}', last=lambda: last)
    decoder = codec.stream_decoder()
    frames = [*decoder.feed(body), *decoder.eof(None)]
    assert members(codec.relay(meta).relay(frames)) == [json.loads(last or b'{"n":1}')]
