"""How requests are authenticated, one function a scheme.

A signer turns a credential into request headers, once, when a configuration is loaded: the schemes here do not depend on
the request. A provider names its signer in its row of data; without a name, its dialect's own is used. Credentials
leave this module in headers only; nothing here logs or formats them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from turnout.core.model import DialectName

Headers = tuple[tuple[str, str], ...]
Signer = Callable[[str | None], Headers]

REQUIRED_HEADERS: Mapping[DialectName, tuple[tuple[bytes, bytes], ...]] = {
    "anthropic": ((b"anthropic-version", b"2023-06-01"),),
}
"""Headers that every provider of a dialect demands, sent where the client's own are not."""


def bearer(credential: str | None) -> Headers:
    """`Authorization: Bearer …`, as OpenAI and most others take it."""
    return (("authorization", f"Bearer {credential}"),) if credential else ()


def anthropic(credential: str | None) -> Headers:
    """`x-api-key`."""
    return (("x-api-key", credential),) if credential else ()


def api_key(credential: str | None) -> Headers:
    """`api-key`, as Azure takes it."""
    return (("api-key", credential),) if credential else ()


def goog_api_key(credential: str | None) -> Headers:
    """`x-goog-api-key`."""
    return (("x-goog-api-key", credential),) if credential else ()


def unsigned(credential: str | None) -> Headers:
    """Nothing: servers of one's own."""
    return ()


SIGNERS: Mapping[str, Signer] = {
    "bearer": bearer,
    "anthropic": anthropic,
    "api_key": api_key,
    "goog_api_key": goog_api_key,
    "none": unsigned,
}

BY_DIALECT: Mapping[DialectName, str] = {
    "openai_chat": "bearer",
    "openai_responses": "bearer",
    "anthropic": "anthropic",
    "gemini": "goog_api_key",
    "cohere": "bearer",
    "mistral": "bearer",
    "ollama": "none",
}
