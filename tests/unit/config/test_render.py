"""The reference is the types."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.config.render import Section, description, reference_markdown, sections

DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == reference_markdown(), (
        "run: python -m turnout.config.render > docs/configuration.md"
    )


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.kind.cls.__name__)
def test_everything_is_described(section: Section) -> None:
    assert section.kind.cls.__doc__
    assert [field.name for field in section.kind.fields if not description(field)] == []


def test_every_section_is_there() -> None:
    paths = [path for section in sections() for path in section.paths]
    assert {"", "server", "providers.<name>", "models.<name>.price", "keys[]", "resilience.deadlines"} <= set(
        paths
    )
