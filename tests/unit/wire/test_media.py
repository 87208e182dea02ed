"""What can be given to a target by URL, and what is put in its place."""

from __future__ import annotations

from typing import get_args

import pytest

from turnout.core.model import (
    Audio,
    DialectName,
    Document,
    FileId,
    Image,
    Inline,
    Message,
    Part,
    Request,
    Text,
    ToolResult,
    Url,
)
from turnout.wire.codec import Target
from turnout.wire.media import BY_VALUE_QUIRK, TAKEN, by_address, taken_by, with_values
from turnout.wire.registry import PROVIDERS

PNG = Inline("image/png", "iVBORw0K")
WAV = Inline("audio/wav", "UklG")
NONE: frozenset[str] = frozenset()


def asked(*parts: Part, dialect: DialectName = "openai_chat", system: int = 0) -> Request:
    before = tuple(Message("system", (Text("S"),)) for _ in range(system))
    return Request(dialect, "m", (*before, Message("user", parts)))


def test_every_dialect_has_a_row() -> None:
    assert set(TAKEN) == set(get_args(DialectName))
    assert all(row.reason for row in TAKEN.values())


@pytest.mark.parametrize(
    ("dialect", "part", "taken"),
    [
        ("openai_chat", Image(Url("http://a/x.png")), True),
        ("openai_chat", Document(Url("https://a/x.pdf")), False),
        ("openai_responses", Document(Url("https://a/x.pdf")), True),
        ("anthropic", Image(Url("https://a/x.png")), True),
        ("anthropic", Image(Url("HTTPS://a/x.png")), True),
        ("anthropic", Image(Url("http://a/x.png")), False),
        ("anthropic", Document(Url("https://a/x.pdf")), True),
        ("anthropic", Audio(Url("https://a/x.wav")), True),  # in no form: the encoder declares that
        ("gemini", Image(Url("gs://bucket/x.png")), True),
        ("gemini", Image(Url("https://a/x.png")), True),
        ("bedrock", Image(Url("s3://bucket/x.png")), True),
        ("bedrock", Image(Url("https://a/x.png")), False),
        ("bedrock_anthropic", Image(Url("https://a/x.png")), False),
        ("cohere", Image(Url("https://a/x.png")), True),
        ("ollama", Image(Url("https://a/x.png")), False),
        ("ollama", Image(Url("data:image/png;base64,iVBORw0K")), True),
        ("ollama", Image(PNG), True),
        ("ollama", Image(FileId("file-1")), True),
    ],
)
def test_who_takes_what(dialect: DialectName, part: Part, taken: bool) -> None:
    assert (by_address(asked(part), taken_by(dialect, "m", NONE)) == ()) is taken


@pytest.mark.parametrize("dialect", get_args(DialectName))
@pytest.mark.parametrize("quirk", ("vertex", BY_VALUE_QUIRK))
def test_a_quirk_takes_addresses_away(dialect: DialectName, quirk: str) -> None:
    row = taken_by(dialect, "m", frozenset({quirk}))
    for kind in ("image", "document", "audio"):
        assert not getattr(row, kind)
        assert (getattr(row, kind) is None) == (getattr(TAKEN[dialect], kind) is None)


def test_old_gemini_models_fetch_nothing() -> None:
    image = asked(Image(Url("https://a/x.png")))
    assert by_address(image, taken_by("gemini", "gemini-2.0-flash", NONE))
    assert not by_address(image, taken_by("gemini", "gemini-2.5-flash", NONE))


def test_parts_are_named_as_the_caller_has_them() -> None:
    image = Image(Url("https://a/x.png"))
    taken = taken_by("ollama", "m", NONE)
    inside = asked(Text("look"), ToolResult("c", (Text("t"), image)), image, system=1)
    found = by_address(inside, taken)
    assert [(source.param, source.kind) for source in found] == [
        ("messages.1.content.1.content.1", "image"),
        ("messages.1.content.2", "image"),
    ]
    apart = asked(image, dialect="anthropic", system=1)
    assert by_address(apart, taken)[0].param == "messages.0.content.0"


def test_values_take_the_place_of_urls_that_are_not_taken_and_of_no_others() -> None:
    image, pdf = Url("https://a/x.png"), Url("https://a/x.pdf")
    taken = taken_by("openai_chat", "m", NONE)
    request = asked(
        Image(image), Document(pdf, "n"), ToolResult("c", (Document(pdf),)), Audio(Url("https://a/s"))
    )
    value = Inline("application/pdf", "JVBERi0=")
    after = with_values(request, taken, {pdf.url: value, image.url: PNG, "https://a/s": WAV})
    assert after.messages[0].content == (
        Image(image),
        Document(value, "n"),
        ToolResult("c", (Document(value),)),
        Audio(WAV, "wav"),
    )
    assert by_address(after, taken) == ()


def test_what_does_not_change_is_not_copied() -> None:
    request = Request("openai_chat", "m", (Message("user", (Image(PNG),)), Message("user", (Text("a"),))))
    after = with_values(request, taken_by("ollama", "m", NONE), {})
    assert all(new is old for new, old in zip(after.messages, request.messages, strict=True))


CASES: tuple[tuple[str, Part], ...] = (
    ("image", Image(Url("https://example.com/x.png"))),
    ("document", Document(Url("https://example.com/x.pdf"), "x")),
    ("audio", Audio(Url("https://example.com/x.wav"), "wav")),
)


@pytest.mark.parametrize("dialect", sorted(PROVIDERS))
@pytest.mark.parametrize(("kind", "part"), CASES, ids=[kind for kind, _ in CASES])
def test_the_table_and_the_encoders_agree(dialect: DialectName, kind: str, part: Part) -> None:
    """What the table lets through as a URL is in the body; what has to be a value is dropped as a URL and carried as a value."""
    codec = PROVIDERS[dialect]
    target = Target("m", frozenset({"vision", "documents", "audio"}))
    schemes = getattr(taken_by(dialect, "m", NONE), kind)
    source: DialectName = "anthropic" if dialect == "openai_chat" else "openai_chat"
    body = codec.encode_request(asked(Text("look"), part, dialect=source), target).body
    if schemes:
        assert ("https" in schemes) == (b"//example.com/x." in body)
    if schemes == NONE:
        value = {"image": PNG, "document": Inline("application/pdf", "JVBERi0="), "audio": WAV}[kind]
        taken = taken_by(dialect, "m", NONE)
        url = "https://example.com/x." + {"image": "png", "document": "pdf", "audio": "wav"}[kind]
        request = with_values(asked(Text("look"), part, dialect=source), taken, {url: value})
        assert value.data.encode() in codec.encode_request(request, target).body
