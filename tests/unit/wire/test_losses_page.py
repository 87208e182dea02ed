"""The page that lists what is lost is the code's own list."""

from __future__ import annotations

from pathlib import Path

from turnout.wire.losses_page import page


def test_the_committed_page_is_the_generated_one() -> None:
    assert (Path(__file__).parents[3] / "docs" / "dialects.md").read_text() == page()
