"""Reading a request: headers, credential and body, each within its limit.

Promise: nothing is believed and nothing is unbounded. The body's size is checked against the declared length before a byte is
read, against the real one while reading and against what a compressed body opens to; nesting is checked before anything but a parser that guards itself walks the value.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw, Struct

from turnout.core.errors import Kind, fail
from turnout.edge.controls import HEADER_PREFIX
from turnout.upstream.inflating import Inflater, Unreadable

Receive = Callable[[], Awaitable[dict[str, Any]]]


class ClientLeft(Exception):
    """The client closed the connection before its request was whole."""


class Facts(Struct):
    """What the headers say. `forward` holds header lines for a provider of the client's own dialect; `coding` is empty for a plain body.

    `credentials`: all that were given, best first.
    """

    credentials: tuple[bytes, ...]
    content_length: int | None
    controls: dict[str, str]
    forward: bytes
    coding: bytes


_BEARER = b"authorization"
_CREDENTIALS = (b"x-api-key", b"x-goog-api-key", b"api-key")
CODINGS = (b"gzip", b"x-gzip", b"deflate", b"zstd")
ACCEPTED_CODINGS = b"gzip, deflate, zstd"


def read_headers(headers: Iterable[tuple[bytes, bytes]], forward: frozenset[bytes]) -> Facts:
    """Header names are lower case. Raises `CallFailed` for what cannot be a valid request."""
    given: dict[bytes, bytes] = {}
    length: int | None = None
    controls: dict[str, str] = {}
    lines = b""
    coding = b""
    for name, value in headers:
        if name == _BEARER:
            if value[:7].lower() == b"bearer ":
                given.setdefault(name, value[7:].strip())
        elif name == b"content-length":
            length = int(value) if value.isdigit() else None
        elif name in _CREDENTIALS:
            given.setdefault(name, value)
        elif name in forward:
            if b"\r" not in value and b"\n" not in value and b"\0" not in value:
                lines += b"%b: %b\r\n" % (name, value)
        elif name.startswith(HEADER_PREFIX):
            controls[name[10:].decode("latin-1").replace("-", "_")] = value.decode("utf-8", "replace")
        elif name == b"content-encoding":
            coding = _joined(coding, value)
    return Facts(_in_order(given), length, controls, lines, coding)


def _joined(before: bytes, value: bytes) -> bytes:
    """Codings applied so far and one header's more: several stay several, and are refused as such."""
    value = value.strip().lower()
    if value in (b"", b"identity"):
        return before
    return b"%b, %b" % (before, value) if before else value


def _in_order(given: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
    """A client may carry a session of its own beside the key that is meant for us, in whichever header; empty ones are none."""
    if len(given) > 1:
        return tuple(value for name in (_BEARER, *_CREDENTIALS) if (value := given.get(name)))
    return tuple(filter(None, given.values()))


def query_credential(query: bytes) -> bytes | None:
    """`?key=…`, as Gemini clients send it."""
    if b"key=" not in query:
        return None
    values = parse_qs(query.decode("latin-1"), max_num_fields=100).get("key")
    return values[0].encode() if values else None


async def read_body(receive: Receive, facts: Facts, bytes_max: int, whole: bytes | None = None) -> bytes:
    """The whole body, opened; `whole` if it is here already. Both as sent and opened it is at most `bytes_max` long.

    Raises `CallFailed` (too large, too slow, a coding that is not known or does not open) or `ClientLeft`.
    """
    if facts.coding and facts.coding not in CODINGS:
        shown = facts.coding[:40].decode("ascii", "replace")
        raise fail(
            Kind.UNSUPPORTED_CODING,
            f"A request body may be sent plain or in one of {ACCEPTED_CODINGS.decode()}; this is content-encoding {shown!r}.",
        )
    if facts.content_length is not None and facts.content_length > bytes_max:
        raise _too_large(bytes_max)
    body = await _received(receive, bytes_max) if whole is None else whole
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    return _opened(body, facts.coding, bytes_max) if facts.coding else body


async def _received(receive: Receive, bytes_max: int) -> bytes:
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


def _opened(body: bytes, coding: bytes, bytes_max: int) -> bytes:
    inflater = Inflater(coding, bytes_max)
    if not body:
        raise fail(Kind.BAD_REQUEST, "The request body is empty.")
    inflater.feed(body)
    try:
        opened = b"".join(iter(inflater.step, b""))
        inflater.end()
    except Unreadable as error:
        if error.phase == "too_large":
            raise _too_large(bytes_max) from None
        raise fail(Kind.BAD_REQUEST, "The compressed request body cannot be opened, or ends early.") from None
    return opened


def _too_large(bytes_max: int) -> Exception:
    return fail(Kind.TOO_LARGE, f"The request body is larger than {bytes_max} bytes.")


STRUCTURES_MAX = 1_000_000
_PEELED_MAX = 6
_BATCH_MAX = 16
_LONG = 64 * 1024  # from here on, looking for one more opener than may be is faster than counting
_NOT_OPENERS = bytes(set(range(256)) - set(b"[{"))
# Possessive, and an unterminated string runs to the end: linear on any input.
_STRUCTURE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
_items = msgspec.json.Decoder(list[Raw])
_members = msgspec.json.Decoder(dict[str, Raw])


def check_depth(body: bytes, depth_max: int, members: Mapping[str, Raw] | None = None) -> None:
    """Refuse JSON that nests deeper than `depth_max`, or has too many arrays and objects to look at.

    What this guards is whatever of ours, or of a provider's, walks the value later: the parser guards itself. A value is no deeper than it
    has openers, and most requests have fewer than they may. A long conversation has more: there the parser takes the outer levels off,
    and the bound is asked of the parts, for about what reading it costs; only a part that exceeds it is measured bracket by bracket.
    `members`: the body's own, where it has been opened and none is given twice. Raises `CallFailed(BAD_REQUEST)`.
    """
    if not _has_more_openers(body, depth_max):
        return
    if len(body) > STRUCTURES_MAX and _openers(body) > STRUCTURES_MAX:
        _measure(body, depth_max, depth_max)
    elif members is None:
        _peel(body, depth_max, depth_max, _PEELED_MAX)
    else:
        _check_all(list(members.values()), depth_max - 1, depth_max, _PEELED_MAX)


def _has_more_openers(text: bytes, most: int) -> bool:
    """Fast where there are few of them, or far more. Brackets in strings are counted as well."""
    find = text.find
    for opener in (b"[", b"{"):
        at = find(opener)
        while at >= 0:
            most -= 1
            if most < 0:
                return True
            at = find(opener, at + 1)
    return False


def _openers(text: bytes) -> int:
    return len(text.translate(None, _NOT_OPENERS))


def _peel(value: bytes | Raw, left: int, depth_max: int, levels: int) -> None:
    """Check a value that may nest `left` levels and may have more openers, by looking at its parts."""
    parts = _parts(value) if levels > 0 and left > 0 else None
    if parts is None:
        _measure(bytes(value), left, depth_max)
    else:
        _check_all(parts, left - 1, depth_max, levels - 1)


def _parts(value: bytes | Raw) -> list[Raw] | None:
    """The values in an array or object; `None` where they cannot be told: it is neither, or repeats a name and so hides a value."""
    try:
        if bytes(memoryview(value)[:1]) == b"[":
            return _items.decode(value)
        members = _members.decode(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    values = list(members.values())
    seen = 1 + _openers(b"".join(values)) + _openers("".join(members).encode())
    return values if seen == _openers(bytes(value)) else None


def _check_all(values: Sequence[Raw], left: int, depth_max: int, levels: int) -> None:
    """Values side by side, by batches: what bounds them together bounds each of them."""
    begin, size = 0, _BATCH_MAX
    while begin < len(values):
        batch = b"".join(values[begin : begin + size])
        found = _bound(batch, left)
        if found > left and size > 1:
            size = size // 2 if len(batch) < _LONG else 1
            continue
        if found > left:
            _peel(values[begin], left, depth_max, levels)
        begin += size
        if 3 * found <= left:
            size = min(2 * size, _BATCH_MAX)


def _bound(text: bytes, left: int) -> int:
    """How many openers there are, or more; of long texts only whether it is more than `left`."""
    if len(text) < _LONG:
        return _openers(text)
    return left + 1 if text[:1] == b"[" or _has_more_openers(text, left) else left


def _measure(text: bytes, left: int, depth_max: int) -> None:
    """The exact depth, bracket by bracket."""
    depth = structures = 0
    for match in _STRUCTURE.finditer(text):
        first = text[match.start()]
        if first == 0x7B or first == 0x5B:
            depth += 1
            structures += 1
            if depth > left:
                raise fail(Kind.BAD_REQUEST, f"The JSON body is nested deeper than {depth_max} levels.")
            if structures > STRUCTURES_MAX:
                raise fail(
                    Kind.BAD_REQUEST, f"The JSON body has more than {STRUCTURES_MAX} arrays and objects."
                )
        elif first != 0x22:
            depth -= 1
