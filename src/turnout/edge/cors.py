"""Pages of other origins in a browser: off unless `server.cors_origins` names them.

Promise: an origin that is not named gets no header and so no answer that its page may read; credentials are the key in a header, never a
cookie. It must not know what is answered.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,4096}\Z")
_VARY: Header = (b"vary", b"Origin")
_PREFLIGHT_S = b"600"


def _header(scope: Scope, wanted: bytes) -> bytes:
    for name, value in scope["headers"]:
        if name == wanted:
            found: bytes = value
            return found
    return b""


def allowed(scope: Scope, origins: frozenset[str]) -> list[Header]:
    """Response headers that let the request's origin read the answer."""
    origin = _header(scope, b"origin")
    if not origin or not origins:
        return []
    if "*" in origins:
        return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"*")]
    if origin.decode("latin-1") not in origins:
        return [_VARY]
    return [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", b"*"), _VARY]


def preflight(scope: Scope, origins: frozenset[str], methods: bytes) -> list[Header]:
    """Headers of the answer to an OPTIONS request."""
    headers: list[Header] = [(b"allow", methods)]
    granted = allowed(scope, origins)
    headers += granted
    asked = _header(scope, b"access-control-request-headers")
    if len(granted) > 1 and _header(scope, b"access-control-request-method"):
        headers += [(b"access-control-allow-methods", methods), (b"access-control-max-age", _PREFLIGHT_S)]
        if _NAMES.match(asked):
            headers.append((b"access-control-allow-headers", asked))
    return headers


def with_headers(scope: Scope, send: Send, headers: list[Header]) -> tuple[Scope, Send]:
    """Scope and `send` of an answer that has these headers as well, however it is sent."""
    extensions = {
        name: value for name, value in scope.get("extensions", {}).items() if name != "turnout.respond"
    }

    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return {**scope, "extensions": extensions}, sending
