"""The shipped data is consistent and cheap to read."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from turnout.core.card import TIERS
from turnout.upstream.known import KnownModel, KnownProvider, load_known
from turnout.upstream.signers import SIGNERS

KNOWN = load_known()


def test_it_is_read_once() -> None:
    assert load_known() is KNOWN
    assert len(KNOWN.providers) >= 14
    assert len(KNOWN.models) == 20


@pytest.mark.parametrize("provider", KNOWN.providers.values(), ids=list(KNOWN.providers))
def test_a_provider(provider: KnownProvider) -> None:
    assert provider.dialect in ("openai_chat", "anthropic")
    parts = urlsplit(provider.base_url or "")
    assert parts.hostname
    assert not (parts.path.endswith("/") or parts.query)
    assert parts.scheme == ("https" if provider.key_variable else "http")
    assert provider.signer is None or provider.signer in SIGNERS


def test_key_variables_are_distinct() -> None:
    variables = [p.key_variable for p in KNOWN.providers.values() if p.key_variable]
    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize("model", KNOWN.models.values(), ids=list(KNOWN.models))
def test_a_model(model: KnownModel) -> None:
    assert model.provider in KNOWN.providers
    assert model.context_window is not None
    if model.capabilities == ("embeddings",):
        assert model.tier is None
    else:
        assert model.tier in TIERS
        assert model.max_output is None or model.max_output <= model.context_window


def test_models_that_want_max_completion_tokens() -> None:
    assert "max_completion_tokens" in KNOWN.providers["openai"].quirks, (
        "for models that are not known by name"
    )
    wanting = {name for name, model in KNOWN.models.items() if "max_completion_tokens" in model.quirks}
    assert wanting == {"gpt-5", "gpt-5-mini", "o4-mini"}
