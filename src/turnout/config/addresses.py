"""Addresses of providers that depend on an account: `https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1`.

A blank is filled from the environment variable of its name. A value is a host name or a part of one, perhaps written as a URL; anything
else fills nothing, so that no variable can lead a credential to another place than the address says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from turnout.core.model import DialectName

_BLANK = re.compile(r"\{([A-Z0-9_]+)\}")
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def blanks(base_url: str) -> tuple[str, ...]:
    """Names of the variables that an address needs, each once."""
    return tuple(dict.fromkeys(_BLANK.findall(base_url)))


def filled(base_url: str, env: Mapping[str, str]) -> str | None:
    """The address without blanks; `None` where a variable is not set or does not fit."""
    for name in blanks(base_url):
        value = env.get(name, "").removeprefix("https://").rstrip("/")
        if _VALUE.fullmatch(value) is None:
            return None
        base_url = base_url.replace(f"{{{name}}}", value)
    return base_url


def corrected(base_url: str, dialect: DialectName, shipped: str | None = None) -> str:
    """What a provider's SDK would take, from what people paste: an endpoint's address, a version that is appended anyway or
    written twice, slashes at the end, or the bare host of a known provider whose `shipped` address goes on below it.

    Only what can mean one thing is changed; an address with blanks or a path of its own stays as it is.
    """
    host, path = _split(base_url)
    ends = _ENDS.get(dialect, ())
    while end := next((end for end in ends if path.endswith(end)), ""):
        path = path.removesuffix(end).rstrip("/")
    for version in _VERSIONS:
        while path.endswith(f"{version}{version}"):
            path = path.removesuffix(version)
    if not path and shipped is not None and shipped.startswith(f"{host}/"):
        return shipped.rstrip("/")
    return f"{host}{path}"


def lacks_path(base_url: str) -> bool:
    """Whether it is a bare host, below which an OpenAI-compatible server seldom answers."""
    return not _split(base_url)[1]


def _split(base_url: str) -> tuple[str, str]:
    """Scheme and host; the path without slashes at its end."""
    scheme, separator, rest = base_url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host}", f"{slash}{path}".rstrip("/")


_VERSIONS = ("/v1", "/v1beta", "/v2")
_OPENAI_ENDS = (
    "/chat/completions", "/completions", "/embeddings", "/responses", "/audio/speech", "/images/generations",
)  # fmt: skip
_ENDS: Mapping[DialectName, tuple[str, ...]] = {
    "openai_chat": _OPENAI_ENDS,
    "openai_responses": _OPENAI_ENDS,
    "mistral": _OPENAI_ENDS,
    "anthropic": ("/v1/messages/count_tokens", "/v1/messages", "/messages", "/v1"),
    "gemini": ("/v1beta/models", "/v1/models", "/v1beta", "/v1alpha", "/v1"),
    "cohere": ("/v2/chat", "/v2/embed", "/v1/chat", "/v1/embed", "/v2", "/v1"),
    "ollama": ("/api/chat", "/api/embed", "/api/generate", "/api"),
}
"""Ends of an address that its dialect appends by itself; the longer first."""
