"""Amazon Bedrock, as a provider: Converse, and Anthropic's own bodies through InvokeModel."""

from __future__ import annotations

from turnout.wire.bedrock.codec import BedrockCodec
from turnout.wire.bedrock.invoke_anthropic import InvokeAnthropicCodec
from turnout.wire.codec import ProviderCodec

CODEC = BedrockCodec()
INVOKE_ANTHROPIC = InvokeAnthropicCodec()
_: tuple[ProviderCodec, ProviderCodec] = (
    CODEC,
    INVOKE_ANTHROPIC,
)  # the type checker holds them to the protocol

__all__ = ["CODEC", "INVOKE_ANTHROPIC", "BedrockCodec", "InvokeAnthropicCodec"]
