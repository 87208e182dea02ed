"""Anthropic's Messages API, as the client's dialect and as the provider's."""

from __future__ import annotations

from turnout.wire.anthropic.codec import AnthropicCodec
from turnout.wire.codec import Codec

CODEC = AnthropicCodec()
_: Codec = CODEC  # the type checker holds it to the protocol

__all__ = ["CODEC", "AnthropicCodec"]
