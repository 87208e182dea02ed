"""What a request asks for, read from its JSON without Turnout's codecs, so that a translated request can be judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fidelity.asked.anthropic import AnthropicReader
from tests.fidelity.asked.common import Asked, Reader, canonical, parts_of
from tests.fidelity.asked.gemini import IN_THE_PATH, GeminiReader
from tests.fidelity.asked.openai_chat import OpenAIReader
from tests.fidelity.asked.openai_responses import ResponsesReader
from tests.fidelity.asked.others import CohereReader, ConverseReader, OllamaReader
from tests.fidelity.recordings import Dialect

__all__ = ["IN_THE_PATH", "Asked", "asked", "canonical", "parts_of"]

_READERS: Mapping[Dialect, type[Reader]] = {
    "openai_chat": OpenAIReader,
    "openai_responses": ResponsesReader,
    "anthropic": AnthropicReader,
    "gemini": GeminiReader,
    "bedrock": ConverseReader,
    "bedrock_anthropic": AnthropicReader,
    "cohere": CohereReader,
    "mistral": OpenAIReader,
    "ollama": OllamaReader,
}


def asked(dialect: Dialect, body: dict[str, Any]) -> Asked:
    return _READERS[dialect](body).asked
