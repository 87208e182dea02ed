"""Content blocks of a provider's reply, whole (`content` of a message) or as they begin in a stream.

Only text, thinking, redacted thinking and client tool calls have canonical meaning; every other block (server tools and
their results, compaction, fallbacks, what is yet to be invented) is an `OpaqueBlock` with its exact JSON. Message-level members
with no canonical meaning (`container`, `stop_details`, `context_management`) are opaque too, of kind `message.<name>`; a citation
is one of kind `citation`, right after the text that it supports.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import (
    Event,
    OpaqueBlock,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    TextDelta,
    ToolDelta,
    ToolStart,
)
from turnout.wire.anthropic.marks import DIALECT, arguments_text, unseal

MESSAGE_KIND = "message."
CITATION_KIND = "citation"
UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)


class WireBlock(Struct):
    """Any content block; which members mean something depends on `type`."""

    type: str
    text: str | None = None
    citations: list[Raw] | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = Raw()


class _Typed(Struct):
    type: str


KNOWN = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_block = msgspec.json.Decoder(WireBlock)
_typed = msgspec.json.Decoder(_Typed)


def read_block(raw: Raw) -> WireBlock:
    """Raises a msgspec error when a known block has the wrong shape; of an unknown one only `type` is read."""
    try:
        return _block.decode(raw)
    except msgspec.ValidationError:
        kind = _typed.decode(raw).type
        if kind in KNOWN:
            raise
        return WireBlock(kind)


def given(raw: Raw) -> bool:
    """Is a member there and not null?"""
    data = bytes(raw)
    return bool(data) and data != b"null"


def opaque(kind: str, raw: Raw, index: int) -> OpaqueBlock:
    return OpaqueBlock(DIALECT, kind, raw.copy(), index)


def citations(block: WireBlock, index: int) -> list[Event]:
    return [opaque(CITATION_KIND, raw, index) for raw in block.citations or ()]


def text_events(block: WireBlock, index: int) -> list[Event]:
    """What the text of a known block means; tool calls are opened, their input is left to the caller."""
    match block.type:
        case "text":
            return [TextDelta(block.text, index)] if block.text else []
        case "thinking":
            return _thinking_events(block, index)
        case "redacted_thinking":
            data, origin = unseal(block.data)
            return [ReasoningRedacted(data or "", origin or DIALECT, index)]
        case _:
            return [ToolStart(index, block.id or "", block.name or "")]


def _thinking_events(block: WireBlock, index: int) -> list[Event]:
    events: list[Event] = [ReasoningDelta(block.thinking, index)] if block.thinking else []
    signature, origin = unseal(block.signature)
    if signature is not None:
        events.append(ReasoningSignature(signature, origin or "", index))
    return events


def whole_block_events(raw: Raw, index: int) -> list[Event]:
    """Events of one block of a whole message. An empty text block is no event: it says nothing."""
    block = read_block(raw)
    if block.type not in KNOWN:
        return [opaque(block.type, raw, index)]
    events = text_events(block, index)
    if block.type == "tool_use":
        events.append(ToolDelta(index, arguments_text(block.input) or "{}"))
    return events + citations(block, index)
