"""Whole messages: a provider's JSON body as events, and an answer as the JSON body for an Anthropic client.

The same meaning as the stream's, so that a cached answer can be served either way. Only choice 0 is encoded: the format has one
message a reply.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import (
    Answer,
    Block,
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
    Usage,
)
from turnout.wire.anthropic.blocks import (
    CITATION_KIND,
    MESSAGE_KIND,
    UNREADABLE,
    given,
    opaque,
    whole_block_events,
)
from turnout.wire.anthropic.errors import decode_stream_failure
from turnout.wire.anthropic.marks import DIALECT, custom_input, input_object, seal, seal_call
from turnout.wire.anthropic.reasons import decode_stop, stop_word
from turnout.wire.anthropic.usage import WireUsage, canonical, usage_json
from turnout.wire.body import malformed
from turnout.wire.codec import Meta


class _Message(Struct):
    type: str = ""
    id: str | None = None
    model: str | None = None
    content: list[Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: WireUsage | None = None
    stop_details: Raw = Raw()
    container: Raw = Raw()
    context_management: Raw = Raw()
    error: Raw = Raw()


_message = msgspec.json.Decoder(_Message)
_encode = msgspec.json.Encoder().encode


def decode_answer(body: bytes) -> tuple[Event, ...]:
    """Events of a whole message, terminal event included."""
    try:
        message = _message.decode(body)
        if given(message.error):
            return (Failed(decode_stream_failure(bytes(message.error))),)
        if message.content is None:
            return (Failed(malformed("The provider's reply is not a message.")),)
        return tuple(_events(message, message.content))
    except UNREADABLE:
        return (Failed(malformed("The provider's reply cannot be read.")),)


def _events(message: _Message, content: list[Raw]) -> list[Event]:
    events: list[Event] = [Started(message.id or "", message.model or "")]
    for index, raw in enumerate(content):
        events += whole_block_events(raw, index)
    members = (
        ("stop_details", message.stop_details),
        ("container", message.container),
        ("context_management", message.context_management),
    )
    events += [opaque(MESSAGE_KIND + name, raw, 0) for name, raw in members if given(raw)]
    if message.usage is not None:
        events.append(canonical(message.usage))
    if message.stop_reason:
        events.append(decode_stop(message.stop_reason, message.stop_sequence))
    events.append(Finished())
    return events


# -- for an Anthropic client
class TextBlock(Struct, tag="text", omit_defaults=True):
    text: str
    citations: list[Raw] | None = None


class ThinkingBlock(Struct, tag="thinking"):
    thinking: str
    signature: str


class RedactedBlock(Struct, tag="redacted_thinking"):
    data: str


class ToolUseBlock(Struct, tag="tool_use"):
    id: str
    name: str
    input: Raw


WireContent = TextBlock | ThinkingBlock | RedactedBlock | ToolUseBlock | Raw


class _WireMessage(Struct, tag="message", omit_defaults=True):
    id: str
    role: str
    model: str
    content: list[WireContent]
    stop_reason: str
    stop_sequence: str | None
    usage: Raw
    stop_details: Raw | msgspec.UnsetType = msgspec.UNSET
    container: Raw | msgspec.UnsetType = msgspec.UNSET
    context_management: Raw | msgspec.UnsetType = msgspec.UNSET


def message_id(provider_id: str, fallback: str) -> str:
    """A reply's id with the prefix that this dialect's clients know."""
    if provider_id.startswith("msg_"):
        return provider_id
    return "msg_" + (provider_id.removeprefix("chatcmpl-") or fallback)


def encode_answer(answer: Answer, meta: Meta) -> bytes:
    """The message body. An answer without choices is a message without content."""
    choice = answer.choices[0] if answer.choices else Choice()
    message = _WireMessage(
        message_id(answer.started.id, meta.id),
        "assistant",
        answer.started.model or meta.model,
        [],
        stop_word(
            choice.stop,
            called_tools=any(isinstance(block, FoldedTool) for block in choice.blocks),
            refused=any(isinstance(block, FoldedRefusal) for block in choice.blocks),
        ),
        choice.stop.sequence if choice.stop is not None else None,
        Raw(usage_json(answer.usage or Usage())),
    )
    for number, block in enumerate(choice.blocks):
        _add_block(message, block, number)
    return _encode(message)


def _add_block(message: _WireMessage, block: Block, number: int) -> None:
    match block:
        case FoldedText(text) | FoldedRefusal(text) | FoldedAudio(_, text):
            if text:
                message.content.append(TextBlock(text))
        case FoldedReasoning():
            message.content += _thinking(block)
        case FoldedTool(call_id, name, arguments, custom, signature, origin):
            call_id = call_id or f"toolu_{number}"
            data = custom_input(arguments) if custom else input_object(arguments)[0]
            if signature is not None:
                message.content.append(RedactedBlock(seal_call(call_id, signature, origin)))
            message.content.append(ToolUseBlock(call_id, name, data))
        case OpaqueBlock():
            _add_opaque(message, block)


def _thinking(block: FoldedReasoning) -> list[WireContent]:
    content: list[WireContent] = []
    if block.text or block.signature is not None:
        content.append(ThinkingBlock(block.text, seal(block.signature, block.origin)))
    if block.redacted is not None:
        content.append(RedactedBlock(seal(block.redacted, block.origin)))
    return content


def _add_opaque(message: _WireMessage, block: OpaqueBlock) -> None:
    if block.dialect != DIALECT:
        return
    if block.kind.startswith(MESSAGE_KIND):
        setattr(message, block.kind.removeprefix(MESSAGE_KIND), block.raw)
    elif block.kind != CITATION_KIND:
        message.content.append(block.raw)
    elif message.content and isinstance(text := message.content[-1], TextBlock):
        text.citations = [*(text.citations or ()), block.raw]
