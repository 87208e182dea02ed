"""Every "after" of docs/migration.md is taken by `turnout check`, and what a table promises exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.e2e.processes import turnout
from turnout.config.render import reference_markdown

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "migration.md").read_text()
STARTED = (DOCS / "getting-started.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", blocks("yaml"), ids=["litellm", "portkey", "openrouter"])
def test_the_check_takes_what_comes_after(text: str, tmp_path: Path) -> None:
    (tmp_path / "turnout.yaml").write_text(text)
    variables = {name: f"secret-of-{name}" for name in re.findall(r"\$\{(\w+)\}", text)}
    done = turnout("check", "--strict", cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_was_before_can_be_read() -> None:
    assert all(isinstance(json.loads(text), dict) for text in blocks("json"))
    assert all(isinstance(yaml.safe_load(text), dict) for text in blocks("yml"))


def test_settings_and_headers_that_the_tables_name_exist() -> None:
    reference = reference_markdown()
    ours = [
        row.split(" | ")[1] for row in re.findall(r"^\| (.* \| .*) \|$", PAGE, re.MULTILINE) if "`" in row
    ]
    words = {word for cell in ours for word in re.findall(r"`([a-z_.]+)`", cell)} - {
        "auto",
        "k=v",
        "provider",
        "turnout.cost_usd",
    }
    missing = [
        word
        for word in words
        if f"| `{word.split('.')[-1]}` |" not in reference and f"`{word}`" not in reference
    ]
    assert words
    assert missing == []
    assert {each for each in re.findall(r"x-turnout-[a-z-]+", PAGE) if f"`{each}`" not in STARTED} == set()
