"""Thinking that Anthropic did not make, taken out of a body that goes to Anthropic.

A client's history may hold thinking of other providers, and proofs of their tool calls, under marks that Turnout made (see `marks`). A
provider of this dialect refuses a signature that is not its own, so these blocks stay behind when the body is passed on. A body without a mark
is not looked into; one with a mark keeps the exact text of every other block.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from turnout.wire.anthropic.marks import UNSIGNED, unseal, unseal_call
from turnout.wire.body import join_members

_MARK = b'"turnout-'
_encode = msgspec.json.Encoder().encode


class _Block(Struct):
    type: str = ""
    signature: str | None = None
    data: str | None = None


_messages = msgspec.json.Decoder(list[dict[str, Raw]])
_blocks = msgspec.json.Decoder(list[Raw])
_block = msgspec.json.Decoder(_Block)


def has_marks(body: bytes) -> bool:
    return _MARK in body


def without_foreign(members: Mapping[str, Raw]) -> dict[str, Raw]:
    """The members of a body, its messages without blocks under Turnout's marks; a message of nothing else is left out."""
    kept = dict(members)
    try:
        messages = _messages.decode(members.get("messages", Raw(b"[]")))
        turns = [turn for message in messages if (turn := _turn(message)) is not None]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return kept  # not what the API takes: the provider says so
    kept["messages"] = Raw(_encode(turns))
    return kept


def _turn(message: dict[str, Raw]) -> Raw | None:
    content = message.get("content", Raw())
    if bytes(content)[:1] != b"[" or not has_marks(bytes(content)):
        return Raw(join_members(message))
    blocks = _blocks.decode(content)
    own = [block for block in blocks if not _is_foreign(block)]
    if not own and blocks:
        return None
    return Raw(join_members({**message, "content": Raw(_encode(own))}))


def _is_foreign(raw: Raw) -> bool:
    if not has_marks(bytes(raw)):
        return False
    try:
        block = _block.decode(raw)
    except msgspec.ValidationError:
        return False
    if block.type == "thinking":
        return block.signature == UNSIGNED or _is_sealed(block.signature)
    return block.type == "redacted_thinking" and _is_sealed(block.data)


def _is_sealed(text: str | None) -> bool:
    if text is None or unseal_call(text) is not None:
        return text is not None
    return unseal(text)[0] != text
