"""Google's Gemini API (`generateContent`), as the client's dialect and as the provider's, from Google AI or from Vertex AI."""

from __future__ import annotations

from turnout.wire.codec import Codec
from turnout.wire.gemini.codec import GeminiCodec

CODEC = GeminiCodec()
_: Codec = CODEC  # the type checker holds it to the protocol

__all__ = ["CODEC", "GeminiCodec"]
