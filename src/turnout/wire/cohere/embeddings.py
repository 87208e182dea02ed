"""OpenAI's embeddings, asked of `POST /v2/embed`: two pure functions, there and back.

Cohere wants to know what a text is embedded for. OpenAI's clients cannot say, so it is `search_document`, the word for what is stored, unless the
request has Cohere's own `input_type` (official SDKs pass it as an extra member; `truncate` likewise). `encoding_format` becomes
`embedding_types`: Cohere's base64 is the one of OpenAI, little-endian 32-bit floats, and passes unread. Usage is `meta.billed_units`.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from turnout.core.errors import CallFailed, Kind, fail
from turnout.core.events import Usage
from turnout.wire.body import bad, malformed
from turnout.wire.codec import Encoded, Target
from turnout.wire.cohere.meanings import UNREADABLE

INPUT_TYPE_DEFAULT = "search_document"
TEXTS_MAX = 96  # per call

_encode = msgspec.json.Encoder().encode
_NO_VECTORS = "The provider's reply holds no embeddings."


class _Asked(Struct):
    input: str | list[str | int | list[int]]
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None
    input_type: str | None = None
    truncate: str | None = None


class _Body(Struct, omit_defaults=True):
    model: str
    texts: list[str]
    input_type: str
    embedding_types: list[str]
    output_dimension: int | UnsetType = UNSET
    truncate: str | UnsetType = UNSET


class _Billed(Struct):
    input_tokens: float | None = None
    image_tokens: float | None = None


class _Meta(Struct):
    billed_units: _Billed | None = None


class _Vectors(Struct):
    floats: list[Raw] | None = msgspec.field(name="float", default=None)
    base64: list[Raw] | None = None


class _Reply(Struct):
    embeddings: _Vectors | None = None
    meta: _Meta | None = None


class _OnlyMeta(Struct):
    meta: _Meta | None = None


class _Embedding(Struct):
    object: str
    index: int
    embedding: Raw


class _Counted(Struct):
    prompt_tokens: int
    total_tokens: int


class _List(Struct):
    object: str
    data: list[_Embedding]
    model: str
    usage: _Counted


_asked = msgspec.json.Decoder(_Asked)
_reply = msgspec.json.Decoder(_Reply)
_only_meta = msgspec.json.Decoder(_OnlyMeta)


def encode_embeddings(body: bytes, target: Target) -> Encoded:
    """An OpenAI embeddings request as Cohere's.

    Raises `CallFailed`: `BAD_REQUEST` for what is no such request, `UNSUPPORTED` for token ids or too many texts, which another
    provider may take.
    """
    try:
        asked = _asked.decode(body)
    except UNREADABLE as error:
        raise bad(f"The body is not an embeddings request: {error}.") from None
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    words = [text for text in texts if isinstance(text, str)]
    if len(words) != len(texts):
        raise fail(Kind.UNSUPPORTED, "This provider embeds texts, not token ids.", param="input")
    if len(words) > TEXTS_MAX:
        raise fail(Kind.UNSUPPORTED, f"This provider embeds at most {TEXTS_MAX} texts a call.", param="input")
    wire = _Body(
        target.model,
        words,
        asked.input_type or INPUT_TYPE_DEFAULT,
        [asked.encoding_format or "float"],
        UNSET if asked.dimensions is None else asked.dimensions,
        asked.truncate or UNSET,
    )
    return Encoded(_encode(wire), ("user",) if asked.user is not None else ())


def decode_embeddings(body: bytes, model: str) -> bytes:
    """Cohere's reply as OpenAI's. Raises `CallFailed(MALFORMED)`."""
    try:
        reply = _reply.decode(body)
    except UNREADABLE:
        raise CallFailed(malformed(_NO_VECTORS)) from None
    vectors = reply.embeddings
    found = None if vectors is None else vectors.base64 or vectors.floats
    if found is None:
        raise CallFailed(malformed(_NO_VECTORS))
    usage = _usage(reply.meta) or Usage()
    data = [_Embedding("embedding", number, raw) for number, raw in enumerate(found)]
    return _encode(_List("list", data, model, _Counted(usage.prompt, usage.prompt)))


def decode_usage(body: bytes) -> Usage | None:
    """Billed tokens of a reply; images are billed as tokens, too."""
    try:
        return _usage(_only_meta.decode(body).meta)
    except UNREADABLE:
        return None


def _usage(meta: _Meta | None) -> Usage | None:
    billed = None if meta is None else meta.billed_units
    if billed is None:
        return None
    return Usage(input=max(0, int((billed.input_tokens or 0) + (billed.image_tokens or 0))))
