"""The API reads protocol-buffer JSON: every member has two spellings, `maxOutputTokens` and `max_output_tokens`.

An object is respelt one level at a time, where it is read, because only messages have two spellings: the keys of arguments, of responses
and of JSON Schemas are the caller's own.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from msgspec import Raw

from turnout.wire.body import bad, join_members

T = TypeVar("T")
_members = msgspec.json.Decoder(dict[str, Raw])
_underscore = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")


def camel(name: str) -> str:
    return _underscore.sub(lambda match: match[1].upper(), name) if "_" in name else name


def camel_members(members: dict[str, Raw]) -> dict[str, Raw]:
    return {camel(name): raw for name, raw in members.items()}


def opened(raw: Raw | bytes, where: str) -> dict[str, Raw]:
    """Members of an object in the camel spelling; raises `CallFailed(BAD_REQUEST)` for anything else."""
    return camel_members(read(_members, raw, where))


def read(decoder: msgspec.json.Decoder[T], raw: Raw | bytes, where: str) -> T:
    """Decode one piece of the caller's JSON as it is; what is wrong with it is the caller's error, at `where`."""
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        message, _, path = str(error).partition(" - at `$")
        inner = path.rstrip("`").replace("[", ".").replace("]", "")
        param = (where + inner).lstrip(".")
        raise bad(f"{param}: {message}" if param else message, param or None) from None


def read_message(decoder: msgspec.json.Decoder[T], raw: Raw | bytes, where: str) -> T:
    """Decode a message in either spelling."""
    if b"_" in bytes(raw):
        raw = join_members(opened(raw, where))
    return read(decoder, raw, where)


def given(raw: Raw) -> bool:
    return len(bytes(raw)) > 0 and bytes(raw) != b"null"
