"""Counting and cutting text the way these models do: about four characters a token, the same streamed or not."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+")
PIECE_CHARACTERS_MAX = 12


def count(text: str) -> int:
    return -(-len(text) // 4) if text else 0


def pieces(text: str) -> list[str]:
    """Text as a model would stream it, a word or a part of a long one at a time; joined, it is the text."""
    out = []
    for word in _PIECE.findall(text):
        out += [word[i : i + PIECE_CHARACTERS_MAX] for i in range(0, len(word), PIECE_CHARACTERS_MAX)]
    return out


def cut(text: str, tokens: int) -> tuple[str, bool]:
    """At most so many tokens of a text, and whether some are missing."""
    if count(text) <= tokens:
        return text, False
    return text[: tokens * 4], True
