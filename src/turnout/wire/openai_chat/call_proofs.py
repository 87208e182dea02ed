"""Proofs that a provider attached to a tool call, in the shape of Google's own OpenAI-compatible API.

`tool_calls[].extra_content.google.thought_signature`, on calls of a reply and of a conversation alike. Clients that keep their calls as they
came bring it back; Gemini 3 refuses calls without it. Proofs of any other origin have no shape here and are left out.
"""

from __future__ import annotations

from typing import Any

ORIGIN = "gemini"


def proof_of(extra_content: object) -> tuple[str | None, str | None]:
    """(signature, origin) of a call's `extra_content`, whatever that is."""
    google = extra_content.get("google") if isinstance(extra_content, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return (signature, ORIGIN) if isinstance(signature, str) and signature else (None, None)


def extra_content(signature: str | None, origin: str | None) -> dict[str, Any] | None:
    """The member for a call with this proof; `None` where there is nothing to say."""
    if signature is None or origin != ORIGIN:
        return None
    return {"google": {"thought_signature": signature}}
