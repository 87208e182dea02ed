"""The page that lists the providers is the shipped data's own list."""

from __future__ import annotations

from pathlib import Path

from turnout.upstream.known import load_known
from turnout.upstream.providers_page import page
from turnout.wire.openai_chat.quirks import QUIRKS


def test_the_committed_page_is_the_generated_one() -> None:
    assert (Path(__file__).parents[3] / "docs" / "providers.md").read_text() == page()


def test_it_names_every_provider_and_every_quirk() -> None:
    text = page()
    assert all(f"| `{name}` |" in text for name in load_known().providers)
    assert all(f"| `{word}" in text for word in QUIRKS)
