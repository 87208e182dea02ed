"""The page on the architecture names what there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnout.core import attempt, call, card, errors, events
from turnout.layers import tap
from turnout.resilience import board, schedule

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "turnout"
TEXT = (ROOT / "docs" / "architecture.md").read_text()
PATH = re.compile(r"\b((?:tests/)?[a-z_]+/(?:[a-z_]+(?:\.[a-z]+)?)?)(?=[`\s,:)])")
PATHS = sorted(set(PATH.findall(re.sub(r"\]\([^)]*\)", "]", TEXT))))
MODULES = (attempt, call, card, errors, events, tap, board, schedule)


@pytest.mark.parametrize("path", PATHS)
def test_every_path_exists(path: str) -> None:
    assert (SOURCE / path).exists() or (ROOT / path).exists()


def test_the_paths_are_found() -> None:
    assert {"core/call.py", "wire/", "upstream/known.json", "tests/laws", "layers/failover.py"} <= set(PATHS)


@pytest.mark.parametrize("row", re.findall(r"^\| ([A-Z][A-Za-z, ]+) \| `([a-z/_.]+)` \|", TEXT, re.MULTILINE))
def test_every_word_is_defined_where_the_page_says(row: tuple[str, str]) -> None:
    words, path = row
    (module,) = [each for each in MODULES if Path(each.__file__ or "").match(path)]
    assert [word for word in words.split(", ") if not hasattr(module, word)] == []


def test_packages_import_what_the_page_says() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| [^|]* \| ([^|]*) \|$", TEXT, re.MULTILINE)
    said = {name: set(re.findall(r"`([a-z]+)`", imports)) for name, imports in rows}
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert said == {name: set(imported(SOURCE / name)) - {name} for name in packages}


def imported(package: Path) -> Iterator[str]:
    """Packages of ours that a package's modules import, anywhere in them (for types, too)."""
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("turnout."):
                yield (node.module or "").split(".")[1]
            elif isinstance(node, ast.Import):
                yield from (
                    each.name.split(".")[1] for each in node.names if each.name.startswith("turnout.")
                )
