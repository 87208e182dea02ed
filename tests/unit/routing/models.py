"""A configuration of our own for the tests: 17 chat models of 6 providers and 3 embedding models."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from turnout.core.call import ANONYMOUS, Controls, Op, Plan, Principal
from turnout.core.card import Capability, Card, Task, Tier
from turnout.core.model import Message, Request, Text
from turnout.core.money import Price, Rates, usd_per_mtok
from turnout.routing.plan import Planner
from turnout.routing.table import PolicyRule, RoutingTable, build_table

ALL: frozenset[Capability] = frozenset({"tools", "vision", "json_mode", "json_schema"})
PLAIN: frozenset[Capability] = frozenset({"tools", "json_mode"})
EMBEDS: frozenset[Capability] = frozenset({"embeddings"})


def price(input_usd: str, output_usd: str) -> Price:
    return Price(Rates(usd_per_mtok(input_usd), usd_per_mtok(output_usd)))


def card(
    name: str,
    provider: str,
    tier: Tier,
    usd: tuple[str, str] | None,
    window: int | None = 128_000,
    capabilities: frozenset[Capability] = ALL,
    *,
    id: str | None = None,
    tags: frozenset[str] = frozenset(),
    fallbacks: tuple[str, ...] = (),
) -> Card:
    dialect = "anthropic" if provider == "anthropic" else "openai_chat"
    return Card(
        name=name,
        provider=provider,
        id=id or name,
        dialect=dialect,  # type: ignore[arg-type]
        tier=tier,
        tags=tags or TAGS[provider],
        capabilities=capabilities,
        context_window=window,
        price=None if usd is None else price(*usd),
        fallbacks=fallbacks,
    )


TAGS: Mapping[str, frozenset[str]] = {
    "openai": frozenset({"us", "soc2"}),
    "anthropic": frozenset({"us", "soc2", "hipaa"}),
    "groq": frozenset({"us"}),
    "deepseek": frozenset({"cn"}),
    "mistral": frozenset({"eu"}),
    "google": frozenset({"us", "eu"}),
}

CARDS: tuple[Card, ...] = (
    card("gpt-4o", "openai", "standard", ("2.5", "10"), fallbacks=("claude-sonnet-4-5", "gemini-2.5-pro")),
    card("gpt-4o-mini", "openai", "light", ("0.15", "0.6")),
    card("gpt-5", "openai", "large", ("1.25", "10"), 400_000),
    card("gpt-5-mini", "openai", "standard", ("0.25", "2"), 400_000),
    card("o4-mini", "openai", "large", ("1.1", "4.4"), 200_000),
    card("text-embedding-3-small", "openai", "light", ("0.02", "0"), 8_191, EMBEDS),
    card("text-embedding-3-large", "openai", "light", ("0.13", "0"), 8_191, EMBEDS),
    card("claude-opus-4-1", "anthropic", "large", ("15", "75"), 200_000),
    card("claude-sonnet-4-5", "anthropic", "standard", ("3", "15"), 1_000_000),
    card("claude-haiku-4-5", "anthropic", "light", ("1", "5"), 200_000),
    card("llama-3.3-70b", "groq", "standard", ("0.59", "0.79"), 131_072, PLAIN, id="llama-3.3-70b-versatile"),
    card("llama-3.1-8b", "groq", "light", ("0.05", "0.08"), 131_072, PLAIN, id="llama-3.1-8b-instant"),
    card("deepseek-chat", "deepseek", "standard", ("0.27", "1.1"), 64_000, PLAIN),
    card("deepseek-reasoner", "deepseek", "large", ("0.55", "2.19"), 64_000, PLAIN),
    card("mistral-large", "mistral", "standard", ("2", "6"), id="mistral-large-latest"),
    card("mistral-small", "mistral", "light", ("0.1", "0.3"), id="mistral-small-latest"),
    card("mistral-embed", "mistral", "light", ("0.1", "0"), 8_000, EMBEDS),
    card("gemini-2.5-pro", "google", "large", ("1.25", "10"), 1_048_576),
    card("gemini-2.5-flash", "google", "standard", ("0.3", "2.5"), 1_048_576),
    card("gemini-2.5-flash-lite", "google", "light", ("0.1", "0.4"), 1_048_576),
)

TASKS: Mapping[Task, str] = {
    "code_generation": "gpt-4o",
    "summarization": "claude-sonnet-4-5",
    "extraction": "mistral-small",
}
POLICIES: Mapping[str, PolicyRule] = {
    "eu": PolicyRule(require_tags=frozenset({"eu"})),
    "no-cn": PolicyRule(forbid_tags=frozenset({"cn"})),
    "listed": PolicyRule(allow_models=frozenset({"gpt-4o", "fast"})),
    "not-opus": PolicyRule(deny_models=frozenset({"claude-opus-4-1"})),
    "moon": PolicyRule(require_tags=frozenset({"moon"})),
}


def table() -> RoutingTable:
    return build_table(
        CARDS,
        aliases={"fast": "llama-3.1-8b"},
        tiers={"light": ("llama-3.1-8b", "gpt-4o-mini")},
        tasks=TASKS,
        policies=POLICIES,
    )


def ask(text: str, *, system: str | None = None, earlier: tuple[str, ...] = (), **fields: object) -> Request:
    """A chat request; `earlier` alternates user and assistant turns."""
    messages = [Message("system", (Text(system),))] if system else []
    for index, turn in enumerate(earlier):
        messages.append(Message("assistant" if index % 2 else "user", (Text(turn),)))
    messages.append(Message("user", (Text(text),)))
    return Request("openai_chat", "auto", tuple(messages), **fields)  # type: ignore[arg-type]


def decide(
    requested: str = "auto",
    request: Request | str = "What is the capital of France?",
    controls: Controls = Controls(),  # noqa: B008 (frozen)
    principal: Principal = ANONYMOUS,
    op: Op = "chat",
    planner: Planner | None = None,
) -> Plan:
    asked = ask(request) if isinstance(request, str) else request
    planner = planner or Planner(table())
    plan = planner.decide(requested, controls, principal, lambda: asked, op, explained=True)
    unexplained = planner.decide(requested, controls, principal, lambda: asked, op)
    assert unexplained == msgspec.structs.replace(plan, verdicts=())
    return plan
