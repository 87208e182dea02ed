"""The documents are true: every snippet in them runs, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.harness import Running
from tests.e2e.processes import environment, turnout
from turnout.config.exposure import PLACEHOLDER_KEYS
from turnout.config.load import load_text
from turnout.store.sqlite import path_of
from turnout.upstream.catalog import build
from turnout.upstream.known import load_known
from turnout.upstream.prices import PriceBook
from turnout.wire.registry import CODECS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "bench" / "README.md"])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
DEFAULT_URL = "http://127.0.0.1:8080"
MAKE_TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def blocks(language: str) -> list[Any]:
    """Test parameters: every block of a language."""
    return list(_blocks(language))


def _blocks(language: str) -> Iterator[Any]:
    for page in PAGES:
        if page.name == "clients.md":  # cut from the scripts that `make clients` runs
            continue
        for number, (found, text) in enumerate(BLOCK.findall(page.read_text())):
            if found == language:
                yield pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}")


@pytest.mark.parametrize("text", blocks("python"))
def test_python(text: str, running: Running, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", text.replace(DEFAULT_URL, running.url)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml(text: str) -> None:
    known = load_known()
    keys = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "sk-test")
    keys |= {name: f"secret-of-{name}" for name in keys if name.startswith("TURNOUT_KEY")}
    config = load_text(text, "snippet.yaml", keys, tuple(known.providers))
    published = {key.key for key in config.keys} - set(keys.values())
    assert published <= PLACEHOLDER_KEYS, "a key that anybody can read here must not work on an open address"
    build(config, known, PriceBook(), CODECS, datetime.now(UTC))


@pytest.mark.parametrize("text", blocks("console"))
def test_console(text: str, running: Running, tmp_path: Path) -> None:
    ask = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
    assert httpx2.post(running.url + "/v1/chat/completions", json=ask, timeout=20).status_code == 200
    assert running.rows(limit=1)  # there is something to look at, whatever ran before
    for line in text.splitlines():
        if line.startswith("$ "):
            run_line(line[2:].split("  #")[0].strip(), running, tmp_path)


def run_line(line: str, running: Running, folder: Path) -> None:
    command, *arguments = shlex.split(line.replace(DEFAULT_URL, running.url))
    store = running.gateway.config.store
    if command == "make":
        targets = [argument for argument in arguments if "=" not in argument]
        assert set(targets) <= MAKE_TARGETS, line
    elif command.endswith("turnout"):
        extra = ["--store", store] if arguments[0] == "logs" else []
        done = turnout(*arguments, *extra, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
    elif command == "sqlite3":
        connection = sqlite3.connect(path_of(store))
        assert connection.execute(arguments[1]).fetchall()
        connection.close()
    elif command == "curl":
        shell = ["bash", "-c", line.replace(DEFAULT_URL, running.url)]
        page = subprocess.run(shell, capture_output=True, text=True, timeout=30, check=False)
        assert page.returncode == 0
        assert page.stdout
    else:
        pytest.fail(f"a command that no test knows: {line}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target
