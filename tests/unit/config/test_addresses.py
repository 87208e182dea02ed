"""Base URLs as people paste them."""

from __future__ import annotations

import pytest

from turnout.config.addresses import corrected, lacks_path
from turnout.core.model import DialectName
from turnout.upstream.known import load_known

OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("given", "dialect", "meant"),
    [
        ("https://h/v1", "openai_chat", "https://h/v1"),
        ("https://h/v1/", "openai_chat", "https://h/v1"),
        ("https://h/v1//", "openai_chat", "https://h/v1"),
        ("https://h/v1/v1", "openai_chat", "https://h/v1"),
        ("https://h/v1/chat/completions", "openai_chat", "https://h/v1"),
        ("https://h/v1/chat/completions/", "openai_chat", "https://h/v1"),
        ("https://h/v1/embeddings", "openai_chat", "https://h/v1"),
        ("https://h/v1/responses", "openai_responses", "https://h/v1"),
        ("https://h/v1/chat/completions", "mistral", "https://h/v1"),
        ("https://h/v1/messages", "anthropic", "https://h"),
        ("https://h/v1", "anthropic", "https://h"),
        ("https://h/v1/v1/", "anthropic", "https://h"),
        ("https://h/anthropic/v1", "anthropic", "https://h/anthropic"),
        ("https://h/v1beta", "gemini", "https://h"),
        ("https://h/v1", "gemini", "https://h"),
        ("https://h/v1beta/models/", "gemini", "https://h"),
        ("https://h/v2/chat", "cohere", "https://h"),
        ("http://h:11434/api/chat", "ollama", "http://h:11434"),
        # what may be meant stays
        ("https://h/models", "openai_chat", "https://h/models"),
        ("https://h/my/v1/path", "openai_chat", "https://h/my/v1/path"),
        ("https://h", "openai_chat", "https://h"),
        ("http://v1", "anthropic", "http://v1"),
        ("http://embeddings", "openai_chat", "http://embeddings"),
        ("http://embeddings:8080/", "openai_chat", "http://embeddings:8080"),
        ("https://h/projects/p/locations/l", "gemini", "https://h/projects/p/locations/l"),
    ],
)
def test_what_is_meant(given: str, dialect: DialectName, meant: str) -> None:
    assert corrected(given, dialect) == meant


@pytest.mark.parametrize("given", ["https://api.openai.com", "https://api.openai.com/"])
def test_the_bare_host_of_a_known_provider_is_its_address(given: str) -> None:
    assert corrected(given, "openai_chat", OPENAI) == OPENAI
    assert corrected("https://api.openai.com.evil.example", "openai_chat", OPENAI) != OPENAI


def test_every_shipped_address_is_right_as_it_is() -> None:
    for name, fact in load_known().providers.items():
        if fact.base_url and fact.dialect:
            assert corrected(fact.base_url, fact.dialect, fact.base_url) == fact.base_url, name


def test_a_bare_host_is_one_with_any_slashes() -> None:
    assert lacks_path("http://127.0.0.1:8000//")
    assert not lacks_path("http://127.0.0.1:8000/v1")
