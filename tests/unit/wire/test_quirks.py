"""Quirk words: every word that a codec asks for is in the table, and nothing else is taken for one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from turnout.core.model import DialectName
from turnout.wire import quirks
from turnout.wire.registry import PROVIDERS

WIRE = Path(quirks.__file__).parent
ASKED = re.compile(r'"([a-z_0-9]+)" in (?:\w+\.)*_?quirks')
NAMED = re.compile(r"(?:q\.|\b)([A-Z][A-Z_0-9]+) in (?:\w+\.)*_?quirks")
CONSTANT = re.compile(r'^([A-Z][A-Z_0-9]+)(?:: \w+)? = "([a-z_0-9]+)"', re.MULTILINE)


def asked(folder: Path) -> set[str]:
    """Words that the code in a folder looks for."""
    sources = [path.read_text() for path in folder.rglob("*.py")]
    constants = dict(pair for source in sources for pair in CONSTANT.findall(source))
    constants |= {f"vertex.{name}": word for name, word in constants.items()}
    words = {word for source in sources for word in ASKED.findall(source)}
    return words | {
        constants[name] for source in sources for name in NAMED.findall(source) if name in constants
    }


@pytest.mark.parametrize("dialect", PROVIDERS)
def test_the_words_that_a_codec_asks_for_are_in_the_table(dialect: DialectName) -> None:
    folder = WIRE / dialect.removesuffix("_anthropic")
    found = asked(folder)
    assert {word for word in found if quirks.meaning(dialect, word) is None} <= (
        {"cache_control", "claude", "nova", "top_k"} if dialect == "bedrock_anthropic" else set()
    )
    if dialect in ("openai_chat", "anthropic", "bedrock", "gemini"):
        assert found, "the search finds nothing any more"


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("max_completion_tokens", True),
        ("max_completion_token", False),
        ("efforts.low.high", True),
        ("efforts.lots", False),
        ("efforts.", False),
        ("efforts", False),
        ("api_version.2024-10-21", True),
        ("api_version.", False),
        ("media_by_value", True),
        ("vertex", False),
        ("top_k.2", False),
    ],
)
def test_words(word: str, known: bool) -> None:
    assert (quirks.meaning("openai_chat", word) is not None) == known


def test_every_dialect_has_words_and_they_are_spelled_for_people() -> None:
    assert set(PROVIDERS) <= set(quirks.QUIRKS)
    spelled = quirks.spelled("openai_chat")
    assert "efforts.…" in spelled and list(spelled) == sorted(spelled)
