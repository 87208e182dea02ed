"""Events as an OpenAI chat stream.

The first chunk of a choice bears the role. Finish chunks are held until the reply has really ended, so that a cut stream never shows a
finish reason; then usage, if the client asked for it, and `[DONE]`. A cut reply ends in an error object and without `[DONE]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from turnout.core.events import (
    AudioDelta,
    Event,
    Failed,
    Finished,
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
from turnout.wire.openai_chat.answers import completion_id
from turnout.wire.openai_chat.call_proofs import extra_content
from turnout.wire.openai_chat.errors import encode_stream_error
from turnout.wire.openai_chat.reasoning import format_of
from turnout.wire.openai_chat.reasons import finish_word
from turnout.wire.openai_chat.usage import usage_json

_json = msgspec.json.Encoder().encode
_DONE = b"data: [DONE]\n\n"
_TAIL = b'},"logprobs":null,"finish_reason":null}]}\n\n'


class _Choice:
    __slots__ = ("calls", "stop")

    def __init__(self) -> None:
        self.calls: dict[int, tuple[int, bool]] = {}  # block index → (position among the calls, custom)
        self.stop: Stop | None = None


class Encoder:
    """See `wire.codec.StreamEncoder`."""

    __slots__ = ("_choices", "_head", "_meta", "_text_head", "_usage")

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._head = b""
        self._text_head = b""
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None

    def encode(self, events: Sequence[Event]) -> bytes:
        if len(events) == 1:
            event = events[0]
            if type(event) is TextDelta and event.choice == 0 and self._text_head and event.text:
                return b"%b%b%b" % (self._text_head, _json(event.text), _TAIL)
        return b"".join([self._event(event) for event in events])

    def _event(self, event: Event) -> bytes:
        match event:
            case Started():
                return self._begin(event)
            case Usage():
                self._usage = event
                return b""
            case Failed(failure):
                return encode_stream_error(failure, self._meta.id)
            case Finished():
                return self._begin(Started()) + self._finish()
        begun = self._begin(Started()) + self._opened(event.choice)
        delta = self._delta(event, self._choices[event.choice])
        return begun if delta is None else begun + self._chunk(event.choice, delta)

    def _begin(self, started: Started) -> bytes:
        if self._head:
            return b""
        meta = self._meta
        self._head = (
            b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":['
            % (
                _json(completion_id(started.id, meta.id)),
                started.created or meta.created,
                _json(started.model or meta.model),
            )
        )
        self._text_head = self._head + b'{"index":0,"delta":{"content":'
        first = self._opened(0)
        if meta.first is not None:
            first = b'%b,"turnout":%b}\n\n' % (first[:-3], meta.first)
        return first

    def _opened(self, number: int) -> bytes:
        """The chunk that opens a choice, the first time it is needed."""
        if number in self._choices:
            return b""
        self._choices[number] = _Choice()
        return self._chunk(number, b'"role":"assistant","content":""')

    def _chunk(self, number: int, delta: bytes) -> bytes:
        return b'%b{"index":%d,"delta":{%b%b' % (self._head, number, delta, _TAIL)

    def _delta(self, event: Event, choice: _Choice) -> bytes | None:
        """The members of a delta; `None` for what this dialect cannot say."""
        match event:
            case TextDelta(text) if text:
                return b'"content":' + _json(text)
            case ReasoningDelta(text, index) if text:
                shown = _json(text)
                return (
                    b'"reasoning_content":%b,"reasoning_details":[{"type":"reasoning.text","text":%b,"index":%d}]'
                    % (shown, shown, index)
                )
            case ReasoningSignature(signature, origin, index):
                return _detail(b"reasoning.text", b"signature", signature, origin, index)
            case ReasoningRedacted(data, origin, index):
                return _detail(b"reasoning.encrypted", b"data", data, origin, index)
            case RefusalDelta(text) if text:
                return b'"refusal":' + _json(text)
            case ToolStart():
                return _tool_start(event, choice)
            case ToolDelta(index, arguments) if arguments:
                position, custom = choice.calls.get(index, (index, False))
                member = b'"custom":{"input":%b}' if custom else b'"function":{"arguments":%b}'
                return b'"tool_calls":[{"index":%d,%b}]' % (position, member % _json(arguments))
            case AudioDelta(data, transcript, audio_id):
                return b'"audio":' + _json(
                    {"id": audio_id or "audio", "data": data, "transcript": transcript}
                )
            case Stop():
                choice.stop = event
        return None

    def _finish(self) -> bytes:
        chunks = []
        for number, choice in self._choices.items():
            word = finish_word(choice.stop, called_tools=bool(choice.calls))
            chunks.append(
                b'%b{"index":%d,"delta":{},"logprobs":null,"finish_reason":%b}]}\n\n'
                % (self._head, number, _json(word))
            )
        if self._meta.include_usage:
            chunks.append(b'%b],"usage":%b}\n\n' % (self._head, usage_json(self._usage or Usage())))
        last = self._meta.last()
        if last is not None:
            chunks[-1] = b'%b,"turnout":%b}\n\n' % (chunks[-1][:-3], last)
        return b"".join(chunks) + _DONE


def _tool_start(event: ToolStart, choice: _Choice) -> bytes:
    position = len(choice.calls)
    choice.calls[event.index] = (position, event.custom)
    form = (
        b'"tool_calls":[{"index":%d,"id":%b,"type":"custom","custom":{"name":%b,"input":""}%b}]'
        if event.custom
        else b'"tool_calls":[{"index":%d,"id":%b,"type":"function","function":{"name":%b,"arguments":""}%b}]'
    )
    proof = extra_content(event.signature, event.origin)
    extra = b"" if proof is None else b',"extra_content":' + _json(proof)
    return form % (position, _json(event.id or f"call_{event.index}"), _json(event.name), extra)


def _detail(kind: bytes, member: bytes, value: str, origin: str, index: int) -> bytes:
    word = format_of(origin)
    proof_format = b"" if word is None else b',"format":' + _json(word)
    return b'"reasoning_details":[{"type":"%b","%b":%b%b,"index":%d}]' % (
        kind,
        member,
        _json(value),
        proof_format,
        index,
    )
