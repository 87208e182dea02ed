"""Amazon Bedrock's Converse API behind the `ProviderCodec` seam. No client speaks it, so every body is encoded."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from msgspec import Struct

from turnout.core.call import Op
from turnout.core.errors import Failure
from turnout.core.events import Event, Usage
from turnout.core.model import DialectName, Request
from turnout.wire.bedrock import answers, failures
from turnout.wire.bedrock.stream import Decoder
from turnout.wire.bedrock.targets import encode_request
from turnout.wire.codec import Encoded, Headers, Target

CONTENT_TYPE = b"application/vnd.amazon.eventstream"


class _Count(Struct, rename="camel"):
    input_tokens: int


_count = msgspec.json.Decoder(_Count)


def model_path(model: str, operation: str) -> str:
    """The path of one model's operation; an id may hold `:`, and an ARN `/`, which are percent-encoded."""
    return f"/model/{quote(model, safe='')}/{operation}"


def counted(op: Op, body: bytes) -> Usage | None:
    """Counted tokens as `input`; no other operation has usage of its own."""
    if op != "count_tokens":
        return None
    try:
        return Usage(input=max(0, _count.decode(body).input_tokens))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


class BedrockCodec:
    """`wire.codec.ProviderCodec` for Converse and ConverseStream."""

    name: DialectName = "bedrock"
    stream_content_type = CONTENT_TYPE

    def encode_request(self, request: Request, target: Target) -> Encoded:
        return encode_request(request, target)

    def path(self, op: Op, target: Target, stream: bool) -> str:
        if op == "count_tokens":
            return model_path(target.model, "count-tokens")
        return model_path(target.model, "converse-stream" if stream else "converse")

    def stream_decoder(self, quirks: frozenset[str] = frozenset()) -> Decoder:
        return Decoder()

    def decode_answer(self, body: bytes) -> tuple[Event, ...]:
        return answers.decode_answer(body)

    def decode_usage(self, op: Op, body: bytes) -> Usage | None:
        return counted(op, body)

    def decode_failure(self, status: int, headers: Headers, body: bytes) -> Failure:
        return failures.decode_failure(status, headers, body)
