"""A provider's reply under another id, where the provider's own cannot be told to the client.

Promise: nothing but the id of the response object changes, in a whole body and in every event that carries the object. What holds no response
object is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw

from turnout.core.events import Event, Started
from turnout.wire.body import join_members, json_text
from turnout.wire.sse import parse_event

_members = msgspec.json.Decoder(dict[str, Raw])
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)


def named_body(body: bytes, events: Sequence[Event], name: Callable[[str], str]) -> bytes:
    """A whole response, whose events these are, as the client is told it."""
    given = next((event.id for event in events if isinstance(event, Started)), "")
    told = name(given)
    return body if told == given else renamed(body, told)


def renamed(body: bytes, reply_id: str) -> bytes:
    """A response object with this id."""
    try:
        members = _members.decode(body)
    except _UNREADABLE:
        return body
    return join_members({**members, "id": json_text(reply_id)})


def renamed_event(raw: bytes, reply_id: str) -> bytes:
    """An event whose response object, if it has one, has this id."""
    event = parse_event(raw)
    if event.data is None or b"response" not in event.data:
        return raw
    try:
        members = _members.decode(event.data)
        response = _members.decode(members["response"])
    except (*_UNREADABLE, KeyError):
        return raw
    response["id"] = json_text(reply_id)
    members["response"] = Raw(join_members(response))
    head = b"event: %b\n" % event.event if event.event else b""
    data = (
        join_members(members).replace(b"\r", b" ").replace(b"\n", b" ")
    )  # between values: none is inside a JSON string
    return b"%bdata: %b\n\n" % (head, data)
