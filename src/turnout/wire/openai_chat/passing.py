"""The operations that only this dialect has: completions, moderations, images, speech, transcriptions, translations.

Promise: bodies pass as they are, both ways; what is read here is what routing, accounting and an honest end need. Three kinds of reply:
a whole one (JSON or text), a stream of events, and bytes that are nothing but bytes (sound). An event stream ends with `[DONE]` or with the
event that its operation ends with; without either it is truncated, however cleanly the connection closed. Sound has no end of its
own: there the transport's proof that the body is whole is the end.

Text of a completion is metered like chat. All else is content that this program does not look into: opaque blocks. Of these nobody can tell
the tokens, so nothing is estimated from them: usage comes from the provider, and the characters of a text to speak from the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from turnout.core.call import Envelope, Op
from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    Event,
    Failed,
    Finished,
    Frame,
    OpaqueBlock,
    Started,
    TextDelta,
    Usage,
)
from turnout.core.model import Message, Params, Request, Text
from turnout.wire.body import malformed, open_envelope, open_members, read
from turnout.wire.codec import StreamDecoder
from turnout.wire.openai_chat.errors import decode_stream_failure
from turnout.wire.openai_chat.multipart import is_form, open_form
from turnout.wire.openai_chat.parts import DIALECT
from turnout.wire.openai_chat.quirks import NO_DONE
from turnout.wire.openai_chat.reasons import decode_stop
from turnout.wire.openai_chat.shapes import UNREADABLE, is_error
from turnout.wire.openai_chat.stream import Decoder
from turnout.wire.openai_chat.usage import decode_passed_usage, decode_usage

MODERATION_MODEL = "omni-moderation-latest"  # what OpenAI takes where none is named

_ENDS: Mapping[Op, str] = {
    "images": "image_generation.completed",
    "image_edits": "image_edit.completed",
    "speech": "speech.audio.done",
    "transcriptions": "transcript.text.done",
    "translations": "transcript.text.done",
}
_IMAGES: frozenset[Op] = frozenset({"images", "image_edits", "image_variations"})
_SOUND: frozenset[Op] = frozenset({"transcriptions", "translations"})
_JSON = re.compile(rb"application/(?:[\w.+-]*\+)?json", re.IGNORECASE)

# What to expect for a budget, where the provider publishes it: tokens of the largest picture of a quality.
_PICTURE_TOKENS: Mapping[str, int] = {"low": 408, "medium": 1_584}
_PICTURE_TOKENS_MAX = 6_240
_PICTURES_MAX = 16
_COMPLETION_TOKENS = 16  # of a completion that names no length
_SPOKEN_TOKENS_PER_CHARACTER = 2
_SOUND_BYTES_PER_TOKEN = 1_600  # compressed speech, at ten tokens a second

_str = msgspec.json.Decoder(str | None)
_int = msgspec.json.Decoder(int | None)
_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)


class _Choice(Struct):
    text: str | None = None
    index: int | None = None
    finish_reason: str | None = None


class _Event(Struct):
    """Of an event or a whole body, what is looked at."""

    id: str | None = None
    model: str | None = None
    type: str | None = None
    choices: list[_Choice] | None = None
    usage: Any = None
    duration: Any = None
    error: Any = None
    code: Any = None
    message: Any = None


_event = msgspec.json.Decoder(_Event)


# -- requests
def peek_passed(op: Op, content_type: bytes, body: bytes) -> Envelope:
    """Open a JSON body or a form. Raises `CallFailed(BAD_REQUEST)`."""
    if is_form(content_type):
        return open_form(content_type, body)
    unnamed = op == "moderations" and "model" not in open_members(body)
    envelope = open_envelope(body, model=MODERATION_MODEL if unnamed else None)
    if op == "completions":
        return envelope
    stream = envelope.stream or read(envelope.fields, "stream_format", _any, None) == "sse"
    return Envelope(envelope.model, stream, True, envelope.fields, body)


def describe(op: Op, envelope: Envelope) -> Request:
    """A passed request as far as routing looks at it: its text as if a user had said it, and how much may come of it.

    Raises `CallFailed(BAD_REQUEST)`.
    """
    fields = envelope.fields
    value = read(fields, "prompt" if "prompt" in fields else "input", _any, None)
    values = value if isinstance(value, list) else [value]
    texts = [Text(text) for text in values if isinstance(text, str)]
    expected = _expected(op, envelope, sum(len(text.text) for text in texts))
    return Request(
        DIALECT, envelope.model, (Message("user", tuple(texts) or (Text(""),)),), params=Params(expected)
    )


def _expected(op: Op, envelope: Envelope, characters: int) -> int:
    """Tokens that a reply may have: for a budget, so rather too many than too few."""
    if op == "completions":
        each = read(envelope.fields, "max_tokens", _int, None)
        count = read(envelope.fields, "best_of", _int, None) or _count(envelope)
        return max(0, _COMPLETION_TOKENS if each is None else each) * max(1, count)
    if op in _IMAGES:
        quality = read(envelope.fields, "quality", _str, None) or ""
        return _PICTURE_TOKENS.get(quality, _PICTURE_TOKENS_MAX) * _count(envelope)
    if op == "speech":
        return characters * _SPOKEN_TOKENS_PER_CHARACTER
    if envelope.form is not None:
        return envelope.form.file_bytes // _SOUND_BYTES_PER_TOKEN
    return 0


def _count(envelope: Envelope) -> int:
    """`n`, which a form has as text."""
    n = read(envelope.fields, "n", _any, None)
    if isinstance(n, str) and n.isdecimal() and len(n) < 10:
        n = int(n)
    return n if isinstance(n, int) and not isinstance(n, bool) and n > 0 else 1


def spoken(op: Op, envelope: Envelope) -> Usage | None:
    """What the request itself says of its cost: the characters to speak."""
    if op != "speech":
        return None
    text = read(envelope.fields, "input", _any, None)
    return Usage(characters=len(text)) if isinstance(text, str) and text else None


# -- replies
def is_whole(content_type: bytes) -> bool:
    """JSON and text are read whole; events, and anything else, which is sound, are passed on as they come."""
    is_text = content_type[:5].lower() == b"text/" and not _is_events(content_type)
    return is_text or _JSON.match(content_type) is not None


def _is_events(content_type: bytes) -> bool:
    return content_type[:17].lower() == b"text/event-stream"


def decode_whole(op: Op, envelope: Envelope, content_type: bytes, body: bytes) -> tuple[Event, ...]:
    """Events of a whole body, terminal event included."""
    usage = spoken(op, envelope)
    if _JSON.match(content_type):
        try:
            reply = _event.decode(body)
        except UNREADABLE:
            return (Started(), Failed(malformed("The provider's reply is not the JSON that it says it is.")))
        if is_error(reply.error):
            return (Started(), Failed(decode_stream_failure(reply.error)))
        usage = _usage(op, reply, usage)
    return (Started(), *((usage,) if usage is not None else ()), Finished())


def _usage(op: Op, reply: _Event, known: Usage | None) -> Usage | None:
    if op == "completions":
        return decode_usage(reply.usage)
    duration = reply.duration if op in _SOUND else None
    return decode_passed_usage(reply.usage, duration, known, image=op in _IMAGES, sound=op in _SOUND) or known


def passed_decoder(op: Op, envelope: Envelope, content_type: bytes, quirks: frozenset[str]) -> StreamDecoder:
    if _is_events(content_type):
        return EventDecoder(op, envelope, quirks)
    return BytesDecoder(spoken(op, envelope))


class EventDecoder(Decoder):
    """A stream of events. The framing is that of chat; what an event means is not.

    A request for several images ends with as many completed ones; usage, which each of them has, is added up.
    """

    __slots__ = ("_completed", "_end_type", "_known", "_no_done", "_op", "_stops", "_usage", "_wanted")

    def __init__(self, op: Op, envelope: Envelope, quirks: frozenset[str] = frozenset()) -> None:
        super().__init__(quirks)
        self._op = op
        self._end_type = _ENDS.get(op)
        self._wanted = min(_PICTURES_MAX, _count(envelope)) if op in _IMAGES else 1
        self._completed = 0
        self._known = spoken(op, envelope)
        self._usage: Usage | None = None
        self._no_done = NO_DONE in quirks
        self._stops: set[int] = set()

    def _complete(self) -> bool:
        """Does a proven end of the body end the stream, too?"""
        return self._completed > 0 or (self._no_done and self._started)

    def _is_whole(self, data: bytes) -> bool:
        if data.strip() == b"[DONE]":
            return True
        try:
            _event.decode(data)
        except UNREADABLE:
            return False
        return True

    def _data_events(self, data: bytes | None) -> tuple[Event, ...]:
        if not data or self._done:
            return ()
        if data.strip() == b"[DONE]":
            self._done = True
            return (*self._opening(_Event()), Finished())
        try:
            event = _event.decode(data)
        except UNREADABLE:
            self._done = True
            return (Failed(malformed("The provider's stream holds an event that cannot be read.")),)
        if is_error(event.error) or event.type == "error":
            self._done = True
            error = event.error or {"message": event.message, "code": event.code}
            return (*self._opening(event), Failed(decode_stream_failure(error)))
        events = self._opening(event)
        if self._op == "completions":
            events += self._text_events(event)
        else:
            events.append(OpaqueBlock(DIALECT, event.type or "", Raw(data)))
            events += self._end_events(event)
        return tuple(events)

    def _opening(self, event: _Event) -> list[Event]:
        if self._started:
            return []
        self._started = True
        opened: list[Event] = [Started(event.id or "", event.model or "")]
        if self._known is not None:
            opened.append(self._known)
        return opened

    def _text_events(self, event: _Event) -> list[Event]:
        events: list[Event] = []
        for choice in event.choices or ():
            number = choice.index or 0
            if choice.text:
                events.append(TextDelta(choice.text, 0, number))
            if choice.finish_reason and number not in self._stops:
                self._stops.add(number)
                events.append(decode_stop(choice.finish_reason, number, called_tools=False))
        usage = decode_usage(event.usage)
        if usage is not None:
            events.append(usage)
        return events

    def _end_events(self, event: _Event) -> list[Event]:
        events: list[Event] = []
        usage = _usage(self._op, event, self._known) if event.usage else None
        if usage is not None:
            self._usage = usage if self._usage is None else _sum(self._usage, usage)
            events.append(self._usage)
        if event.type is not None and event.type == self._end_type:
            self._completed += 1
            if self._completed >= self._wanted:
                self._done = True
                events.append(Finished())
        return events


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        input=one.input + other.input,
        cache_read=one.cache_read + other.cache_read,
        output=one.output + other.output,
        input_image=one.input_image + other.input_image,
        output_image=one.output_image + other.output_image,
        characters=one.characters,
    )


_BYTES = OpaqueBlock(DIALECT, "bytes", Raw(b"null"))
_EMPTY = Failure(Kind.EMPTY, "The provider sent no sound.")


class BytesDecoder:
    """Sound: every read is content. It holds nothing back."""

    __slots__ = ("_ended", "_opening", "_started")

    def __init__(self, usage: Usage | None) -> None:
        self._opening: tuple[Event, ...] = (Started(),) if usage is None else (Started(), usage)
        self._started = False
        self._ended = False

    def feed(self, data: bytes) -> list[Frame]:
        if self._ended or not data:
            return []
        if self._started:
            return [Frame(data, (_BYTES,))]
        self._started = True
        return [Frame(data, (*self._opening, _BYTES))]

    def eof(self, failure: Failure | None) -> list[Frame]:
        if self._ended:
            return []
        self._ended = True
        if failure is None and not self._started:
            failure = _EMPTY
        return [Frame(b"", (Finished() if failure is None else Failed(failure),))]
