"""Mistral's API behind the `ProviderCodec` seam: requests in its own words, replies as the OpenAI codec reads them.

A dialect of its own although it is so near to OpenAI's, because bodies that are passed through untouched fail on both ways: it refuses members
that OpenAI's clients send, and its content can be a list that they cannot read.
"""

from __future__ import annotations

from turnout.core.call import Op
from turnout.core.errors import Failure
from turnout.core.events import Event, Usage
from turnout.core.model import DialectName, Request
from turnout.wire.codec import Encoded, Headers, ProviderCodec, StreamDecoder, Target
from turnout.wire.mistral import embeddings
from turnout.wire.mistral.requests import encode_request
from turnout.wire.openai_chat import CODEC as OPENAI

_READER: ProviderCodec = OPENAI


class MistralCodec:
    """`wire.codec.ProviderCodec`; the base URL ends in `/v1`."""

    name: DialectName = "mistral"
    stream_content_type = b"text/event-stream"

    def encode_request(self, request: Request, target: Target) -> Encoded:
        return encode_request(request, target)

    def path(self, op: Op, target: Target, stream: bool) -> str:
        return _READER.path(op, target, stream)

    def encode_embeddings(self, body: bytes, target: Target) -> Encoded:
        return embeddings.encode_embeddings(body, target)

    def decode_embeddings(self, reply: bytes, model: str, asked: bytes) -> bytes:
        return reply  # the same shape

    def stream_decoder(self, quirks: frozenset[str] = frozenset()) -> StreamDecoder:
        return _READER.stream_decoder(quirks)

    def decode_answer(self, body: bytes) -> tuple[Event, ...]:
        return _READER.decode_answer(body)

    def decode_usage(self, op: Op, body: bytes) -> Usage | None:
        return _READER.decode_usage(op, body)

    def decode_failure(self, status: int, headers: Headers, body: bytes) -> Failure:
        return _READER.decode_failure(status, headers, body)
