"""A responses event stream as frames.

Promise: any split of the bytes gives the same events; the frames' bytes concatenate to the input; one terminal event. Terminal are
`response.completed`, `.incomplete`, `.failed` and an error; a stream that ends without one is truncated, whatever else it said, `[DONE]` included.
What follows the end is frames without events.

Pieces find their item by its position in the output: ids change within a stream at some providers. Event names are not looked at, the data has the
type; events of a type that is not known mean nothing and pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import Event, Failed, Finished, Started, TextDelta
from turnout.wire.body import malformed
from turnout.wire.openai_chat.errors import decode_stream_failure
from turnout.wire.openai_responses.outputs import UNREADABLE, Item, Outputs, read_item
from turnout.wire.openai_responses.reasons import decode_stop
from turnout.wire.openai_responses.usage import read_usage
from turnout.wire.sse import parse_event
from turnout.wire.sse_decoder import SseDecoder


class Wire(Struct):
    """One event's data."""

    type: str | None = None
    delta: Any = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    text: Any = None
    refusal: Any = None
    arguments: Any = None
    input: Any = None
    item: Raw = Raw()
    response: Raw = Raw()
    error: Any = None
    code: Any = None
    message: Any = None
    param: Any = None


class Why(Struct):
    reason: Any = None


class WireResponse(Struct):
    """A response object, whole or as lifecycle events carry it."""

    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: Any = None
    output: list[Raw] | None = None
    usage: Raw = Raw()
    tool_usage: Raw = Raw()
    error: Any = None
    incomplete_details: Why | None = None


_wire = msgspec.json.Decoder(Wire)
_response = msgspec.json.Decoder(WireResponse)

# type of a delta event → (kind of item, kind of text, how the part is numbered)
_PIECES: Mapping[str, tuple[str, str, str]] = {
    "response.output_text.delta": ("message", "text", "content"),
    "response.refusal.delta": ("message", "refusal", "content"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary", "summary"),
    "response.reasoning_text.delta": ("reasoning", "content", "content"),
    "response.function_call_arguments.delta": ("function_call", "arguments", ""),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "arguments", ""),
}
# type of a done event → (kind of item, kind of text, how the part is numbered, member with the whole)
_WHOLES: Mapping[str, tuple[str, str, str, str]] = {
    "response.output_text.done": ("message", "text", "content", "text"),
    "response.refusal.done": ("message", "refusal", "content", "refusal"),
    "response.reasoning_summary_text.done": ("reasoning", "summary", "summary", "text"),
    "response.reasoning_text.done": ("reasoning", "content", "content", "text"),
    "response.function_call_arguments.done": ("function_call", "arguments", "", "arguments"),
    "response.custom_tool_call_input.done": ("custom_tool_call", "arguments", "", "input"),
}
_BEGINNINGS = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


def started(response: WireResponse) -> Started:
    created = None if response.created_at is None else int(response.created_at)
    return Started(response.id or "", response.model or "", created)


class Decoder(SseDecoder):
    """See `wire.codec.StreamDecoder`."""

    __slots__ = ("_begun", "_by_place", "_outputs")

    def __init__(self) -> None:
        super().__init__()
        self._begun = False
        self._outputs = Outputs()
        self._by_place: dict[int, Item] = {}

    def _is_whole(self, data: bytes) -> bool:
        try:
            _wire.decode(data)
        except UNREADABLE:
            return False
        return True

    def _raw_events(self, raw: bytes) -> tuple[Event, ...]:
        return self._data_events(_payload(raw))

    # -- one event's data → events
    def _data_events(self, data: bytes | None) -> tuple[Event, ...]:
        if not data or self._done:
            return ()
        try:
            wire = _wire.decode(data)
        except UNREADABLE:
            return self._unreadable(data)
        if wire.type == "response.output_text.delta" and type(wire.delta) is str and self._begun:
            item = self._by_place.get(wire.output_index or 0)
            said = None if item is None else item.said.get(("text", wire.content_index or 0))
            if said is not None and wire.delta:
                said.pieces.append(wire.delta)
                return (TextDelta(wire.delta, said.index),)
        try:
            return tuple(self._events(wire))
        except UNREADABLE:
            return self._broken()

    def _unreadable(self, data: bytes) -> tuple[Event, ...]:
        return () if data.strip() == b"[DONE]" else self._broken()

    def _broken(self) -> tuple[Event, ...]:
        self._done = True
        return (Failed(malformed("The provider's stream holds an event that cannot be read.")),)

    def _events(self, wire: Wire) -> list[Event]:
        kind = wire.type or ""
        if kind in _PIECES:
            return self._content(wire, self._piece(wire, *_PIECES[kind]))
        if kind in _WHOLES:
            return self._content(wire, self._whole(wire, *_WHOLES[kind]))
        if kind in _BEGINNINGS:
            return self._begin(_response.decode(wire.response) if wire.response else WireResponse())
        if kind in _ENDS:
            return self._finish(_response.decode(wire.response) if wire.response else WireResponse(), kind)
        reader = _ITEM_EVENTS.get(kind)
        if reader is not None:
            return self._content(wire, reader(self, wire))
        if kind == "error" or (wire.type is None and wire.error):
            self._done = True
            told = wire.error or {"code": wire.code, "message": wire.message, "param": wire.param}
            return [Failed(decode_stream_failure(told))]
        return []

    def _begin(self, response: WireResponse) -> list[Event]:
        if self._begun:
            return []
        self._begun = True
        return [started(response)]

    def _content(self, wire: Wire, events: list[Event]) -> list[Event]:
        """Content may come from a provider that never said that it began."""
        return self._begin(WireResponse()) + events if events and not self._begun else events

    def _item(self, wire: Wire, kind: str) -> Item:
        place = wire.output_index or 0
        item = self._by_place.get(place)
        if item is None or item.kind != kind:
            item = self._by_place[place] = self._outputs.open(kind)
        return item

    def _piece(self, wire: Wire, kind: str, text: str, numbered: str) -> list[Event]:
        if not isinstance(wire.delta, str):
            return []
        item = self._item(wire, kind)
        if text == "arguments" and item.index < 0:
            return []  # the call itself was not told yet: the item that is done tells all
        return self._outputs.say(item, text, _part(wire, numbered), wire.delta)

    def _whole(self, wire: Wire, kind: str, text: str, numbered: str, member: str) -> list[Event]:
        whole = getattr(wire, member)
        if not isinstance(whole, str):
            return []
        item = self._item(wire, kind)
        if text == "arguments" and item.index < 0:
            return []
        return self._outputs.rest(item, text, _part(wire, numbered), whole)

    def _added(self, wire: Wire) -> list[Event]:
        told = read_item(wire.item)
        if told is None or told.type is None:
            return []
        item = self._by_place[wire.output_index or 0] = self._outputs.open(told.type)
        if told.type in ("function_call", "custom_tool_call") and told.name:
            return self._outputs.start_call(item, told)
        return []

    def _item_done(self, wire: Wire) -> list[Event]:
        told = read_item(wire.item)
        if told is None or told.type is None:
            return []
        item = self._item(wire, told.type)
        if item.done:  # the place is used again
            item = self._by_place[wire.output_index or 0] = self._outputs.open(told.type)
        return self._outputs.finish(item, told, wire.item)

    def _finish(self, response: WireResponse, kind: str) -> list[Event]:
        events = self._begin(response) + self._outputs.final(response.output or [])
        usage = read_usage(response.usage, response.tool_usage)
        if usage is not None:
            events.append(usage)
        self._done = True
        status = response.status if isinstance(response.status, str) else kind.removeprefix("response.")
        return events + ending(response, status, called_tools=self._outputs.called_tools)


def ending(response: WireResponse, status: str, *, called_tools: bool) -> list[Event]:
    """The last events of a response with this status."""
    if status == "failed":
        told = response.error or {"message": "The provider says that the response failed."}
        return [Failed(decode_stream_failure(told))]
    why = response.incomplete_details.reason if response.incomplete_details is not None else None
    return [decode_stop(status, why if isinstance(why, str) else "", called_tools=called_tools), Finished()]


_ITEM_EVENTS: Mapping[str, Callable[[Decoder, Wire], list[Event]]] = {
    "response.output_item.added": Decoder._added,
    "response.output_item.done": Decoder._item_done,
}


def _part(wire: Wire, numbered: str) -> int:
    if numbered == "content":
        return wire.content_index or 0
    return (wire.summary_index or 0) if numbered == "summary" else 0


def _payload(raw: bytes) -> bytes | None:
    """The data of one event that ends in LF LF: at once for the usual two lines."""
    if raw.startswith(b"event: "):
        begin = raw.find(b"\n") + 1
        if raw.startswith(b"data: ", begin) and raw.find(b"\n", begin) == len(raw) - 2:
            return raw[begin + 6 : -2]
    return parse_event(raw).data
