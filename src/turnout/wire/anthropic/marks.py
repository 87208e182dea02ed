"""Values that Anthropic's format demands and other providers do not have, made so that they are recognised on their way back.

- A thinking block needs a signature. Thinking of another provider gets `turnout-unsigned`, or its own provider's proof behind
  `turnout-origin:<dialect>:`; `unseal` undoes both, so the proof reaches the provider that made it, and only that one.
- A tool call has no place for another provider's proof. It travels in a withheld-thinking block right before the call,
  `turnout-call:<dialect>:<length of the call's id>:<id><proof>`, and is put back on the call when the history returns.
- Tool input must be a JSON object. Arguments that are none (cut short, or not JSON at all) travel as
  `{"_raw_arguments": "<text>"}` and are unwrapped again.
- Ids of tool calls may hold only letters, digits, `_` and `-`; any other character is spelt `_x<hex>_`.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from turnout.core.model import DialectName

DIALECT: DialectName = "anthropic"
UNSIGNED = "turnout-unsigned"
_FOREIGN = "turnout-origin:"
_CALL = "turnout-call:"
_RAW_KEY = "_raw_arguments"

_encode = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, object])
_bad_id = re.compile(r"[^a-zA-Z0-9_-]")


class _Wrapped(msgspec.Struct, forbid_unknown_fields=True):
    raw_arguments: str = msgspec.field(name=_RAW_KEY)


_wrapped = msgspec.json.Decoder(_Wrapped)


def seal(proof: str | None, origin: str | None) -> str:
    """A signature (or redacted data) for an Anthropic client, whoever made it."""
    if not proof:
        return UNSIGNED
    return proof if origin == DIALECT else f"{_FOREIGN}{origin or ''}:{proof}"


def unseal(text: str | None) -> tuple[str | None, str | None]:
    """(proof, origin) of what `seal` made; anything else that is not empty is Anthropic's own."""
    if not text or text == UNSIGNED:
        return None, None
    if not text.startswith(_FOREIGN):
        return text, DIALECT
    origin, _, proof = text[len(_FOREIGN) :].partition(":")
    return proof, origin or None


class CallProof(msgspec.Struct, frozen=True):
    """The proof that `origin` attached to the call of this id."""

    call_id: str
    proof: str
    origin: str


def seal_call(call_id: str, proof: str, origin: str | None) -> str:
    """Withheld data that carries a call's proof past an Anthropic client."""
    return f"{_CALL}{origin or ''}:{len(call_id)}:{call_id}{proof}"


def unseal_call(data: str | None) -> CallProof | None:
    """What `seal_call` made; `None` for any other data."""
    if not data or not data.startswith(_CALL):
        return None
    origin, _, rest = data[len(_CALL) :].partition(":")
    length, _, packed = rest.partition(":")
    size = int(length) if length.isdecimal() and len(length) < 6 else len(packed)
    return CallProof(packed[:size], packed[size:], origin) if packed[size:] else None


def is_object(text: str) -> bool:
    """Is this the whole text of a JSON object?"""
    if not text.lstrip().startswith("{"):
        return False
    try:
        _object.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return False
    return True


def input_object(arguments: str) -> tuple[Raw, bool]:
    """Arguments as a JSON object, verbatim when they are one; the flag says that they had to be wrapped."""
    if not arguments.strip():
        return Raw(b"{}"), False
    if is_object(arguments):
        return Raw(arguments.encode()), False
    return Raw(_encode({_RAW_KEY: arguments})), True


def custom_input(text: str) -> Raw:
    """Free-text input of a custom tool as the object that this format demands."""
    return Raw(_encode({"input": text}))


def arguments_text(raw: Raw) -> str:
    """The JSON text of a tool input as sent, unwrapped if Turnout had wrapped it; absent and null are empty."""
    data = bytes(raw)
    if not data or data == b"null":
        return ""
    if _RAW_KEY.encode() in data:
        try:
            return _wrapped.decode(data).raw_arguments
        except (msgspec.MsgspecError, RecursionError):
            return data.decode()
    return data.decode()


def safe_id(call_id: str) -> str:
    """A tool-call id that Anthropic accepts; equal ids stay equal, valid ids stay themselves."""
    return _bad_id.sub(lambda match: f"_x{ord(match[0]):x}_", call_id) or "toolu_0"
