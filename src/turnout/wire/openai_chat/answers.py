"""Whole completions: a provider's JSON body as events, and an answer as the JSON body for an OpenAI client."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from turnout.core.events import (
    Answer,
    AudioDelta,
    Choice,
    Event,
    Failed,
    Finished,
    FoldedAudio,
    FoldedReasoning,
    FoldedRefusal,
    FoldedText,
    FoldedTool,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    RefusalDelta,
    Started,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from turnout.wire.body import malformed
from turnout.wire.codec import Meta
from turnout.wire.openai_chat.call_proofs import extra_content, proof_of
from turnout.wire.openai_chat.errors import decode_stream_failure
from turnout.wire.openai_chat.reasoning import Detail, format_of, plain_text, proofs
from turnout.wire.openai_chat.reasons import decode_stop, finish_word
from turnout.wire.openai_chat.shapes import (
    UNREADABLE,
    Call,
    Completion,
    Said,
    WholeChoice,
    is_error,
    split_content,
)
from turnout.wire.openai_chat.usage import read_usage, usage_json

_completion = msgspec.json.Decoder(Completion)
_encode = msgspec.json.Encoder().encode


def decode_answer(body: bytes) -> tuple[Event, ...]:
    """Events of a whole completion, terminal event included."""
    try:
        completion = _completion.decode(body)
    except UNREADABLE:
        return (Failed(malformed("The provider's reply cannot be read.")),)
    if is_error(completion.error) and not completion.choices:
        return (Failed(decode_stream_failure(completion.error)),)
    if completion.choices is None:
        return (Failed(malformed("The provider's reply is not a completion.")),)
    created = int(completion.created) if completion.created else None
    events: list[Event] = [Started(completion.id or "", completion.model or "", created)]
    for choice in completion.choices:
        events += _choice_events(choice)
    usage = read_usage(completion.usage)
    if usage is not None:
        events.append(usage)
    events.append(Finished())
    return tuple(events)


def _choice_events(wire: WholeChoice) -> list[Event]:
    number, message = wire.index or 0, wire.message or Said()
    if type(message.content) is str and message.content and message == Said(message.content):
        text_only = TextDelta(message.content, 0, number)
        return [text_only, decode_stop(wire.finish_reason, number, called_tools=False)]
    text, thought = split_content(message.content)
    thought = thought or plain_text(message.reasoning_content, message.reasoning, message.reasoning_details)
    events: list[Event] = []
    index = 0
    if thought:
        events.append(ReasoningDelta(thought, index, number))
    if message.reasoning_details:
        for signature, data, origin in proofs(message.reasoning_details):
            if signature is not None:
                events.append(ReasoningSignature(signature, origin, index, number))
            else:
                events.append(ReasoningRedacted(data or "", origin, index, number))
    index += bool(events)
    if text:
        events.append(TextDelta(text, index, number))
        index += 1
    if message.refusal:
        events.append(RefusalDelta(message.refusal, number))
    audio = message.audio
    if audio is not None and (audio.data or audio.transcript):
        events.append(AudioDelta(audio.data or "", audio.transcript or "", audio.id or None, number))
    calls = list(message.tool_calls or ())
    if message.function_call is not None and message.function_call.name:
        calls.append(Call(None, None, message.function_call))
    for call in calls:
        name, arguments, custom = call.spoken
        events.append(ToolStart(index, call.id or "", name, number, custom, *proof_of(call.extra_content)))
        if arguments:
            events.append(ToolDelta(index, arguments, number))
        index += 1
    events.append(decode_stop(wire.finish_reason, number, called_tools=bool(calls)))
    return events


# -- for an OpenAI client
class _Function(Struct):
    name: str
    arguments: str


class _Custom(Struct):
    name: str
    input: str


class _WireCall(Struct):
    id: str
    type: str
    function: _Function | UnsetType = UNSET
    custom: _Custom | UnsetType = UNSET
    extra_content: Any = UNSET


class _WireAudio(Struct):
    id: str
    data: str
    transcript: str
    expires_at: int


class _Message(Struct):
    role: str
    content: str | None
    refusal: str | None
    reasoning_content: str | UnsetType = UNSET
    reasoning_details: list[Detail] | UnsetType = UNSET
    tool_calls: list[_WireCall] | UnsetType = UNSET
    audio: _WireAudio | UnsetType = UNSET


class _WireChoice(Struct):
    index: int
    message: _Message
    logprobs: None
    finish_reason: str


class _WireCompletion(Struct):
    id: str
    object: str
    created: int
    model: str
    choices: list[_WireChoice]
    usage: Raw


def completion_id(provider_id: str, fallback: str) -> str:
    """A reply's id with the prefix that this dialect's clients know."""
    if provider_id.startswith("chatcmpl"):
        return provider_id
    return "chatcmpl-" + (provider_id.removeprefix("msg_") or fallback.removeprefix("req_"))


def encode_answer(answer: Answer, meta: Meta) -> bytes:
    started = answer.started
    choices = answer.choices or (Choice(),)
    return _encode(
        _WireCompletion(
            completion_id(started.id, meta.id),
            "chat.completion",
            started.created or meta.created,
            started.model or meta.model,
            [_WireChoice(n, *_message(choice, meta)) for n, choice in enumerate(choices)],
            Raw(usage_json(answer.usage or Usage())),
        )
    )


def _message(choice: Choice, meta: Meta) -> tuple[_Message, None, str]:
    texts: list[str] = []
    refusals: list[str] = []
    thoughts: list[str] = []
    details: list[Detail] = []
    calls: list[_WireCall] = []
    audio: _WireAudio | UnsetType = UNSET
    for number, block in enumerate(choice.blocks):
        match block:
            case FoldedText(text):
                texts.append(text)
            case FoldedRefusal(text):
                refusals.append(text)
            case FoldedReasoning():
                thoughts.append(block.text)
                details += reasoning_details(block, number)
            case FoldedTool():
                calls.append(_call(block, number))
            case FoldedAudio(data, transcript, audio_id):
                audio = _WireAudio(audio_id or "audio", data, transcript, meta.created)
    content = "".join(texts)
    thought = "".join(thoughts)
    message = _Message(
        "assistant",
        content if texts or not (calls or refusals or audio) else None,
        "".join(refusals) if refusals else None,
        thought or UNSET,
        details or UNSET,
        calls or UNSET,
        audio,
    )
    return message, None, finish_word(choice.stop, called_tools=bool(calls))


def reasoning_details(block: FoldedReasoning, index: int) -> list[Detail]:
    """A reasoning block in the shape in which it comes back: text with its signature, and what is withheld."""
    out = []
    word = format_of(block.origin)
    if block.text or block.signature is not None:
        proof_format = word if block.signature is not None else None
        out.append(Detail("reasoning.text", block.text, block.signature, None, proof_format, index))
    if block.redacted is not None:
        out.append(Detail("reasoning.encrypted", None, None, block.redacted, word, index))
    return out


def _call(block: FoldedTool, number: int) -> _WireCall:
    call_id = block.id or f"call_{number}"
    if block.custom:
        return _WireCall(call_id, "custom", custom=_Custom(block.name, block.arguments))
    function = _Function(block.name, block.arguments or "{}")
    proof = extra_content(block.signature, block.origin)
    return _WireCall(call_id, "function", function, extra_content=UNSET if proof is None else proof)
