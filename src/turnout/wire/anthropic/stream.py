"""An Anthropic event stream as frames.

Promise: any split of the bytes gives the same events; the frames' bytes concatenate to the input; one terminal event. The
terminal marker is `message_stop`: a stream that ends without it is truncated, even after a stop reason. What follows the
marker has no meaning and is passed as frames without events (recordings hold several messages in one body, and gateways that
add `[DONE]`).

A message that starts twice goes on as one: the first `Started` is kept, and blocks are numbered on, so that the second run's
block 0 is not mistaken for the first's. Blocks with no canonical meaning are gathered until they stop and become one
`OpaqueBlock`; so are citations, because they may arrive ahead of the text that they belong to.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import (
    Event,
    Failed,
    Finished,
    ReasoningDelta,
    ReasoningSignature,
    Started,
    TextDelta,
    ToolDelta,
)
from turnout.wire.anthropic.blocks import (
    CITATION_KIND,
    KNOWN,
    MESSAGE_KIND,
    UNREADABLE,
    citations,
    given,
    opaque,
    read_block,
    text_events,
)
from turnout.wire.anthropic.errors import decode_stream_failure
from turnout.wire.anthropic.marks import arguments_text, input_object, unseal
from turnout.wire.anthropic.reasons import decode_stop
from turnout.wire.anthropic.usage import WireUsage, canonical, merged
from turnout.wire.body import malformed
from turnout.wire.sse import parse_event
from turnout.wire.sse_decoder import SseDecoder

_DELTA_HEAD = b"event: content_block_delta\ndata: "
_HEAD_LENGTH = len(_DELTA_HEAD)
_encode = msgspec.json.Encoder().encode


class _Delta(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    citation: Raw = Raw()
    content: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Raw = Raw()
    container: Raw = Raw()


class _Message(Struct):
    id: str | None = None
    model: str | None = None
    usage: WireUsage | None = None


class _Wire(Struct):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: Raw = Raw()
    message: _Message | None = None
    usage: WireUsage | None = None
    context_management: Raw = Raw()
    error: Raw = Raw()


class _Typed(Struct):
    type: str = ""
    error: Raw = Raw()


_wire = msgspec.json.Decoder(_Wire)
_typed = msgspec.json.Decoder(_Typed)
_members = msgspec.json.Decoder(dict[str, Raw])


class _Gathering:
    """A block whose meaning is known only when it stops.

    `start_input` is the input that came with the start: it counts when no fragment follows.
    """

    __slots__ = ("content", "json", "kind", "later", "raw", "start_input")

    def __init__(self, kind: str, raw: Raw, start_input: str) -> None:
        self.kind = kind
        self.raw = raw
        self.start_input = start_input
        self.json: list[str] = []
        self.content: list[str] = []
        self.later: list[Event] = []

    def whole(self) -> Raw:
        """The block's JSON with what its deltas brought."""
        if not self.json and not self.content:
            return self.raw
        members = _members.decode(self.raw)
        if self.json:
            members["input"] = input_object("".join(self.json))[0]
        if self.content:
            members["content"] = Raw(_encode("".join(self.content)))
        return Raw(_encode(members))


class Decoder(SseDecoder):
    """See `wire.codec.StreamDecoder`. Holds one unfinished event and the blocks that are being gathered."""

    __slots__ = ("_base", "_blocks", "_started", "_top", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._started = False
        self._usage: WireUsage | None = None
        self._blocks: dict[int, _Gathering] = {}
        self._base = 0
        self._top = -1

    def _is_whole(self, data: bytes) -> bool:
        try:
            _typed.decode(data)
        except UNREADABLE:
            return False
        return True

    # -- one event's data → events
    def _raw_events(self, raw: bytes) -> tuple[Event, ...]:
        if raw.startswith(_DELTA_HEAD) and raw.find(b"\n", _HEAD_LENGTH) == len(raw) - 2:
            return self._data_events(raw[_HEAD_LENGTH:-2])
        return self._data_events(parse_event(raw).data)

    def _data_events(self, data: bytes | None) -> tuple[Event, ...]:
        if data is None or self._done:
            return ()
        try:
            wire = _wire.decode(data)
            if (
                wire.type == "content_block_delta"
                and wire.delta is not None
                and wire.delta.type == "text_delta"
            ):
                return self._text(wire.delta.text, wire.index)
            return tuple(self._events(wire))
        except UNREADABLE:
            return self._unreadable(data)

    def _text(self, text: str, index: int) -> tuple[Event, ...]:
        if not text:
            return ()
        delta = TextDelta(text, self._base + index)
        return (delta,) if self._started else (self._begin(None), delta)

    def _unreadable(self, data: bytes) -> tuple[Event, ...]:
        """Bytes that are not this dialect; an event type that nobody knows may look like anything, an error may have no type."""
        if data.strip() == b"[DONE]":
            return ()
        failure = malformed("The provider's stream holds an event that cannot be read.")
        try:
            typed = _typed.decode(data)
            if given(typed.error):
                failure = decode_stream_failure(bytes(typed.error))
            elif typed.type and typed.type not in _HANDLERS:
                return ()
        except UNREADABLE:
            pass
        self._done = True
        return (Failed(failure),)

    def _events(self, wire: _Wire) -> list[Event]:
        handler = _HANDLERS.get(wire.type)
        if handler is None:
            return []
        if self._started or wire.type in ("message_start", "error"):
            return handler(self, wire)
        return [self._begin(None), *handler(self, wire)]

    def _begin(self, message: _Message | None) -> Started:
        self._started = True
        return Started() if message is None else Started(message.id or "", message.model or "")

    def _message_start(self, wire: _Wire) -> list[Event]:
        message = wire.message or _Message()
        events: list[Event] = []
        if self._started:
            events += self._stop_blocks()
            self._base = self._top + 1
        else:
            events.append(self._begin(message))
        return events + self._count(message.usage)

    def _count(self, usage: WireUsage | None) -> list[Event]:
        if usage is None:
            return []
        self._usage = merged(self._usage, usage)
        return [canonical(self._usage)]

    def _block_start(self, wire: _Wire) -> list[Event]:
        index = self._base + wire.index
        self._top = max(self._top, index)
        block = read_block(wire.content_block)
        gathering = _Gathering(block.type, wire.content_block.copy(), arguments_text(block.input) or "{}")
        self._blocks[index] = gathering
        if block.type not in KNOWN:
            return []
        gathering.later += citations(block, index)
        return text_events(block, index)

    def _block_delta(self, wire: _Wire) -> list[Event]:
        delta, index = wire.delta, self._base + wire.index
        if delta is None:
            return []
        self._top = max(self._top, index)
        gathering = self._blocks.get(index)
        if gathering is not None and gathering.kind not in KNOWN:
            if delta.partial_json:
                gathering.json.append(delta.partial_json)
            if delta.content is not None:
                gathering.content.append(delta.content)
            return []
        match delta.type:
            case "text_delta":
                return list(self._text(delta.text, wire.index))
            case "thinking_delta":
                return [ReasoningDelta(delta.thinking, index)] if delta.thinking else []
            case "signature_delta":
                signature, origin = unseal(delta.signature)
                return [] if signature is None else [ReasoningSignature(signature, origin or "", index)]
            case "input_json_delta":
                return self._input(delta.partial_json, index, gathering)
            case "citations_delta":
                self._cite(delta.citation, index, gathering)
        return []

    def _input(self, fragment: str, index: int, gathering: _Gathering | None) -> list[Event]:
        if not fragment:
            return []
        if gathering is not None:
            gathering.start_input = ""
        return [ToolDelta(index, fragment)]

    def _cite(self, raw: Raw, index: int, gathering: _Gathering | None) -> None:
        if gathering is not None and given(raw):
            gathering.later.append(opaque(CITATION_KIND, raw, index))

    def _block_stop(self, wire: _Wire) -> list[Event]:
        return self._stop_block(self._base + wire.index)

    def _stop_block(self, index: int) -> list[Event]:
        gathering = self._blocks.pop(index, None)
        if gathering is None:
            return []
        if gathering.kind not in KNOWN:
            return [opaque(gathering.kind, gathering.whole(), index)]
        if gathering.kind == "tool_use" and gathering.start_input:
            return [ToolDelta(index, gathering.start_input)]
        return gathering.later

    def _stop_blocks(self) -> list[Event]:
        return [event for index in sorted(self._blocks) for event in self._stop_block(index)]

    def _message_delta(self, wire: _Wire) -> list[Event]:
        events = self._stop_blocks()
        delta = wire.delta or _Delta()
        members = (
            ("stop_details", delta.stop_details),
            ("container", delta.container),
            ("context_management", wire.context_management),
        )
        events += [opaque(MESSAGE_KIND + name, raw, 0) for name, raw in members if given(raw)]
        events += self._count(wire.usage)
        if delta.stop_reason:
            events.append(decode_stop(delta.stop_reason, delta.stop_sequence))
        return events

    def _message_stop(self, wire: _Wire) -> list[Event]:
        events = self._stop_blocks()
        self._done = True
        return [*events, Finished()]

    def _error(self, wire: _Wire) -> list[Event]:
        self._done = True
        return [Failed(decode_stream_failure(bytes(wire.error)))]


_HANDLERS = {
    "message_start": Decoder._message_start,
    "content_block_start": Decoder._block_start,
    "content_block_delta": Decoder._block_delta,
    "content_block_stop": Decoder._block_stop,
    "message_delta": Decoder._message_delta,
    "message_stop": Decoder._message_stop,
    "error": Decoder._error,
}
