"""The Anthropic Messages dialect behind the `Codec` seam."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from turnout.core.call import Envelope, Op
from turnout.core.errors import Failure
from turnout.core.events import Answer, Event, Usage
from turnout.core.model import DialectName, Request
from turnout.wire import body as bodies
from turnout.wire.anthropic import answers, errors, foreign, vertex
from turnout.wire.anthropic.encoder import Encoder
from turnout.wire.anthropic.relay import Relay
from turnout.wire.anthropic.requests import decode_request
from turnout.wire.anthropic.stream import Decoder
from turnout.wire.anthropic.targets import encode_request
from turnout.wire.codec import Encoded, Headers, Meta, ModelEntry, Target

_encode = msgspec.json.Encoder().encode


class _Count(Struct):
    input_tokens: int


_count = msgspec.json.Decoder(_Count)


class _Model(Struct, tag="model"):
    id: str
    display_name: str
    created_at: str
    max_input_tokens: int | None
    max_tokens: int | None


class _Models(Struct):
    data: list[_Model]
    has_more: bool
    first_id: str | None
    last_id: str | None


class AnthropicCodec:
    """`wire.codec.Codec` for Anthropic's Messages API, plus the token count that only this dialect's clients ask for."""

    name: DialectName = "anthropic"
    stream_content_type = b"text/event-stream; charset=utf-8"
    forward_headers = frozenset({b"anthropic-beta", b"anthropic-version"})

    def peek(self, body: bytes) -> Envelope:
        """Clients of this dialect always get usage, so `include_usage` is always true."""
        opened = bodies.open_envelope(body)
        return Envelope(opened.model, opened.stream, True, opened.fields, body)

    def rewrite(self, envelope: Envelope, target: Target) -> bytes:
        marked = foreign.has_marks(envelope.body)
        fields = foreign.without_foreign(envelope.fields) if marked else envelope.fields
        if vertex.QUIRK in target.quirks:
            return vertex.body(fields, target.model)
        if envelope.model == target.model and "turnout" not in fields and not marked:
            return envelope.body
        members = dict(fields)
        members.pop("turnout", None)
        members["model"] = Raw(_encode(target.model))
        return bodies.join_members(members)

    def relay(self, meta: Meta) -> Relay:
        return Relay(meta)

    def annotate(self, body: bytes, annotation: bytes) -> bytes:
        return bodies.annotate(body, annotation)

    def decode_request(self, body: bytes, op: Op = "chat") -> Request:
        """A request to count tokens may lack `max_tokens`; any other may not."""
        return decode_request(body, counting=op == "count_tokens")

    def stream_encoder(self, meta: Meta) -> Encoder:
        return Encoder(meta)

    def encode_answer(self, answer: Answer, meta: Meta) -> bytes:
        return answers.encode_answer(answer, meta)

    def encode_error(self, failure: Failure, request_id: str) -> bytes:
        return errors.encode_error(failure, request_id)

    def encode_stream_error(self, failure: Failure, request_id: str) -> bytes:
        return errors.encode_stream_error(failure, request_id)

    def encode_models(self, models: Sequence[ModelEntry]) -> bytes:
        """The first and only page of the list; `created_at` is RFC 3339."""
        data = [
            _Model(entry.id, entry.id, _rfc3339(entry.created), entry.context_window, entry.max_output)
            for entry in models
        ]
        return _encode(_Models(data, False, data[0].id if data else None, data[-1].id if data else None))

    def encode_count(self, tokens: int) -> bytes:
        """The reply of `/v1/messages/count_tokens`."""
        return _encode(_Count(tokens))

    def encode_request(self, request: Request, target: Target) -> Encoded:
        encoded = encode_request(request, target)
        if vertex.QUIRK not in target.quirks:
            return encoded
        return replace(encoded, body=vertex.reopened(encoded.body, target.model))

    def path(self, op: Op, target: Target, stream: bool) -> str:
        if vertex.QUIRK in target.quirks:
            return vertex.path(op, target.model, stream)
        return "/v1/messages/count_tokens" if op == "count_tokens" else "/v1/messages"

    def stream_decoder(self, quirks: frozenset[str] = frozenset()) -> Decoder:
        return Decoder()

    def decode_answer(self, body: bytes) -> tuple[Event, ...]:
        return answers.decode_answer(body)

    def decode_usage(self, op: Op, body: bytes) -> Usage | None:
        """Counted tokens as `input`; no other operation of this dialect has usage of its own."""
        if op != "count_tokens":
            return None
        try:
            return Usage(input=max(0, _count.decode(body).input_tokens))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None

    def decode_failure(self, status: int, headers: Headers, body: bytes) -> Failure:
        return errors.decode_failure(status, headers, body)


def _rfc3339(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
