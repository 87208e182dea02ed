"""Events as a responses stream.

Promise: the whole legal sequence (created, in progress; for each item added, its parts added, deltas, parts done, item done; then the final
response with everything in it), numbered throughout, such that what an SDK accumulates is what the final response says. A cut reply ends in
`error` and `response.failed`, never in `response.completed`.

A message stays open while texts and refusals follow each other, a reasoning item while its block goes on, and calls stay open until the reply
ends, because providers may interleave parallel calls. Items keep the place that they got when they were added.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from turnout.core.errors import Failure
from turnout.core.events import (
    AudioDelta,
    Event,
    Failed,
    Finished,
    OpaqueBlock,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    RefusalDelta,
    Started,
    Stop,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from turnout.wire.codec import Meta
from turnout.wire.openai_responses.answers import (
    EMPTY,
    Names,
    begun,
    call_item,
    message_item,
    reasoning_item,
    refusal_part,
    text_part,
)
from turnout.wire.openai_responses.answers import (
    whole as whole_response,
)
from turnout.wire.openai_responses.errors import failed_events
from turnout.wire.openai_responses.marks import DIALECT, seal
from turnout.wire.openai_responses.outputs import ANNOTATIONS, LOGPROBS, STATUS
from turnout.wire.openai_responses.reasons import incomplete_reason

_json = msgspec.json.Encoder().encode
_list = msgspec.json.Decoder(list[Raw])


class _Part:
    """A text or a refusal of the open message. `key` is the block that it shows."""

    __slots__ = ("annotations", "key", "logprobs", "pieces")

    def __init__(self, key: tuple[str, int]) -> None:
        self.key = key
        self.pieces: list[str] = []
        self.annotations: Raw = EMPTY
        self.logprobs: Raw = EMPTY

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class _Message:
    __slots__ = ("id", "parts", "place")

    def __init__(self, place: int, item_id: str) -> None:
        self.place = place
        self.id = item_id
        self.parts: list[bytes] = []  # those that are done


class _Reasoning:
    """`index` is the block's. The id is given before the proof is known, so a proof is sealed even if it is this dialect's."""

    __slots__ = ("id", "index", "pieces", "place")

    def __init__(self, place: int, index: int, item_id: str) -> None:
        self.place = place
        self.index = index
        self.id = item_id
        self.pieces: list[str] = []


class _Call:
    __slots__ = ("id", "pieces", "place", "start")

    def __init__(self, place: int, item_id: str, start: ToolStart) -> None:
        self.place = place
        self.id = item_id
        self.start = start
        self.pieces: list[str] = []


class Encoder:
    """See `wire.codec.StreamEncoder`."""

    __slots__ = (
        "_calls",
        "_created",
        "_items",
        "_message",
        "_meta",
        "_model",
        "_names",
        "_number",
        "_part",
        "_reasoning",
        "_stop",
        "_text_head",
        "_usage",
    )

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._names: Names | None = None
        self._created = meta.created
        self._model = meta.model
        self._number = 0
        self._items: list[bytes] = []  # by place; empty while open
        self._message: _Message | None = None
        self._part: _Part | None = None
        self._text_head = b""  # of a delta of the open text, up to the text
        self._reasoning: _Reasoning | None = None
        self._calls: dict[int, _Call] = {}
        self._usage: Usage | None = None
        self._stop: Stop | None = None

    def encode(self, events: Sequence[Event]) -> bytes:
        if len(events) == 1:
            event = events[0]
            part = self._part
            if (
                type(event) is TextDelta
                and part is not None
                and part.key == ("text", event.index)
                and event.choice == 0
                and event.text
            ):
                return self._text(part, event.text)
        return b"".join([self._event(event) for event in events])

    def _text(self, part: _Part, text: str) -> bytes:
        part.pieces.append(text)
        number, self._number = self._number, self._number + 1
        return b'%b%b,"logprobs":[],"sequence_number":%d}\n\n' % (self._text_head, _json(text), number)

    def _send(self, kind: bytes, members: bytes) -> bytes:
        number, self._number = self._number, self._number + 1
        return b'event: %b\ndata: {"type":"%b",%b,"sequence_number":%d}\n\n' % (kind, kind, members, number)

    # -- the reply
    def _event(self, event: Event) -> bytes:
        match event:
            case Started():
                return self._begin(event)
            case Usage():
                self._usage = event
                return b""
            case Stop():
                if event.choice == 0:
                    self._stop = event
                return b""
            case Failed(failure):
                return self._begin(Started()) + self._fail(failure)
            case Finished():
                return self._begin(Started()) + self._finish()
        return b"" if event.choice else self._begin(Started()) + self._content(event)

    def _begin(self, started: Started) -> bytes:
        if self._names is not None:
            return b""
        self._names = Names(started.id, self._meta)
        self._created = started.created or self._created
        self._model = started.model or self._model
        response = b'"response":' + begun(self._names.reply, self._created, self._model)
        first = self._meta.first
        noted = response if first is None else b'%b,"turnout":%b' % (response, first)
        return self._send(b"response.created", noted) + self._send(b"response.in_progress", response)

    def _name(self, kind: str) -> str:
        assert self._names is not None
        return self._names.new(kind)

    def _whole(self, failure: Failure | None) -> bytes:
        assert self._names is not None
        items = [item for item in self._items if item]
        return whole_response(
            self._names.reply, self._created, self._model, items, self._stop, self._usage, failure
        )

    def _finish(self) -> bytes:
        whole = incomplete_reason(self._stop) is None
        status = "completed" if whole else "incomplete"  # of the item that the reply ended in
        closed = self._close_message(status) + self._close_reasoning() + self._close_calls(status)
        kind = b"response.completed" if whole else b"response.incomplete"
        response = b'"response":' + self._whole(None)
        last = self._meta.last()
        return closed + self._send(kind, response if last is None else b'%b,"turnout":%b' % (response, last))

    def _fail(self, failure: Failure) -> bytes:
        """What is open stays open: it never ended."""
        data = failed_events(failure, self._meta.id, self._whole(failure), self._number)
        self._number += 2
        return data

    # -- items
    def _content(self, event: Event) -> bytes:
        match event:
            case TextDelta(text, index) if text:
                return self._say("text", index, text)
            case AudioDelta(transcript=text) if text:
                return self._say("text", -1, text)
            case RefusalDelta(text) if text:
                return self._say("refusal", 0, text)
            case ReasoningDelta(text, index) if text:
                return self._close_message() + self._reason(index, text)
            case ReasoningSignature(signature, origin, index):
                return self._close_message() + self._sign(signature, origin, index)
            case ReasoningRedacted(data, origin):
                assert self._names is not None
                item = self._names.redacted(data, origin)
                return self._close_message() + self._close_reasoning() + self._at_once(item)
            case ToolStart():
                return self._close_message() + self._close_reasoning() + self._call(event)
            case ToolDelta(index, arguments) if arguments:
                return self._argue(index, arguments)
            case OpaqueBlock(dialect, kind, raw) if dialect == DIALECT:
                return self._opaque(kind, raw)
        return b""

    def _place(self) -> int:
        self._items.append(b"")
        return len(self._items) - 1

    def _add(self, place: int, item: bytes) -> bytes:
        return self._send(b"response.output_item.added", b'"output_index":%d,"item":%b' % (place, item))

    def _done(self, place: int, item: bytes) -> bytes:
        self._items[place] = item
        return self._send(b"response.output_item.done", b'"output_index":%d,"item":%b' % (place, item))

    def _at_once(self, item: bytes) -> bytes:
        """An item that comes whole."""
        place = self._place()
        return self._add(place, item) + self._done(place, item)

    # -- messages
    def _say(self, kind: str, index: int, text: str) -> bytes:
        opened = b""
        if self._message is None:
            opened = self._close_reasoning() + self._open_message()
        if self._part is None or self._part.key != (kind, index):
            opened += self._close_part() + self._open_part(kind, index)
        part = self._part
        assert part is not None
        if kind == "text":
            return opened + self._text(part, text)
        part.pieces.append(text)
        return opened + self._send(b"response.refusal.delta", b'%b,"delta":%b' % (self._where(), _json(text)))

    def _open_message(self) -> bytes:
        message = self._message = _Message(self._place(), self._name("msg"))
        return self._add(message.place, message_item(message.id, (), "in_progress"))

    def _where(self) -> bytes:
        """The members that say which part of which message is meant."""
        message = self._message
        assert message is not None
        place = (_json(message.id), message.place, len(message.parts))
        return b'"item_id":%b,"output_index":%d,"content_index":%d' % place

    def _open_part(self, kind: str, index: int) -> bytes:
        self._part = _Part((kind, index))
        where = self._where()
        head = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",%b,"delta":'
        self._text_head = head % where
        empty = text_part("") if kind == "text" else refusal_part("")
        return self._send(b"response.content_part.added", b'%b,"part":%b' % (where, empty))

    def _close_part(self) -> bytes:
        part, self._part = self._part, None
        if part is None:
            return b""
        where, text = self._where(), part.text
        if part.key[0] == "text":
            shown = text_part(text, part.annotations, part.logprobs)
            done = self._send(
                b"response.output_text.done",
                b'%b,"text":%b,"logprobs":%b' % (where, _json(text), bytes(part.logprobs)),
            )
        else:
            shown = refusal_part(text)
            done = self._send(b"response.refusal.done", b'%b,"refusal":%b' % (where, _json(text)))
        done += self._send(b"response.content_part.done", b'%b,"part":%b' % (where, shown))
        assert self._message is not None
        self._message.parts.append(shown)
        return done

    def _close_message(self, status: str = "completed") -> bytes:
        message = self._message
        if message is None:
            return b""
        closed = self._close_part()
        self._message = None
        return closed + self._done(message.place, message_item(message.id, message.parts, status))

    # -- reasoning
    def _reason(self, index: int, text: str) -> bytes:
        opened = b""
        item = self._reasoning
        if item is None or item.index != index:
            opened = self._close_reasoning()
            item = self._reasoning = _Reasoning(self._place(), index, self._name("rs"))
            opened += self._add(item.place, reasoning_item(item.id, "", None))
            part = b'%b,"part":{"type":"summary_text","text":""}' % _shown_where(item)
            opened += self._send(b"response.reasoning_summary_part.added", part)
        item.pieces.append(text)
        delta = b'%b,"delta":%b' % (_shown_where(item), _json(text))
        return opened + self._send(b"response.reasoning_summary_text.delta", delta)

    def _sign(self, signature: str, origin: str, index: int) -> bytes:
        """A proof ends its item. Without text before it, the item is the proof."""
        if self._reasoning is not None and self._reasoning.index == index:
            return self._close_reasoning(signature, origin)
        assert self._names is not None
        return self._close_reasoning() + self._at_once(self._names.reasoning("", signature, origin))

    def _close_reasoning(self, proof: str | None = None, origin: str | None = None) -> bytes:
        item, self._reasoning = self._reasoning, None
        if item is None:
            return b""
        text = "".join(item.pieces)
        where, shown = _shown_where(item), _json(text)
        return (
            self._send(b"response.reasoning_summary_text.done", b'%b,"text":%b' % (where, shown))
            + self._send(
                b"response.reasoning_summary_part.done",
                b'%b,"part":{"type":"summary_text","text":%b}' % (where, shown),
            )
            + self._done(item.place, reasoning_item(item.id, text, seal(proof, origin)))
        )

    # -- calls
    def _call(self, start: ToolStart) -> bytes:
        proof = b""
        call_id = start.id or f"call_{start.index}"
        assert self._names is not None
        if start.signature is not None:
            proof = self._at_once(self._names.call_proof(start.signature, start.origin, call_id))
        start = ToolStart(start.index, call_id, start.name, 0, start.custom, namespace=start.namespace)
        call = _Call(self._place(), self._name("ctc" if start.custom else "fc"), start)
        self._calls[start.index] = call
        return proof + self._add(call.place, _call_json(call, "", "in_progress"))

    def _argue(self, index: int, arguments: str) -> bytes:
        call = self._calls.get(index)
        if call is None:
            return b""
        call.pieces.append(arguments)
        members = b'"item_id":%b,"output_index":%d,"delta":%b' % (
            _json(call.id),
            call.place,
            _json(arguments),
        )
        custom = call.start.custom
        kind = (
            b"response.custom_tool_call_input.delta" if custom else b"response.function_call_arguments.delta"
        )
        return self._send(kind, members)

    def _close_calls(self, status: str) -> bytes:
        calls, self._calls = self._calls, {}
        last = len(self._items) - 1
        return b"".join(
            [self._close_call(call, status if call.place == last else "completed") for call in calls.values()]
        )

    def _close_call(self, call: _Call, status: str) -> bytes:
        filled = b""
        if not call.pieces and not call.start.custom:
            self._calls[call.start.index] = call
            filled = self._argue(call.start.index, "{}")
        text = "".join(call.pieces)
        where = b'"item_id":%b,"output_index":%d' % (_json(call.id), call.place)
        if call.start.custom:
            done = self._send(
                b"response.custom_tool_call_input.done", b'%b,"input":%b' % (where, _json(text))
            )
        else:
            members = b'%b,"name":%b,"arguments":%b' % (where, _json(call.start.name), _json(text))
            done = self._send(b"response.function_call_arguments.done", members)
        return filled + done + self._done(call.place, _call_json(call, text, status))

    # -- what is this dialect's own
    def _opaque(self, kind: str, raw: Raw) -> bytes:
        if kind == ANNOTATIONS:
            return self._annotate(raw)
        if kind == LOGPROBS:
            if self._part is not None:
                self._part.logprobs = raw
            return b""
        if kind == STATUS:
            return b""
        return self._close_message() + self._close_reasoning() + self._at_once(bytes(raw))

    def _annotate(self, raw: Raw) -> bytes:
        if self._part is None:
            return b""
        self._part.annotations = raw
        where = self._where()
        return b"".join(
            [
                self._send(
                    b"response.output_text.annotation.added",
                    b'%b,"annotation_index":%d,"annotation":%b' % (where, number, bytes(annotation)),
                )
                for number, annotation in enumerate(_list.decode(raw))
            ]
        )


def _shown_where(item: _Reasoning) -> bytes:
    return b'"item_id":%b,"output_index":%d,"summary_index":0' % (_json(item.id), item.place)


def _call_json(call: _Call, text: str, status: str) -> bytes:
    start = call.start
    return call_item(
        call.id,
        start.id,
        start.name,
        text,
        custom=start.custom,
        status=status,
        namespace=start.namespace,
    )
