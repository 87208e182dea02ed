"""The recordings that this project's dialects must survive, read in place."""

from __future__ import annotations

import base64
import csv
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

ROOT = Path(os.environ.get("TURNOUT_SHARED") or Path(__file__).parents[2] / ".." / "shared") / "recordings"
Dialect = Literal["openai_chat", "anthropic"]
_FORMATS: dict[str, Dialect] = {"openai.chat": "openai_chat", "anthropic.messages": "anthropic"}
_HOP_HEADERS = frozenset(
    {"content-length", "transfer-encoding", "connection", "content-encoding", "keep-alive", "set-cookie"}
)


class Recording(Struct, frozen=True):
    """One exchange. `body` is the response's exact bytes; JSON that was stored as a value is written compactly."""

    id: str
    dialect: Dialect
    streamed: bool
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    request: Any
    composed: bool = False

    @property
    def no_done(self) -> bool:
        """A complete stream from a provider that sends no `[DONE]`."""
        return self.dialect == "openai_chat" and self.streamed and b"[DONE]" not in self.body


def available() -> bool:
    return (ROOT / "INDEX.tsv").exists()


@cache
def all_recordings() -> tuple[Recording, ...]:
    return tuple(_read_all())


def _read_all() -> Iterator[Recording]:
    with (ROOT / "INDEX.tsv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            dialect = _FORMATS.get(row["format"])
            if dialect is not None:
                yield _read(ROOT / row["path"], dialect)
    for path in sorted((ROOT / "composed-errors").glob("*.json")):
        dialect = _FORMATS.get(json.loads(path.read_text())["format"])
        if dialect is not None:
            yield _read(path, dialect, composed=True)


def _read(path: Path, dialect: Dialect, composed: bool = False) -> Recording:
    exchange = json.loads(path.read_text(encoding="utf-8"))
    response = exchange["response"]
    body = _bytes(response.get("body"), response.get("body_encoding"))
    headers = [(name.lower(), str(value)) for name, value in (response.get("headers") or {}).items()]
    streamed = not body.lstrip().startswith((b"{", b"[")) and (b"data:" in body)
    return Recording(
        id=str(path.relative_to(ROOT).with_suffix("")),
        dialect=dialect,
        streamed=streamed,
        status=int(response["status"]),
        headers=tuple((name, value) for name, value in headers if name not in _HOP_HEADERS),
        body=body,
        request=(exchange.get("request") or {}).get("body"),
        composed=composed,
    )


def _bytes(body: Any, encoding: str | None) -> bytes:
    if body is None:
        return b""
    if encoding == "base64":
        return base64.b64decode(body)
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
