"""Whole replies: a provider's JSON body as events, and an answer as the JSON body for a client of this dialect.

Towards a client, consecutive texts are parts of one message. Reasoning of any provider is a reasoning item whose *summary* holds the text:
that is what this dialect's clients show, and `content` stays out so that nobody reads it twice. Proofs go into `encrypted_content` (see
`marks`); the proof of a tool call is an item of its own before the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from turnout.core.errors import Failure
from turnout.core.events import (
    Answer,
    Choice,
    Event,
    Failed,
    Finished,
    FoldedAudio,
    FoldedReasoning,
    FoldedRefusal,
    FoldedText,
    FoldedTool,
    OpaqueBlock,
    Started,
    Stop,
    TextDelta,
    Usage,
)
from turnout.wire.body import malformed
from turnout.wire.codec import Meta
from turnout.wire.openai_chat.errors import decode_stream_failure
from turnout.wire.openai_responses import marks
from turnout.wire.openai_responses.outputs import (
    ANNOTATIONS,
    LOGPROBS,
    STATUS,
    UNREADABLE,
    Outputs,
    read_item,
)
from turnout.wire.openai_responses.reasons import incomplete_reason
from turnout.wire.openai_responses.stream import WireResponse, ending, started
from turnout.wire.openai_responses.usage import read_usage, usage_json

_response = msgspec.json.Decoder(WireResponse)
_encode = msgspec.json.Encoder().encode
_PENDING = frozenset({"queued", "in_progress", "cancelled"})


class _PlainPart(Struct):
    type: Literal["output_text"]
    text: str
    annotations: list[Raw] = []
    logprobs: list[Raw] = []


class _PlainMessage(Struct):
    type: Literal["message"]
    content: list[_PlainPart]


class _Plain(Struct):
    """A finished response that holds messages only: the common case, read in one go."""

    status: Literal["completed"]
    output: list[_PlainMessage]
    id: str = ""
    model: str = ""
    created_at: float = 0
    usage: Raw = Raw()
    tool_usage: Raw = Raw()


_plain = msgspec.json.Decoder(_Plain)


def _one_text(body: bytes) -> tuple[Event, ...] | None:
    """The events of a reply that is one text and nothing else; `None` for any other (measured: 5 µs in place of 8)."""
    try:
        plain = _plain.decode(body)
    except UNREADABLE:
        return None
    parts = plain.output[0].content if len(plain.output) == 1 else []
    if len(parts) != 1 or not parts[0].text or parts[0].annotations or parts[0].logprobs:
        return None
    opening = Started(plain.id, plain.model, int(plain.created_at) or None)
    usage = read_usage(plain.usage, plain.tool_usage)
    told = () if usage is None else (usage,)
    return (opening, TextDelta(parts[0].text), *told, Stop("stop", "completed"), Finished())


def decode_answer(body: bytes) -> tuple[Event, ...]:
    """Events of a whole response, terminal event included. One that still runs in the background is a reply, too."""
    plain = _one_text(body) if b'"output_text"' in body else None
    if plain is not None:
        return plain
    try:
        response = _response.decode(body)
    except UNREADABLE:
        return (Failed(malformed("The provider's reply cannot be read.")),)
    if response.output is None:
        if response.error:
            return (Failed(decode_stream_failure(response.error)),)
        return (Failed(malformed("The provider's reply is not a response.")),)
    outputs = Outputs()
    events: list[Event] = [started(response)]
    try:
        for raw in response.output:
            item = read_item(raw)
            if item is not None and item.type is not None:
                events += outputs.finish(outputs.open(item.type), item, raw)
    except UNREADABLE:
        return (Failed(malformed("The provider's reply has no end of items.")),)
    status = response.status if isinstance(response.status, str) else ""
    if status in _PENDING:
        events.append(OpaqueBlock(marks.DIALECT, STATUS, Raw(_encode(status)), outputs.next))
    usage = read_usage(response.usage, response.tool_usage)
    if usage is not None:
        events.append(usage)
    return (*events, *ending(response, status, called_tools=outputs.called_tools))


# -- for a client
class _TextPart(Struct):
    text: str
    annotations: Raw
    logprobs: Raw
    type: str = "output_text"


class _RefusalPart(Struct):
    refusal: str
    type: str = "refusal"


class _Message(Struct):
    id: str
    status: str
    content: list[_TextPart | _RefusalPart]
    role: str = "assistant"
    type: str = "message"


class _Call(Struct):
    id: str
    call_id: str
    name: str
    arguments: str
    status: str
    type: str = "function_call"
    namespace: str | UnsetType = UNSET


class _CustomCall(Struct):
    id: str
    call_id: str
    name: str
    input: str
    status: str = "completed"
    type: str = "custom_tool_call"
    namespace: str | UnsetType = UNSET


class _Summary(Struct):
    text: str
    type: str = "summary_text"


class _Reasoning(Struct):
    id: str
    summary: list[_Summary]
    encrypted_content: str | None
    type: str = "reasoning"


EMPTY = Raw(b"[]")
Part = _TextPart | _RefusalPart


def text_part(text: str, annotations: Raw = EMPTY, logprobs: Raw = EMPTY) -> bytes:
    return _encode(_TextPart(text, annotations, logprobs))


def refusal_part(text: str) -> bytes:
    return _encode(_RefusalPart(text))


def message_item(item_id: str, parts: Sequence[bytes], status: str = "completed") -> bytes:
    return b'{"id":%b,"type":"message","status":%b,"role":"assistant","content":[%b]}' % (
        _encode(item_id),
        _encode(status),
        b",".join(parts),
    )


def call_item(
    item_id: str,
    call_id: str,
    name: str,
    arguments: str,
    *,
    custom: bool,
    status: str = "completed",
    namespace: str | None = None,
) -> bytes:
    group = UNSET if namespace is None else namespace
    if custom:
        return _encode(_CustomCall(item_id, call_id, name, arguments, status, namespace=group))
    return _encode(_Call(item_id, call_id, name, arguments, status, namespace=group))


def reasoning_item(item_id: str, text: str, encrypted: str | None) -> bytes:
    return _encode(_Reasoning(item_id, [_Summary(text)] if text else [], encrypted))


class Names:
    """Ids of one reply and of its items. A proof of this dialect brings its item's id with it."""

    __slots__ = ("_core", "_count", "reply")

    def __init__(self, provider_id: str, meta: Meta) -> None:
        told = marks.reply_id(provider_id, meta.id) if meta.name is None else meta.name(provider_id)
        self.reply = told
        self._core = marks.core_id(told, meta.id)
        self._count = 0

    def new(self, kind: str) -> str:
        self._count += 1
        return marks.item_id(kind, self._core, self._count - 1)

    def reasoning(self, text: str, proof: str | None, origin: str | None) -> bytes:
        if proof is not None and origin == marks.DIALECT:
            item_id, encrypted = marks.unpack(proof)
            return reasoning_item(item_id or self.new("rs"), text, encrypted)
        return reasoning_item(self.new("rs"), text, marks.seal(proof, origin))

    def redacted(self, data: str, origin: str | None) -> bytes:
        return reasoning_item(self.new("rs"), "", marks.seal_redacted(data, origin))

    def call_proof(self, proof: str, origin: str | None, call_id: str) -> bytes:
        return reasoning_item(self.new("rs"), "", marks.seal_call(proof, origin, call_id))


class _Build:
    """Output items under construction: texts in a row are one message."""

    __slots__ = ("_last", "_names", "_said", "_status", "items")

    def __init__(self, names: Names, last: int, status: str) -> None:
        self._names = names
        self._last = last  # the block that bears the status: the one that the reply ended in
        self._status = status
        self._said: list[Part] = []
        self.items: list[bytes] = []

    def add(self, block: object, number: int) -> None:
        match block:
            case FoldedText(text) | FoldedAudio(_, text):
                self._said.append(_TextPart(text, EMPTY, EMPTY))
            case FoldedRefusal(text):
                self._said.append(_RefusalPart(text))
            case FoldedReasoning():
                self.flush()
                self._reason(block)
            case FoldedTool():
                self.flush()
                self._call(block, number)
            case OpaqueBlock(dialect, kind, raw) if dialect == marks.DIALECT:
                self._opaque(kind, raw)

    def _reason(self, block: FoldedReasoning) -> None:
        if block.text or block.signature is not None:
            self.items.append(self._names.reasoning(block.text, block.signature, block.origin))
        if block.redacted is not None:
            self.items.append(self._names.redacted(block.redacted, block.origin))

    def _call(self, block: FoldedTool, number: int) -> None:
        call_id = block.id or f"call_{number}"
        if block.signature is not None:
            self.items.append(self._names.call_proof(block.signature, block.origin, call_id))
        arguments = block.arguments if block.custom else block.arguments or "{}"
        item_id = self._names.new("ctc" if block.custom else "fc")
        status = self._status if number == self._last else "completed"
        self.items.append(
            call_item(
                item_id,
                call_id,
                block.name,
                arguments,
                custom=block.custom,
                status=status,
                namespace=block.namespace,
            )
        )

    def _opaque(self, kind: str, raw: Raw) -> None:
        last = self._said[-1] if self._said else None
        if kind in (ANNOTATIONS, LOGPROBS):
            if isinstance(last, _TextPart):
                setattr(last, kind, raw)
        elif kind != STATUS:
            self.flush()
            self.items.append(bytes(raw))

    def flush(self, status: str = "completed") -> None:
        if self._said:
            parts = [_encode(part) for part in self._said]
            self.items.append(message_item(self._names.new("msg"), parts, status))
            self._said = []


def encode_answer(answer: Answer, meta: Meta) -> bytes:
    choice = answer.choices[0] if answer.choices else Choice()
    names = Names(answer.started.id, meta)
    status = "completed" if incomplete_reason(choice.stop) is None else "incomplete"
    build = _Build(names, len(choice.blocks) - 1, status)
    for number, block in enumerate(choice.blocks):
        build.add(block, number)
    build.flush(status)
    created = answer.started.created or meta.created
    model = answer.started.model or meta.model
    return whole(names.reply, created, model, build.items, choice.stop, answer.usage, answer.failure)


def head(reply_id: str, created: int, model: str) -> bytes:
    """What a response object begins with."""
    return b'{"id":%b,"object":"response","created_at":%d,"model":%b' % (
        _encode(reply_id),
        created,
        _encode(model),
    )


_REST = (
    b',"background":false,"instructions":null,"max_output_tokens":null,"metadata":{},"parallel_tool_calls":true,'
    b'"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"temperature":null,'
    b'"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,"truncation":"disabled","user":null'
)


def begun(reply_id: str, created: int, model: str) -> bytes:
    """The response object of a reply that has just begun."""
    return (
        head(reply_id, created, model)
        + b',"status":"in_progress","error":null,"incomplete_details":null,"output":[],"usage":null'
        + _REST
        + b"}"
    )


def whole(
    reply_id: str,
    created: int,
    model: str,
    items: Sequence[bytes],
    stop: Stop | None,
    usage: Usage | None,
    failure: Failure | None,
) -> bytes:
    """The response object of a reply that has ended."""
    reason = incomplete_reason(stop)
    status = b"failed" if failure is not None else b"completed" if reason is None else b"incomplete"
    why = b"null" if reason is None or failure is not None else b'{"reason":%b}' % _encode(reason)
    error = b"null" if failure is None else error_json(failure)
    return b'%b,"status":"%b","error":%b,"incomplete_details":%b,"output":[%b],"usage":%b%b}' % (
        head(reply_id, created, model),
        status,
        error,
        why,
        b",".join(items),
        b"null" if failure is not None and usage is None else usage_json(usage or Usage()),
        _REST,
    )


def error_json(failure: Failure) -> bytes:
    """The `error` member of a response that failed."""
    return _encode({"code": error_code(failure), "message": failure.message})


def error_code(failure: Failure) -> str:
    """The word that this dialect's clients test for, else the failure's own."""
    return _CODES.get(failure.code, failure.code)


_CODES = {
    "rate_limited": "rate_limit_exceeded",
    "quota_exhausted": "insufficient_quota",
    "context_too_long": "context_length_exceeded",
    "overloaded": "server_is_overloaded",
    "content_filtered": "content_filter",
    "upstream_error": "server_error",
    "stream_error": "server_error",
}
