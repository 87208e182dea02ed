"""Where a request goes below the provider's base URL."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from turnout.core.call import Op
from turnout.wire.codec import Target
from turnout.wire.openai_chat import quirks as q

_OWN: Mapping[Op, str] = {
    "embeddings": "/embeddings",
    "completions": "/completions",
    "moderations": "/moderations",
    "images": "/images/generations",
    "image_edits": "/images/edits",
    "image_variations": "/images/variations",
    "speech": "/audio/speech",
    "transcriptions": "/audio/transcriptions",
    "translations": "/audio/translations",
}


def path(op: Op, target: Target) -> str:
    """With Azure's older API the model, which is called a deployment there, is in the path, and the version in the query."""
    version = q.value_of(target.quirks, q.API_VERSION)
    where = _endpoint(op, target)
    if q.AZURE_DEPLOYMENTS in target.quirks:
        where = f"/deployments/{quote(target.model, safe='')}{where}"
        version = version or q.DEFAULT_API_VERSION
    return where if version is None else f"{where}?api-version={quote(version, safe='')}"


def _endpoint(op: Op, target: Target) -> str:
    if op in _OWN:
        return _OWN[op]
    return "/chat" if q.CHAT_PATH in target.quirks else "/chat/completions"
