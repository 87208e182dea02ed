"""Mistral's chat completions, as a provider."""

from turnout.wire.codec import ProviderCodec
from turnout.wire.mistral.codec import MistralCodec

CODEC: ProviderCodec = MistralCodec()

__all__ = ["CODEC"]
