"""Opening and closing JSON bodies without understanding them.

Promise: a value that is not ours to change keeps its exact bytes. A body is opened into its top-level members, each with its
JSON text (`msgspec.Raw`); setting a member and joining them again touches nothing else. Members that are
given twice are refused: two parsers that disagree on which one counts is how a check is bypassed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Raw

from turnout.core.call import Envelope
from turnout.core.errors import CallFailed, Failure, Kind, fail

T = TypeVar("T")

_members = msgspec.json.Decoder(dict[str, Raw])


class _Key:
    """A member name that equals only itself, so that a repeated name stays visible in a dict."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def _key_hook(kind: type, value: object) -> _Key:
    return _Key(str(value))


_every_member = msgspec.json.Decoder(dict[_Key, Raw], dec_hook=_key_hook)
_str = msgspec.json.Decoder(str)
_bool = msgspec.json.Decoder(bool | None)
_encode = msgspec.json.Encoder().encode
_spaced = msgspec.json.format


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


_stream_options = msgspec.json.Decoder(_StreamOptions | None)


def bad(message: str, param: str | None = None) -> CallFailed:
    return fail(Kind.BAD_REQUEST, message, param=param)


def open_members(body: bytes) -> dict[str, Raw]:
    """Top-level members of a JSON object, as sent. Raises `CallFailed(BAD_REQUEST)` for anything else."""
    try:
        if not body.isascii():
            body.decode()  # values that are passed on unread must be text, too
        members = _members.decode(body)
    except RecursionError:
        raise bad("The JSON body is nested too deeply.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise bad(f"The body is not a JSON object: {error}.") from None
    if not _is_plain(members, body):
        _refuse_repeated(body)
    return members


def reopen_members(body: bytes) -> dict[str, Raw]:
    """The same for a body that `open_members` has accepted."""
    return _members.decode(body)


def _is_plain(members: Mapping[str, Raw], body: bytes) -> bool:
    """Is the text these members and nothing else, written compactly or as Python's `json` writes it?

    Then no member was given twice, and the slow look at every name is spared.
    """
    compact = _encode(members)
    if len(compact) == len(body):
        return True
    try:
        return _spaced(compact, indent=0) == body
    except RecursionError:
        return False


def _refuse_repeated(body: bytes) -> None:
    seen: set[str] = set()
    for key in _every_member.decode(body):
        if key.name in seen:
            raise bad(f"The member {key.name[:64]!r} is given twice.", key.name[:64])
        seen.add(key.name)


def read(members: Mapping[str, Raw], name: str, decoder: msgspec.json.Decoder[T], default: T) -> T:
    """One member through a typed decoder; a wrong type is the caller's error and names the member."""
    raw = members.get(name)
    if raw is None:
        return default
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise bad(f"{name}: {error}", name) from None


def open_envelope(body: bytes, *, model: str | None = None, stream: bool | None = None) -> Envelope:
    """Open a request body. `model` and `stream` override the members for dialects that put them in the path."""
    members = open_members(body)
    if model is None:
        model = read(members, "model", _str, "")
        if not model:
            raise bad("The member 'model' is missing.", "model")
    if stream is None:
        stream = bool(read(members, "stream", _bool, None)) if "stream" in members else False
    include_usage = False
    if "stream_options" in members:
        options = read(members, "stream_options", _stream_options, None)
        include_usage = bool(options is not None and options.include_usage)
    return Envelope(model, stream, include_usage, members, body)


def join_members(members: Mapping[str, Raw]) -> bytes:
    """The JSON object with these members, in their order, values verbatim."""
    return _encode(members)


def json_text(value: object) -> Raw:
    """A value as JSON text, ready to be a member."""
    return Raw(_encode(value))


def annotate(body: bytes, annotation: bytes, name: bytes = b"turnout") -> bytes:
    """Add one member at the end of a JSON object's text; the rest keeps its bytes. Not an object: unchanged."""
    if (
        body[:2] != b"{}" and body[:1] == b"{" and body[-1:] == b"}"
    ):  # what providers send, but for white space
        return b'%b,"%b":%b}' % (body[:-1], name, annotation)
    end = body.rfind(b"}")
    if end < 0 or not body.lstrip().startswith(b"{"):
        return body
    comma = b"" if body[:end].rstrip().endswith(b"{") else b","
    return b"".join((body[:end], comma, b'"', name, b'":', annotation, body[end:]))


def malformed(message: str) -> Failure:
    """A provider's bytes that are not what its dialect promises. The bytes themselves are not repeated: they may be private."""
    return Failure(Kind.MALFORMED, message)
