"""OpenAI responses, as clients and as providers speak it."""

from __future__ import annotations

from turnout.wire.codec import Codec
from turnout.wire.openai_responses.codec import OpenAIResponsesCodec

CODEC: Codec = OpenAIResponsesCodec()
