"""A ConverseStream reply as frames.

Promise: any split of the bytes gives the same events; the frames' bytes concatenate to the input; one terminal event. The reply
is complete when both `messageStop` (why) and `metadata` (usage, the last frame of every recorded stream) have come, in
either order; a stream that ends with one of them missing is truncated. An exception frame ends it, too, and may be its only frame.
A checksum that does not fit ends it as malformed: nothing after it can be trusted.

A text has no start frame, a tool call has one. Blocks of the provider's own (server tools, their results, images) are gathered
until they stop and become one `OpaqueBlock`; so are citations, which follow their text. The padding `p` means nothing. Frames of a type that
nobody knows yet are passed without events.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    Event,
    Failed,
    Finished,
    Frame,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    Started,
    TextDelta,
    ToolDelta,
    ToolStart,
)
from turnout.wire.anthropic.marks import input_object
from turnout.wire.bedrock.eventstream import EventStreamParser, Message
from turnout.wire.bedrock.failures import decode_stream_failure
from turnout.wire.bedrock.meanings import (
    CITATION_KIND,
    DIALECT,
    SERVER_TOOL,
    UNREADABLE,
    WireUsage,
    canonical,
    decode_stop,
    given,
    opaque,
)
from turnout.wire.body import join_members, malformed
from turnout.wire.codec import LINE_BYTES_MAX

TRUNCATED = Failure(Kind.TRUNCATED, "The provider's stream ended before the message was complete.")
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])


class _ToolInput(Struct, rename="camel"):
    input: str = ""


class _ReasoningPart(Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolInput | None = None
    reasoning_content: _ReasoningPart | None = None
    tool_result: list[Raw] | None = None
    citation: Raw = Raw()
    image: Raw = Raw()


class _BlockDelta(Struct, rename="camel"):
    content_block_index: int
    delta: _Delta


class _ToolUse(Struct, rename="camel"):
    tool_use_id: str
    name: str
    type: str | None = None


class _Start(Struct, rename="camel"):
    tool_use: _ToolUse | None = None


class _BlockStart(Struct, rename="camel"):
    start: Raw
    content_block_index: int = 0


class _BlockStop(Struct, rename="camel"):
    content_block_index: int = 0


class _MessageStop(Struct, rename="camel"):
    stop_reason: str = ""
    additional_model_response_fields: Raw = Raw()


class _Metadata(Struct, rename="camel"):
    usage: WireUsage | None = None


_block_delta = msgspec.json.Decoder(_BlockDelta)
_block_start = msgspec.json.Decoder(_BlockStart)
_start = msgspec.json.Decoder(_Start)
_block_stop = msgspec.json.Decoder(_BlockStop)
_message_stop = msgspec.json.Decoder(_MessageStop)
_metadata = msgspec.json.Decoder(_Metadata)


class _Gathering:
    """A block of the provider's own, until it stops: `start` is `{kind: {...}}`."""

    __slots__ = ("input", "kind", "members", "parts")

    def __init__(self, start: Raw) -> None:
        self.kind, members = next(iter(_members.decode(start).items()))
        self.members = _members.decode(members)
        self.input: list[str] = []
        self.parts: list[Raw] = []

    def whole(self) -> Raw:
        """The block as a whole reply would have it."""
        if self.input:
            self.members["input"] = input_object("".join(self.input))[0]
        if self.parts:
            self.members["content"] = Raw(_encode(self.parts))
        return Raw(join_members({self.kind: Raw(join_members(self.members))}))


class FrameDecoder:
    """From an event stream's messages to frames with one end; what a message means is for the subclass to say."""

    __slots__ = ("_done", "_parser")

    def __init__(self) -> None:
        self._parser = EventStreamParser(LINE_BYTES_MAX)
        self._done = False

    def feed(self, data: bytes) -> list[Frame]:
        if self._done:
            return [Frame(data)] if data else []
        frames = [Frame(message.raw, self._message(message)) for message in self._parser.feed(data)]
        return frames + self._after()

    def _after(self) -> list[Frame]:
        """What the last bytes brought beside messages."""
        if self._done:
            return self._leftover()
        if self._parser.error is None:
            return []
        failure = malformed(f"The provider's stream cannot be read: {self._parser.error}.")
        return [Frame(self._parser.rest(), self._fail(failure))]

    def eof(self, failure: Failure | None) -> list[Frame]:
        if self._done:
            return self._leftover()
        self._done = True
        return [Frame(self._parser.rest(), (Failed(failure or TRUNCATED),))]

    def _leftover(self) -> list[Frame]:
        """Once the end was seen, nothing is held back any more."""
        rest = self._parser.rest()
        return [Frame(rest)] if rest else []

    def _message(self, message: Message) -> tuple[Event, ...]:
        if self._done:
            return ()
        headers = message.headers
        kind = headers.get(":message-type", "event")
        if kind == "event":
            return self._event(headers.get(":event-type", ""), message.payload)
        if kind == "exception":
            return self._fail(decode_stream_failure(headers.get(":exception-type", ""), message.payload))
        told = _encode({"message": headers.get(":error-message", "")})
        return self._fail(decode_stream_failure(headers.get(":error-code", ""), told))

    def _event(self, kind: str, payload: bytes) -> tuple[Event, ...]:
        raise NotImplementedError

    def _fail(self, failure: Failure) -> tuple[Event, ...]:
        self._done = True
        return (Failed(failure),)


class Decoder(FrameDecoder):
    """See `wire.codec.StreamDecoder`. Holds one unfinished message and the blocks that are being gathered."""

    __slots__ = ("_counted", "_gathered", "_silent", "_started", "_stopped", "_tools")

    def __init__(self) -> None:
        super().__init__()
        self._started = False
        self._stopped = False
        self._counted = False
        self._tools: set[int] = set()  # blocks that are tool calls
        self._silent: set[int] = set()  # tool calls without arguments so far
        self._gathered: dict[int, _Gathering] = {}

    def _event(self, kind: str, payload: bytes) -> tuple[Event, ...]:
        try:
            if kind == "contentBlockDelta":
                events = self._block_delta(payload)
            elif (handler := _HANDLERS.get(kind)) is None:
                return ()
            else:
                events = handler(self, payload)
        except (*UNREADABLE, StopIteration):
            return self._fail(malformed("The provider's stream holds an event that cannot be read."))
        if self._started:
            return events
        self._started = True
        return (Started(), *events)

    def _message_start(self, payload: bytes) -> tuple[Event, ...]:
        return ()

    def _block_start(self, payload: bytes) -> tuple[Event, ...]:
        wire = _block_start.decode(payload)
        index, call = wire.content_block_index, _start.decode(wire.start).tool_use
        if call is None or call.type == SERVER_TOOL:
            if bytes(wire.start) != b"{}":
                self._gathered[index] = _Gathering(wire.start)
            return ()
        self._tools.add(index)
        self._silent.add(index)
        return (ToolStart(index, call.tool_use_id, call.name),)

    def _block_delta(self, payload: bytes) -> tuple[Event, ...]:
        wire = _block_delta.decode(payload)
        index, delta = wire.content_block_index, wire.delta
        if delta.text is not None:
            return (TextDelta(delta.text, index),) if delta.text else ()
        gathering = self._gathered.get(index)
        if gathering is not None:
            return self._gather(gathering, delta)
        if delta.tool_use is not None:
            return self._arguments(delta.tool_use.input, index)
        if delta.reasoning_content is not None:
            return self._reasoning(delta.reasoning_content, index)
        if given(delta.citation):
            return (opaque(CITATION_KIND, delta.citation, index),)
        return ()

    def _gather(self, gathering: _Gathering, delta: _Delta) -> tuple[Event, ...]:
        if delta.tool_use is not None:
            gathering.input.append(delta.tool_use.input)
        gathering.parts += [part.copy() for part in delta.tool_result or ()]
        if given(delta.image):
            gathering.parts.append(delta.image.copy())
        return ()

    def _arguments(self, fragment: str, index: int) -> tuple[Event, ...]:
        if index not in self._tools:
            return self._fail(malformed("The provider's stream holds a tool call without a beginning."))
        if not fragment:
            return ()
        self._silent.discard(index)
        return (ToolDelta(index, fragment),)

    def _reasoning(self, part: _ReasoningPart, index: int) -> tuple[Event, ...]:
        events: list[Event] = []
        if part.text:
            events.append(ReasoningDelta(part.text, index))
        if part.signature:
            events.append(ReasoningSignature(part.signature, DIALECT, index))
        if part.redacted_content:
            events.append(ReasoningRedacted(part.redacted_content, DIALECT, index))
        return tuple(events)

    def _block_stop(self, payload: bytes) -> tuple[Event, ...]:
        return self._close(_block_stop.decode(payload).content_block_index)

    def _close(self, index: int) -> tuple[Event, ...]:
        gathering = self._gathered.pop(index, None)
        if gathering is not None:
            return (opaque(gathering.kind, gathering.whole(), index),)
        if index in self._silent:
            self._silent.discard(index)
            return (ToolDelta(index, "{}"),)
        return ()

    def _message_stop(self, payload: bytes) -> tuple[Event, ...]:
        wire = _message_stop.decode(payload)
        unfinished = sorted(self._silent | self._gathered.keys())
        events = [event for index in unfinished for event in self._close(index)]
        self._stopped = True
        return (*events, decode_stop(wire.stop_reason, wire.additional_model_response_fields), *self._end())

    def _usage(self, payload: bytes) -> tuple[Event, ...]:
        wire = _metadata.decode(payload)
        self._counted = True
        usage = () if wire.usage is None else (canonical(wire.usage),)
        return (*usage, *self._end())

    def _end(self) -> tuple[Event, ...]:
        if not (self._stopped and self._counted):
            return ()
        self._done = True
        return (Finished(),)


_HANDLERS = {
    "messageStart": Decoder._message_start,
    "contentBlockStart": Decoder._block_start,
    "contentBlockStop": Decoder._block_stop,
    "messageStop": Decoder._message_stop,
    "metadata": Decoder._usage,
}
