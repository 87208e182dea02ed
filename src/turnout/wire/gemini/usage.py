"""Token counts in Gemini's words.

`promptTokenCount` includes what came from the cache and excludes what built-in tools put into the prompt (`toolUsePromptTokenCount`: in every
recording the total is the sum of all four). `candidatesTokenCount` excludes thoughts. Each chunk's counts replace those before.
"""

from __future__ import annotations

from msgspec import Struct

from turnout.core.events import Usage

_AUDIO = ("AUDIO", 4)  # by name, or by number under `enum-encoding=int`


class Modality(Struct, rename="camel"):
    modality: str | int | None = None
    token_count: int | None = None


class WireUsage(Struct, rename="camel"):
    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    response_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: list[Modality] | None = None
    cache_tokens_details: list[Modality] | None = None
    candidates_tokens_details: list[Modality] | None = None


def canonical(wire: WireUsage) -> Usage | None:
    """Counts by price class; `None` when nothing was counted yet."""
    prompt, cached = _count(wire.prompt_token_count), _count(wire.cached_content_token_count)
    thoughts = _count(wire.thoughts_token_count)
    said = _count(
        wire.response_token_count if wire.candidates_token_count is None else wire.candidates_token_count
    )
    if wire.prompt_token_count is None and wire.total_token_count is None:
        return None
    cached = min(cached, prompt)
    fresh = prompt - cached + _count(wire.tool_use_prompt_token_count)
    return Usage(
        input=fresh,
        cache_read=cached,
        output=said + thoughts,
        reasoning=thoughts,
        input_audio=min(
            fresh, max(0, _audio(wire.prompt_tokens_details) - _audio(wire.cache_tokens_details))
        ),
        output_audio=min(said, _audio(wire.candidates_tokens_details)),
    )


def _count(value: int | None) -> int:
    return value if value is not None and value > 0 else 0


def _audio(details: list[Modality] | None) -> int:
    if not details:
        return 0
    return sum(_count(row.token_count) for row in details if row.modality in _AUDIO)


def usage_json(usage: Usage) -> bytes:
    """The `usageMetadata` object of a reply."""
    parts = b""
    if usage.cache_read:
        parts += b',"cachedContentTokenCount":%d' % usage.cache_read
    if usage.reasoning:
        parts += b',"thoughtsTokenCount":%d' % usage.reasoning
    for name, total, audio in (
        (b"promptTokensDetails", usage.prompt, usage.input_audio),
        (b"candidatesTokensDetails", usage.output - usage.reasoning, usage.output_audio),
    ):
        if audio:
            parts += b',"%b":[{"modality":"TEXT","tokenCount":%d},{"modality":"AUDIO","tokenCount":%d}]' % (
                name,
                max(0, total - audio),
                audio,
            )
    return b'{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d%b}' % (
        usage.prompt,
        max(0, usage.output - usage.reasoning),
        usage.prompt + usage.output,
        parts,
    )
