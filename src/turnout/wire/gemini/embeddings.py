"""Embeddings, between OpenAI's shape (a list of texts in, vectors out) and `batchEmbedContents`.

Pure functions: bytes in, bytes out. A request of several texts is one batch; `embedContent` (one text, the only form that Vertex
has) is the batch of one.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from turnout.core.events import Usage
from turnout.wire.body import bad

_encode = msgspec.json.Encoder().encode


class Wanted(Struct, frozen=True):
    """What a caller wants embedded. `base64`: the vectors as base64 of little-endian float32, as OpenAI's SDK asks for."""

    texts: tuple[str, ...]
    dimensions: int | None = None
    base64: bool = False


class Vectors(Struct, frozen=True):
    """In the order of the texts. `tokens` is `None` when the provider did not say."""

    vectors: tuple[tuple[float, ...], ...]
    tokens: int | None = None


class _OpenAiRequest(Struct):
    input: str | list[str]
    dimensions: int | None = None
    encoding_format: str | None = None


class _OpenAiRow(Struct):
    object: str
    index: int
    embedding: tuple[float, ...] | str


class _OpenAiUsage(Struct):
    prompt_tokens: int
    total_tokens: int


class _OpenAiReply(Struct):
    object: str
    data: list[_OpenAiRow]
    model: str
    usage: _OpenAiUsage


class _Text(Struct):
    text: str | None = None


class _Content(Struct):
    parts: list[_Text]


class _Embed(Struct, rename="camel", omit_defaults=True):
    model: str | None = None
    content: _Content | None = None
    output_dimensionality: int | None = None


class _Batch(Struct):
    requests: list[_Embed]


class _Vector(Struct):
    values: tuple[float, ...]


class _Usage(Struct, rename="camel"):
    prompt_token_count: int | None = None
    total_token_count: int | None = None


class _Reply(Struct, rename="camel"):
    embeddings: list[_Vector] | None = None
    embedding: _Vector | None = None
    usage_metadata: _Usage | None = None


class _BatchReply(Struct, rename="camel"):
    embeddings: list[_Vector]
    usage_metadata: _Usage | UnsetType = UNSET


class _OneReply(Struct, rename="camel"):
    embedding: _Vector
    usage_metadata: _Usage | UnsetType = UNSET


_openai_request = msgspec.json.Decoder(_OpenAiRequest)
_openai_reply = msgspec.json.Decoder(_OpenAiReply)
_batch = msgspec.json.Decoder(_Batch)
_embed = msgspec.json.Decoder(_Embed)
_reply = msgspec.json.Decoder(_Reply)
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


# -- requests
def from_openai_request(body: bytes) -> Wanted:
    """Raises `CallFailed(BAD_REQUEST)`; token lists are refused, since no other tokenizer reads them."""
    try:
        wire = _openai_request.decode(body)
    except _UNREADABLE as error:
        raise bad(f"input: text, or a list of texts, is required: {error}", "input") from None
    texts = (wire.input,) if isinstance(wire.input, str) else tuple(wire.input)
    if not texts:
        raise bad("input: at least one text is required", "input")
    return Wanted(texts, wire.dimensions, wire.encoding_format == "base64")


def to_openai_request(wanted: Wanted, model: str) -> bytes:
    members: dict[str, object] = {"model": model, "input": list(wanted.texts)}
    if wanted.dimensions is not None:
        members["dimensions"] = wanted.dimensions
    return _encode(members)


def from_gemini_request(body: bytes) -> Wanted:
    """Of `batchEmbedContents` or `embedContent`. Raises `CallFailed(BAD_REQUEST)`."""
    try:
        requests = _batch.decode(body).requests if b'"requests"' in body else [_embed.decode(body)]
    except _UNREADABLE as error:
        raise bad(f"content: is required: {error}", "content") from None
    texts = []
    for request in requests:
        if request.content is None:
            raise bad("content: is required", "content")
        if any(part.text is None for part in request.content.parts):
            raise bad("content.parts: only text can be embedded", "content.parts")
        texts.append("".join(part.text or "" for part in request.content.parts))
    if not texts:
        raise bad("requests: at least one is required", "requests")
    return Wanted(tuple(texts), requests[0].output_dimensionality)


def to_gemini_request(wanted: Wanted, model: str) -> bytes:
    """A batch; each of its requests names the model."""
    name = f"models/{model.removeprefix('models/')}"
    return _encode(_Batch([_request(text, wanted.dimensions, name) for text in wanted.texts]))


def to_vertex_request(wanted: Wanted) -> bytes:
    """`embedContent`, which takes one text. Raises `CallFailed(BAD_REQUEST)` for more."""
    if len(wanted.texts) != 1:
        raise bad("input: this provider embeds one text a request", "input")
    return _encode(_request(wanted.texts[0], wanted.dimensions, None))


def _request(text: str, dimensions: int | None, model: str | None) -> _Embed:
    return _Embed(model, _Content([_Text(text)]), dimensions)


# -- replies
def from_gemini_reply(body: bytes) -> Vectors | None:
    """`None` for what is no reply of either method."""
    try:
        reply = _reply.decode(body)
    except _UNREADABLE:
        return None
    rows = reply.embeddings if reply.embedding is None else [reply.embedding]
    return None if rows is None else Vectors(tuple(row.values for row in rows), _tokens(reply.usage_metadata))


def to_gemini_reply(vectors: Vectors, one: bool = False) -> bytes:
    """`one`: the reply of `embedContent` and not of the batch."""
    usage = UNSET if vectors.tokens is None else _Usage(vectors.tokens, vectors.tokens)
    rows = [_Vector(values) for values in vectors.vectors]
    return _encode(_OneReply(rows[0], usage) if one else _BatchReply(rows, usage))


def from_openai_reply(body: bytes) -> Vectors | None:
    """`None` for what is no embeddings reply. Rows are put in the order of their `index`."""
    try:
        reply = _openai_reply.decode(body)
        rows = sorted(reply.data, key=lambda row: row.index)
        return Vectors(tuple(_floats(row.embedding) for row in rows), reply.usage.prompt_tokens)
    except (*_UNREADABLE, ValueError, struct.error):
        return None


def to_openai_reply(vectors: Vectors, model: str, wanted: Wanted) -> bytes:
    """Tokens that the provider did not count are told as 0."""
    rows = [
        _OpenAiRow("embedding", index, _packed(values) if wanted.base64 else values)
        for index, values in enumerate(vectors.vectors)
    ]
    tokens = vectors.tokens or 0
    return _encode(_OpenAiReply("list", rows, model, _OpenAiUsage(tokens, tokens)))


def decode_usage(body: bytes) -> Usage | None:
    """What a reply of either method says of its cost."""
    try:
        tokens = _tokens(_reply.decode(body).usage_metadata)
    except _UNREADABLE:
        return None
    return None if tokens is None else Usage(input=tokens)


def _tokens(usage: _Usage | None) -> int | None:
    if usage is None:
        return None
    count = usage.total_token_count if usage.prompt_token_count is None else usage.prompt_token_count
    return None if count is None else max(0, count)


def _packed(values: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def _floats(embedding: tuple[float, ...] | str) -> tuple[float, ...]:
    if not isinstance(embedding, str):
        return embedding
    data = base64.b64decode(embedding, validate=True)
    return struct.unpack(f"<{len(data) // 4}f", data)
