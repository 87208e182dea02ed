"""The shipped data is consistent and cheap to read."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from turnout.config.addresses import blanks
from turnout.core.card import NOT_CHAT, TIERS
from turnout.sim import SIM_MODELS
from turnout.upstream import known
from turnout.upstream.known import KnownModel, KnownProvider, load_known
from turnout.upstream.prices import PriceBook
from turnout.upstream.signers import SIGNERS
from turnout.wire.quirks import QUIRKS, meaning

KNOWN = load_known()
EVERY = [*KNOWN.models.values(), *KNOWN.unlisted]
NOW = datetime(2026, 11, 30, tzinfo=UTC)
DEMO = (
    "gpt-4o gpt-4o-mini gpt-5.4 gpt-5.4-mini claude-opus-5-5 claude-sonnet-4-6 claude-sonnet-5-5 claude-haiku-4-5 "
    "gemini-3.1-pro gemini-3.8-flash gemini-2.5-flash-lite mistral-large mistral-small deepseek-v4-flash deepseek-v4-pro "
    "gpt-oss-120b gpt-oss-20b"
).split()


def test_it_is_read_once() -> None:
    assert load_known() is KNOWN
    assert len(KNOWN.providers) >= 45
    assert len(KNOWN.models) >= 90
    assert len({model.provider for model in KNOWN.models.values()}) >= 25


@pytest.mark.parametrize("provider", KNOWN.providers.values(), ids=list(KNOWN.providers))
def test_a_provider(provider: KnownProvider) -> None:
    assert provider.dialect is not None and provider.dialect in QUIRKS
    assert all(meaning(provider.dialect, word) for word in provider.quirks)
    assert list(provider.quirks) == sorted(set(provider.quirks))
    assert provider.signer is None or provider.signer in SIGNERS
    if provider.base_url is None:
        assert "base_url" in provider.note
        return
    parts = urlsplit(provider.base_url)
    assert parts.hostname
    assert not (parts.path.endswith("/") or parts.query)
    assert (parts.scheme == "http") == ("local" in provider.tags) == (parts.hostname == "127.0.0.1")
    assert provider.key_variable or "local" in provider.tags or "`api_key` is " in provider.note


def test_names_are_distinct() -> None:
    shipped = json.loads((Path(known.__file__).with_name("known.json")).read_text())
    names = [model["name"] for model in shipped["models"]]
    assert len(set(names)) == len(names) == len(KNOWN.models)


def test_a_key_goes_to_one_place_only() -> None:
    """Rows that share a variable are views of one provider: the same domain, whatever the account."""
    domains: dict[str, set[str]] = {}
    for provider in KNOWN.providers.values():
        if provider.key_variable and provider.base_url:
            host = urlsplit(provider.base_url).netloc
            domains.setdefault(provider.key_variable, set()).add(".".join(host.split(".")[-2:]))
    assert all(len(hosts) == 1 for hosts in domains.values())


def test_blanks_are_for_accounts_and_regions() -> None:
    wanted = {name: blanks(p.base_url) for name, p in KNOWN.providers.items() if p.base_url}
    assert wanted["azure"] == ("AZURE_RESOURCE_NAME",)
    assert wanted["bedrock"] == ("AWS_REGION",)
    assert wanted["vertex"] == ("GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_PROJECT")
    assert wanted["openai"] == ()


@pytest.mark.parametrize("model", EVERY, ids=[model.name for model in EVERY])
def test_a_model(model: KnownModel) -> None:
    provider = KNOWN.providers[model.provider]
    assert provider.dialect is not None
    assert all(meaning(provider.dialect, word) for word in model.quirks)
    if model.capabilities and NOT_CHAT.issuperset(model.capabilities):
        assert model.tier is None
    else:
        assert model.tier in TIERS
        assert model.context_window is not None
        assert model.max_output is None or model.max_output <= model.context_window
        assert not model.demo or model.name in DEMO


def test_the_demo_is_what_is_simulated() -> None:
    demo = [model for model in KNOWN.models.values() if model.demo]
    assert {(model.provider, model.id) for model in demo} == {
        (model.provider, model.id) for model in SIM_MODELS
    }
    assert [model.name for model in demo if not NOT_CHAT.issuperset(model.capabilities)] == DEMO


def test_models_that_want_max_completion_tokens() -> None:
    """Of OpenAI's reasoning models it is a fact wherever they are, since a proxy has not its provider's words."""
    assert "max_completion_tokens" in KNOWN.providers["openai"].quirks, (
        "for models that are not known by name"
    )
    wanting = {name for name, model in KNOWN.models.items() if "max_completion_tokens" in model.quirks}
    chats = [m for m in KNOWN.models.values() if m.provider in ("openai", "azure")]
    assert wanting == {m.name for m in chats if "reasoning" in m.capabilities}


def test_retirements_agree_with_the_makers_own_table() -> None:
    from anthropic.resources.messages.messages import DEPRECATED_MODELS

    ours = {id: end.on for (provider, id), end in KNOWN.retirements.items() if provider == "anthropic"}
    theirs = {
        id: datetime.strptime(re.sub(r"(?<=\d)[a-z]{2}", "", day), "%B %d, %Y").date()
        for id, day in DEPRECATED_MODELS.items()
    }
    both = set(ours) & set(theirs)
    assert len(both) >= 12
    assert {id: ours[id] for id in both} == {id: theirs[id] for id in both}
    assert {id for id, day in theirs.items() if day.year >= 2026} - {"claude-mythos-preview"} <= set(ours)


def test_a_retirement_leads_to_a_model_that_stays_longer() -> None:
    for (provider, id), end in KNOWN.retirements.items():
        assert provider in KNOWN.providers
        assert end.successor != id
        after = KNOWN.retirements.get((provider, end.successor or ""))
        assert after is None or after.on > end.on
        assert end.successor is None or PriceBook().lookup(end.providers[0], end.successor, NOW) is not None


def test_what_is_retired_by_a_day() -> None:
    assert "deepseek-chat" not in KNOWN.retired(date(2026, 7, 23))
    assert "deepseek-chat" in KNOWN.retired(date(2026, 7, 24))
    assert "gpt-4o" not in KNOWN.retired(date(2027, 1, 13))


def test_the_demo_has_no_retired_model() -> None:
    """But one: no other model has OpenAI's older completions."""
    demo = {name for name, model in KNOWN.models.items() if model.demo}
    assert demo & KNOWN.retired(date(2026, 12, 20)) == {"gpt-3.5-turbo-instruct"}
