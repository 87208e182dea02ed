"""Embeddings between OpenAI's shape and Gemini's."""

from __future__ import annotations

import json

import pytest

from tests.unit.wire.gemini.test_recordings import exchanges
from turnout.core.errors import CallFailed
from turnout.core.events import Usage
from turnout.wire.gemini import CODEC
from turnout.wire.gemini import embeddings as e


def test_an_openai_request_as_a_batch() -> None:
    wanted = e.from_openai_request(
        b'{"model":"m","input":["a","b"],"dimensions":2,"encoding_format":"base64"}'
    )
    assert wanted == e.Wanted(("a", "b"), 2, True)
    body = e.to_gemini_request(wanted, "gemini-embedding-001")
    assert json.loads(body)["requests"][1] == {
        "model": "models/gemini-embedding-001",
        "content": {"parts": [{"text": "b"}]},
        "outputDimensionality": 2,
    }
    assert e.from_gemini_request(body) == e.Wanted(("a", "b"), 2)
    assert json.loads(e.to_openai_request(wanted, "m")) == {
        "model": "m",
        "input": ["a", "b"],
        "dimensions": 2,
    }


def test_one_text_on_vertex() -> None:
    assert e.from_gemini_request(e.to_vertex_request(e.Wanted(("a",)))) == e.Wanted(("a",))
    with pytest.raises(CallFailed):
        e.to_vertex_request(e.Wanted(("a", "b")))


@pytest.mark.parametrize("packed", [False, True])
def test_replies_keep_their_vectors(packed: bool) -> None:
    vectors = e.Vectors(((0.5, -0.25), (1.0, 2.0)), 7)
    assert e.from_gemini_reply(e.to_gemini_reply(vectors)) == vectors
    reply = e.to_openai_reply(vectors, "m", e.Wanted(("a", "b"), None, packed))
    assert isinstance(json.loads(reply)["data"][0]["embedding"], str) is packed
    assert e.from_openai_reply(reply) == vectors
    assert CODEC.decode_usage("embeddings", e.to_gemini_reply(vectors)) == Usage(input=7)
    one = e.Vectors(((0.5,),))
    assert e.from_gemini_reply(e.to_gemini_reply(one, one=True)) == one
    assert CODEC.decode_usage("embeddings", e.to_gemini_reply(one)) is None


@pytest.mark.parametrize(
    "body", [b"{}", b'{"input":[]}', b'{"input":[[1,2]]}', b'{"input":5}', b"[]", b"\xff"]
)
def test_bad_requests(body: bytes) -> None:
    with pytest.raises(CallFailed):
        e.from_openai_request(body)
    with pytest.raises(CallFailed):
        e.from_gemini_request(body)
    assert e.from_gemini_reply(body) is None
    assert e.from_openai_reply(body) is None


def test_recorded_exchanges() -> None:
    recorded = exchanges("gemini.embedContent")
    if not recorded:
        pytest.skip("no recordings beside the repository")
    for exchange in recorded:
        response, request = exchange["response"], exchange["request"]["body"]
        body = json.dumps(response["body"]).encode()
        vectors = e.from_gemini_reply(body)
        if response["status"] != 200:
            assert vectors is None
            continue
        assert vectors is not None and all(vectors.vectors)
        rows = response["body"].get("embeddings") or [response["body"]["embedding"]]
        assert [list(vector) for vector in vectors.vectors] == [row["values"] for row in rows]
        if request is not None and "nline" not in json.dumps(request):
            texts = e.from_gemini_request(json.dumps(request).encode()).texts
            assert len(texts) == len(rows) and all(texts)


def test_counted_tokens() -> None:
    recorded = [item for item in exchanges("gemini.countTokens") if item["response"]["status"] == 200]
    for exchange in recorded:
        body = exchange["response"]["body"]
        usage = CODEC.decode_usage("count_tokens", json.dumps(body).encode())
        assert usage is not None and usage.input == body["totalTokens"]
    assert json.loads(CODEC.encode_count(5)) == {"totalTokens": 5}
    assert CODEC.decode_usage("count_tokens", b"[]") is None
