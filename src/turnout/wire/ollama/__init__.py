"""Ollama's native chat API, as a provider."""

from turnout.wire.codec import ProviderCodec
from turnout.wire.ollama.codec import OllamaCodec

CODEC: ProviderCodec = OllamaCodec()

__all__ = ["CODEC"]
