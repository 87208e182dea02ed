"""What an official SDK, or a plain reading of the JSON, finds in bytes. Independent of Turnout's codecs: one module a dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.fidelity.recordings import Dialect
from tests.fidelity.views import anthropic, bedrock, cohere, gemini, ollama, openai_chat, openai_responses
from tests.fidelity.views.said import Said, Tokens, Tool, View

__all__ = ["Said", "Tokens", "Tool", "View", "view"]

_Reader = Callable[[bytes], View]
_READERS: Mapping[Dialect, tuple[_Reader, _Reader]] = {
    "openai_chat": (openai_chat.whole, openai_chat.stream),
    "openai_responses": (openai_responses.whole, openai_responses.stream),
    "anthropic": (anthropic.whole, anthropic.stream),
    "gemini": (gemini.whole, gemini.stream),
    "bedrock": (bedrock.whole, bedrock.stream),
    "bedrock_anthropic": (anthropic.whole, bedrock.anthropic_stream),
    "cohere": (cohere.whole, cohere.stream),
    "mistral": (openai_chat.whole, openai_chat.stream),
    "ollama": (ollama.whole, ollama.stream),
}


def view(dialect: Dialect, streamed: bool, body: bytes) -> View:
    """Raises whatever the SDK raises on a body that it cannot read."""
    return _READERS[dialect][streamed](body)
