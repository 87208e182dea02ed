"""What an error body says, wherever it says it: the one reader for providers that agree on no envelope.

Promise: the sentence, the code word, the type word, the field at fault and Google's details are found in an object, a text, a list, a body
without `error`, and in what stands one level deeper: an `error` inside the `error`, a `message` that is JSON text or holds a `detail` list, the raw
text of another provider that a gateway quotes. What is deeper is nearer to the cause and wins. The depth is bounded; nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from turnout.wire.google_rpc import Detail, read_details

_ANY = msgspec.json.Decoder(Any)
_DEPTH_MAX = 4
_NAMED = re.compile(r"(?:[\w.]*(?:Error|Exception)\b[\s:-]*)+(?=\{)")
"""What a gateway writes before the JSON text that it passes on: names of exceptions, and nothing that a caller wrote."""


class Read(Struct, frozen=True):
    """What an error says."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str | None = None
    status: int | None = None
    details: Sequence[Detail] = ()


def parse(body: bytes | str) -> object:
    """JSON, or `None` for anything else."""
    try:
        return _ANY.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def read_error(body: object) -> Read:
    """From a decoded body."""
    return _read(body, _DEPTH_MAX)


def _read(body: object, depth: int) -> Read:
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, dict) or not depth:
        return Read()
    error = body.get("error", body)
    if isinstance(error, list):
        error = error[0] if error else None
    if isinstance(error, str):
        return _deeper(Read(error, _word(body.get("type")), _word(body.get("code"))), error, depth)
    if not isinstance(error, dict):
        return Read()
    param = error.get("param")
    here = Read(
        "",
        _word(error.get("type")),
        _word(error.get("code")) or _word(error.get("status")),
        param[:128] if isinstance(param, str) and param else None,
        _status(error.get("status_code"), error.get("status"), error.get("code")),
        read_details(error.get("details")),
    )
    if here.details and isinstance(error.get("status"), str):  # Google's number says less than its word
        here = replace(here, code=error["status"])
    said = error.get("message") or error.get("detail") or body.get("message") or error.get("msg") or ""
    found = _deeper(here, said, depth)
    if error is not body and isinstance(error.get("error"), dict | str):
        found = _under(found, _read(error, depth - 1))
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("raw"), str):
        found = _under(found, _read(parse(metadata["raw"]), depth - 1))
    return found


def _deeper(here: Read, said: object, depth: int) -> Read:
    """`here` with its sentence, which may be JSON text, an object, or a list of what did not validate."""
    if isinstance(said, str):
        text = _NAMED.sub("", said.strip(), count=1) if said[-1:] == "}" else said
        inner = parse(text) if text[:1] in ("{", "[") else None
        if isinstance(inner, dict | list):
            return _under(replace(here, message=said), _read(inner, depth - 1))
        return replace(here, message=said)
    if isinstance(said, dict):
        return _under(here, _read(said, depth - 1))
    if isinstance(said, list):
        return replace(here, message="; ".join(filter(None, map(_item, said[:8]))), param=_place(said))
    return here


def _item(item: object) -> str:
    """One row of a list of what did not validate."""
    if isinstance(item, str):
        return item
    if not isinstance(item, dict):
        return ""
    said = item.get("msg") or item.get("message")
    place = _joined(item.get("loc"))
    return f"{place}: {said}" if place and isinstance(said, str) else said if isinstance(said, str) else ""


def _place(items: list[Any]) -> str | None:
    first = items[0] if items else None
    return _joined(first.get("loc") if isinstance(first, dict) else None)[:128] or None


def _joined(place: object) -> str:
    """Where it stands, from the list of names and numbers that leads there."""
    return ".".join(str(part) for part in place if part != "body") if isinstance(place, list) else ""


def _under(outer: Read, inner: Read) -> Read:
    """Member by member, the inner where it says anything."""
    return Read(
        inner.message or outer.message,
        inner.type or outer.type,
        inner.code or outer.code,
        inner.param or outer.param,
        outer.status or inner.status,
        inner.details or outer.details,
    )


def _status(*given: object) -> int | None:
    value = next((one for one in given if one), None)
    number = int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else 0
    return number if 400 <= number < 600 else None


def _word(value: object) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
