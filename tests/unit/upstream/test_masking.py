"""A secret is masked in every spelling that a provider may give it, and nothing else is touched."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config import schema
from turnout.upstream.masking import Mask, secrets_of

SECRET = 'sk/Cn"ary+7=&Q x'
BASIC = base64.b64encode(b"user:pass-of-user").decode()


def mask() -> Mask:
    return Mask([SECRET])


SPELLINGS = [
    SECRET,
    json.dumps(SECRET)[1:-1],
    json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    quote(SECRET, safe=""),
    quote(SECRET, safe="").lower(),
    quote(SECRET),
    quote_plus(SECRET),
    html.escape(SECRET),
    base64.b64encode(SECRET.encode()).decode(),
    base64.urlsafe_b64encode(SECRET.encode()).decode(),
    base64.b64encode(f":{SECRET}".encode()).decode(),
    base64.b64encode(f"{SECRET}:".encode()).decode(),
]


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_every_spelling(spelt: str) -> None:
    assert mask().text(f"before {spelt} after").replace("=", "") == "before *** after"
    assert mask().data(f"before {spelt} after".encode()).replace(b"=", b"") == b"before *** after"


def test_a_message_that_was_cut_in_the_middle_of_a_secret() -> None:
    for size in range(4, len(SECRET)):
        assert mask().text(f"it said {SECRET[:size]}…") == "it said ***…"
        assert mask().text(f"it said {SECRET[:size]}") == "it said ***"


@given(st.text(alphabet='abcdefgh {}":,.', max_size=200))
def test_nothing_else_is_touched(text: str) -> None:
    assert mask().data(text.encode()) == text.encode()
    assert mask().text(text) == text
    assert Mask().text(text) == text and Mask().data(text.encode()) == text.encode()


def test_what_is_secret_in_a_configuration() -> None:
    config = schema.Config(
        providers={
            "a": schema.Provider(
                api_key="AKIAEXAMPLEEXAMPLE12:the-secret-access-key-of-it:and-a-session-token",
                headers={
                    "x-org": "org-canary-1",
                    "Authorization": f"Basic {BASIC}",
                    "anthropic-version": "2023-06-01",
                    "x-proof": "Bearer bearer-canary-3",
                },
            ),
            "b": schema.Provider(api_key="none"),
        },
        keys=(schema.Key(name="app", key="key-of-a-caller"),),
    )
    made = Mask(secrets_of(config))
    for secret in (
        "AKIAEXAMPLEEXAMPLE12",
        "the-secret-access-key-of-it",
        "and-a-session-token",
        "org-canary-1",
        BASIC.rstrip("="),
        "user:pass-of-user",
        "pass-of-user",
        "bearer-canary-3",
        "key-of-a-caller",
    ):
        assert made.text(f"<{secret}>") == "<***>"
    assert made.text("version 2023-06-01, there is none") == "version 2023-06-01, there is none"
