"""The quirk words of all dialects: what may stand in `quirks` of a provider or a model, and what it means.

Promise: a word that no codec knows is found when a configuration is loaded, not when a request fails. A new word is a row here, or in the
dialect's own table where there are many; a test looks for words that the code asks for and no table has.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from turnout.core.model import DialectName
from turnout.wire.limits import TEMPERATURE_TO, TOP_K_TO, number_of
from turnout.wire.limits import WORDS as LIMITS
from turnout.wire.media import BY_VALUE_QUIRK
from turnout.wire.openai_chat.quirks import API_VERSION, EFFORTS, NO_SAMPLING
from turnout.wire.openai_chat.quirks import QUIRKS as OPENAI_CHAT

Words = Mapping[str, str]

_LEVELS = frozenset({"none", "default", "minimal", "low", "medium", "high", "xhigh", "max"})
_ANY_DIALECT: Words = MappingProxyType({BY_VALUE_QUIRK: "fetches no URL: media are given by value", **LIMITS})
WEBSOCKET = "websocket"
_RESPONSES: Words = MappingProxyType(
    {
        **{word: OPENAI_CHAT[word] for word in (API_VERSION, NO_SAMPLING)},
        WEBSOCKET: "asked over one WebSocket for many requests, in place of a POST for each",
    }
)
_CLAUDE: Words = MappingProxyType(
    {
        "adaptive_thinking": "thinking is asked for by a level, not by a budget",
        "effort_xhigh": "takes the level `xhigh`",
        "mid_system": "takes system messages in the middle of a conversation",
        "no_sampling": "refuses `temperature`, `top_p` and `top_k`",
    }
)
_MESSAGES: Words = MappingProxyType(
    {
        **_CLAUDE,
        "no_forced_tools": "refuses a `tool_choice` that forces a tool",
        "no_prefill": "refuses a conversation that ends with an answer begun",
    }
)
_BEDROCK: Words = MappingProxyType(
    {
        "cache_control": "takes cache points",
        "claude": "the model is a Claude, whatever its name (an inference profile)",
        "nova": "the model is a Nova, whatever its name (an inference profile)",
        "top_k": "takes `top_k`",
    }
)
_VERTEX: Words = MappingProxyType({"vertex": "served by Vertex AI: the model is in the path"})
_GEMINI: Words = MappingProxyType(
    {"gemini_3": "thinks by levels as Gemini 3 does, whatever the model's name"}
)

QUIRKS: Mapping[DialectName, Words] = MappingProxyType(
    {
        "openai_chat": {**OPENAI_CHAT, **_ANY_DIALECT},
        "openai_responses": {**_RESPONSES, **_ANY_DIALECT},
        "anthropic": {**_MESSAGES, **_VERTEX, **_ANY_DIALECT},
        "gemini": {**_VERTEX, **_GEMINI, **_ANY_DIALECT},
        "bedrock": {**_CLAUDE, **_BEDROCK, **_ANY_DIALECT},
        "bedrock_anthropic": {**_MESSAGES, **_ANY_DIALECT},
        "cohere": _ANY_DIALECT,
        "mistral": {**OPENAI_CHAT, **_ANY_DIALECT},
        "ollama": _ANY_DIALECT,
    }
)
"""By the dialect of the provider. A word that ends in a dot is the beginning of one with a value."""


def meaning(dialect: DialectName, word: str) -> str | None:
    """What a word means to a dialect's codec; `None`: nothing."""
    words = QUIRKS[dialect]
    if not word.endswith(".") and word in words:
        return words[word]
    prefix = f"{word.partition('.')[0]}."
    return words.get(prefix) if _has_value(word, prefix) else None


def _has_value(word: str, prefix: str) -> bool:
    value = word[len(prefix) :]
    if prefix == EFFORTS:
        return bool(value) and set(value.split(".")) <= _LEVELS
    if prefix in (TEMPERATURE_TO, TOP_K_TO):
        return number_of(word, prefix) is not None
    return prefix == API_VERSION and bool(value)


def spelled(dialect: DialectName) -> tuple[str, ...]:
    """The words that a dialect's codec knows, as people write them, in alphabetical order."""
    return tuple(sorted(f"{word}…" if word.endswith(".") else word for word in QUIRKS[dialect]))
