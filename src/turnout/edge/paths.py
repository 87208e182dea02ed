"""What a client meant by a path that is not served: the base URL was given with a version too many or too few.

Promise: only what can mean one thing is answered, and then exactly as the right path is. Everything else gets a hint. It must not know
what is done at a path.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from turnout.core.model import DialectName
from turnout.edge.endpoints import ENDPOINTS, find_endpoint

_SLASHES = re.compile(r"/{2,}")
_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]{1,256})(/.+)\Z")
_PREFIX = re.compile(r"(?:/v1beta/openai|/openai)?(?:/v1|/v1beta)*(?=/)")
_OURS = frozenset({"/healthz", "/readyz", "/metrics", "/v1/route", "/v1/models", "/v1beta/models"})
_LISTED = re.compile(r"/models(?:/[^:]+)?\Z")
_HINTS: dict[DialectName, str] = {
    "openai_chat": "The base URL of OpenAI's SDKs is this server's address and /v1.",
    "openai_responses": "The base URL of OpenAI's SDKs is this server's address and /v1.",
    "anthropic": "The base URL of Anthropic's SDKs is this server's address alone, without /v1.",
    "gemini": "The base URL of Google's SDKs is this server's address alone, without a version.",
}


class Meant(NamedTuple):
    """`deployment` is the model's name in a path of Azure's form."""

    path: str
    deployment: str | None = None


def meant_by(path: str) -> Meant | None:
    """The path that is served in its place; `None` where it is the right one already, or could be anything."""
    clean = _SLASHES.sub("/", path).rstrip("/")
    azure = _DEPLOYMENT.match(clean)
    if azure is not None:
        target = "/v1" + azure[2]
        return Meant(target, azure[1]) if target in ENDPOINTS else None
    if clean in _OURS or find_endpoint(clean, b"") is not None:
        return Meant(clean) if clean != path else None
    prefix = _PREFIX.match(clean)
    rest = clean[prefix.end() :] if prefix is not None else clean
    for target in ("/v1" + rest, "/v1beta" + rest):
        if target != path and (find_endpoint(target, b"") is not None or target in _OURS):
            return Meant(target)
    if _LISTED.match(rest) and "/v1" + rest != path and not clean.startswith("/v1beta/models"):
        return Meant("/v1" + rest)
    return None


def hint(dialect: DialectName) -> str:
    """Which base URL is right for a client of the dialect."""
    return _HINTS.get(dialect, _HINTS["openai_chat"])
