"""Which path is which operation of which dialect.

Most dialects name model and stream in the body and have fixed paths. Gemini's are in the path: `/v1beta/models/{model}:{method}`;
what the path says is then part of the endpoint, and overrides the body's silence. It must not know what is done at an endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from turnout.core.call import Envelope, Op
from turnout.core.model import DialectName, Request
from turnout.wire.codec import ClientCodec, Framing


class Endpoint(Struct, frozen=True):
    """`model` is empty where the body names it; then `stream` is the body's to say as well."""

    dialect: DialectName
    op: Op
    model: str = ""
    stream: bool = False
    framing: Framing = "sse"
    deployment: str | None = None  # the model, where the path names it and the body does not
    remembered: bool = False  # later requests may refer to the reply

    def complete(self, envelope: Envelope) -> Envelope:
        """The envelope with what the path said."""
        if not self.model:
            return envelope
        return replace(envelope, model=self.model, stream=self.stream, include_usage=True)

    def decode(self, codec: ClientCodec, body: bytes) -> Request:
        """The canonical request. Raises `CallFailed`."""
        request = codec.decode_request(body, self.op)
        if not self.model:
            return request
        return replace(request, model=self.model, stream=self.stream, include_usage=True)


ENDPOINTS: Mapping[str, Endpoint] = {
    "/v1/chat/completions": Endpoint("openai_chat", "chat"),
    "/v1/embeddings": Endpoint("openai_chat", "embeddings"),
    "/v1/completions": Endpoint("openai_chat", "completions"),
    "/v1/moderations": Endpoint("openai_chat", "moderations"),
    "/v1/images/generations": Endpoint("openai_chat", "images"),
    "/v1/images/edits": Endpoint("openai_chat", "image_edits"),
    "/v1/images/variations": Endpoint("openai_chat", "image_variations"),
    "/v1/audio/speech": Endpoint("openai_chat", "speech"),
    "/v1/audio/transcriptions": Endpoint("openai_chat", "transcriptions"),
    "/v1/audio/translations": Endpoint("openai_chat", "translations"),
    "/v1/messages": Endpoint("anthropic", "chat"),
    "/v1/messages/count_tokens": Endpoint("anthropic", "count_tokens"),
    "/v1/responses": Endpoint("openai_responses", "chat", remembered=True),
    "/v1/responses/input_tokens": Endpoint("openai_responses", "count_tokens"),
}
SOCKETS: Mapping[str, DialectName] = {"/v1/responses": "openai_responses"}
"""Paths that can be spoken to over a WebSocket as well."""
_GEMINI = re.compile(
    r"/(?:v1|v1beta)/(?:models|tunedModels)/(?P<model>[^:]+(?::[^:]+)*):(?P<method>[A-Za-z]+)\Z"
)
_METHODS: Mapping[str, tuple[Op, bool]] = {
    "generateContent": ("chat", False),
    "streamGenerateContent": ("chat", True),
    "countTokens": ("count_tokens", False),
}


def find_endpoint(path: str, query: bytes) -> Endpoint | None:
    """The endpoint at a path, or `None`. A model's name may hold slashes and colons (`auto:light`)."""
    found = ENDPOINTS.get(path)
    if found is not None or ":" not in path:
        return found
    match = _GEMINI.match(path)
    method = _METHODS.get(match["method"]) if match is not None else None
    if match is None or method is None:
        return None
    op, stream = method
    framing: Framing = "sse" if not stream or b"alt=sse" in query.split(b"&") else "array"
    return Endpoint("gemini", op, unquote(match["model"]), stream, framing)


def dialect_of(path: str, query: bytes, headers: list[tuple[bytes, bytes]]) -> DialectName:
    """In which dialect to talk to a client at a path that is not one dialect's own."""
    if b"dialect=anthropic" in query or path.startswith("/v1/messages"):
        return "anthropic"
    if path.startswith("/v1beta/"):
        return "gemini"
    if path.startswith("/v1/responses"):
        return "openai_responses"
    if b"dialect=" not in query:
        names = {name for name, _ in headers}
        if b"anthropic-version" in names:
            return "anthropic"
        if b"x-goog-api-key" in names or b"x-goog-api-client" in names:
            return "gemini"
    return "openai_chat"
