"""Values that this format lacks or demands, made so that they are recognised on their way back.

- Older models number no calls. Other dialects need ids, so a call without one gets `gcall_<reply>_<n>`, unique in the conversation because
  the reply's own id is in it; such an id is left out again wherever this format is written.
- A thought signature belongs to one part. One of a thought is a `Reasoning` block's signature as it is; one of a text or of an empty
  part is the signature of a reasoning block without text, behind `text:` or `empty:`, next to its text.
- A signature must be base64. Proofs of other providers travel as base64 of `turnout-origin:<dialect>:<proof>` (withheld reasoning:
  `turnout-redacted:`), and never reach Google.
- Gemini 3 refuses a function call that it did not sign. `FOREIGN_CALL` is the value that Google documents for such history.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from turnout.core.model import DialectName

DIALECT: DialectName = "gemini"
FOREIGN_CALL = "skip_thought_signature_validator"
_FOREIGN_CALLS = frozenset(
    {
        FOREIGN_CALL,
        "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",  # the same, as an SDK writes it that takes bytes
        "context_engineering_is_the_way_to_go",
        "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv",
    }
)
TEXT_MARK = "text:"
EMPTY_MARK = "empty:"
_MADE_ID = "gcall_"
_ID_CHARS_MAX = 24
_FOREIGN = "turnout-origin:"
_REDACTED = "turnout-redacted:"
_SEALED = "dHVybm91dC1"  # how base64 of both begins
_SEALED_MEMBER = re.compile(rb'("thought_?[sS]ignature"\s*:\s*")' + _SEALED.encode() + rb'[^"]*"')
_bad_id = re.compile(r"[^A-Za-z0-9_-]")


def made_id(reply_id: str, number: int) -> str:
    """An id for the call that is `number`-th in a reply; at most 40 characters, as OpenAI wants it."""
    return f"{_MADE_ID}{_bad_id.sub('', reply_id)[:_ID_CHARS_MAX]}_{number}"


def own_id(call_id: str) -> str | None:
    """The id as the provider knows it: `None` for one that was made here."""
    return None if not call_id or call_id.startswith(_MADE_ID) else call_id


def fingerprint(data: bytes) -> str:
    """Stands in for the id of a reply that has none."""
    return hashlib.blake2b(data, digest_size=9).hexdigest()


def seal(proof: str, origin: str | None, redacted: bool = False) -> str:
    """A thought signature for a Gemini client, whoever made it."""
    if origin == DIALECT and not redacted:
        return proof
    return base64.b64encode(f"{_REDACTED if redacted else _FOREIGN}{origin or ''}:{proof}".encode()).decode()


def unseal(signature: str | None) -> tuple[str | None, str | None, bool]:
    """(proof, origin, is it withheld reasoning) of what `seal` made; anything else that is not empty is Gemini's own."""
    if not signature or signature in _FOREIGN_CALLS:
        return None, None, False
    if not signature.startswith(_SEALED):
        return signature, DIALECT, False
    try:
        text = base64.b64decode(standard_base64(signature), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return signature, DIALECT, False
    for mark in (_FOREIGN, _REDACTED):
        if text.startswith(mark):
            origin, _, proof = text[len(mark) :].partition(":")
            return proof, origin or None, mark == _REDACTED
    return signature, DIALECT, False


def without_foreign(body: bytes) -> bytes:
    """A request's text with every sealed proof replaced by the value that Google accepts for another model's history."""
    if _SEALED.encode() not in body:
        return body
    return _SEALED_MEMBER.sub(rb"\g<1>" + FOREIGN_CALL.encode() + b'"', body)


def standard_base64(data: str) -> str:
    """The format takes the URL-safe alphabet and missing padding as well; other dialects do not."""
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4)
