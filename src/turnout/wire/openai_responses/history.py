"""A conversation that the server remembers: `previous_response_id`, resolved outside of this dialect's providers.

Pure functions for whoever keeps the responses. Items are JSON texts that are never read further than their outermost braces and never written
anew: what a model said goes back to it as it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct

from turnout.wire.body import bad, join_members, json_text, open_members, read
from turnout.wire.sse import parse_event

_items = msgspec.json.Decoder(list[Raw])
_input: msgspec.json.Decoder[str | list[Raw] | None] = msgspec.json.Decoder(str | list[Raw] | None)
_id: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)
_bool: msgspec.json.Decoder[bool | None] = msgspec.json.Decoder(bool | None)
_members = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode
_ENDS = frozenset({"response.completed", "response.incomplete"})


class Ended(Struct, frozen=True):
    """A response that ended: its id, its output items, and the whole object as JSON text."""

    id: str
    output: tuple[Raw, ...]
    body: Raw


class _Response(Struct):
    id: str
    output: list[Raw]
    object: str = "response"


class _Event(Struct):
    type: str = ""
    response: Raw = Raw()


_response = msgspec.json.Decoder(_Response)
_event = msgspec.json.Decoder(_Event)


# -- requests
def previous_id(fields: Mapping[str, Raw]) -> str | None:
    """The response that a request continues. Raises `CallFailed(BAD_REQUEST)` for one that is not text."""
    return read(fields, "previous_response_id", _id, None)


def is_stored(fields: Mapping[str, Raw]) -> bool:
    """Does the caller want to refer to the reply later? The API's default is yes."""
    return read(fields, "store", _bool, None) is not False


def input_items(fields: Mapping[str, Raw]) -> tuple[Raw, ...]:
    """A request's input as items; text is one message. Raises `CallFailed(BAD_REQUEST)`."""
    found = read(fields, "input", _input, None)
    if isinstance(found, str):
        return (Raw(b'{"type":"message","role":"user","content":%b}' % bytes(fields["input"])),)
    return tuple(raw.copy() for raw in found or ())


def with_history(body: bytes, earlier: Sequence[Raw]) -> bytes:
    """The body with `earlier` before its own input and without `previous_response_id`; everything else verbatim.

    Raises `CallFailed(BAD_REQUEST)`. Instructions of earlier requests are not among `earlier`: the API does not carry them over.
    """
    members = open_members(body)
    if "conversation" in members and bytes(members["conversation"]) != b"null":
        raise bad("previous_response_id and conversation exclude each other.", "previous_response_id")
    items = [*earlier, *input_items(members)]
    members.pop("previous_response_id", None)
    members["input"] = Raw(b"[%b]" % b",".join(bytes(raw) for raw in items))
    return join_members(members)


# -- replies
def finished(body: bytes) -> Ended | None:
    """A whole response body, as a provider sent it or as it was encoded; `None` for anything else."""
    try:
        found = _response.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    if found.object != "response":
        return None
    return Ended(found.id, tuple(raw.copy() for raw in found.output), Raw(body))


def finished_stream(data: bytes) -> Ended | None:
    """The response that the last event in `data`, a piece of a stream that ends where the reply ended, tells of."""
    for raw in reversed(data.replace(b"\r\n", b"\n").split(b"\n\n")):
        told = parse_event(raw).data
        if told is None or told.strip() == b"[DONE]":
            continue
        try:
            event = _event.decode(told)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return None
        return finished(bytes(event.response)) if event.type in _ENDS else None
    return None


def items_of(text: bytes) -> tuple[Raw, ...]:
    """The inverse of `items_text`."""
    return tuple(raw.copy() for raw in _items.decode(text))


def items_text(items: Sequence[Raw]) -> bytes:
    """Items as one JSON array."""
    return b"[%b]" % b",".join(bytes(raw) for raw in items)


# -- what the API answers about stored responses
class _List(Struct):
    object: str
    data: list[Raw]
    first_id: str | None
    last_id: str | None
    has_more: bool


class _Deleted(Struct):
    id: str
    object: str = "response"
    deleted: bool = True


def deleted_json(response_id: str) -> bytes:
    return _encode(_Deleted(response_id))


def input_list_json(
    response_id: str, items: Sequence[Raw], *, after: str | None, limit: int, descending: bool
) -> bytes:
    """A page of a response's input items, which all get an id."""
    named = [_named(raw, response_id, number) for number, raw in enumerate(items)]
    if descending:
        named.reverse()
    ids = [name for name, _ in named]
    begin = ids.index(after) + 1 if after in ids else 0
    page = named[begin : begin + limit]
    data = [raw for _, raw in page]
    first, last = (page[0][0], page[-1][0]) if page else (None, None)
    return _encode(_List("list", data, first, last, begin + limit < len(named)))


def _named(raw: Raw, response_id: str, number: int) -> tuple[str, Raw]:
    members = _members.decode(raw)
    given = read(members, "id", _id, None)
    name = given or f"item_{response_id.removeprefix('resp_')}_{number}"
    whole = {"id": json_text(name), **{key: value for key, value in members.items() if key != "id"}}
    if "type" not in members and "role" in members:
        whole["type"] = Raw(b'"message"')
    return name, Raw(join_members(whole))
