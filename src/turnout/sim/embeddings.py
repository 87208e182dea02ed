"""Embeddings in the OpenAI wire format: unit vectors that depend on nothing but the text."""

from __future__ import annotations

import math
import struct
from base64 import b64encode
from hashlib import sha256
from typing import Any

import msgspec

from turnout.sim import tokens
from turnout.sim.models import SimModel
from turnout.sim.reading import bad, want


def embeddings(data: dict[str, Any], model: SimModel) -> bytes:
    """Unit vectors that depend on nothing but the text. Raises `SimError`."""
    given = want(data, "input", (str, list))
    if not given:
        raise bad("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    texts = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    size = min(want(data, "dimensions", (int,), 1) or model.embedding_size, model.embedding_size)
    coded = data.get("encoding_format") == "base64"
    rows = []
    for index, text in enumerate(texts):
        vector = _vector(str(text), size)
        value: Any = b64encode(struct.pack(f"<{size}f", *vector)).decode() if coded else vector
        rows.append({"object": "embedding", "index": index, "embedding": value})
    count = sum(len(text) if isinstance(text, list) else tokens.count(str(text)) for text in texts)
    counts = {"prompt_tokens": count, "total_tokens": count}
    return msgspec.json.encode({"object": "list", "data": rows, "model": model.id, "usage": counts})


def _vector(text: str, size: int) -> list[float]:
    seed, out = sha256(text.encode()).digest(), []
    for number in range(-(-size // 8)):
        out += [
            n / 2**31 - 1 for n in struct.unpack("<8I", sha256(seed + number.to_bytes(4, "little")).digest())
        ]
    norm = math.sqrt(sum(v * v for v in out[:size])) or 1.0
    return [round(v / norm, 7) for v in out[:size]]
