"""How many tokens a request will be, estimated without a tokenizer.

Promise: memory speed (a few µs for 4 KB) and a ceiling (long texts are sampled), no vocabulary, no network, never zero for a non-empty text.
Text is counted by byte class with C-speed deletions and each class has its own rate, because prose, code,
digits and CJK differ by a factor of five in characters a token. The rates are a fit to OpenAI's o200k vocabulary; other
vocabularies differ by some 10 to 20 %, which the ledger settles with the provider's own count.

Media follow the published rules where they need only what the request carries: 85 tokens for a low-detail
image, tiles of 512 pixels otherwise when the size can be read from a PNG header, else a constant.
"""

from __future__ import annotations

import binascii
import string
import struct

from msgspec import Raw

from turnout.core.model import (
    Audio,
    Document,
    Image,
    Inline,
    Message,
    Opaque,
    OpaqueTool,
    Part,
    PlainText,
    Reasoning,
    Refusal,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

SAMPLED_ABOVE_CHARS = 32_768
SAMPLES = 8
SAMPLE_CHARS = 2_048
MESSAGE_TOKENS = 4
REPLY_TOKENS = 3
TOOL_TOKENS = 8
IMAGE_LOW_TOKENS = 85
IMAGE_TILE_TOKENS = 170
IMAGE_UNKNOWN_TOKENS = 765  # a square of four tiles
DOCUMENT_UNKNOWN_TOKENS = 3_000
PDF_PAGE_TOKENS = 1_500
PDF_BYTES_PER_TOKEN = 40
AUDIO_BYTES_PER_TOKEN = {"wav": 3_200, "pcm16": 4_800}  # 100 ms a token
AUDIO_COMPRESSED_BYTES_PER_TOKEN = 1_600
AUDIO_UNKNOWN_TOKENS = 600  # one minute

_LETTERS = string.ascii_letters.encode()
_DIGITS = string.digits.encode()
_SPACES = b" \t\r\n"
_CONTINUATION = bytes(range(0x80, 0xC0))
_CYRILLIC = b"\xd0\xd1"
_LEAD_2 = bytes(range(0xC2, 0xE0))  # Latin with marks, Greek, Hebrew, Arabic
_LEAD_3 = bytes(range(0xE0, 0xF0))  # CJK, kana, Hangul, Indic
_HIGH = bytes(range(0x80, 0x100))

# tokens a character of each class
_PER_LETTER = 0.155
_PER_DIGIT = 0.95
_PER_SPACE = 0.41
_PER_NEWLINE = 1.0
_PER_SPACE_PAIR = -0.7  # a run of indentation is one token, not one a space
_PER_MARK = 0.56
_PER_CYRILLIC = 0.24
_PER_LEAD_2 = 0.32
_PER_LEAD_3 = 0.72
_PER_LEAD_4 = 1.5  # emoji


def estimate_text_tokens(text: str | bytes) -> int:
    """Tokens of one piece of text, at least 1 if there is any. Beyond `SAMPLED_ABOVE_CHARS` even samples stand for it."""
    if not text:
        return 0
    size = len(text)
    if size <= SAMPLED_ABOVE_CHARS:
        return max(1, round(_count(text)))
    stride = (size - SAMPLE_CHARS) // (SAMPLES - 1)
    sampled = sum(_count(text[start : start + SAMPLE_CHARS]) for start in range(0, stride * SAMPLES, stride))
    return round(sampled * size / (SAMPLES * SAMPLE_CHARS))


def _count(text: str | bytes) -> float:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    no_letters = raw.translate(None, _LETTERS)
    no_digits = no_letters.translate(None, _DIGITS)
    marks = no_digits.translate(None, _SPACES)
    tokens = (
        (len(raw) - len(no_letters)) * _PER_LETTER
        + (len(no_letters) - len(no_digits)) * _PER_DIGIT
        + no_digits.count(b" ") * _PER_SPACE
        + no_digits.count(b"\n") * _PER_NEWLINE
        + raw.count(b"  ") * _PER_SPACE_PAIR
    )
    if not marks.isascii():
        tokens += _beyond_ascii(marks)
        marks = marks.translate(None, _HIGH)
    return max(0.0, tokens + len(marks) * _PER_MARK)


def _beyond_ascii(marks: bytes) -> float:
    """One lead byte begins each character; its range says how many bytes follow, and so which scripts."""
    leads = marks.translate(None, _CONTINUATION)
    no_cyrillic = leads.translate(None, _CYRILLIC)
    no_twos = no_cyrillic.translate(None, _LEAD_2)
    no_threes = no_twos.translate(None, _LEAD_3)
    fours = len(no_threes) - len(no_threes.translate(None, _HIGH))
    return (
        (len(leads) - len(no_cyrillic)) * _PER_CYRILLIC
        + (len(no_cyrillic) - len(no_twos)) * _PER_LEAD_2
        + (len(no_twos) - len(no_threes)) * _PER_LEAD_3
        + fours * _PER_LEAD_4
    )


def estimate_tokens(request: Request, known: Message | None = None, known_tokens: int = 0) -> int:
    """Prompt tokens of a request: messages, media, tools and the response schema.

    `known` is a message whose content was counted before: `known_tokens`.
    """
    total = REPLY_TOKENS + MESSAGE_TOKENS * len(request.messages) + known_tokens
    texts = []  # counted together: a long history costs one count, not one a turn
    for message in request.messages:
        for part in message.content if message is not known else ():
            if type(part) is Text:
                texts.append(part.text)
            else:
                total += part_tokens(part)
    total += estimate_text_tokens("".join(texts))
    for tool in request.tools:
        total += _tool_tokens(tool)
    if request.response_format is not None:
        total += _raw_tokens(request.response_format.schema)
    return total


def part_tokens(part: Part) -> int:
    """Prompt tokens of one part of a message."""
    match part:
        case Text() | Refusal() | Reasoning():
            return estimate_text_tokens(part.text)
        case ToolCall():
            return TOOL_TOKENS + estimate_text_tokens(part.name) + estimate_text_tokens(part.arguments)
        case ToolResult():
            return MESSAGE_TOKENS + sum(part_tokens(inner) for inner in part.content)
        case Image():
            return _image_tokens(part)
        case Document():
            return _document_tokens(part)
        case Audio():
            return _audio_tokens(part)
        case Opaque():
            return _raw_tokens(part.raw)


def _raw_tokens(raw: Raw | None) -> int:
    return 0 if raw is None else estimate_text_tokens(bytes(raw))


def _tool_tokens(tool: Tool | OpaqueTool) -> int:
    if isinstance(tool, OpaqueTool):
        return TOOL_TOKENS + _raw_tokens(tool.raw)
    return (
        TOOL_TOKENS
        + estimate_text_tokens(tool.name)
        + estimate_text_tokens(tool.description or "")
        + _raw_tokens(tool.schema)
    )


def _image_tokens(image: Image) -> int:
    if image.detail == "low":
        return IMAGE_LOW_TOKENS
    size = _png_size(image.source.data) if isinstance(image.source, Inline) else None
    return IMAGE_UNKNOWN_TOKENS if size is None else _tiles_tokens(*size)


def _png_size(data: str) -> tuple[int, int] | None:
    """Width and height in pixels from the fixed-place header; `None` for other formats."""
    if not data.startswith("iVBORw0KGgo"):
        return None
    try:
        width, height = struct.unpack(">II", binascii.a2b_base64(data[:32])[16:24])
    except (binascii.Error, struct.error, ValueError):
        return None
    return (width, height) if width and height else None


def _tiles_tokens(width: int, height: int) -> int:
    """Fit into 2,048 pixels, bring the short side down to 768, count tiles of 512."""
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    across, down = -int(-width * scale // 512), -int(-height * scale // 512)
    return IMAGE_LOW_TOKENS + IMAGE_TILE_TOKENS * max(1, across) * max(1, down)


def _document_tokens(document: Document) -> int:
    extra = estimate_text_tokens(document.name or "") + estimate_text_tokens(document.context or "")
    source = document.source
    if isinstance(source, PlainText):
        return extra + estimate_text_tokens(source.text)
    if not isinstance(source, Inline):
        return extra + DOCUMENT_UNKNOWN_TOKENS
    size_bytes = len(source.data) * 3 // 4
    if source.media_type.startswith("text/"):
        return extra + size_bytes // 4
    return extra + max(PDF_PAGE_TOKENS, size_bytes // PDF_BYTES_PER_TOKEN)


def _audio_tokens(audio: Audio) -> int:
    if not isinstance(audio.source, Inline):
        return AUDIO_UNKNOWN_TOKENS
    size_bytes = len(audio.source.data) * 3 // 4
    per_token = AUDIO_BYTES_PER_TOKEN.get(audio.format or "", AUDIO_COMPRESSED_BYTES_PER_TOKEN)
    return max(1, size_bytes // per_token)
