"""The recordings that this project's dialects must survive, read in place."""

from __future__ import annotations

import base64
import csv
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.fidelity.awsframes import framed
from turnout.core.model import DialectName

ROOT = Path(os.environ.get("TURNOUT_SHARED") or Path(__file__).parents[2] / ".." / "shared") / "recordings"
Dialect = DialectName
_FORMATS: dict[str, Dialect] = {
    "openai.chat": "openai_chat",
    "openai.responses": "openai_responses",
    "anthropic.messages": "anthropic",
    "gemini.generateContent": "gemini",
    "bedrock.converse": "bedrock",
    "bedrock.invoke.anthropic": "bedrock_anthropic",
    "cohere.chat": "cohere",
    "mistral.chat": "mistral",
    "ollama.chat": "ollama",
}
DIALECTS = tuple(_FORMATS.values())
_FRAMES = "application/vnd.amazon.eventstream"
_LINES = "application/x-ndjson"
_STREAM_TYPES: dict[Dialect, str] = {"bedrock": _FRAMES, "bedrock_anthropic": _FRAMES, "ollama": _LINES}
_HOP_HEADERS = frozenset(
    {"content-length", "transfer-encoding", "connection", "content-encoding", "keep-alive", "set-cookie"}
)


class Recording(Struct, frozen=True):
    """One exchange. `body` is the response's exact bytes; JSON that was stored as a value is written compactly.

    `array` is the body of a Gemini stream that came as one JSON array; Turnout never asks for that, so `body` is the same chunks as SSE.
    """

    id: str
    dialect: Dialect
    streamed: bool
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    request: Any
    composed: bool = False
    array: bytes | None = None

    @property
    def no_done(self) -> bool:
        """A complete stream from a provider that sends no `[DONE]`."""
        return self.dialect == "openai_chat" and self.streamed and b"[DONE]" not in self.body

    @property
    def stream_type(self) -> str:
        """What a stream of this dialect calls itself."""
        return _STREAM_TYPES.get(self.dialect, "text/event-stream")


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
    headers = [(name.lower(), str(value)) for name, value in (response.get("headers") or {}).items()]
    body = _bytes(response)
    chunked = dialect == "gemini" and response["status"] == 200 and body[:1] == b"["
    array = body if chunked else None
    if array is not None:
        body = b"".join(b"data: %b\r\n\r\n" % _compact(chunk) for chunk in json.loads(array))
    return Recording(
        id=str(path.relative_to(ROOT).with_suffix("")),
        dialect=dialect,
        streamed=_streamed(dialect, dict(headers).get("content-type", ""), body),
        status=int(response["status"]),
        headers=tuple((name, value) for name, value in headers if name not in _HOP_HEADERS),
        body=body,
        request=(exchange.get("request") or {}).get("body"),
        composed=composed,
        array=array,
    )


def _streamed(dialect: Dialect, kind: str, body: bytes) -> bool:
    expected = _STREAM_TYPES.get(dialect)
    if expected == _FRAMES:
        return body[:1] == b"\0"
    if expected == _LINES:
        return kind.startswith(_LINES) or body.strip().count(b"\n") > 0
    return not body.lstrip().startswith((b"{", b"[")) and b"data:" in body


def _bytes(response: Any) -> bytes:
    body = response.get("body")
    if body is None:
        return b"".join(framed(e["headers"], _compact(e["payload"])) for e in response.get("events") or [])
    if response.get("body_encoding") == "base64":
        return base64.b64decode(body)
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    return _compact(body)


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
