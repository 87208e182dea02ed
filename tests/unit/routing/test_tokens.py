"""The estimate: zero for nothing, near o200k for known texts, bounded for huge ones, published rules for media."""

from __future__ import annotations

import base64
import struct

import pytest
from msgspec import Raw

from turnout.core.model import (
    Audio,
    Document,
    Image,
    Inline,
    Message,
    PlainText,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Url,
)
from turnout.routing.tokens import (
    AUDIO_UNKNOWN_TOKENS,
    DOCUMENT_UNKNOWN_TOKENS,
    IMAGE_LOW_TOKENS,
    IMAGE_UNKNOWN_TOKENS,
    PDF_PAGE_TOKENS,
    SAMPLED_ABOVE_CHARS,
    estimate_text_tokens,
    estimate_tokens,
    part_tokens,
)

from .models import ask

PROSE = "The committee met on Tuesday and decided that the bridge should be repaired before winter. "
CODE = 'def total(items):\n    result = 0\n    for item in items:\n        result += item["price"]\n    return result\n'


def test_nothing_is_zero_and_anything_is_at_least_one() -> None:
    assert estimate_text_tokens("") == 0
    assert estimate_text_tokens("a") == 1
    assert estimate_text_tokens("    ") == 1


@pytest.mark.parametrize(
    ("text", "o200k"),
    [
        (PROSE * 10, 161),
        (CODE * 10, 270),
        ("今天的会议决定在冬天之前修好这座桥。" * 10, 140),
        ("Комитет решил отремонтировать мост до наступления зимы. " * 10, 141),
    ],
)
def test_near_a_real_tokenizer(text: str, o200k: int) -> None:
    assert estimate_text_tokens(text) == pytest.approx(o200k, rel=0.2)


def test_a_huge_text_is_sampled_and_stays_proportional() -> None:
    whole = PROSE * 3_000
    assert len(whole) > 3 * SAMPLED_ABOVE_CHARS
    per_char = estimate_text_tokens(PROSE * 100) / (len(PROSE) * 100)
    assert estimate_text_tokens(whole) == pytest.approx(per_char * len(whole), rel=0.02)


def test_unpaired_surrogates_do_not_raise() -> None:
    assert estimate_text_tokens("a\ud800b") >= 1


def _png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height)
    return base64.b64encode(head + bytes(40)).decode()


@pytest.mark.parametrize(
    ("size", "tokens"),
    [((512, 512), 255), ((1024, 1024), 765), ((2048, 4096), 1105), ((100, 100), 255)],
)
def test_image_tiles(size: tuple[int, int], tokens: int) -> None:
    assert part_tokens(Image(Inline("image/png", _png(*size)))) == tokens


def test_images_without_a_readable_size() -> None:
    assert part_tokens(Image(Url("https://example.com/a.png"))) == IMAGE_UNKNOWN_TOKENS
    assert part_tokens(Image(Url("https://example.com/a.png"), detail="low")) == IMAGE_LOW_TOKENS
    assert part_tokens(Image(Inline("image/png", "iVBORw0KGgo!"))) == IMAGE_UNKNOWN_TOKENS
    assert part_tokens(Image(Inline("image/png", _png(0, 0)))) == IMAGE_UNKNOWN_TOKENS


def test_documents_and_audio_grow_with_size() -> None:
    assert part_tokens(Document(Url("https://example.com/a.pdf"))) == DOCUMENT_UNKNOWN_TOKENS
    assert part_tokens(Document(PlainText(PROSE))) == estimate_text_tokens(PROSE)
    assert part_tokens(Document(Inline("application/pdf", "A" * 400))) == PDF_PAGE_TOKENS
    assert part_tokens(Document(Inline("application/pdf", "A" * 4_000_000))) > 10 * PDF_PAGE_TOKENS
    assert part_tokens(Document(Inline("text/plain", "A" * 4_000))) == 750
    assert part_tokens(Audio(Inline("audio/wav", "A" * 4_266_667), "wav")) == pytest.approx(1_000, rel=0.01)
    assert part_tokens(Audio(Url("https://example.com/a.mp3"))) == AUDIO_UNKNOWN_TOKENS


def test_every_part_of_a_request_counts() -> None:
    bare = ask("hello")
    tool = Tool(
        "weather", "current weather", Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}')
    )
    with_tool = ask("hello", tools=(tool,))
    call = Message("assistant", (ToolCall("1", "weather", '{"city":"Oslo"}'),))
    result = Message("user", (ToolResult("1", (Text("4 degrees, rain"),)),))
    longer = Request("openai_chat", "auto", (*bare.messages, call, result), tools=with_tool.tools)
    assert 0 < estimate_tokens(bare) < estimate_tokens(with_tool) < estimate_tokens(longer)
