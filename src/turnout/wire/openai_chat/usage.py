"""Token counts in this dialect's many spellings, as price classes, and back.

Providers of this dialect do not agree on what includes what. The rules below were found on recorded traffic and are applied in one
place: cached tokens are part of the prompt unless they are more than it, or the total is the sum of all (Portkey: the prompt is what
is beside them); written ones never overlap read ones; audio that only
the total knows of is part of the prompt (Mistral), other tokens that only it knows of are output; reasoning that is more than the
completion comes on top of it; `num_cached_tokens` may count the provider's own prompt, too.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import Usage

_encode = msgspec.json.Encoder().encode
_COUNT_MAX = 2**53


def _count(value: object) -> int:
    """A token count, or 0 for whatever else stands there."""
    if type(value) is int:
        return value if 0 < value < _COUNT_MAX else 0
    if isinstance(value, float) and 0 < value < _COUNT_MAX:
        return int(value)
    return 0


class PromptDetails(Struct):
    cached_tokens: int = 0
    audio_tokens: int = 0
    cache_write_tokens: int = 0


class OutputDetails(Struct):
    reasoning_tokens: int = 0
    audio_tokens: int = 0


class PlainUsage(Struct, forbid_unknown_fields=True):
    """Usage as OpenAI itself sends it, and nothing else: the common case, read without looking for other spellings."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: OutputDetails


_plain = msgspec.json.Decoder(PlainUsage)
_lenient: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)


def read_usage(raw: Raw) -> Usage | None:
    """From JSON text; `None` for anything that is not a usage object, whatever it is."""
    if not raw:
        return None
    try:
        wire = _plain.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return _read_leniently(raw)
    prompt, output = wire.prompt_tokens, wire.completion_tokens
    cached, written = wire.prompt_tokens_details.cached_tokens, wire.prompt_tokens_details.cache_write_tokens
    reasoning = wire.completion_tokens_details.reasoning_tokens
    plain = cached >= 0 and written >= 0 and cached + written <= prompt and 0 <= reasoning <= output
    if not plain or wire.total_tokens > prompt + output:
        return _read_leniently(raw)
    audio_in, audio_out = wire.prompt_tokens_details.audio_tokens, wire.completion_tokens_details.audio_tokens
    fresh = prompt - cached - written
    return Usage(
        fresh,
        cached,
        written,
        0,
        output,
        reasoning,
        max(0, min(audio_in, fresh)),
        max(0, min(audio_out, output)),
    )


def _read_leniently(raw: Raw) -> Usage | None:
    try:
        return decode_usage(_lenient.decode(raw))
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def decode_usage(wire: object) -> Usage | None:
    """`None` for anything that is not a usage object."""
    if not isinstance(wire, dict) or not wire:
        return None
    prompt = _count(wire.get("prompt_tokens"))
    output = _count(wire.get("completion_tokens"))
    total = _count(wire.get("total_tokens"))
    details = wire.get("prompt_tokens_details") or wire.get("prompt_token_details")
    cached = written = audio_in = audio_out = reasoning = 0
    if isinstance(details, dict):
        cached = _count(details.get("cached_tokens"))
        written = _count(details.get("cache_write_tokens"))
        audio_in = _count(details.get("audio_tokens"))
    cached = cached or _first(wire, "cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
    cached = cached or min(prompt, _count(wire.get("num_cached_tokens")))
    if audio_in and total == prompt + output + audio_in:
        prompt += audio_in
    written = written or _count(wire.get("cache_creation_input_tokens"))
    details = wire.get("completion_tokens_details")
    if isinstance(details, dict):
        reasoning = _count(details.get("reasoning_tokens"))
        audio_out = _count(details.get("audio_tokens"))
    reasoning = reasoning or _count(wire.get("reasoning_tokens"))
    beside = total - prompt - output  # what the total knows of and the two counts do not
    if cached and beside > 0 and beside - cached - written in (0, reasoning):
        fresh, prompt = prompt, prompt + cached + written
    elif cached and beside == cached:
        written = min(written, prompt)
        fresh, prompt = prompt - written, prompt + cached
    elif cached > prompt:
        fresh, written = prompt, 0
    else:
        written = min(written, prompt - cached)
        fresh = prompt - cached - written
    if total > prompt + output:
        output = total - prompt
    elif reasoning > output:
        output += reasoning
    return Usage(
        fresh,
        cached,
        written,
        0,
        output,
        min(reasoning, output),
        min(audio_in, fresh),
        min(audio_out, output),
    )


def decode_passed_usage(
    wire: object, duration: object, known: Usage | None, *, image: bool, sound: bool
) -> Usage | None:
    """Of images, speech and transcriptions: `input_tokens` and `output_tokens` with details, or seconds of sound.

    `duration` is what a reply without usage says of its length, `known` what the request said. Where a picture's output has no
    details, it is all image; where a transcription has none, nothing is known to be audio. `None` where nothing was counted.
    """
    if not isinstance(wire, dict):
        wire = {}
    seconds = wire.get("seconds", duration)
    audio_ms = round(seconds * 1000) if _is_number(seconds) and 0 < seconds < _COUNT_MAX / 1000 else 0
    prompt, output = _count(wire.get("input_tokens")), _count(wire.get("output_tokens"))
    if not (prompt or output or audio_ms):
        return None
    given = wire.get("input_tokens_details") or wire.get("input_token_details")
    made = wire.get("output_tokens_details") or wire.get("output_token_details")
    details: dict[str, Any] = given if isinstance(given, dict) else {}
    cached = min(prompt, _count(details.get("cached_tokens")))
    fresh = prompt - cached
    images = _count(made.get("image_tokens")) if isinstance(made, dict) else output if image else 0
    return Usage(
        input=fresh,
        cache_read=cached,
        output=output,
        input_audio=min(fresh, _count(details.get("audio_tokens"))) if sound else 0,
        input_image=min(fresh, _count(details.get("image_tokens"))),
        output_image=min(output, images),
        characters=0 if known is None else known.characters,
        audio_ms=audio_ms,
    )


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _first(wire: dict[str, Any], *names: str) -> int:
    for name in names:
        found = _count(wire.get(name))
        if found:
            return found
    return 0


def usage_json(usage: Usage) -> bytes:
    """The `usage` member for a client of this dialect."""
    prompt = usage.prompt
    return (
        b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
        b'"prompt_tokens_details":{"cached_tokens":%d,"cache_write_tokens":%d,"audio_tokens":%d},'
        b'"completion_tokens_details":{"reasoning_tokens":%d,"audio_tokens":%d}}'
        % (
            prompt,
            usage.output,
            prompt + usage.output,
            usage.cache_read,
            usage.cache_write,
            usage.input_audio,
            usage.reasoning,
            usage.output_audio,
        )
    )
