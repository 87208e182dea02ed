"""What "unchanged" means for a client of the provider's own dialect: the request's values and the reply's bytes, but for what Turnout must set."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_EVENT = re.compile(rb".+?(?:\r?\n\r?\n|\Z)", re.DOTALL)
_SET_BY_TURNOUT = frozenset({"model", "stream_options"})


def wants_usage(request: Mapping[str, Any]) -> bool:
    """Did an OpenAI client ask for the usage chunk?"""
    options = request.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def without_usage_chunk(body: bytes) -> bytes:
    """A recorded OpenAI stream as a client reads it who did not ask for usage: without the chunk that holds nothing else."""
    return b"".join(event for event in _EVENT.findall(body) if not _only_usage(event))


def _only_usage(event: bytes) -> bool:
    if b'"usage"' not in event or not event.startswith(b"data: {"):
        return False
    chunk = json.loads(event[6:])
    return chunk.get("choices") == [] and chunk.get("usage") is not None


def request_differences(body: bytes, sent: bytes | None, *, model: str | None, metered: bool) -> list[str]:
    """What reached the provider against what the client sent: each value byte for byte.

    Turnout sets the model's name, and in an OpenAI stream (`metered`) the wish for usage, so that the call can be billed.
    `model` is `None` for a dialect that names it in the path.
    """
    if sent is None:
        return ["the request did not reach the provider"]
    wanted, found = _FIELDS.decode(body), _FIELDS.decode(sent)
    out = []
    if model is not None and found.get("model") != Raw(json.dumps(model).encode()):
        out.append(f"request: the model is {bytes(found.get('model', b''))!r}")
    options = _options(wanted)
    if metered:
        options = {**(options or {}), "include_usage": True}
    if _options(found) != options:
        out.append(f"request: stream_options {_options(found)}, not {options}")
    for name in sorted((set(wanted) | set(found)) - _SET_BY_TURNOUT):
        one, other = wanted.get(name), found.get(name)
        if one is None or other is None or bytes(one) != bytes(other):
            out.append(f"request: {name} changed")
    return out


def _options(fields: Mapping[str, Raw]) -> Any:
    return msgspec.json.decode(fields["stream_options"]) if "stream_options" in fields else None
