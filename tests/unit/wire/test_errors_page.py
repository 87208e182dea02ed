"""The page of errors is the failure table and the codecs' own words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from turnout.config.render import reference_markdown
from turnout.core.errors import TABLE, Kind
from turnout.core.model import DialectName
from turnout.wire.errors_page import SENTENCES, code_in, page
from turnout.wire.registry import CODECS

DOCS = Path(__file__).parents[3] / "docs"


def test_the_committed_page_is_the_generated_one() -> None:
    assert (DOCS / "errors.md").read_text() == page(), "run: make docs"


def test_every_kind_has_its_row_once_and_nothing_else_has_one() -> None:
    table = page().split("## The table")[1].split("## Before there is a call")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", table, re.MULTILINE)
    assert rows == [(kind.value, str(TABLE[kind].status)) for kind in Kind]
    assert set(SENTENCES) == set(Kind)


def test_settings_that_a_remedy_names_exist() -> None:
    reference = reference_markdown()
    named = {
        word
        for pair in SENTENCES.values()
        for text in pair
        for word in re.findall(r"`(?:server\.|resilience\.)?([a-z]+_[a-z_]+)`", text)
    } - {"max_tokens"}
    assert named
    assert [word for word in named if f"| `{word}` |" not in reference] == []


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("dialect", [name for name in get_args(DialectName) if name in CODECS])
def test_a_body_has_our_code_or_the_word_that_the_page_gives(kind: Kind, dialect: DialectName) -> None:
    code = code_in(dialect, kind)
    if dialect == "anthropic":
        assert code == kind.value
    elif dialect == "gemini":
        assert code == kind.value.upper()
    elif code != kind.value:
        assert f"| `{kind.value}` | `{code}` |" in page()


def test_codes_that_other_pages_name_are_of_the_table() -> None:
    """A table with a column `code` beside a status names codes of ours."""
    ours = {kind.value for kind in Kind}
    found = {
        word
        for name in ("compliance.md", "getting-started.md", "operations.md", "apis.md")
        for row in re.findall(
            r"^\| (?:\d{3}(?:, \d{3})*) \| ([^|]*) \|", (DOCS / name).read_text(), re.MULTILINE
        )
        for word in re.findall(r"`(\w+)`", row)
    }
    assert found
    assert found <= ours
