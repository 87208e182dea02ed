"""Values that travel through this dialect's `encrypted_content` and ids, made so that they are recognised on their way back.

- A reasoning item's own proof is its id *and* its `encrypted_content`: both must come back. In canonical form they are one text,
  `<id>:<encrypted content>`, of the origin `openai_responses`.
- Towards this dialect's clients, proofs of other providers are put into `encrypted_content`: `turnout-origin:<dialect>:<proof>` behind shown
  reasoning, `turnout-redacted:<dialect>:<data>` for withheld reasoning, `turnout-call:<dialect>:<call id>:<proof>` for the proof of a tool call (an
  item of its own right before the call), `turnout-unsigned` for reasoning that nobody signed.
- Such an item's id begins with `rs_turnout_`. No provider knows it, and a provider that is asked to look it up fails the request: a
  body that is passed on untranslated loses these items (`without_foreign`), because they are another provider's thoughts anyway.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw, Struct

from turnout.core.model import DialectName
from turnout.wire.body import join_members, json_text

DIALECT: DialectName = "openai_responses"
UNSIGNED = "turnout-unsigned"
_PROOF = "turnout-origin:"
_REDACTED = "turnout-redacted:"
_CALL = "turnout-call:"
_OUR_ITEM = "rs_turnout_"
_SIGNS = re.compile(rb'"rs_turnout_|"turnout-(?:unsigned"|(?:origin|redacted|call):)')
_ID_CHARS_MAX = 48
_bad_id = re.compile(r"[^A-Za-z0-9_-]")
_PREFIXES = ("chatcmpl-", "resp_", "msg_", "req_", "gen-")


class Unsealed(Struct, frozen=True):
    """What an item's `encrypted_content` holds. `call_id` is there when `proof` belongs to a tool call."""

    proof: str | None = None
    origin: str | None = None
    redacted: str | None = None
    call_id: str | None = None


def pack(item_id: str, encrypted: str) -> str:
    """A reasoning item's id and encrypted content as one proof."""
    return f"{item_id.replace(':', '%3A')}:{encrypted}"


def unpack(proof: str) -> tuple[str, str]:
    """(item id, encrypted content); either may be empty."""
    item_id, _, encrypted = proof.partition(":")
    return item_id.replace("%3A", ":"), encrypted


def seal(proof: str | None, origin: str | None) -> str:
    """`encrypted_content` for reasoning of another provider."""
    return f"{_PROOF}{origin or ''}:{proof}" if proof else UNSIGNED


def seal_redacted(data: str, origin: str | None) -> str:
    return f"{_REDACTED}{origin or ''}:{data}"


def seal_call(proof: str, origin: str | None, call_id: str) -> str:
    return f"{_CALL}{origin or ''}:{quote(call_id, safe='')}:{proof}"


def unseal(item_id: str, encrypted: str) -> Unsealed:
    """The inverse, for a reasoning item as a client sends it back."""
    for mark in (_PROOF, _REDACTED, _CALL):
        if encrypted.startswith(mark):
            origin, _, rest = encrypted[len(mark) :].partition(":")
            if mark == _REDACTED:
                return Unsealed(origin=origin or None, redacted=rest)
            if mark == _PROOF:
                return Unsealed(rest, origin or None)
            call_id, _, proof = rest.partition(":")
            return Unsealed(proof, origin or None, call_id=unquote(call_id))
    if encrypted == UNSIGNED or item_id.startswith(_OUR_ITEM) or not (item_id or encrypted):
        return Unsealed()
    return Unsealed(pack(item_id, encrypted), DIALECT)


def reply_id(provider_id: str, fallback: str) -> str:
    """A reply's id with the prefix that this dialect's clients know."""
    return provider_id if provider_id.startswith("resp") else f"resp_{core_id(provider_id, fallback)}"


def core_id(provider_id: str, fallback: str) -> str:
    """What the ids of a reply's items have in common: at most 48 letters, digits, `_` and `-`."""
    text = provider_id or fallback
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    return _bad_id.sub("", text)[:_ID_CHARS_MAX]


def item_id(kind: str, core: str, number: int) -> str:
    """`kind` is the prefix: `msg`, `fc`, `ctc`, or `rs` for reasoning that is not this dialect's own."""
    return f"{_OUR_ITEM}{core}_{number}" if kind == "rs" else f"{kind}_{core}_{number}"


# -- bodies that pass untranslated
class _Item(Struct):
    type: str | None = None
    id: str | None = None
    encrypted_content: str | None = None


_items = msgspec.json.Decoder(list[Raw])
_members = msgspec.json.Decoder(dict[str, Raw])
_item = msgspec.json.Decoder(_Item)


def without_foreign(body: bytes) -> bytes:
    """A request's text without the reasoning items that Turnout made for other providers' reasoning; all else verbatim."""
    if not _SIGNS.search(body):
        return body
    try:
        members = _members.decode(body)
        items = _items.decode(members["input"])
        kept = [own for raw in items if (own := _own(raw)) is not None]
    except (msgspec.MsgspecError, KeyError):
        return body
    members["input"] = Raw(b"[%b]" % b",".join(bytes(raw) for raw in kept))
    return join_members(members)


def _own(raw: Raw) -> Raw | None:
    """An input item as its provider knows it; `None` for another provider's reasoning."""
    if not _SIGNS.search(bytes(raw)):
        return raw
    try:
        item = _item.decode(raw)
        members = _members.decode(raw)
    except msgspec.MsgspecError:
        return raw
    if item.type != "reasoning":
        return raw
    found = unseal(item.id or "", item.encrypted_content or "")
    if found.origin != DIALECT or found.proof is None:
        return None
    item_id, encrypted = unpack(found.proof)
    members["id"] = json_text(item_id)
    if encrypted:
        members["encrypted_content"] = json_text(encrypted)
    return Raw(join_members(members))
