"""The OpenAI responses dialect behind the `Codec` seam. Errors and lists of models are OpenAI's, whichever of its APIs is asked."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from turnout.core.call import Envelope, Op
from turnout.core.errors import Failure
from turnout.core.events import Answer, Event, Usage
from turnout.core.model import DialectName, Request
from turnout.wire import body as bodies
from turnout.wire.codec import Codec, Encoded, Headers, Meta, ModelEntry, Target
from turnout.wire.openai_chat import CODEC as CHAT
from turnout.wire.openai_chat.quirks import API_VERSION, value_of
from turnout.wire.openai_responses import answers, errors
from turnout.wire.openai_responses.encoder import Encoder
from turnout.wire.openai_responses.marks import DIALECT, without_foreign
from turnout.wire.openai_responses.relay import Relay
from turnout.wire.openai_responses.requests import decode_request
from turnout.wire.openai_responses.stream import Decoder
from turnout.wire.openai_responses.targets import encode_request
from turnout.wire.openai_responses.usage import read_usage

_encode = msgspec.json.Encoder().encode
_OPENAI: Codec = CHAT


class _Usage(Struct):
    usage: Raw = Raw()


_usage = msgspec.json.Decoder(_Usage)


class OpenAIResponsesCodec:
    """`wire.codec.Codec` for OpenAI's responses API and those that copy it; the base URL is the one of chat completions."""

    name: DialectName = DIALECT
    stream_content_type = b"text/event-stream; charset=utf-8"
    forward_headers: frozenset[bytes] = frozenset()

    def peek(self, body: bytes) -> Envelope:
        return bodies.open_envelope(body)

    def rewrite(self, envelope: Envelope, target: Target) -> bytes:
        """Beside model and `turnout`, reasoning of other providers is taken out: this one can check its own only."""
        if envelope.model == target.model and "turnout" not in envelope.fields:
            return without_foreign(envelope.body)
        members = dict(envelope.fields)
        members.pop("turnout", None)
        members["model"] = Raw(_encode(target.model))
        return without_foreign(bodies.join_members(members))

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
        return _OPENAI.encode_count(tokens)

    def encode_error(self, failure: Failure, request_id: str) -> bytes:
        return _OPENAI.encode_error(failure, request_id)

    def encode_stream_error(self, failure: Failure, request_id: str) -> bytes:
        return errors.encode_stream_error(failure, request_id)

    def encode_models(self, models: Sequence[ModelEntry]) -> bytes:
        return _OPENAI.encode_models(models)

    def encode_request(self, request: Request, target: Target) -> Encoded:
        return encode_request(request, target)

    def path(self, op: Op, target: Target, stream: bool) -> str:
        if op not in ("chat", "count_tokens"):
            return _OPENAI.path(op, target, stream)
        where = "/responses" if op == "chat" else "/responses/input_tokens"
        version = value_of(target.quirks, API_VERSION)
        return where if version is None else f"{where}?api-version={quote(version, safe='')}"

    def stream_decoder(self, quirks: frozenset[str] = frozenset()) -> Decoder:
        return Decoder()

    def decode_answer(self, body: bytes) -> tuple[Event, ...]:
        return answers.decode_answer(body)

    def decode_usage(self, op: Op, body: bytes) -> Usage | None:
        if op not in ("chat", "count_tokens"):
            return _OPENAI.decode_usage(op, body)
        try:
            return read_usage(_usage.decode(body).usage)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return None

    def decode_failure(self, status: int, headers: Headers, body: bytes) -> Failure:
        return _OPENAI.decode_failure(status, headers, body)
