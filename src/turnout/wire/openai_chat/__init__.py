"""OpenAI chat completions, as the client's dialect and as the provider's."""

from turnout.wire.codec import Codec
from turnout.wire.openai_chat.codec import OpenAIChatCodec

CODEC: Codec = OpenAIChatCodec()

__all__ = ["CODEC"]
