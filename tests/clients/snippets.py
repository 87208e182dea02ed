"""The marked regions of the scripts, as a reader of the documentation should see them.

A region runs from `-- snippet: API` or `-- snippet: API (LANGUAGE)` to `-- end`, in a comment of the script's language. With a language, the
region is a quoted text (a configuration file, shell lines) of which the lines between the quotes are shown.
"""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

SHOWN_URL = "http://127.0.0.1:8080"
_REGION = re.compile(
    r"^(?:#|//) -- snippet: (?P<api>\w+)(?: \((?P<language>\w+)\))?\n(?P<body>.*?)^(?:#|//) -- end$",
    re.MULTILINE | re.DOTALL,
)
# `py` and `yml`, not `python` and `yaml`: blocks with the long names are run by the test of the documents, in the house's own environment, which
# has none of these programs. These are run by `make clients`, as part of their scripts.
_LANGUAGES = {".py": "py", ".mjs": "javascript"}


class Snippet(Struct, frozen=True):
    api: str
    language: str
    text: str


def snippets(script: Path) -> tuple[Snippet, ...]:
    found = _REGION.finditer(script.read_text(encoding="utf-8"))
    return tuple(_snippet(match, _LANGUAGES[script.suffix]) for match in found)


def _snippet(match: re.Match[str], own: str) -> Snippet:
    language, body = match["language"], match["body"].strip("\n")
    if language:
        body = "\n".join(body.splitlines()[1:-1]).replace("\\\\\n", "\\\n")
    return Snippet(match["api"], language or own, _with_address(body))


def _with_address(text: str) -> str:
    """Where the script says TURNOUT, the address that `make run` listens on."""
    text = re.sub(r'f"\{TURNOUT\}([^"{]*)"', rf'"{SHOWN_URL}\1"', text)
    text = re.sub(r"`\$\{TURNOUT\}([^`$]*)`", rf'"{SHOWN_URL}\1"', text)
    text = text.replace("{TURNOUT}", SHOWN_URL)
    return re.sub(r"\bTURNOUT\b", f'"{SHOWN_URL}"', text)
