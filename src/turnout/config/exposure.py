"""Who can reach a gateway that listens on an address, and which keys keep nobody out.

Promise: every key that a document of ours spells out is in `PLACEHOLDER_KEYS`; a test looks. They work on loopback, where the gateway may
be open anyway. Nothing here asks a name server: a host name other than `localhost` counts as open to others.
"""

from __future__ import annotations

import ipaddress

PLACEHOLDER_KEYS = frozenset(
    {
        "change-this-key",
        "change-this-too",
        "change-me-please-1",
        "change-me-please-2",
    }
)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
