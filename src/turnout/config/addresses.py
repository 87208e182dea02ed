"""Addresses of providers that depend on an account: `https://{AZURE_RESOURCE_NAME}.openai.azure.com/openai/v1`.

A blank is filled from the environment variable of its name. A value is a host name or a part of one, perhaps written as a URL; anything
else fills nothing, so that no variable can lead a credential to another place than the address says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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
