"""The Gemini dialect behind the `Codec` seam."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from turnout.core.call import Envelope, Op
from turnout.core.errors import CallFailed, Failure
from turnout.core.events import Answer, Event, Usage
from turnout.core.model import DialectName, Request
from turnout.wire import body as bodies
from turnout.wire.codec import Encoded, Headers, Meta, ModelEntry, Target
from turnout.wire.gemini import answers, embeddings, errors
from turnout.wire.gemini.encoder import Encoder
from turnout.wire.gemini.marks import without_foreign
from turnout.wire.gemini.relay import Relay
from turnout.wire.gemini.requests import decode_request
from turnout.wire.gemini.stream import Decoder
from turnout.wire.gemini.targets import VERTEX_QUIRK, encode_request

_METHODS = ["generateContent", "streamGenerateContent", "countTokens"]
_OURS = ("model", "turnout")
_INNER = "generateContentRequest"
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])
_model = msgspec.json.Decoder(str | None)


class _Count(Struct, rename="camel"):
    total_tokens: int


class _Model(Struct, rename="camel", omit_defaults=True):
    name: str
    base_model_id: str
    display_name: str
    supported_generation_methods: list[str]
    version: str = ""
    input_token_limit: int | None = None
    output_token_limit: int | None = None


class _Models(Struct):
    models: list[_Model]


_count = msgspec.json.Decoder(_Count)


class GeminiCodec:
    """`wire.codec.Codec` for `generateContent`, `streamGenerateContent` and `countTokens`. Quirk `vertex`: Vertex AI's paths."""

    name: DialectName = "gemini"
    stream_content_type = b"text/event-stream"
    forward_headers: frozenset[bytes] = frozenset()

    def peek(self, body: bytes) -> Envelope:
        """Model and stream are the path's to say; the body's `model`, where there is one, stands in."""
        opened = bodies.open_envelope(body, model="", stream=False)
        model = bodies.read(opened.fields, "model", _model, None) or ""
        return Envelope(model.removeprefix("models/"), False, True, opened.fields, body)

    def rewrite(self, envelope: Envelope, target: Target) -> bytes:
        """The path has the model. Proofs of other providers, which Google would refuse, do not pass."""
        fields = envelope.fields
        if not any(name in fields for name in (*_OURS, _INNER)):
            return without_foreign(envelope.body)
        members = {name: raw for name, raw in fields.items() if name not in _OURS}
        if _INNER in members:
            members[_INNER] = _with_model(members[_INNER], target.model)
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

    def encode_error(self, failure: Failure, request_id: str) -> bytes:
        return errors.encode_error(failure, request_id)

    def encode_stream_error(self, failure: Failure, request_id: str) -> bytes:
        return errors.encode_stream_error(failure, request_id)

    def encode_models(self, models: Sequence[ModelEntry]) -> bytes:
        """The first and only page of `models.list`."""
        return _encode(
            _Models(
                [
                    _Model(
                        f"models/{entry.id}",
                        entry.id,
                        entry.id,
                        _METHODS,
                        input_token_limit=entry.context_window,
                        output_token_limit=entry.max_output,
                    )
                    for entry in models
                ]
            )
        )

    def encode_count(self, tokens: int) -> bytes:
        return _encode(_Count(tokens))

    def encode_request(self, request: Request, target: Target) -> Encoded:
        return encode_request(request, target)

    def path(self, op: Op, target: Target, stream: bool) -> str:
        """Below `https://generativelanguage.googleapis.com`, or on Vertex below `…/v1/projects/<project>/locations/<location>`."""
        method = "generateContent"
        if op == "count_tokens":
            method = "countTokens"
        elif op == "embeddings":
            method = "embedContent" if VERTEX_QUIRK in target.quirks else "batchEmbedContents"
        elif stream:
            method = "streamGenerateContent?alt=sse"
        return f"{_resource(target)}:{method}"

    def encode_embeddings(self, body: bytes, target: Target) -> Encoded:
        wanted = embeddings.from_openai_request(body)
        if VERTEX_QUIRK in target.quirks:
            return Encoded(embeddings.to_vertex_request(wanted))
        return Encoded(embeddings.to_gemini_request(wanted, target.model))

    def decode_embeddings(self, reply: bytes, model: str, asked: bytes) -> bytes:
        vectors = embeddings.from_gemini_reply(reply)
        if vectors is None:
            raise CallFailed(bodies.malformed("The provider's reply holds no embeddings."))
        return embeddings.to_openai_reply(vectors, model, embeddings.from_openai_request(asked))

    def stream_decoder(self, quirks: frozenset[str] = frozenset()) -> Decoder:
        return Decoder()

    def decode_answer(self, body: bytes) -> tuple[Event, ...]:
        return answers.decode_answer(body)

    def decode_usage(self, op: Op, body: bytes) -> Usage | None:
        """Counted tokens as `input`, and what an embedding cost where it says so."""
        if op == "embeddings":
            return embeddings.decode_usage(body)
        try:
            return Usage(input=max(0, _count.decode(body).total_tokens)) if op == "count_tokens" else None
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None

    def decode_failure(self, status: int, headers: Headers, body: bytes) -> Failure:
        return errors.decode_failure(status, headers, body)


def _resource(target: Target) -> str:
    model = target.model.removeprefix("models/")
    if VERTEX_QUIRK in target.quirks:
        return f"/publishers/google/models/{quote(model, safe='@')}"
    if model.startswith("tunedModels/"):
        return f"/v1beta/{quote(model)}"
    return f"/v1beta/models/{quote(model)}"


def _with_model(inner: Raw, model: str) -> Raw:
    """The request inside a request to count tokens names its model again."""
    try:
        members = _members.decode(inner)
    except (msgspec.MsgspecError, RecursionError):
        return inner
    members.pop("turnout", None)
    members["model"] = Raw(_encode(f"models/{model.removeprefix('models/')}"))
    return Raw(bodies.join_members(members))
