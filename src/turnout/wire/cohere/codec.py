"""Cohere's v2 API behind the `ProviderCodec` seam. No client speaks it, so every body is encoded."""

from __future__ import annotations

from turnout.core.call import Op
from turnout.core.errors import Failure
from turnout.core.events import Event, Usage
from turnout.core.model import DialectName, Request
from turnout.wire.codec import Encoded, Headers, Target
from turnout.wire.cohere import answers, embeddings, failures
from turnout.wire.cohere.meanings import DIALECT
from turnout.wire.cohere.stream import Decoder
from turnout.wire.cohere.targets import encode_request


class CohereCodec:
    """`wire.codec.ProviderCodec` for `/v2/chat`; the base URL is that of Cohere's own SDK, without a version."""

    name: DialectName = DIALECT
    stream_content_type = b"text/event-stream"

    def encode_request(self, request: Request, target: Target) -> Encoded:
        return encode_request(request, target)

    def path(self, op: Op, target: Target, stream: bool) -> str:
        return "/v2/embed" if op == "embeddings" else "/v2/chat"

    def encode_embeddings(self, body: bytes, target: Target) -> Encoded:
        return embeddings.encode_embeddings(body, target)

    def decode_embeddings(self, reply: bytes, model: str, asked: bytes) -> bytes:
        return embeddings.decode_embeddings(reply, model)

    def stream_decoder(self, quirks: frozenset[str] = frozenset()) -> Decoder:
        return Decoder()

    def decode_answer(self, body: bytes) -> tuple[Event, ...]:
        return answers.decode_answer(body)

    def decode_usage(self, op: Op, body: bytes) -> Usage | None:
        return embeddings.decode_usage(body) if op == "embeddings" else None

    def decode_failure(self, status: int, headers: Headers, body: bytes) -> Failure:
        return failures.decode_failure(status, headers, body)
