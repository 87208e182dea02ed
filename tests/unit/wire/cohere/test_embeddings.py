"""OpenAI's embeddings over Cohere's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.wire.recorded import exchanges, needs_recordings
from turnout.core.errors import CallFailed, Kind
from turnout.core.events import Usage
from turnout.wire.codec import Target
from turnout.wire.cohere import CODEC
from turnout.wire.cohere.embeddings import TEXTS_MAX, decode_embeddings, encode_embeddings

TARGET = Target("embed-v4.0")


def asked(**members: Any) -> bytes:
    return json.dumps({"model": "m", "input": "Hi", **members}).encode()


def test_a_request() -> None:
    encoded = encode_embeddings(asked(input=["a", "b"], dimensions=256, encoding_format="base64"), TARGET)
    assert json.loads(encoded.body) == {
        "model": "embed-v4.0",
        "texts": ["a", "b"],
        "input_type": "search_document",
        "embedding_types": ["base64"],
        "output_dimension": 256,
    }
    assert encoded.dropped == ()
    own = encode_embeddings(asked(input_type="search_query", truncate="NONE", user="u"), TARGET)
    assert json.loads(own.body) == {
        "model": "embed-v4.0",
        "texts": ["Hi"],
        "input_type": "search_query",
        "embedding_types": ["float"],
        "truncate": "NONE",
    }
    assert own.dropped == ("user",)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (asked(input=[1, 2]), Kind.UNSUPPORTED),
        (asked(input=[[1, 2]]), Kind.UNSUPPORTED),
        (asked(input=["x"] * (TEXTS_MAX + 1)), Kind.UNSUPPORTED),
        (asked(input=None), Kind.BAD_REQUEST),
        (b"[]", Kind.BAD_REQUEST),
    ],
)
def test_what_cannot_be_asked(body: bytes, kind: Kind) -> None:
    with pytest.raises(CallFailed) as raised:
        encode_embeddings(body, TARGET)
    assert raised.value.failure.kind is kind


def test_base64_passes() -> None:
    reply = {"id": "x", "embeddings": {"base64": ["AACAPw=="]}, "meta": {"billed_units": {"input_tokens": 2}}}
    assert json.loads(decode_embeddings(json.dumps(reply).encode(), "embed-v4.0")) == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": "AACAPw=="}],
        "model": "embed-v4.0",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }


@pytest.mark.parametrize("body", [b"", b"{}", b'{"embeddings": {}}', b"<html>"])
def test_a_reply_without_embeddings(body: bytes) -> None:
    with pytest.raises(CallFailed) as raised:
        decode_embeddings(body, "m")
    assert raised.value.failure.kind is Kind.MALFORMED


@needs_recordings
def test_recorded() -> None:
    recorded = exchanges("cohere.embed")
    assert len(recorded) == 4
    for exchange in recorded:
        body, status = exchange["response"]["body"], exchange["response"]["status"]
        data = json.dumps(body).encode()
        if status != 200:
            assert CODEC.decode_failure(status, [], data).kind is Kind.UPSTREAM_NOT_FOUND
            continue
        reply = json.loads(decode_embeddings(data, "m"))
        assert [row["embedding"] for row in reply["data"]] == body["embeddings"]["float"]
        billed = sum(body["meta"]["billed_units"].values())
        assert reply["usage"] == {"prompt_tokens": billed, "total_tokens": billed}
        assert CODEC.decode_usage("embeddings", data) == Usage(input=billed)
    assert CODEC.decode_usage("embeddings", b"nonsense") is None
