"""What a Gemini client reads: parts of a candidate, and the response around them, as JSON text.

Every part is built from known members only; the JSON of an opaque part, and of function arguments, is what its provider sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import OpaqueBlock
from turnout.wire.anthropic.marks import custom_input, input_object
from turnout.wire.codec import Meta
from turnout.wire.gemini.marks import DIALECT, EMPTY_MARK, TEXT_MARK, own_id, seal
from turnout.wire.gemini.reading import CANDIDATE_KIND, FEEDBACK_KIND

_encode = msgspec.json.Encoder().encode
AUDIO_TYPE_DEFAULT = "audio/wav"


class WireCall(Struct, omit_defaults=True):
    """`args` is always written: clients expect an object."""

    name: str
    args: Raw
    id: str | None = None


class WireBlob(Struct, rename="camel"):
    mime_type: str
    data: str


class WirePart(Struct, omit_defaults=True, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    inline_data: WireBlob | None = None
    function_call: WireCall | None = None
    thought_signature: str | None = None


Part = WirePart | Raw


class WireContent(Struct):
    parts: list[Part]
    role: str = "model"


def call_part(
    call_id: str, name: str, arguments: str, custom: bool, signature: str | None, origin: str | None
) -> WirePart:
    """Arguments that are no JSON object are wrapped in one (see `anthropic.marks`)."""
    args = custom_input(arguments) if custom else input_object(arguments)[0]
    proof = None if signature is None else seal(signature, origin)
    return WirePart(function_call=WireCall(name, args, own_id(call_id)), thought_signature=proof)


def add_signature(
    parts: list[Part], signature: str, origin: str | None, redacted: bool = False, alone: bool = False
) -> None:
    """A proof goes on the part that it belongs to, if that part is still here, and else on an empty one of its kind.

    `alone`: a thought's proof came without text, so that no earlier thought may bear it.
    """
    own = origin == DIALECT and not redacted
    of_text, of_empty = own and signature.startswith(TEXT_MARK), own and signature.startswith(EMPTY_MARK)
    proof = signature.partition(":")[2] if of_text or of_empty else signature
    sealed = seal(proof, origin, redacted)
    thought = None if of_text or of_empty else True
    last = parts[-1] if parts else None
    belongs = of_text or not (of_empty or redacted or alone)
    if belongs and isinstance(last, WirePart) and _can_bear(last, thought):
        last.thought_signature = sealed
    else:
        parts.append(WirePart("", thought, thought_signature=sealed))


def _can_bear(part: WirePart, thought: bool | None) -> bool:
    return bool(part.text) and part.thought == thought and part.thought_signature is None


def audio_part(data: str, transcript: str, audio_id: str | None) -> list[Part]:
    """Audio as inline data; `audio_id` is its media type where a Gemini model made it."""
    if not data:
        return [WirePart(transcript)] if transcript else []
    kind = audio_id if audio_id and audio_id.startswith("audio/") else AUDIO_TYPE_DEFAULT
    return [WirePart(inline_data=WireBlob(kind, data))]


def said_beside(block: OpaqueBlock, beside: dict[str, Raw], response: dict[str, Raw]) -> bool:
    """Notes what a candidate or a response says beside its content; False: the block is a part."""
    if block.kind.startswith(CANDIDATE_KIND):
        beside[block.kind.removeprefix(CANDIDATE_KIND)] = block.raw
    elif block.kind == FEEDBACK_KIND:
        response["promptFeedback"] = block.raw
    else:
        return False
    return True


def candidate(number: int, parts: Sequence[Part], word: str | None, beside: Mapping[str, Raw]) -> Raw:
    """One entry of `candidates`."""
    members: dict[str, object] = {"content": WireContent(list(parts))}
    if word is not None:
        members["finishReason"] = word
    members["index"] = number
    members.update(beside)
    return Raw(_encode(members))


def response_id(provider_id: str, meta: Meta) -> str:
    return provider_id or meta.id


def response(
    candidates: Sequence[Raw],
    members: Mapping[str, Raw],
    usage: bytes | None,
    tail: bytes,
    annotation: bytes | None,
) -> bytes:
    """The response object. `tail` is its `modelVersion` and `responseId`, as JSON members."""
    body = bytearray(b'{"candidates":[' + b",".join(map(bytes, candidates)) + b"]")
    for name, raw in members.items():
        body += b',"%b":%b' % (name.encode(), bytes(raw))
    if usage is not None:
        body += b',"usageMetadata":' + usage
    body += tail
    if annotation is not None:
        body += b',"turnout":' + annotation
    body += b"}"
    return bytes(body)


def tail(model: str, reply_id: str) -> bytes:
    return b',"modelVersion":%b,"responseId":%b' % (_encode(model), _encode(reply_id))
