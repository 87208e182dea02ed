"""AWS Signature Version 4: a request's proof that its sender knows a secret, made anew for each request.

    canonical request = method, path, query, headers, names of signed headers, SHA-256 of the body
    text to sign      = algorithm, time, scope (date/region/service), SHA-256 of the canonical request
    signature         = HMAC-SHA-256 of the text with a key derived from secret, date, region and service

Promise: a pure function of its arguments; the time is given, never read. The path is the path as it is sent; every service but S3
wants it percent-encoded a second time in the canonical request, so `%3A` becomes `%253A` there. What is signed must be sent exactly so:
the caller sends the returned lines beside the headers that it gave.

Credentials are written `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`; none of the three can hold a colon. They leave this module in
the signature only (and the session token, which is sent).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct

ALGORITHM = "AWS4-HMAC-SHA256"
DEFAULT_REGION = "us-east-1"
_UNRESERVED = "-_.~"
_REGION = re.compile(r"(?:^|\.)bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")
_SPACES = re.compile(r"\s+")


class Credentials(Struct, frozen=True):
    """`repr` shows no secret, because structs end up in logs."""

    access_key: str
    secret: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return "Credentials(***)"


def read_credentials(text: str) -> Credentials:
    """Raises `ValueError`, whose message does not repeat the text."""
    parts = text.strip().split(":")
    if len(parts) not in (2, 3) or not all(parts) or any(c in text for c in "\r\n\0"):
        raise ValueError("an AWS credential is ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]")
    return Credentials(*parts)


def region_of(host: str) -> str:
    """The region that a Bedrock host names; a host that names none (a proxy) is taken for the default region's."""
    match = _REGION.search(host)
    return match[1] if match else DEFAULT_REGION


def sign(
    *,
    method: str,
    host: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    region: str,
    service: str,
    unix_s: float,
) -> bytes:
    """Header lines to add: `x-amz-date`, `x-amz-security-token` if there is one, and `authorization`.

    `headers` are those that are sent and shall be signed, beside `host`; names in any case. `query` is the part after `?`.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(unix_s))
    added = {"x-amz-date": stamp}
    if credentials.session_token is not None:
        added["x-amz-security-token"] = credentials.session_token
    signed = {name.lower(): value for name, value in headers.items()} | {"host": host} | added
    names = ";".join(sorted(signed))
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    canonical = canonical_request(method, path, query, signed, body)
    text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    key = _signing_key(credentials.secret, scope)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    added["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return "".join(f"{name}: {value}\r\n" for name, value in added.items()).encode("latin-1")


def canonical_request(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The request in the one spelling that both sides hash. `headers` have lower-case names."""
    names = sorted(headers)
    lines = [
        method,
        _canonical_path(path),
        _canonical_query(query),
        *[f"{name}:{_SPACES.sub(' ', headers[name].strip())}" for name in names],
        "",
        ";".join(names),
        hashlib.sha256(body).hexdigest(),
    ]
    return "\n".join(lines).encode()


def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_path(path: str) -> str:
    """Without dot segments and doubled slashes; what is sent is encoded once more."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in ("", "."):
            segments.append(segment)
    trailing = "/" if segments and path.endswith(("/", "/.", "/..")) else ""
    return "/" + "/".join(quote(segment, safe=_UNRESERVED) for segment in segments) + trailing


def _canonical_query(query: str) -> str:
    """Pairs as sent (percent-encoded), in the order of their bytes; a name without a value has an empty one."""
    pairs: Sequence[tuple[str, str, str]] = sorted(pair.partition("=") for pair in query.split("&") if pair)
    return "&".join(f"{name}={value}" for name, _, value in pairs)
