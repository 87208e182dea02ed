"""OpenAI's embeddings, asked of Mistral: the same shape, with `dimensions` called `output_dimension`. The reply needs no translation."""

from __future__ import annotations

from turnout.wire.body import json_text, open_members
from turnout.wire.codec import Encoded, Target

_TAKEN = ("input", "encoding_format", "output_dimension", "output_dtype", "metadata")


def encode_embeddings(body: bytes, target: Target) -> Encoded:
    """Raises `CallFailed(BAD_REQUEST)` for what is no JSON object."""
    members = open_members(body)
    wire = {"model": json_text(target.model)}
    wire.update({name: members[name] for name in _TAKEN if name in members})
    if "dimensions" in members:
        wire["output_dimension"] = members["dimensions"]
    return Encoded(bytes(json_text(wire)), ("user",) if "user" in members else ())
