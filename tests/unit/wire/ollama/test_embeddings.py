"""OpenAI's embeddings over Ollama's."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from tests.unit.wire.recorded import exchanges, needs_recordings
from turnout.core.errors import CallFailed, Kind
from turnout.core.events import Usage
from turnout.wire.codec import Target
from turnout.wire.ollama import CODEC
from turnout.wire.ollama.embeddings import decode_embeddings, encode_embeddings, wants_base64

TARGET = Target("nomic-embed-text")


def asked(**members: Any) -> bytes:
    return json.dumps({"model": "m", "input": "Hi", **members}).encode()


def test_a_request() -> None:
    encoded = encode_embeddings(asked(input=["a", "b"], dimensions=256, truncate=False, user="u"), TARGET)
    assert json.loads(encoded.body) == {
        "model": "nomic-embed-text",
        "input": ["a", "b"],
        "dimensions": 256,
        "truncate": False,
    }
    assert encoded.dropped == ("user",)
    plain = encode_embeddings(asked(), TARGET)
    assert json.loads(plain.body) == {"model": "nomic-embed-text", "input": ["Hi"]}
    assert wants_base64(asked(encoding_format="base64")) and not wants_base64(asked())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (asked(input=[1, 2]), Kind.UNSUPPORTED),
        (asked(input=[[1]]), Kind.UNSUPPORTED),
        (asked(input=4), Kind.BAD_REQUEST),
    ],
)
def test_what_cannot_be_asked(body: bytes, kind: Kind) -> None:
    with pytest.raises(CallFailed) as raised:
        encode_embeddings(body, TARGET)
    assert raised.value.failure.kind is kind


def test_base64_is_made() -> None:
    body = b'{"model":"n","embeddings":[[1.0,-0.5],[0,2]],"prompt_eval_count":3}'
    reply = json.loads(decode_embeddings(body, "n", as_base64=True))
    vectors = [struct.unpack("<2f", base64.b64decode(row["embedding"])) for row in reply["data"]]
    assert vectors == [(1.0, -0.5), (0.0, 2.0)]
    assert [row["index"] for row in reply["data"]] == [0, 1]
    assert reply["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"embeddings":[["x"]]}', b'{"embeddings":[[1e300]]}'])
def test_a_reply_without_embeddings(body: bytes) -> None:
    with pytest.raises(CallFailed) as raised:
        decode_embeddings(body, "m", as_base64=True)
    assert raised.value.failure.kind is Kind.MALFORMED


@needs_recordings
def test_recorded() -> None:
    recorded = exchanges("ollama.embed")
    assert len(recorded) == 4
    for exchange in recorded:
        body = exchange["response"]["body"]
        data = json.dumps(body).encode()
        reply = json.loads(decode_embeddings(data, body["model"]))
        assert [row["embedding"] for row in reply["data"]] == body["embeddings"]
        assert CODEC.decode_usage("embeddings", data) == Usage(input=body["prompt_eval_count"])
    assert CODEC.decode_usage("embeddings", b"nonsense") is None
    assert CODEC.decode_usage("chat", b"{}") is None
