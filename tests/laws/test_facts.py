"""What is known of a model is known of it wherever it is configured: under another name, another provider's name, another day's snapshot."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from turnout.config import schema
from turnout.core.card import Card
from turnout.upstream.catalog import Catalog, build
from turnout.upstream.identity import find, nearest_claude, plain
from turnout.upstream.known import KnownModel, load_known
from turnout.upstream.prices import PriceBook
from turnout.wire.registry import PROVIDERS

KNOWN = load_known()
NOW = datetime(2026, 11, 24, tzinfo=UTC)
PRICES = PriceBook()
EVERY = [*KNOWN.models.values(), *KNOWN.unlisted]
LOCAL = "http://127.0.0.1:9"


def catalog(model: schema.Model, provider: schema.Provider, name: str = "mine") -> Catalog:
    config = schema.Config(providers={model.provider: provider}, models={name: model})
    return build(config, KNOWN, PRICES, PROVIDERS, NOW)


def at_home(provider: str) -> schema.Provider:
    key = "AKID:secret" if provider.startswith("bedrock") else "k"
    return schema.Provider(api_key=key, base_url=LOCAL)


def elsewhere(model: KnownModel) -> schema.Provider:
    """A proxy of the provider: its dialect and its words at another address and under another name."""
    home = KNOWN.providers[model.provider]
    return schema.Provider(
        dialect=home.dialect, base_url=LOCAL, api_key=at_home(model.provider).api_key, quirks=home.quirks
    )


def facts(card: Card) -> tuple[object, ...]:
    return card.capabilities, card.quirks, card.tier, card.max_output, card.context_window


def together(first: tuple[str, ...], then: tuple[str, ...]) -> frozenset[str]:
    """Both, but one choice of levels."""
    levels = any(word.startswith("efforts.") for word in first)
    return frozenset((*first, *[word for word in then if not (levels and word.startswith("efforts."))]))


def configured(model: KnownModel, id: str) -> tuple[object, ...]:
    made = catalog(schema.Model(model.provider, id=id), at_home(model.provider))
    return facts(made.cards["mine"])


def shipped(model: KnownModel) -> tuple[object, ...]:
    made = catalog(schema.Model(model.provider, id=model.id), at_home(model.provider), model.name)
    return facts(made.cards[model.name])


@pytest.mark.parametrize("model", EVERY, ids=[model.name for model in EVERY])
class TestEveryModel:
    def test_its_facts_are_the_shipped_ones(self, model: KnownModel) -> None:
        home = KNOWN.providers[model.provider]
        found = shipped(model)
        assert found[0] == frozenset(model.capabilities)
        assert found[1] == together(model.quirks, home.quirks)
        assert model.tier is None or found[2] == model.tier
        assert found[3:] == (model.max_output, model.context_window) or model.context_window is None

    def test_under_another_name(self, model: KnownModel) -> None:
        assert configured(model, model.id) == shipped(model)

    def test_on_a_certain_day(self, model: KnownModel) -> None:
        base = plain(model.id)
        for id in (f"{base}-20991231", f"{base}-2099-12-31", f"{base}-latest", f"{base.upper()}@20991231"):
            assert find(id, _site(model), KNOWN) == find(model.id, _site(model), KNOWN), id

    def test_behind_another_providers_name(self, model: KnownModel) -> None:
        made = catalog(schema.Model("house", id=model.id), elsewhere(model))
        found, first = facts(made.cards["mine"]), shipped(_first_like(model))
        assert found[0] == first[0]
        assert found[2] == first[2] or model.tier is None
        assert found[3:] == first[3:] or model.context_window is None
        assert found[1] == together(KNOWN.providers[model.provider].quirks, _first_like(model).quirks)

    def test_what_the_configuration_says_wins(self, model: KnownModel) -> None:
        own = schema.Model(
            model.provider, model.id, tier="light", capabilities=("tools",), context_window=77, max_output=7
        )
        card = catalog(own, at_home(model.provider)).cards["mine"]
        assert facts(card)[0] == {"tools"}
        assert (card.tier, card.max_output, card.context_window) == ("light", 7, 77)


def _site(model: KnownModel):  # type: ignore[no-untyped-def]
    from turnout.upstream.identity import Site

    home = KNOWN.providers[model.provider]
    assert home.dialect is not None
    return Site(model.provider, home.dialect, home.prices_from or model.provider, home)


def _first_like(model: KnownModel) -> KnownModel:
    """The model whose facts hold for this id where only the dialect is known: the first of the same id, or else of the same model."""
    dialect = KNOWN.providers[model.provider].dialect
    same = [other for other in EVERY if KNOWN.providers[other.provider].dialect == dialect]
    exact = [other for other in same if other.id.lower() == model.id.lower()]
    return (exact or [other for other in same if plain(other.id) == plain(model.id)])[0]


@pytest.mark.parametrize(
    ("provider", "id", "like"),
    [
        ("openrouter", "anthropic/claude-opus-5.5", "claude-opus-5-5"),
        ("openrouter", "anthropic/claude-opus-5.5:batch", "claude-opus-5-5"),
        ("openrouter", "openai/gpt-4o-mini", "gpt-4o-mini"),
        ("vercel", "openai/gpt-5.4", "gpt-5.4"),
        ("bedrock", "us.anthropic.claude-sonnet-4-6-v1:0", "claude-sonnet-4-6"),
        ("bedrock", "global.anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("bedrock", "anthropic.claude-opus-4-20250514-v1:0", "claude-opus-4-0"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("bedrock_anthropic", "anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet"),
        ("bedrock", "openai.gpt-oss-120b-1:0", "gpt-oss-120b"),
        ("vertex_anthropic", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("google_openai", "gemini-2.5-flash-preview-05-20", "gemini-2.5-flash"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", "gpt-4o-mini"),
        ("openai_responses", "gpt-4.1-2025-04-14", "gpt-4.1"),
        ("mistral", "mistral-large-2512", "mistral-large"),
        ("cohere", "command-a-03-2025", "command-a"),
        ("github_copilot", "claude-opus-4.8", "claude-opus-4-8"),
    ],
)  # fmt: skip
def test_other_spellings(provider: str, id: str, like: str) -> None:
    card = catalog(schema.Model(provider, id=id), at_home(provider)).cards["mine"]
    known = next(model for model in EVERY if model.name == like)
    assert card.capabilities == frozenset(known.capabilities)
    assert card.max_output == known.max_output
    assert card.tier == known.tier
    assert card.id == id


def test_a_name_says_nothing_where_an_id_is_given() -> None:
    card = catalog(schema.Model("anthropic", id="some-other-model"), at_home("anthropic"), "gpt-4o").cards[
        "gpt-4o"
    ]
    assert card.max_output is None and not card.capabilities


def test_the_providers_own_facts_come_before_those_of_its_kin() -> None:
    for provider, most in (("groq", 65_536), ("cerebras", 32_768)):
        card = catalog(schema.Model(provider, id="gpt-oss-120b"), at_home(provider)).cards["mine"]
        assert card.max_output == most


def test_a_hosts_way_of_asking_stays_at_the_host() -> None:
    kimi = catalog(schema.Model("openrouter", id="moonshotai/kimi-k2.6"), at_home("openrouter")).cards["mine"]
    assert "thinking_type" not in kimi.quirks and "no_sampling" in kimi.quirks
    gpt = catalog(schema.Model("openrouter", id="openai/gpt-5.4"), at_home("openrouter")).cards["mine"]
    assert not any(word.startswith("efforts.") for word in gpt.quirks)


def test_the_configurations_levels_replace_the_shipped_ones() -> None:
    model = schema.Model("openai", id="gpt-5.4", quirks=("efforts.low.high",))
    card = catalog(model, at_home("openai")).cards["mine"]
    assert {word for word in card.quirks if word.startswith("efforts.")} == {"efforts.low.high"}


def test_who_gives_less_of_a_model_is_believed() -> None:
    card = catalog(schema.Model("github_copilot", id="claude-sonnet-5"), at_home("github_copilot")).cards[
        "mine"
    ]
    assert card.context_window is not None and card.context_window < 1_000_000


# -- Claude
def claudes() -> list[str]:
    from genai_prices.data import providers

    return [m.id for p in providers if p.id == "anthropic" for m in p.models if "claude" in m.id]


@pytest.mark.parametrize("id", claudes())
def test_every_claude_that_has_a_price_has_its_limits(id: str) -> None:
    made = catalog(schema.Model("anthropic", id=id), at_home("anthropic"))
    card = made.cards["mine"]
    assert card.price is not None
    assert card.max_output is not None and card.max_output >= 4_096
    assert card.context_window is not None and card.context_window >= 100_000
    assert made.routes["mine"].target.output_guess is None


@pytest.mark.parametrize(
    ("id", "like"),
    [
        ("claude-opus-6", "claude-opus-5-5"),
        ("claude-opus-4-8-fast", "claude-opus-4-8"),
        ("claude-haiku-latest", "claude-haiku-5-5"),
        ("claude-instant-1.2", "claude-v1"),
        ("claude-sonnet-4-7-20260901", "claude-sonnet-4-6"),
        ("us.anthropic.claude-fable-6-v1:0", "claude-fable-5-2"),
        ("claude-epic-6", "claude-haiku-5-5"),
    ],
)
def test_an_unknown_claude_is_like_the_nearest(id: str, like: str) -> None:
    nearest = nearest_claude(id, KNOWN)
    assert nearest is not None
    assert (
        replace(nearest, name=like, id=like)
        == replace(next(model for model in EVERY if model.name == like), id=like)
        or like == "claude-haiku-5-5"
    )
    made = catalog(schema.Model("anthropic", id=id), at_home("anthropic"))
    assert made.cards["mine"].max_output is None, "a guess bounds nobody"
    assert made.cards["mine"].quirks == frozenset(nearest.quirks)
    assert made.routes["mine"].target.output_guess == nearest.max_output


def test_what_is_no_claude_is_like_nothing() -> None:
    assert nearest_claude("gpt-9", KNOWN) is None
