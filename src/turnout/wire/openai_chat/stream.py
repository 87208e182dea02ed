"""An OpenAI chat stream as frames.

Promise: any split of the bytes gives the same events; the frames' bytes concatenate to the input; one terminal event. The terminal
marker is `[DONE]`. Several providers and routers never send it, so a body that the transport proves whole ends well once every choice
has its reason; without that proof a stream that ends before the marker is truncated.

Text, reasoning and every tool call are blocks of one numbering in each choice, in order of appearance; the dialect itself has none.
A finish reason that is repeated counts once; usage that is repeated replaces. An error object wins over everything in its chunk.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from turnout.core.events import (
    AudioDelta,
    Event,
    Failed,
    Finished,
    Frame,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    RefusalDelta,
    Started,
    TextDelta,
    ToolDelta,
    ToolStart,
)
from turnout.wire.body import malformed
from turnout.wire.openai_chat.call_proofs import proof_of
from turnout.wire.openai_chat.errors import decode_stream_failure
from turnout.wire.openai_chat.quirks import NO_DONE as NO_DONE
from turnout.wire.openai_chat.reasoning import plain_text, proofs
from turnout.wire.openai_chat.reasons import decode_stop
from turnout.wire.openai_chat.shapes import (
    UNREADABLE,
    Call,
    Chunk,
    Said,
    StreamChoice,
    is_error,
    split_content,
)
from turnout.wire.openai_chat.usage import read_usage
from turnout.wire.sse import parse_event
from turnout.wire.sse_decoder import SseDecoder

_chunk = msgspec.json.Decoder(Chunk)
_CHOICES_MAX = 1024
_BLOCKS_MAX = 65_536


class _Choice:
    """How far one choice has come."""

    __slots__ = ("by_id", "by_index", "called", "kind", "last_tool", "next", "open", "stopped", "well")

    def __init__(self) -> None:
        self.next = 0
        self.kind = ""  # of the block that text would go on in
        self.open = 0
        self.by_index: dict[int, int] = {}
        self.by_id: dict[str, int] = {}
        self.last_tool = -1
        self.called = False
        self.stopped = False
        self.well = False  # for a reason that ends an answer, and not one that only says that it broke off

    def block(self, kind: str) -> int:
        """The index of the block that a delta of this kind belongs to."""
        if self.kind != kind:
            self.kind = kind
            self.open = self.next
            self.next += 1
        return self.open

    def new_tool(self) -> int:
        self.kind = ""
        index, self.next = self.next, self.next + 1
        self.last_tool = index
        self.called = True
        return index


class Decoder(SseDecoder):
    """See `wire.codec.StreamDecoder`."""

    __slots__ = ("_choices", "_started")

    def __init__(self, quirks: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self._started = False
        self._choices: dict[int, _Choice] = {}

    def feed(self, data: bytes) -> list[Frame]:
        """One event a read, on one line, is most of a stream (measured: half a microsecond less)."""
        if (
            data.find(b"\n") == len(data) - 2
            and data.startswith(b"data: ")
            and data.endswith(b"\n\n")
            and not self._held_bytes
            and not self._done
            and b"\r" not in data
        ):
            return [Frame(data, self._data_events(data[6:-2]))]
        return super().feed(data)

    def _is_whole(self, data: bytes) -> bool:
        if data.strip() == b"[DONE]":
            return True
        try:
            _chunk.decode(data)
        except UNREADABLE:
            return False
        return True

    def _complete(self) -> bool:
        """Without an end marker, every choice must have said why it ended: several providers send none."""
        return bool(self._choices) and all(choice.well for choice in self._choices.values())

    # -- one event's data → events
    def _raw_events(self, raw: bytes) -> tuple[Event, ...]:
        if raw.startswith(b"data: ") and raw.find(b"\n", 6) == len(raw) - 2:
            return self._data_events(raw[6:-2])
        return self._data_events(parse_event(raw).data)

    def _data_events(self, data: bytes | None) -> tuple[Event, ...]:
        if not data or self._done:
            return ()
        try:
            chunk = _chunk.decode(data)
        except UNREADABLE:
            return self._done_or_unreadable(data)
        choices = chunk.choices
        if choices and len(choices) == 1 and self._started and not _given(chunk.usage) and not chunk.error:
            choice = choices[0]
            delta = choice.delta
            if (
                delta is not None
                and type(delta.content) is str
                and choice.finish_reason is None
                and _only_text(delta)
            ):
                return self._text(delta.content, choice.index or 0)
        try:
            return tuple(self._events(chunk))
        except msgspec.ValidationError:  # more choices or calls than any reply has
            self._done = True
            return (Failed(malformed("The provider's stream has no end of choices.")),)

    def _text(self, text: str, number: int) -> tuple[Event, ...]:
        if not text:
            self._choice(number)
            return ()
        return (TextDelta(text, self._choice(number).block("text"), number),)

    def _done_or_unreadable(self, data: bytes) -> tuple[Event, ...]:
        if data.strip() == b"[DONE]":
            self._done = True
            return (*self._begin(Chunk()), *self._missing_stops(), Finished())
        self._done = True
        return (Failed(malformed("The provider's stream holds an event that cannot be read.")),)

    def _missing_stops(self) -> list[Event]:
        """Choices that ended without a word: some providers leave it out, the end marker vouches for the rest."""
        events: list[Event] = []
        for number, choice in self._choices.items():
            if not choice.stopped:
                choice.stopped = True
                events.append(decode_stop(None, number, called_tools=choice.called))
        return events

    def _choice(self, number: int) -> _Choice:
        choice = self._choices.get(number)
        if choice is None:
            choice = self._choices[number] = _Choice()
            if len(self._choices) > _CHOICES_MAX:
                raise msgspec.ValidationError("too many choices")
        return choice

    def _begin(self, chunk: Chunk) -> list[Event]:
        if self._started:
            return []
        self._started = True
        created = int(chunk.created) if chunk.created else None
        return [Started(chunk.id or "", chunk.model or "", created)]

    def _events(self, chunk: Chunk) -> list[Event]:
        if is_error(chunk.error):
            self._done = True
            return [*self._begin(chunk), Failed(decode_stream_failure(chunk.error))]
        events = self._begin(chunk)
        for choice in chunk.choices or ():
            events += self._choice_events(choice)
        usage = read_usage(chunk.usage)
        if usage is None and chunk.x_groq is not None:
            usage = read_usage(chunk.x_groq.usage)
        if usage is not None:
            events.append(usage)
        return events

    def _choice_events(self, wire: StreamChoice) -> list[Event]:
        number = wire.index or 0
        choice = self._choice(number)
        events = [] if wire.delta is None else self._delta_events(choice, wire.delta, number)
        if wire.finish_reason and not choice.stopped:
            stop = decode_stop(wire.finish_reason, number, called_tools=choice.called)
            choice.stopped, choice.well = True, stop.reason != "other"
            events.append(stop)
        return events

    def _delta_events(self, choice: _Choice, delta: Said, number: int) -> list[Event]:
        text, thought = split_content(delta.content)
        thought = thought or plain_text(delta.reasoning_content, delta.reasoning, delta.reasoning_details)
        events: list[Event] = []
        if thought:
            events.append(ReasoningDelta(thought, choice.block("reasoning"), number))
        if delta.reasoning_details:
            for signature, data, origin in proofs(delta.reasoning_details):
                index = choice.block("reasoning")
                if signature is not None:
                    events.append(ReasoningSignature(signature, origin, index, number))
                else:
                    events.append(ReasoningRedacted(data or "", origin, index, number))
        if text:
            events.append(TextDelta(text, choice.block("text"), number))
        if delta.refusal:
            events.append(RefusalDelta(delta.refusal, number))
        if delta.audio is not None and (delta.audio.data or delta.audio.transcript):
            audio = delta.audio
            events.append(AudioDelta(audio.data or "", audio.transcript or "", audio.id or None, number))
        for call in delta.tool_calls or ():
            events += self._call(choice, call, number)
        legacy = delta.function_call
        if legacy is not None and (legacy.name or legacy.arguments):
            events += self._call(choice, Call(0, None, legacy), number)
        return events

    def _call(self, choice: _Choice, call: Call, number: int) -> list[Event]:
        name, arguments, custom = call.spoken
        index = self._known_call(choice, call, name)
        events: list[Event] = []
        if index is None:
            index = choice.new_tool()
            if choice.next > _BLOCKS_MAX:
                raise msgspec.ValidationError("too many tool calls")
            events.append(
                ToolStart(index, call.id or "", name, number, custom, *proof_of(call.extra_content))
            )
        if call.index is not None:
            choice.by_index[call.index] = index
        if call.id:
            choice.by_id[call.id] = index
        if arguments:
            events.append(ToolDelta(index, arguments, number))
        return events

    def _known_call(self, choice: _Choice, call: Call, name: str) -> int | None:
        """Which open call a piece belongs to: by its id, by its position, else the last one; `None` opens a new call."""
        if call.id and call.id in choice.by_id:
            return choice.by_id[call.id]
        if call.index is not None and call.index in choice.by_index:
            if call.id and name:  # a position that is used again for another call
                return None
            return choice.by_index[call.index]
        if call.id or name or choice.last_tool < 0:
            return None
        return choice.last_tool if call.index is None else None


def _given(usage: Raw) -> bool:
    return len(usage) > 4  # more than nothing and more than `null`


def _only_text(delta: Said) -> bool:
    return (
        delta.tool_calls is None
        and not delta.refusal
        and not delta.reasoning_content
        and not delta.reasoning
        and not delta.reasoning_details
        and delta.function_call is None
        and delta.audio is None
    )
