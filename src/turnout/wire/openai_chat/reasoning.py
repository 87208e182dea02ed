"""Reasoning in a dialect that has no standard for it.

Providers send `reasoning_content`, or `reasoning`, or `reasoning_details` (a list of typed entries), often several with the same text: the first that is
not empty counts. Towards clients, text goes in `reasoning_content`, and everything that must come back unharmed (signatures, withheld
blocks) in `reasoning_details`, the shape that clients of several-provider APIs already keep in their history.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from turnout.core.model import Reasoning

ANTHROPIC_FORMAT = "anthropic-claude-v1"
_ORIGINS = {ANTHROPIC_FORMAT: "anthropic"}
_FORMATS = {origin: word for word, origin in _ORIGINS.items()}


class Detail(Struct, omit_defaults=True):
    """One entry of `reasoning_details`."""

    type: str
    text: str | None = None
    signature: str | None = None
    data: str | None = None
    format: str | None = None
    index: int | None = None


def format_of(origin: str | None) -> str | None:
    """The `format` word for a proof's origin; unknown origins are written as they are."""
    return _FORMATS.get(origin, origin) if origin else None


def origin_of(word: object) -> str | None:
    if not isinstance(word, str) or not word or word == "unknown":
        return None
    return _ORIGINS.get(word, word)


def plain_text(content: object, reasoning: object, details: object) -> str:
    """The text of whichever member says something."""
    for value in (content, reasoning):
        if isinstance(value, str) and value:
            return value
    return "".join(str(d.get("text") or d.get("summary") or "") for d in entries(details))


def entries(details: object) -> Iterable[dict[str, Any]]:
    if not isinstance(details, list):
        return ()
    return (entry for entry in details if isinstance(entry, dict))


def proofs(details: object) -> Iterable[tuple[str | None, str | None, str]]:
    """(signature, withheld data, origin) of every entry that has one."""
    for entry in entries(details):
        signature, data = entry.get("signature"), entry.get("data")
        origin = origin_of(entry.get("format")) or ""
        if isinstance(signature, str) and signature:
            yield signature, None, origin
        if isinstance(data, str) and data and entry.get("type") == "reasoning.encrypted":
            yield None, data, origin


def history_parts(content: object, reasoning: object, details: object) -> list[Reasoning]:
    """An assistant turn's reasoning as a client sends it back.

    Entries with the same `index` are one block (clients store the pieces of a stream one by one).
    """
    blocks: dict[object, list[dict[str, Any]]] = {}
    for number, entry in enumerate(entries(details)):
        index = entry.get("index")
        key = (entry.get("type"), index) if isinstance(index, int) else (entry.get("type"), -1 - number)
        blocks.setdefault(key, []).append(entry)
    parts = [part for block in blocks.values() if (part := _block(block)) is not None]
    if not parts:
        text = plain_text(content, reasoning, None)
        parts = [Reasoning(text)] if text else []
    return parts


def _block(block: list[dict[str, Any]]) -> Reasoning | None:
    text = "".join(str(entry.get("text") or entry.get("summary") or "") for entry in block)
    signature = "".join(str(entry.get("signature") or "") for entry in block) or None
    data = "".join(str(entry.get("data") or "") for entry in block) or None
    origin = next((found for entry in block if (found := origin_of(entry.get("format")))), None)
    if not text and signature is None and data is None:
        return None
    return Reasoning(text, signature, data, origin)
