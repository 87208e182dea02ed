"""Reading requests: limits hold before work is done, and hold on hostile input."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from turnout.core.errors import CallFailed, Kind
from turnout.edge import reading
from turnout.edge.reading import (
    _BATCH_MAX,
    _LONG,
    _PEELED_MAX,
    STRUCTURES_MAX,
    ClientLeft,
    Facts,
    check_depth,
    query_credential,
    read_body,
    read_headers,
)
from turnout.wire.body import open_members

JSON = st.recursive(
    st.none() | st.text(alphabet='ab"\\[]{}\n,:', max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(alphabet='"[{\\x', max_size=4), inner, max_size=3)
    ),
    max_leaves=30,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((depth_of(item) for item in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth_of(item) for item in value), default=0)
    return 0


@given(JSON, st.integers(min_value=0, max_value=6))
def test_depth_is_measured_exactly(value: Any, allowed: int) -> None:
    body = json.dumps(value).encode()
    if depth_of(value) <= allowed:
        check_depth(body, allowed)
    else:
        with pytest.raises(CallFailed) as caught:
            check_depth(body, allowed)
        assert caught.value.failure.kind is Kind.BAD_REQUEST


def conversation(messages: int, content: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content} for _ in range(messages)]}


def nested(value: Any, levels: int, *, objects: bool) -> Any:
    for _ in range(levels):
        value = {"a": value} if objects else [value]
    return value


WIDE = st.builds(
    lambda rows, value, levels, objects, text: nested(
        [value, *([{"k": text, "l": [text]}] * rows), value], levels, objects=objects
    ),
    st.integers(0, 3 * _BATCH_MAX),
    JSON,
    st.integers(0, _PEELED_MAX + 3),
    st.booleans(),
    st.text(alphabet='"[]{}\\', max_size=6) | st.just("x" * _LONG),
)


@given(WIDE, st.integers(min_value=0, max_value=14), st.sampled_from([None, 1]))
def test_depth_is_measured_exactly_whatever_is_beside_it(
    value: Any, allowed: int, indent: int | None
) -> None:
    body = json.dumps({"value": value}, indent=indent).encode()
    for members in (None, open_members(body)):
        if 1 + depth_of(value) <= allowed:
            check_depth(body, allowed, members)
        else:
            with pytest.raises(CallFailed, match="nested deeper"):
                check_depth(body, allowed, members)


def test_a_long_conversation_is_not_read_bracket_by_bracket(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []
    monkeypatch.setattr(reading, "_measure", lambda text, left, depth_max: measured.append(len(text)))
    for content in ("word " * 200, [{"type": "text", "text": 'a\\n"b" {[}' * 3}]):
        body = json.dumps(conversation(500, content)).encode()
        check_depth(body, 128)
        check_depth(body, 128, open_members(body))
    assert measured == []


def test_a_name_that_is_given_twice_hides_nothing() -> None:
    deep = "[" * 200 + "]" * 200
    for body in (f'{{"a":[{{"b":{deep},"b":1}}]}}', f'{{"a":{deep},"a":1}}', f'[{{"b[":{deep},"b[":"["}}]'):
        with pytest.raises(CallFailed, match="nested deeper"):
            check_depth(body.encode(), 128)


def test_a_million_brackets_in_a_text_are_text() -> None:
    check_depth(json.dumps({"a": [[]] * 200, "text": "{[" * STRUCTURES_MAX}).encode(), 128)


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=10))
def test_depth_check_survives_any_bytes(body: bytes, allowed: int) -> None:
    try:
        check_depth(body, allowed)
    except CallFailed as error:
        assert error.failure.kind is Kind.BAD_REQUEST


def test_ten_thousand_deep_is_refused() -> None:
    with pytest.raises(CallFailed):
        check_depth(b"[" * 10_000 + b"]" * 10_000, 128)


def test_brackets_in_strings_do_not_count() -> None:
    check_depth(json.dumps({"text": "[" * 10_000 + '\\"{'}).encode(), 128)


def test_too_many_structures_are_refused() -> None:
    with pytest.raises(CallFailed):
        check_depth(b"[" + b"[]," * (STRUCTURES_MAX + 1) + b"0]", 128)


def test_an_unterminated_string_of_quotes_is_read_once() -> None:
    check_depth(b'{"a":[' * 3 + b'"' + b'\\"[' * 200_000, 2**30)


def facts(length: int | None = None, coding: bytes = b"") -> Facts:
    return Facts((), length, {}, b"", coding)


def receiver(*messages: dict[str, Any]) -> Any:
    queue = list(messages)

    async def receive() -> dict[str, Any]:
        return queue.pop(0)

    return receive


def part(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_body_in_pieces() -> None:
    assert await read_body(receiver(part(b"ab", True), part(b"c", False)), facts(), 10) == b"abc"


async def test_declared_length_is_refused_before_reading() -> None:
    with pytest.raises(CallFailed) as caught:
        await read_body(receiver(), facts(length=11), 10)
    assert caught.value.failure.kind is Kind.TOO_LARGE


@pytest.mark.parametrize("messages", [[part(b"x" * 11, False)], [part(b"x" * 6, True), part(b"x" * 6, True)]])
async def test_real_length_is_refused(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(CallFailed) as caught:
        await read_body(receiver(*messages), facts(), 10)
    assert caught.value.failure.kind is Kind.TOO_LARGE


async def test_a_client_that_leaves_and_one_that_is_late() -> None:
    with pytest.raises(ClientLeft):
        await read_body(receiver(part(b"x", True), {"type": "http.disconnect", "late": False}), facts(), 10)
    with pytest.raises(CallFailed) as caught:
        await read_body(receiver(part(b"x", True), {"type": "http.disconnect", "late": True}), facts(), 10)
    assert caught.value.failure.kind is Kind.BODY_TIMEOUT


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    " deflate ": raw_deflate,
    "zstd": zstandard.ZstdCompressor().compress,
}
PACKED = pytest.mark.parametrize(("coding", "pack"), PACKERS.items(), ids=lambda value: str(value)[:9])


def coded(*codings: str) -> Facts:
    return read_headers([(b"content-encoding", coding.encode()) for coding in codings], frozenset())


@PACKED
@pytest.mark.parametrize("size", [1, 300, 700_000])
async def test_compressed_bodies_are_opened(coding: str, pack: Callable[[bytes], bytes], size: int) -> None:
    body = random.Random(size).randbytes(size // 2) + b" " * (size - size // 2)
    packed = pack(body)
    limit = max(size, len(packed))
    pieces = receiver(part(packed[:5], True), part(packed[5:], False))
    assert await read_body(pieces, coded("identity", coding), limit) == body
    assert await read_body(receiver(), coded(coding), limit, packed) == body


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
async def test_members_of_one_body_are_opened_one_after_another(pack: Callable[[bytes], bytes]) -> None:
    coding = "gzip" if pack is gzip.compress else "zstd"
    assert await read_body(receiver(), coded(coding), 100, pack(b"ab") + pack(b"c")) == b"abc"


@PACKED
async def test_a_bomb_is_too_large_and_never_whole_in_memory(
    coding: str, pack: Callable[[bytes], bytes]
) -> None:
    bomb = pack(bytes(256 * 1024 * 1024))
    tracemalloc.start()
    try:
        with pytest.raises(CallFailed) as caught:
            await read_body(receiver(), coded(coding), 1_000_000, bomb)
        assert tracemalloc.get_traced_memory()[1] < 32 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert caught.value.failure.kind is Kind.TOO_LARGE


@PACKED
async def test_what_does_not_open_is_the_callers_fault(coding: str, pack: Callable[[bytes], bytes]) -> None:
    for broken in (b"", b"not compressed", pack(b"hello" * 20)[:-1], pack(b"hello" * 20) + b"more"):
        with pytest.raises(CallFailed) as caught:
            await read_body(receiver(), coded(coding), 1000, broken)
        assert caught.value.failure.kind is Kind.BAD_REQUEST


@pytest.mark.parametrize("codings", [["br"], ["gzip, zstd"], ["gzip", "gzip"], ["compress"], ["\xff"]])
async def test_other_codings_and_several_are_refused_unread(codings: list[str]) -> None:
    with pytest.raises(CallFailed) as caught:
        await read_body(receiver(), coded(*codings), 10)
    assert caught.value.failure.kind is Kind.UNSUPPORTED_CODING


def test_credentials_in_every_form() -> None:
    for header in [
        (b"authorization", b"Bearer k"),
        (b"x-api-key", b"k"),
        (b"x-goog-api-key", b"k"),
        (b"api-key", b"k"),
    ]:
        assert read_headers([header], frozenset()).credentials == (b"k",)
    assert query_credential(b"alt=sse&key=k") == b"k"
    assert query_credential(b"alt=sse") is None
    assert read_headers([(b"authorization", b"Basic abc")], frozenset()).credentials == ()


def test_several_credentials_are_in_one_order_whatever_the_order_of_the_lines() -> None:
    lines = [
        (b"authorization", b"Bearer a"),
        (b"x-api-key", b"b"),
        (b"x-goog-api-key", b"c"),
        (b"api-key", b"d"),
    ]
    for sent in (lines, lines[::-1]):
        assert read_headers(sent, frozenset()).credentials == (b"a", b"b", b"c", b"d")
    assert read_headers([(b"authorization", b"Bearer "), lines[1]], frozenset()).credentials == (b"b",)


def test_forwarded_headers_are_an_allow_list_without_line_breaks() -> None:
    headers = [(b"anthropic-beta", b"x"), (b"cookie", b"secret"), (b"anthropic-beta", b"a\r\nevil: 1")]
    assert read_headers(headers, frozenset({b"anthropic-beta"})).forward == b"anthropic-beta: x\r\n"
