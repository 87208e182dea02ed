"""OpenAI's embeddings, asked of `POST /api/embed`: two pure functions, there and back.

Ollama gives numbers only. OpenAI's SDKs ask for base64 unless told otherwise and decode it themselves, so that is made here: little-endian
32-bit floats. Usage is `prompt_eval_count`.
"""

from __future__ import annotations

import base64
import struct
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from turnout.core.errors import CallFailed, Kind, fail
from turnout.core.events import Usage
from turnout.wire.body import bad, malformed
from turnout.wire.codec import Encoded, Target
from turnout.wire.ollama.meanings import UNREADABLE, counted

_encode = msgspec.json.Encoder().encode
_NO_VECTORS = "The provider's reply holds no embeddings."


class _Asked(Struct):
    input: str | list[str | int | list[int]]
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None
    truncate: bool | None = None


class _Body(Struct, omit_defaults=True):
    model: str
    input: list[str]
    dimensions: int | UnsetType = UNSET
    truncate: bool | UnsetType = UNSET


class _Reply(Struct):
    model: str | None = None
    embeddings: list[Raw] | None = None
    prompt_eval_count: int | None = None


class _Counts(Struct):
    prompt_eval_count: int | None = None


class _Embedding(Struct):
    object: str
    index: int
    embedding: Raw | str


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
_counts = msgspec.json.Decoder(_Counts)
_floats = msgspec.json.Decoder(list[float])


def encode_embeddings(body: bytes, target: Target) -> Encoded:
    """An OpenAI embeddings request as Ollama's.

    Raises `CallFailed`: `BAD_REQUEST` for what is no such request, `UNSUPPORTED` for token ids, which another provider may take.
    """
    try:
        asked = _asked.decode(body)
    except UNREADABLE as error:
        raise bad(f"The body is not an embeddings request: {error}.") from None
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    words = [text for text in texts if isinstance(text, str)]
    if len(words) != len(texts):
        raise fail(Kind.UNSUPPORTED, "This provider embeds texts, not token ids.", param="input")
    wire = _Body(
        target.model,
        words,
        UNSET if asked.dimensions is None else asked.dimensions,
        UNSET if asked.truncate is None else asked.truncate,
    )
    return Encoded(_encode(wire), ("user",) if asked.user is not None else ())


def wants_base64(body: bytes) -> bool:
    """Did an OpenAI embeddings request ask for base64?"""
    try:
        return _asked.decode(body).encoding_format == "base64"
    except UNREADABLE:
        return False


def decode_embeddings(body: bytes, model: str, *, as_base64: bool = False) -> bytes:
    """Ollama's reply as OpenAI's. Raises `CallFailed(MALFORMED)`."""
    try:
        reply = _reply.decode(body)
        if reply.embeddings is None:
            raise CallFailed(malformed(_NO_VECTORS))
        vectors = [_packed(raw) if as_base64 else raw for raw in reply.embeddings]
    except (*UNREADABLE, struct.error, OverflowError):
        raise CallFailed(malformed(_NO_VECTORS)) from None
    data = [_Embedding("embedding", number, vector) for number, vector in enumerate(vectors)]
    usage = counted(reply.prompt_eval_count, None) or Usage()
    return _encode(_List("list", data, model, _Counted(usage.prompt, usage.prompt)))


def decode_usage(body: bytes) -> Usage | None:
    try:
        return counted(_counts.decode(body).prompt_eval_count, None)
    except UNREADABLE:
        return None


def _packed(raw: Raw) -> str:
    numbers = _floats.decode(raw)
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
