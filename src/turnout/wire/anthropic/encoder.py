"""Events as an Anthropic event stream.

Promise: the strict sequence that this dialect's clients rely on (`message_start`, then blocks one after another, each started
and stopped, then `message_delta`, `message_stop`), whatever the order in which another provider interleaves its deltas. One
block is open at a time. Text and thinking end when another block begins and resume as a new block. A tool call stays open until its
arguments are a whole JSON object or the choice ends; what arrives for other blocks meanwhile waits, bounded by the reply itself.

A cut reply ends in an `error` event and never in `message_stop`. Only choice 0 is encoded.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

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
from turnout.wire.anthropic.answers import message_id
from turnout.wire.anthropic.blocks import CITATION_KIND, MESSAGE_KIND
from turnout.wire.anthropic.errors import encode_stream_error
from turnout.wire.anthropic.marks import DIALECT, is_object, seal, seal_call
from turnout.wire.anthropic.reasons import stop_word
from turnout.wire.anthropic.usage import usage_json
from turnout.wire.codec import Meta

_json = msgspec.json.Encoder().encode

_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":'
_START = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":'
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_TEXT = b'{"type":"text","text":""}'
_THINKING = b'{"type":"thinking","thinking":"","signature":""}'
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_HEADS = {
    "text": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
    "tool": b'"input_json_delta","partial_json":',
    "custom": b'"input_json_delta","partial_json":',
    "whole": b"",
}

_Key = tuple[str, int]


class _Block:
    """A block that is open, or waits to be."""

    __slots__ = ("delta", "key", "kind", "origin", "parts", "signature", "start")

    def __init__(self, key: _Key, kind: str, start: bytes) -> None:
        self.key = key
        self.kind = kind
        self.start = start
        self.parts: list[str] = []
        self.delta = b""
        self.signature: str | None = None
        self.origin: str | None = None

    def may_end(self) -> bool:
        """Is there nothing that must still come? Text can resume elsewhere; arguments cannot."""
        if self.kind == "tool":
            return is_object("".join(self.parts))
        return self.kind != "custom"


class Encoder:
    """See `wire.codec.StreamEncoder`."""

    __slots__ = (
        "_begun",
        "_called_tools",
        "_current",
        "_members",
        "_meta",
        "_next",
        "_out",
        "_refused",
        "_started",
        "_stop",
        "_text_index",
        "_usage",
        "_waiting",
    )

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._out: list[bytes] = []
        self._started: Started | None = None
        self._begun = False
        self._usage = Usage()
        self._stop: Stop | None = None
        self._called_tools = False
        self._refused = False
        self._current: _Block | None = None
        self._waiting: dict[_Key, _Block] = {}
        self._next = 0
        self._text_index = -1  # canonical index of the text block that is open: the hot path's only test
        self._members: dict[str, Raw] = {}

    def encode(self, events: Sequence[Event]) -> bytes:
        out = self._out
        for event in events:
            if type(event) is TextDelta and event.index == self._text_index and event.choice == 0:
                assert self._current is not None
                out.append(b"%b%b}}\n\n" % (self._current.delta, _json(event.text)))
            else:
                self._event(event)
        if self._started is not None and not self._begun:
            self._begin()  # at the end of the batch, so that usage that came with the start is in it
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def _event(self, event: Event) -> None:
        match event:
            case Started():
                self._started = self._started or event
            case Usage():
                self._usage = event
            case Failed(failure):
                self._out.append(encode_stream_error(failure, self._meta.id))
            case Finished():
                self._finish()
            case _ if event.choice == 0:
                if not self._begun:
                    self._begin()
                self._content(event)

    def _content(self, event: Event) -> None:
        match event:
            case TextDelta(text, index) if text:
                self._write(self._block(("text", index), "text", _TEXT), text)
            case ReasoningDelta(text, index) if text:
                self._write(self._block(("reasoning", index), "thinking", _THINKING), text)
            case ReasoningSignature(signature, origin, index):
                block = self._block(("reasoning", index), "thinking", _THINKING)
                block.signature, block.origin = (block.signature or "") + signature, origin
            case ReasoningRedacted(data, origin, index):
                start = b'{"type":"redacted_thinking","data":%b}' % _json(seal(data, origin))
                self._block(("redacted", index), "whole", start)
            case ToolStart():
                self._tool_start(event)
            case ToolDelta(index, arguments):
                self._tool_delta(index, arguments)
            case RefusalDelta(text) if text:
                self._refused = True
                self._write(self._block(("refusal", 0), "text", _TEXT), text)
            case AudioDelta(transcript=text) if text:
                self._write(self._block(("audio", 0), "text", _TEXT), text)
            case OpaqueBlock() if event.dialect == DIALECT:
                self._opaque(event)
            case Stop():
                self._stop = event
                self._end_blocks()

    def _tool_start(self, event: ToolStart) -> None:
        self._called_tools = True
        call_id = event.id or f"toolu_{event.index}"
        if event.signature is not None:
            carrier = _json(seal_call(call_id, event.signature, event.origin))
            start = b'{"type":"redacted_thinking","data":%b}' % carrier
            self._block(("proof", event.index), "whole", start)
        start = b'{"type":"tool_use","id":%b,"name":%b,"input":{}}' % (_json(call_id), _json(event.name))
        self._block(("tool", event.index), "custom" if event.custom else "tool", start)

    def _tool_delta(self, index: int, arguments: str) -> None:
        """Arguments for a call that has ended already can only be what follows a whole object: nothing that counts."""
        block = self._known(("tool", index))
        if block is None:
            return
        self._write(block, arguments)
        if self._waiting and arguments.rstrip().endswith("}"):
            self._advance()

    def _opaque(self, event: OpaqueBlock) -> None:
        if event.kind.startswith(MESSAGE_KIND):
            self._members[event.kind.removeprefix(MESSAGE_KIND)] = event.raw
        elif event.kind != CITATION_KIND:
            self._block(("opaque", self._next + len(self._waiting)), "whole", bytes(event.raw))
        elif self._current is not None and self._current.kind == "text":
            head = _DELTA % (self._next - 1)
            self._out.append(b'%b"citations_delta","citation":%b}}\n\n' % (head, bytes(event.raw)))

    # -- blocks, one open at a time
    def _known(self, key: _Key) -> _Block | None:
        if self._current is not None and self._current.key == key:
            return self._current
        return self._waiting.get(key)

    def _block(self, key: _Key, kind: str, start: bytes) -> _Block:
        block = self._known(key)
        if block is None:
            block = self._waiting[key] = _Block(key, kind, start)
            self._advance()
        return block

    def _advance(self) -> None:
        """Open waiting blocks, in order, as far as the open one may end."""
        while self._waiting and (self._current is None or self._current.may_end()):
            self._close()
            self._open(self._waiting.pop(next(iter(self._waiting))))

    def _open(self, block: _Block) -> None:
        index, self._next = self._next, self._next + 1
        self._current = block
        block.delta = _DELTA % index + _HEADS[block.kind]
        self._out.append(b"%b%b}\n\n" % (_START % index, block.start))
        if block.key[0] == "text":
            self._text_index = block.key[1]
        if block.kind == "custom":
            self._delta('{"input":"')
        if block.parts:
            self._delta("".join(block.parts))

    def _close(self) -> None:
        block = self._current
        if block is None:
            return
        index = self._next - 1
        if block.kind == "thinking":
            signature = _json(seal(block.signature, block.origin))
            self._out.append(b'%b"signature_delta","signature":%b}}\n\n' % (_DELTA % index, signature))
        elif block.kind == "custom":
            self._delta('"}')
        self._out.append(_STOP % index)
        self._current = None
        self._text_index = -1

    def _write(self, block: _Block, fragment: str) -> None:
        if not fragment:
            return
        if block.kind == "custom":
            fragment = _json(fragment)[1:-1].decode()
        if block is self._current:
            self._delta(fragment)
        if block.kind == "tool" or block is not self._current:
            block.parts.append(fragment)

    def _delta(self, fragment: str) -> None:
        assert self._current is not None
        self._out.append(b"%b%b}}\n\n" % (self._current.delta, _json(fragment)))

    def _end_blocks(self) -> None:
        self._close()
        while self._waiting:
            self._open(self._waiting.pop(next(iter(self._waiting))))
            self._close()

    # -- the message around them
    def _begin(self) -> None:
        self._begun = True
        started, meta = self._started or Started(), self._meta
        self._out.append(
            b'event: message_start\ndata: {"type":"message_start","message":{"id":%b,"type":"message","role":"assistant","model":%b,'
            b'"content":[],"stop_reason":null,"stop_sequence":null,"usage":%b}%b}\n\n'
            % (
                _json(message_id(started.id, meta.id)),
                _json(started.model or meta.model),
                usage_json(self._usage),
                _annotation(meta.first),
            )
        )

    def _finish(self) -> None:
        if not self._begun:
            self._begin()
        self._end_blocks()
        stop = self._stop
        word = stop_word(stop, called_tools=self._called_tools, refused=self._refused)
        context = self._members.pop("context_management", None)
        inside = b"".join(b",%b:%b" % (_json(name), bytes(raw)) for name, raw in self._members.items())
        self._out.append(
            b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":%b,"stop_sequence":%b%b},"usage":%b%b%b}\n\n'
            % (
                _json(word),
                _json(stop.sequence if stop is not None else None),
                inside,
                usage_json(self._usage),
                b"" if context is None else b',"context_management":' + bytes(context),
                _annotation(self._meta.last()),
            )
        )
        self._out.append(_MESSAGE_STOP)


def _annotation(data: bytes | None) -> bytes:
    return b"" if data is None else b',"turnout":' + data
