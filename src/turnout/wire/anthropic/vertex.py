"""Anthropic's bodies on Vertex AI (quirk `vertex`): the model is in the path, and the body says `anthropic_version`.

Only the request differs; replies, streams and errors are Anthropic's own. Tokens are counted at a path without a model, so that body
keeps its `model`; it is told by its lack of `max_tokens`, which every other request must have.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from msgspec import Raw

from turnout.core.call import Op
from turnout.wire.body import join_members

QUIRK = "vertex"
_VERSION = Raw(b'"vertex-2023-10-16"')
_MODELS = "/publishers/anthropic/models/"
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw])


def path(op: Op, model: str, stream: bool) -> str:
    """Below `…/v1/projects/<project>/locations/<location>`."""
    if op == "count_tokens":
        return f"{_MODELS}count-tokens:rawPredict"
    return f"{_MODELS}{quote(model, safe='@')}:{'streamRawPredict' if stream else 'rawPredict'}"


def body(members: Mapping[str, Raw], model: str) -> bytes:
    """The Messages body with these members, as Vertex wants it; a version that the caller gave is kept."""
    changed = {"anthropic_version": _VERSION, **members}
    changed.pop("turnout", None)
    if "max_tokens" in changed:
        changed.pop("model", None)
    else:
        changed["model"] = Raw(_encode(model))
    return join_members(changed)


def reopened(encoded: bytes, model: str) -> bytes:
    """The same for a body that was just encoded."""
    return body(_members.decode(encoded), model)
