"""The OpenAI chat completions dialect behind the `Codec` seam. Embeddings share its endpoint family and its clients."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from turnout.core.call import Envelope, Op
from turnout.core.errors import Failure
from turnout.core.events import Answer, Event, Usage
from turnout.core.model import DialectName, Request
from turnout.wire import body as bodies
from turnout.wire.codec import Encoded, Headers, Meta, ModelEntry, StreamDecoder, Target
from turnout.wire.openai_chat import answers, errors, paths
from turnout.wire.openai_chat import quirks as q
from turnout.wire.openai_chat.encoder import Encoder
from turnout.wire.openai_chat.multipart import rewrite_form
from turnout.wire.openai_chat.parts import DIALECT
from turnout.wire.openai_chat.passing import decode_whole, describe, is_whole, passed_decoder, peek_passed
from turnout.wire.openai_chat.relay import Relay
from turnout.wire.openai_chat.requests import decode_request
from turnout.wire.openai_chat.shapes import UNREADABLE
from turnout.wire.openai_chat.stream import Decoder
from turnout.wire.openai_chat.targets import encode_request
from turnout.wire.openai_chat.usage import decode_usage

_encode = msgspec.json.Encoder().encode
_options = msgspec.json.Decoder(dict[str, Raw])
_WITH_USAGE = Raw(b'{"include_usage":true}')


class _Usage(Struct):
    usage: dict[str, object] | None = None


_usage = msgspec.json.Decoder(_Usage)


class _Model(Struct):
    id: str
    object: str
    created: int
    owned_by: str
    context_window: int | UnsetType = UNSET
    max_output: int | UnsetType = UNSET


class _Models(Struct):
    object: str
    data: list[_Model]


class _Count(Struct):
    object: str
    input_tokens: int


class OpenAIChatCodec:
    """`wire.codec.Codec` for OpenAI's chat completions API and the many that copy it.

    No request header of a client is passed to a provider: in this dialect they are credentials or the SDK's own affairs.
    """

    name: DialectName = DIALECT
    stream_content_type = b"text/event-stream; charset=utf-8"
    forward_headers: frozenset[bytes] = frozenset()

    def peek(self, body: bytes) -> Envelope:
        return bodies.open_envelope(body)

    def rewrite(self, envelope: Envelope, target: Target) -> bytes:
        fields = envelope.fields
        add_usage = (
            envelope.stream and not envelope.include_usage and q.NO_STREAM_OPTIONS not in target.quirks
        )
        if envelope.model == target.model and not add_usage and "turnout" not in fields:
            return envelope.body
        if envelope.form is not None:
            return rewrite_form(envelope, target.model)
        members = dict(fields)
        members.pop("turnout", None)
        members["model"] = Raw(_encode(target.model))
        if add_usage:
            members["stream_options"] = _with_usage(members.get("stream_options"))
        return bodies.join_members(members)

    def relay(self, meta: Meta) -> Relay:
        return Relay(meta)

    def annotate(self, body: bytes, annotation: bytes) -> bytes:
        return bodies.annotate(body, annotation)

    def decode_request(self, body: bytes, op: Op = "chat") -> Request:
        return decode_request(body, op)

    def stream_encoder(self, meta: Meta) -> Encoder:
        return Encoder(meta)

    def encode_answer(self, answer: Answer, meta: Meta) -> bytes:
        return answers.encode_answer(answer, meta)

    def encode_count(self, tokens: int) -> bytes:
        return _encode(_Count("response.input_tokens", tokens))

    def encode_error(self, failure: Failure, request_id: str) -> bytes:
        return errors.encode_error(failure, request_id)

    def encode_stream_error(self, failure: Failure, request_id: str) -> bytes:
        return errors.encode_stream_error(failure, request_id)

    def encode_models(self, models: Sequence[ModelEntry]) -> bytes:
        data = [
            _Model(
                entry.id,
                "model",
                entry.created,
                entry.owner,
                UNSET if entry.context_window is None else entry.context_window,
                UNSET if entry.max_output is None else entry.max_output,
            )
            for entry in models
        ]
        return _encode(_Models("list", data))

    def encode_request(self, request: Request, target: Target) -> Encoded:
        return encode_request(request, target)

    def path(self, op: Op, target: Target, stream: bool) -> str:
        return paths.path(op, target)

    def stream_decoder(self, quirks: frozenset[str] = frozenset()) -> Decoder:
        return Decoder(quirks)

    def decode_answer(self, body: bytes) -> tuple[Event, ...]:
        return answers.decode_answer(body)

    def decode_usage(self, op: Op, body: bytes) -> Usage | None:
        """Of an embeddings reply, say."""
        try:
            return decode_usage(_usage.decode(body).usage)
        except UNREADABLE:
            return None

    def decode_failure(self, status: int, headers: Headers, body: bytes) -> Failure:
        return errors.decode_failure(status, headers, body)

    # -- what only this dialect has
    def peek_passed(self, op: Op, content_type: bytes, body: bytes) -> Envelope:
        return peek_passed(op, content_type, body)

    def describe_passed(self, op: Op, envelope: Envelope) -> Request:
        return describe(op, envelope)

    def is_whole(self, content_type: bytes) -> bool:
        return is_whole(content_type)

    def decode_passed(
        self, op: Op, envelope: Envelope, content_type: bytes, body: bytes
    ) -> tuple[Event, ...]:
        return decode_whole(op, envelope, content_type, body)

    def passed_decoder(
        self, op: Op, envelope: Envelope, content_type: bytes, quirks: frozenset[str]
    ) -> StreamDecoder:
        return passed_decoder(op, envelope, content_type, quirks)


def _with_usage(options: Raw | None) -> Raw:
    """`stream_options` that ask for usage, its other members kept."""
    if options is None or bytes(options) == b"null":
        return _WITH_USAGE
    members = _options.decode(options)
    members["include_usage"] = Raw(b"true")
    return Raw(bodies.join_members(members))
