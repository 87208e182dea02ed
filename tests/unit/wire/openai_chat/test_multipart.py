"""Forms: what is found, what is changed, and what is refused because it could be read in two ways."""

from __future__ import annotations

import email.parser
import email.policy
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.core.errors import CallFailed, Kind
from turnout.wire.openai_chat.multipart import (
    PART_HEAD_BYTES_MAX,
    PARTS_MAX,
    SHORT_FIELD_BYTES_MAX,
    boundary_of,
    open_form,
    rewrite_form,
)

TYPE = b"multipart/form-data; boundary=B"


def field(name: str, value: bytes, more: str = "") -> bytes:
    return f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


def file(data: bytes, name: str = "file") -> bytes:
    return field(name, data, '; filename="a.mp3"')


END = b"--B--\r\n"
MODEL = field("model", b"whisper-1")


def test_what_is_found() -> None:
    body = file(b"12345") + MODEL + field("stream", b"true") + field("prompt", "Grüße".encode()) + END
    envelope = open_form(TYPE, body)
    assert (envelope.model, envelope.stream, envelope.include_usage) == ("whisper-1", True, True)
    assert envelope.form is not None
    assert envelope.form.file_bytes == 5
    assert {name: bytes(raw).decode() for name, raw in envelope.fields.items()} == {"prompt": '"Grüße"'}
    assert rewrite_form(envelope, "whisper-1") is body


def test_only_the_model_and_what_is_ours_change() -> None:
    mine = field("turnout", b'{"tags":{"a":"b"}}')
    body = mine + file(b"\x00\xff\r\n--") + MODEL + mine.replace(b'"turnout"', b'"other"') + END
    envelope = open_form(TYPE, body)
    assert bytes(envelope.fields["turnout"]) == b'{"tags":{"a":"b"}}'
    changed = rewrite_form(envelope, "large")
    assert changed == body.replace(mine, b"", 1).replace(b"whisper-1", b"large")
    assert open_form(TYPE, changed).model == "large"


def test_a_field_inside_a_file_is_not_a_field() -> None:
    inner = field("model", b"evil") + b"--B--"
    outer = b"multipart/form-data; boundary=outer"
    body = (
        b'--outer\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n'
        + inner
        + b'\r\n--outer\r\ncontent-disposition: form-data; name="model"\r\n\r\ngood\r\n--outer--'
    )
    assert open_form(outer, body).model == "good"


DISPOSITION = b'--B\r\nContent-Disposition: form-data; name="model"'
HOSTILE = {
    "no model": file(b"x") + END,
    "an empty model": field("model", b"") + END,
    "two models": MODEL + MODEL + END,
    "a model that is a file": field("model", b"m", '; filename="f"') + END,
    "a model that is a file by another spelling": field("model", b"m", "; filename*=utf-8''f") + END,
    "a model that is no text": field("model", b"\xff") + END,
    "a model without end": field("model", b"m" * (SHORT_FIELD_BYTES_MAX + 1)) + END,
    "no end": MODEL,
    "no boundary": b"",
    "another boundary": MODEL.replace(b"--B", b"--C") + b"--C--",
    "a preamble": b"hello\r\n" + MODEL + END,
    "an epilogue": MODEL + END + field("model", b"other") + END,
    "a boundary that goes on": MODEL + b"--BB\r\n" + MODEL + END,
    "a boundary inside a file": file(b"x\r\n--Bx\r\n") + MODEL + END,
    "padding after a boundary": MODEL + b"--B \r\n" + MODEL[5:] + END,
    "bare line feeds": MODEL.replace(b"\r\n", b"\n") + END,
    "a line feed in a header": b'--B\r\nX: a\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    + END,
    "no headers": b"--B\r\n\r\nm\r\n" + MODEL + END,
    "no blank line": b'--B\r\nContent-Disposition: form-data; name="model"\r\n--B--',
    "two names": DISPOSITION + b'; name="x"\r\n\r\nm\r\n' + END,
    "an encoded name": DISPOSITION + b"; name*=utf-8''x\r\n\r\nm\r\n" + END,
    "two dispositions": DISPOSITION + b'\r\ncontent-disposition: form-data; name="x"\r\n\r\nm\r\n' + END,
    "a folded header": b'--B\r\nContent-Disposition: form-data;\r\n name="model"\r\n\r\nm\r\n' + END,
    "an escape in a name": field("mo\\\\del", b"m") + MODEL + END,
    "an escaped quote": field("x", b"m", '; filename="\\"; name="model"') + MODEL + END,
    "a percent sign in a name": field("m%6fdel", b"m") + MODEL + END,
    "a transfer encoding": b'--B\r\nContent-Disposition: form-data; name="model"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\nbQ==\r\n" + END,
    "another disposition": b'--B\r\nContent-Disposition: attachment; name="model"\r\n\r\nm\r\n' + END,
    "too many parts": field("a", b"") * PARTS_MAX + MODEL + END,
    "a head without end": b"--B\r\nX: " + b"x" * PART_HEAD_BYTES_MAX + b"\r\n" + MODEL[5:] + END,
    "brackets of ours": field("turnout[tags]", b"x") + MODEL + END,
    "ours that is no JSON": field("turnout", b"{") + MODEL + END,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(CallFailed) as refused:
        open_form(TYPE, body)
    assert refused.value.failure.kind is Kind.BAD_REQUEST


@pytest.mark.parametrize(
    "content_type",
    [
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=a; boundary=b",
        b'multipart/form-data; boundary="a b "',
        b"multipart/form-data; boundary=" + b"a" * 71,
        b'multipart/form-data; boundary="a\\"b"',
        b"multipart/form-data; boundary=a b",
        b"multipart/form-data, boundary=a",
        b"multipart/mixed; boundary=a",
        "multipart/form-data; boundary=ä".encode(),
    ],
)
def test_content_types_that_are_refused(content_type: bytes) -> None:
    with pytest.raises(CallFailed):
        boundary_of(content_type)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b"Multipart/Form-Data;charset=utf-8;Boundary=abc", b"abc"),
        (b'multipart/form-data; boundary="a b:c"; charset=utf-8', b"a b:c"),
    ],
)
def test_boundaries(content_type: bytes, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@given(
    data=st.binary(max_size=300),
    names=st.lists(st.sampled_from(["language", "temperature", "include[]", "prompt2"]), max_size=4),
    boundary=st.from_regex(r"[0-9A-Za-z_-]{8,40}", fullmatch=True),
    place=st.integers(0, 4),
    seed=st.integers(),
)
def test_another_parser_sees_the_same(
    data: bytes, names: list[str], boundary: str, place: int, seed: int
) -> None:
    """The standard library's parser reads the same model from what is sent on, and the file is unharmed."""
    line = b"--" + boundary.encode()
    parts = [(name, str(seed).encode(), "") for name in names]
    parts.insert(min(place, len(parts)), ("model", b"first", ""))
    parts.insert(min(4 - place, len(parts)), ("file", data, '; filename="a.bin"'))
    body = b"".join(
        line + f'\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"
        for name, value, more in parts
    )
    body += line + b"--\r\n"
    content_type = b"multipart/form-data; boundary=" + boundary.encode()
    envelope = open_form(content_type, body)
    sent = rewrite_form(envelope, "second")
    assert sent == body.replace(b"\r\n\r\nfirst\r\n" + line, b"\r\n\r\nsecond\r\n" + line)
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"content-type: " + content_type + b"\r\n\r\n" + sent
    )
    seen = [
        part.get_payload(decode=True)
        for part in message.iter_parts()
        if part.get_param("name", header="content-disposition") == "model"
    ]
    assert seen == [b"second"]


def test_no_cut_and_no_flip_is_anything_but_read_or_refused() -> None:
    body = file(b"\x00" * 50) + MODEL + field("turnout", b"{}") + END
    chance = random.Random(5)
    for _ in range(3000):
        hostile = bytearray(body[: chance.randrange(len(body))] if chance.random() < 0.3 else body)
        for _ in range(chance.randrange(1, 4)):
            if hostile:
                hostile[chance.randrange(len(hostile))] = chance.choice(b'-B\r\n";=:\\% \x00x')
        try:
            envelope = open_form(TYPE, bytes(hostile))
        except CallFailed as error:
            assert error.failure.kind is Kind.BAD_REQUEST
            continue
        assert open_form(TYPE, rewrite_form(envelope, "other")).model == "other"
