"""The simulated models: which provider has them, how fast they are, what they can do.

Speeds and windows are in the range of the real ones, so that routing, deadlines and dashboards look as they would. Prices are
not here: the gateway prices a simulated model like the real one of the same name.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Family = Literal["openai", "anthropic"]
Thinking = Literal["none", "hidden", "text", "signed"]
Does = Literal["chat", "embeddings", "completions", "moderations", "images", "speech", "transcriptions"]


class SimProvider(Struct, frozen=True):
    """`base_path` is what follows the origin in the base URL that the provider's own SDK takes."""

    name: str
    family: Family
    base_path: str


class SimModel(Struct, frozen=True):
    """`first_ms` to the first token, `tokens_per_s` after it; windows and rates in tokens and requests a minute.

    `skill` (0 to 2) makes answers longer; `thinking` says what a client sees of the model's reasoning.
    """

    provider: str
    id: str
    first_ms: int
    tokens_per_s: float
    context_window: int
    max_output: int
    skill: int = 1
    thinking: Thinking = "none"
    embedding_size: int = 0
    requests_per_minute: int = 600_000
    does: Does = "chat"


SIM_PROVIDERS: tuple[SimProvider, ...] = (
    SimProvider("openai", "openai", "/v1"),
    SimProvider("anthropic", "anthropic", ""),
    SimProvider("groq", "openai", "/openai/v1"),
    SimProvider("deepseek", "openai", "/v1"),
    SimProvider("mistral", "openai", "/v1"),
    SimProvider("google", "openai", "/v1beta/openai"),
)

SIM_MODELS: tuple[SimModel, ...] = (
    SimModel("openai", "gpt-4o", 420, 80, 128_000, 16_384, 1),
    SimModel("openai", "gpt-4o-mini", 310, 110, 128_000, 16_384, 0),
    SimModel("openai", "gpt-5.4", 900, 60, 1_050_000, 128_000, 2, "hidden"),
    SimModel("openai", "gpt-5.4-mini", 600, 90, 400_000, 128_000, 1, "hidden"),
    SimModel("openai", "text-embedding-3-small", 60, 1, 8_192, 1, embedding_size=1536, does="embeddings"),
    SimModel("openai", "text-embedding-3-large", 80, 1, 8_192, 1, embedding_size=3072, does="embeddings"),
    SimModel("openai", "gpt-3.5-turbo-instruct", 300, 120, 4_096, 4_096, 0, does="completions"),
    SimModel("openai", "omni-moderation-latest", 90, 1, 32_768, 1, does="moderations"),
    SimModel("openai", "gpt-image-2", 4_000, 500, 32_768, 1, does="images"),
    SimModel("openai", "tts-1", 400, 200, 4_096, 1, does="speech"),
    SimModel("openai", "gpt-4o-mini-tts", 400, 200, 4_096, 1, does="speech"),
    SimModel("openai", "whisper-1", 800, 100, 16_000, 2_000, does="transcriptions"),
    SimModel("openai", "gpt-4o-transcribe", 600, 100, 16_000, 2_000, does="transcriptions"),
    SimModel("anthropic", "claude-opus-5-5", 1_300, 45, 1_000_000, 128_000, 2, "signed"),
    SimModel("anthropic", "claude-sonnet-5-5", 800, 70, 1_000_000, 128_000, 2, "signed"),
    SimModel("anthropic", "claude-sonnet-4-6", 800, 70, 1_000_000, 128_000, 1, "signed"),
    SimModel("anthropic", "claude-haiku-4-5", 450, 130, 200_000, 64_000, 0, "signed"),
    SimModel("groq", "openai/gpt-oss-120b", 180, 280, 131_072, 65_536, 1),
    SimModel("groq", "openai/gpt-oss-20b", 120, 600, 131_072, 65_536, 0),
    SimModel("deepseek", "deepseek-v4-flash", 700, 55, 1_000_000, 384_000, 1),
    SimModel("deepseek", "deepseek-v4-pro", 900, 50, 1_000_000, 384_000, 2, "text"),
    SimModel("mistral", "mistral-large-latest", 500, 65, 131_072, 32_768, 1),
    SimModel("mistral", "mistral-small-latest", 280, 140, 131_072, 32_768, 0),
    SimModel("mistral", "mistral-embed", 70, 1, 8_192, 1, embedding_size=1024, does="embeddings"),
    SimModel("google", "gemini-3.1-pro-preview", 1_000, 90, 1_048_576, 65_536, 2, "hidden"),
    SimModel("google", "gemini-3.8-flash", 380, 190, 1_048_576, 65_536, 1),
    SimModel("google", "gemini-2.5-flash-lite", 260, 260, 1_048_576, 65_536, 0),
)


def models_of(provider: str) -> dict[str, SimModel]:
    return {model.id: model for model in SIM_MODELS if model.provider == provider}
