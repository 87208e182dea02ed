"""What is logged and printed of a failure quotes nobody."""

from __future__ import annotations

import pytest

from turnout.core.errors import CallFailed, Failure, Kind


@pytest.mark.parametrize(
    ("message", "logged"),
    [
        ("The member 'model' is missing.", "The member 'model' is missing."),
        (
            "type: must be 'response.create', not 'tell me a secret'",
            "type: must be 'response.create', not '…'",
        ),
        (f"The model '{'x' * 80}' does not exist.", "The model '…' does not exist."),
        ('Invalid enum value "it\'s a long story" - at `$.role`', "Invalid enum value '…' - at `$.role`"),
        ("The model's window and the provider's", "The model's window and the provider's"),
    ],
)
def test_our_own_sentences_lose_what_they_quote_at_length(message: str, logged: str) -> None:
    assert Failure(Kind.BAD_REQUEST, message).logged == logged


def test_an_exception_says_what_the_log_says() -> None:
    failure = Failure(Kind.UPSTREAM_BAD_REQUEST, "No: 'my prompt'", log="The provider refused it (HTTP 400).")
    assert str(CallFailed(failure)) == "upstream_bad_request: The provider refused it (HTTP 400)."
    assert "my prompt" in CallFailed(failure).failure.message
