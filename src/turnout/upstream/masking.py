"""The gateway's own secrets, kept out of whatever a provider says.

Promise: no configured secret (credentials in all their parts, header values, the keys of callers) leaves by a provider's words, in any spelling that
a provider may give it: as it is, in JSON, in HTML, in a URL, in Base64, as the pair of HTTP's Basic scheme, or cut off where a message was cut.
Only failures are looked through: a reply that succeeds never comes here.

It must not know what a failure is, or in which dialect it is told.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from turnout.config import schema

MASKED = "***"
SECRET_CHARS_MIN = 6  # shorter ones (`none`, `EMPTY`) are nobody's secret, and are words
_PART_CHARS_MIN = 16
_CUT_CHARS_MIN = 4
_PUBLIC = frozenset(
    {
        "accept",
        "anthropic-beta",
        "anthropic-version",
        "content-type",
        "http-referer",
        "openai-beta",
        "referer",
        "user-agent",
        "x-title",
    }
)
"""Headers whose values say nothing that is worth hiding."""


class Mask:
    """Takes secrets out of text."""

    __slots__ = ("_bytes", "_forms", "_text")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SECRET_CHARS_MIN}
        self._forms = sorted(forms, key=len, reverse=True)
        either = "|".join(map(re.escape, self._forms)) or r"(?!)"
        self._text = re.compile(either, re.IGNORECASE)
        self._bytes = re.compile(either.encode(), re.IGNORECASE)

    def data(self, body: bytes) -> bytes:
        """A provider's bytes without secrets; the same object where there are none."""
        return self._bytes.sub(MASKED.encode(), body)

    def text(self, text: str) -> str:
        """The same for a message, which may have been cut in the middle of a secret."""
        masked = self._text.sub(MASKED, text)
        body = masked.removesuffix("…")
        cut = max((_overlap(body, form) for form in self._forms), default=0)
        return f"{body[: len(body) - cut]}{MASKED}{masked[len(body) :]}" if cut else masked


def _overlap(text: str, form: str) -> int:
    """How many characters at the end of `text` are the beginning of `form`."""
    for size in range(min(len(text), len(form)), _CUT_CHARS_MIN - 1, -1):
        if text.endswith(form[:size]):
            return size
    return 0


def secrets_of(config: schema.Config) -> Iterator[str]:
    """Everything in a configuration that nobody else may see."""
    for key in config.keys:
        yield key.key
    for provider in config.providers.values():
        if provider.api_key:
            yield from _parts(provider.api_key)
        for name, value in provider.headers.items():
            if name.lower() not in _PUBLIC:
                yield from _of_header(value)


def _parts(credential: str) -> Iterator[str]:
    """A credential and, where it is several joined by colons, each that is long enough to be one by itself."""
    yield credential
    yield from (part for part in credential.split(":") if len(part) >= _PART_CHARS_MIN)


def _of_header(value: str) -> Iterator[str]:
    """A header's value, what follows its scheme, and the pair inside the Basic scheme."""
    yield value
    for pair in value.split(";"):  # cookies
        yield pair.strip().partition("=")[2]
    scheme, _, token = value.strip().partition(" ")
    if not token:
        return
    yield from _parts(token.strip())
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(token).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield pair
        yield pair.partition(":")[2]


def _forms(secret: str) -> Iterator[str]:
    """Every spelling of a secret."""
    if len(secret) < SECRET_CHARS_MIN:
        return
    in_json = json.dumps(secret)[1:-1]
    yield from (secret, in_json, in_json.replace("/", "\\/"), json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (html.escape(secret), html.escape(secret, quote=False))
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    for text in (secret, f"{secret}:", f":{secret}"):
        yield base64.b64encode(text.encode()).decode().rstrip("=")
        yield base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
