"""What Ollama's words mean: usage, the reason of the end, the time, and ids for calls that have none.

Ollama says `stop` also after tool calls: what was said decides, because agent loops go by the reason. `load` and `unload` answer a request without
messages. Older servers give calls no id; one is made from what is known of the call, so that decoding the same bytes again gives the same id and
two turns never share one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import (
    Event,
    Failed,
    Finished,
    OpaqueBlock,
    ReasoningDelta,
    Started,
    Stop,
    StopReason,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from turnout.core.model import DialectName
from turnout.wire.ollama.failures import decode_reply_failure

DIALECT: DialectName = "ollama"
UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
LOGPROBS_KIND = "logprobs"
IMAGES_KIND = "images"
_COUNT_MAX = 2**53
_BLOCKS_MAX = 65_536
_STOPS: Mapping[str, StopReason] = MappingProxyType({"stop": "stop", "length": "length"})

_text = msgspec.json.Decoder(str)


class WireFunction(Struct):
    name: str | None = None
    arguments: Raw = Raw()


class WireCall(Struct):
    id: str | None = None
    function: WireFunction | None = None


class WireMessage(Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[WireCall] | None = None
    images: Raw = Raw()


class Piece(Struct):
    """One line of a stream, or a whole reply: they have the same members."""

    model: str | None = None
    created_at: str | None = None
    message: WireMessage | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: Raw = Raw()
    error: str | None = None


class Blocks:
    """Numbers text, thinking and calls in order of appearance; a text that resumes after something else is a new block."""

    __slots__ = ("_kind", "_next", "_open", "called")

    def __init__(self) -> None:
        self._kind = ""
        self._next = 0
        self._open = 0
        self.called = False

    def block(self, kind: str) -> int:
        if self._kind != kind or kind == "call":
            if self._next >= _BLOCKS_MAX:
                raise msgspec.ValidationError("too many blocks")
            self._kind = kind
            self._open = self._next
            self._next += 1
        return self._open

    def events(self, piece: Piece) -> list[Event]:
        """What a piece adds to the reply."""
        message = piece.message or WireMessage()
        events: list[Event] = []
        if message.thinking:
            events.append(ReasoningDelta(message.thinking, self.block("thinking")))
        if message.content:
            events.append(TextDelta(message.content, self.block("text")))
        for number, call in enumerate(message.tool_calls or ()):
            events += self._call(call, number, piece.created_at or "")
        if _given(message.images):
            events.append(OpaqueBlock(DIALECT, IMAGES_KIND, message.images.copy(), self._open))
        if _given(piece.logprobs):
            events.append(OpaqueBlock(DIALECT, LOGPROBS_KIND, piece.logprobs.copy(), self._open))
        return events

    def _call(self, call: WireCall, number: int, when: str) -> list[Event]:
        self.called = True
        function = call.function or WireFunction()
        name, arguments = function.name or "", arguments_text(function.arguments)
        index = self.block("call")
        call_id = call.id or made_id(when, number, index, name, arguments)
        start = ToolStart(index, call_id, name)
        return [start, ToolDelta(index, arguments)] if arguments else [start]

    def end(self, piece: Piece) -> list[Event]:
        """Usage, where it was told, the reason, and the end: what `done` means."""
        usage = counted(piece.prompt_eval_count, piece.eval_count)
        events: list[Event] = [] if usage is None else [usage]
        if piece.done_reason == "error":
            return [*events, Failed(decode_reply_failure(""))]
        return [*events, decode_stop(piece.done_reason, called_tools=self.called), Finished()]


def _given(raw: Raw) -> bool:
    return bytes(raw).strip() not in (b"", b"null", b"[]")


def made_id(when: str, number: int, index: int, name: str, arguments: str) -> str:
    """`call_` and 16 hexadecimal digits."""
    told = "\0".join((when, str(number), str(index), name, arguments)).encode("utf-8", "replace")
    return "call_" + hashlib.blake2b(told, digest_size=8).hexdigest()


def arguments_text(raw: Raw) -> str:
    """The JSON text of a call's arguments as sent; some models give the text inside a string."""
    text = bytes(raw).decode()
    if text.startswith('"'):
        return _text.decode(raw)
    return "" if text == "null" else text


def counted(prompt: int | None, output: int | None) -> Usage | None:
    """A server that found the prompt in its cache may leave its count out. `None` when nothing is told."""
    if prompt is None and output is None:
        return None
    return Usage(input=_count(prompt), output=_count(output))


def _count(value: int | None) -> int:
    return value if value is not None and 0 < value < _COUNT_MAX else 0


def decode_stop(word: str | None, *, called_tools: bool) -> Stop:
    reason = _STOPS.get(word or "stop", "other")
    return Stop("tool_use" if reason == "stop" and called_tools else reason, word or "")


def unix_time(when: str | None) -> int | None:
    """Seconds of an RFC 3339 time, or `None` for what is none."""
    try:
        moment = datetime.fromisoformat(when) if when else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else int(moment.timestamp())


def started(piece: Piece) -> Started:
    return Started("", piece.model or "", unix_time(piece.created_at))
