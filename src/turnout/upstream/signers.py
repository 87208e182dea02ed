"""How requests are authenticated, one function a scheme.

A signer turns a credential into request headers, once, when a configuration is loaded. Where the proof depends on the request
(`sigv4`), there is a request signer instead, built once and called for each request. A provider names its signer in its
row of data; without a name, its dialect's own is used. Credentials leave this module in headers only; nothing here logs
or formats them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from turnout.core.model import DialectName
from turnout.upstream import sigv4

Headers = tuple[tuple[str, str], ...]
Signer = Callable[[str | None], Headers]
RequestSigner = Callable[[str, bytes], bytes]
"""(path with query, body) of a POST → header lines, each with its line end."""
Clock = Callable[[], float]

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


def aws_sigv4(credential: str, host: str, clock: Clock) -> RequestSigner:
    """Signature Version 4 for Bedrock. `host` is the `host` header, `clock` gives Unix seconds. Raises `ValueError`."""
    credentials = sigv4.read_credentials(credential)
    region = sigv4.region_of(host)

    def signed(path_and_query: str, body: bytes) -> bytes:
        path, _, query = path_and_query.partition("?")
        return sigv4.sign(
            method="POST",
            host=host,
            path=path,
            query=query,
            headers={"content-type": "application/json"},
            body=body,
            credentials=credentials,
            region=region,
            service="bedrock",
            unix_s=clock(),
        )

    return signed


def request_signer(
    name: str, credential: str | None, host: str, clock: Clock = time.time
) -> RequestSigner | None:
    """The request signer of this name, if it is one that needs the request. Raises `ValueError` for a bad credential."""
    make = REQUEST_SIGNERS.get(name)
    return None if make is None or not credential else make(credential, host, clock)


REQUEST_SIGNERS: Mapping[str, Callable[[str, str, Clock], RequestSigner]] = {"sigv4": aws_sigv4}

SIGNERS: Mapping[str, Signer] = {
    "bearer": bearer,
    "anthropic": anthropic,
    "api_key": api_key,
    "goog_api_key": goog_api_key,
    "sigv4": unsigned,  # the headers come with each request
    "none": unsigned,
}

BY_DIALECT: Mapping[DialectName, str] = {
    "openai_chat": "bearer",
    "openai_responses": "bearer",
    "anthropic": "anthropic",
    "gemini": "goog_api_key",
    "bedrock": "sigv4",
    "bedrock_anthropic": "sigv4",
    "cohere": "bearer",
    "mistral": "bearer",
    "ollama": "none",
}
