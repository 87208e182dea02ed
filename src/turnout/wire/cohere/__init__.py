"""Cohere's v2 chat API, as a provider."""

from turnout.wire.codec import ProviderCodec
from turnout.wire.cohere.codec import CohereCodec

CODEC: ProviderCodec = CohereCodec()

__all__ = ["CODEC"]
