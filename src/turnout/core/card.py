"""A model as policies see it: facts, no behaviour.

A card joins what the configuration says, what the shipped data knows and what the price data says, resolved once when a
configuration is loaded. Routing, failover and the ledger look at cards only; where a provider lives
and how to sign for it stays in `upstream`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from turnout.core.model import DialectName
from turnout.core.money import Price

Tier = Literal["light", "standard", "large"]
TIERS: tuple[Tier, ...] = ("light", "standard", "large")

Capability = Literal[
    "tools",
    "vision",
    "json_mode",
    "json_schema",
    "reasoning",
    "audio",
    "documents",
    "embeddings",
    "completions",
    "moderations",
    "images",
    "speech",
    "transcriptions",
]
NOT_CHAT: frozenset[Capability] = frozenset(
    {"embeddings", "completions", "moderations", "images", "speech", "transcriptions"}
)
"""A model that is known to have these and no others does not chat."""

Task = Literal[
    "code_generation",
    "summarization",
    "extraction",
    "translation",
    "structured_data",
    "classification",
    "question_answering",
    "question_answering_in_context",
    "document_analysis",
    "data_analysis",
    "mathematics",
    "reasoning",
    "rewriting",
    "creative_writing",
    "brainstorming",
    "conversation",
    "tool_use",
]


class Deadlines(Struct, frozen=True):
    """Milliseconds. `stall_ms` is the longest silence: any byte ends it. `content_ms` is the longest time without content, whatever
    pings come meanwhile: some providers hold a tool call's arguments back for minutes, and show that they live."""

    connect_ms: int = 5_000
    tls_ms: int = 5_000
    first_token_ms: int = 60_000
    stall_ms: int = 30_000
    content_ms: int = 300_000
    total_ms: int = 600_000


class Retirement(Struct, frozen=True):
    """The day (ISO) on which the provider takes a model away, whether it has come, and the model it recommends instead."""

    on: str
    past: bool
    successor: str | None = None


class Card(Struct, frozen=True):
    """One model at one provider.

    `name` is what callers type, `id` what the provider calls it. `context_window` and `max_output` are
    tokens; `None` means unknown, which excludes nothing. `price` is `None` when no price is known: the model
    can be used, its cost is then recorded as unknown. `quirks` are words that the provider's codec understands. `label` is `provider/id`: how replies and logs name the
    model that answered; it is always made from the two. What a `simulated` model answers is invented.
    """

    name: str
    provider: str
    id: str
    dialect: DialectName
    tier: Tier
    tags: frozenset[str] = frozenset()
    capabilities: frozenset[Capability] = frozenset()
    context_window: int | None = None
    max_output: int | None = None
    price: Price | None = None
    fallbacks: tuple[str, ...] = ()
    quirks: frozenset[str] = frozenset()
    deadlines: Deadlines = Deadlines()
    label: str = ""
    simulated: bool = False
    retirement: Retirement | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "label", f"{self.provider}/{self.id}")
