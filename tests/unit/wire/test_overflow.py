"""Every shipped wording of too long a prompt is recognised, in every dialect; its neighbours are not."""

from __future__ import annotations

import json
import re

import pytest

from turnout.core.errors import Kind
from turnout.core.model import DialectName
from turnout.wire.overflow import WORDINGS, Wording, overflows
from turnout.wire.prose import unquoted
from turnout.wire.registry import PROVIDERS

ENVELOPED: tuple[DialectName, ...] = ("openai_chat", "openai_responses", "mistral", "anthropic", "gemini")
FLAT: tuple[DialectName, ...] = ("bedrock", "cohere")


@pytest.mark.parametrize("row", WORDINGS, ids=lambda row: row.provider)
def test_the_pattern_fits_the_sentence_that_it_was_made_from(row: Wording) -> None:
    assert re.search(row.pattern, unquoted(row.example), re.IGNORECASE)
    assert row.source


@pytest.mark.parametrize("row", WORDINGS, ids=lambda row: row.provider)
def test_every_dialect_knows_every_wording(row: Wording) -> None:
    error = {"message": row.example, "type": "invalid_request_error", "status": "INVALID_ARGUMENT"}
    nested = json.dumps({"error": error}).encode()
    for name in ENVELOPED:
        assert PROVIDERS[name].decode_failure(400, (), nested).kind is Kind.CONTEXT_TOO_LONG, name
    flat = json.dumps({"message": row.example}).encode()
    for name in FLAT:
        assert PROVIDERS[name].decode_failure(400, (), flat).kind is Kind.CONTEXT_TOO_LONG, name
    text = json.dumps({"error": row.example}).encode()
    assert PROVIDERS["ollama"].decode_failure(400, (), text).kind is Kind.CONTEXT_TOO_LONG


@pytest.mark.parametrize(
    "sentence",
    [
        "max_tokens is too large: 5000. This model supports at most 4096 completion tokens",
        "Rate limit reached on tokens per min (TPM): Limit 200000, Used 162960, Requested 42288.",
        "Invalid 'stop': array too long. Expected an array with maximum length 4.",
        "Unknown tool: `maximum context`",
        'messages.0: unexpected text "prompt is too long"',
        "Cached content is too small. total_token_count=97, min_total_token_count=1024",
    ],
)
def test_neighbours(sentence: str) -> None:
    assert not overflows(unquoted(sentence))
