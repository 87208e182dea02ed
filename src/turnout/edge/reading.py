"""Reading a request: headers, credential and body, each within its limit.

Promise: nothing is believed and nothing is unbounded. The body's size is checked against the declared length before a byte is
read and against the real one while reading; nesting is checked before any parser sees it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from msgspec import Struct

from turnout.core.errors import Kind, fail
from turnout.edge.controls import HEADER_PREFIX

Receive = Callable[[], Awaitable[dict[str, Any]]]


class ClientLeft(Exception):
    """The client closed the connection before its request was whole."""


class Facts(Struct):
    """What the headers say. `forward` holds header lines for a provider of the client's own dialect."""

    credential: bytes | None
    content_length: int | None
    controls: dict[str, str]
    forward: bytes
    encoded: bool


_CREDENTIALS = frozenset({b"x-api-key", b"x-goog-api-key", b"api-key"})


def read_headers(headers: Iterable[tuple[bytes, bytes]], forward: frozenset[bytes]) -> Facts:
    """Header names are lower case. Raises `CallFailed` for what cannot be a valid request."""
    credential: bytes | None = None
    length: int | None = None
    controls: dict[str, str] = {}
    lines = b""
    encoded = False
    for name, value in headers:
        if name == b"authorization":
            if value[:7].lower() == b"bearer ":
                credential = value[7:].strip()
        elif name == b"content-length":
            length = int(value) if value.isdigit() else None
        elif name in _CREDENTIALS:
            credential = credential or value
        elif name in forward:
            if b"\r" not in value and b"\n" not in value and b"\0" not in value:
                lines += b"%b: %b\r\n" % (name, value)
        elif name.startswith(HEADER_PREFIX):
            controls[name[10:].decode("latin-1").replace("-", "_")] = value.decode("utf-8", "replace")
        elif name == b"content-encoding":
            encoded = value.lower() not in (b"", b"identity")
    return Facts(credential, length, controls, lines, encoded)


def query_credential(query: bytes) -> bytes | None:
    """`?key=…`, as Gemini clients send it."""
    if b"key=" not in query:
        return None
    values = parse_qs(query.decode("latin-1"), max_num_fields=100).get("key")
    return values[0].encode() if values else None


async def read_body(receive: Receive, facts: Facts, bytes_max: int, whole: bytes | None = None) -> bytes:
    """The whole body; `whole` if it is here already. Raises `CallFailed` (too large, too slow, encoded) or `ClientLeft`."""
    if facts.encoded:
        raise fail(Kind.UNSUPPORTED, "A compressed request body (content-encoding) is not accepted.")
    if facts.content_length is not None and facts.content_length > bytes_max:
        raise _too_large(bytes_max)
    if whole is not None:
        if len(whole) > bytes_max:
            raise _too_large(bytes_max)
        return whole
    message = await receive()
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] != "http.request":
            if message.get("late"):
                raise fail(Kind.BODY_TIMEOUT, "The request body did not arrive in time.")
            raise ClientLeft
        parts.append(message["body"])
        size += len(message["body"])
        if size > bytes_max:
            raise _too_large(bytes_max)
        if not message["more_body"]:
            return b"".join(parts)
        message = await receive()


def _too_large(bytes_max: int) -> Exception:
    return fail(Kind.TOO_LARGE, f"The request body is larger than {bytes_max} bytes.")


STRUCTURES_MAX = 1_000_000
# Possessive, and an unterminated string runs to the end: linear on any input.
_STRUCTURE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


def check_depth(body: bytes, depth_max: int) -> None:
    """Refuse JSON that nests deeper than `depth_max`, or has too many arrays and objects to look at.

    Raises `CallFailed(BAD_REQUEST)`.
    """
    structures = body.count(b"[") + body.count(b"{")
    if structures <= depth_max:
        return
    if structures > STRUCTURES_MAX:
        raise fail(Kind.BAD_REQUEST, f"The JSON body has more than {STRUCTURES_MAX} arrays and objects.")
    depth = 0
    for match in _STRUCTURE.finditer(body):
        first = body[match.start()]
        if first == 0x7B or first == 0x5B:
            depth += 1
            if depth > depth_max:
                raise fail(Kind.BAD_REQUEST, f"The JSON body is nested deeper than {depth_max} levels.")
        elif first != 0x22:
            depth -= 1
