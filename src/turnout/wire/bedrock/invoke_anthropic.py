"""Anthropic's bodies through Bedrock's InvokeModel: the anthropic dialect in Amazon's envelope.

The request is the Messages body without `model` and `stream`, which are in the path, and with `anthropic_version`. A whole reply is
a message as it is. A streamed one is an AWS event stream whose `chunk` frames hold Anthropic's events in base64; each is handed to
Anthropic's own decoder, so that an event means the same whichever way it came. Failures are Bedrock's.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from turnout.core.call import Op
from turnout.core.errors import Failure
from turnout.core.events import Event, Failed, Finished, Frame, Usage
from turnout.core.model import DialectName, Request
from turnout.wire.anthropic import answers
from turnout.wire.anthropic.contents import Drops
from turnout.wire.anthropic.stream import Decoder as AnthropicDecoder
from turnout.wire.anthropic.targets import encode_request
from turnout.wire.bedrock import failures
from turnout.wire.bedrock.codec import CONTENT_TYPE, counted, model_path
from turnout.wire.bedrock.stream import FrameDecoder
from turnout.wire.body import join_members, malformed
from turnout.wire.codec import Encoded, Headers, Target
from turnout.wire.limits import bounded

_VERSION = Raw(b'"bedrock-2023-05-31"')
_members = msgspec.json.Decoder(dict[str, Raw])


class _Chunk(Struct):
    bytes: str = ""


_chunk = msgspec.json.Decoder(_Chunk)


class InvokeDecoder(FrameDecoder):
    """See `wire.codec.StreamDecoder`. The terminal marker is Anthropic's own, `message_stop`."""

    __slots__ = ("_inner",)

    def __init__(self) -> None:
        super().__init__()
        self._inner = AnthropicDecoder()

    def eof(self, failure: Failure | None) -> list[Frame]:
        if self._done:
            return super().eof(failure)
        self._done = True
        return [Frame(self._parser.rest(), _events(self._inner.eof(failure)))]

    def _event(self, kind: str, payload: bytes) -> tuple[Event, ...]:
        if kind != "chunk":
            return ()
        try:
            data = base64.b64decode(_chunk.decode(payload).bytes, validate=True)
        except (msgspec.MsgspecError, RecursionError, UnicodeError, binascii.Error):
            return self._fail(malformed("The provider's stream holds a chunk that cannot be read."))
        line = data.replace(b"\r", b" ").replace(b"\n", b" ")  # no line ends inside JSON but as white space
        events = _events(self._inner.feed(b"data: %b\n\n" % line))
        if events and type(events[-1]) in (Finished, Failed):
            self._done = True
        return events


def _events(frames: Iterable[Frame]) -> tuple[Event, ...]:
    return tuple(event for frame in frames for event in frame.events)


class InvokeAnthropicCodec:
    """`wire.codec.ProviderCodec` for Claude models behind InvokeModel and InvokeModelWithResponseStream."""

    name: DialectName = "bedrock_anthropic"
    stream_content_type = CONTENT_TYPE

    def encode_request(self, request: Request, target: Target) -> Encoded:
        lost = Drops(foreign=True)
        encoded = encode_request(bounded(request, self.name, target, lost), target)
        members = _members.decode(encoded.body)
        members.pop("model", None)
        members.pop("stream", None)
        body = join_members({"anthropic_version": _VERSION, **members})
        return replace(encoded, body=body, dropped=tuple(dict.fromkeys((*lost.names(), *encoded.dropped))))

    def path(self, op: Op, target: Target, stream: bool) -> str:
        if op == "count_tokens":
            return model_path(target.model, "count-tokens")
        return model_path(target.model, "invoke-with-response-stream" if stream else "invoke")

    def stream_decoder(self, quirks: frozenset[str] = frozenset()) -> InvokeDecoder:
        return InvokeDecoder()

    def decode_answer(self, body: bytes) -> tuple[Event, ...]:
        return answers.decode_answer(body)

    def decode_usage(self, op: Op, body: bytes) -> Usage | None:
        return counted(op, body)

    def decode_failure(self, status: int, headers: Headers, body: bytes) -> Failure:
        return failures.decode_failure(status, headers, body)
