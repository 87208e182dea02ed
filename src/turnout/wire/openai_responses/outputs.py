"""Output items as events, whether they come whole, in pieces, or both.

Promise: nothing that was said is lost and nothing counts twice. Providers say everything three times (in deltas, in the item that is done, in the
final response) and some leave out one or two of them, so every item remembers what was already told of it, and each later, fuller
account adds only what is new. An account that contradicts the deltas is not believed: they were passed on already.

Texts, reasoning items and calls are blocks of one numbering, in order of appearance. A reasoning item is one block, its parts apart by a blank line.
What has no canonical meaning is an opaque block: whole items, and the annotations and log-probabilities of a text.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from turnout.core.events import (
    Event,
    OpaqueBlock,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    RefusalDelta,
    TextDelta,
    ToolDelta,
    ToolStart,
)
from turnout.wire.openai_responses.marks import DIALECT, unseal

UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
ITEMS_MAX = 65_536
ANNOTATIONS = "annotations"
LOGPROBS = "logprobs"
STATUS = "status"
_CALLS = frozenset({"function_call", "custom_tool_call"})
_PIECE = "\n\n"


class OutputItem(Struct):
    """Lenient: what providers send null, of another type or not at all must not break the rest."""

    type: str | None = None
    id: Any = None
    call_id: Any = None
    name: Any = None
    arguments: Any = None
    input: Any = None
    content: Raw = Raw()
    summary: Raw = Raw()
    encrypted_content: Any = None


class Shown(Struct):
    """A part of a message or of a reasoning item."""

    type: Any = None
    text: Any = None
    refusal: Any = None
    annotations: Raw = Raw()
    logprobs: Raw = Raw()


_item = msgspec.json.Decoder(OutputItem)
_shown = msgspec.json.Decoder(list[Shown] | None)


def read_item(raw: Raw) -> OutputItem | None:
    try:
        return _item.decode(raw)
    except UNREADABLE:
        return None


def _read_parts(raw: Raw) -> list[Shown]:
    if not raw:
        return []
    try:
        return _shown.decode(raw) or []
    except UNREADABLE:
        return []


def _text(value: object) -> str:
    """Text as it is; an object given where JSON text belongs, as JSON text."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


class Said:
    """One text that grows: its block's index and the pieces told so far."""

    __slots__ = ("index", "pieces")

    def __init__(self, index: int) -> None:
        self.index = index
        self.pieces: list[str] = []


class Item:
    """How far one output item has come. `index` is the block's, of items that are one block."""

    __slots__ = ("done", "index", "kind", "reasoned", "said")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.index = -1
        self.said: dict[tuple[str, int], Said] = {}
        self.reasoned = False
        self.done = False

    def place(self, kind: str, number: int, whole: str, seen: set[tuple[str, int]]) -> int:
        """Under which number the part that is `number`-th in a fuller account was told: some providers count differently in deltas.

        `seen` holds the parts that were found already.
        """
        told = [key for key in self.said if key[0] == kind and key not in seen]
        told.sort(key=lambda key: key[1] != number)
        same = (key for key in told if whole.startswith("".join(self.said[key].pieces)))
        found = next(same, (kind, number))
        while found in seen:
            found = (kind, found[1] + 1)
        seen.add(found)
        return found[1]


class Outputs:
    """All items of one reply, in the order in which they appeared."""

    __slots__ = ("_call_proofs", "called_tools", "items", "next")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.next = 0
        self.called_tools = False
        self._call_proofs: dict[str, tuple[str | None, str | None]] = {}  # call id → (proof, origin)

    def open(self, kind: str) -> Item:
        """Raises `msgspec.ValidationError` for more items than any reply has."""
        item = Item(kind)
        self.items.append(item)
        if len(self.items) > ITEMS_MAX:
            raise msgspec.ValidationError("too many items")
        return item

    def _take(self) -> int:
        index, self.next = self.next, self.next + 1
        return index

    # -- pieces
    def say(self, item: Item, kind: str, part: int, text: str) -> list[Event]:
        """A piece of text (`text`, `refusal`, `summary`, `content`, `arguments`) of one part of an item."""
        if not text:
            return []
        said = item.said.get((kind, part))
        if said is None:
            said = item.said[(kind, part)] = Said(self._block(item, kind))
            if kind in ("summary", "content") and item.reasoned:
                said.pieces.append(text)
                return [ReasoningDelta(_PIECE + text, said.index)]
        said.pieces.append(text)
        if kind == "text":
            return [TextDelta(text, said.index)]
        if kind == "refusal":
            return [RefusalDelta(text)]
        if kind == "arguments":
            return [ToolDelta(said.index, text)]
        item.reasoned = True
        return [ReasoningDelta(text, said.index)]

    def _block(self, item: Item, kind: str) -> int:
        if kind == "text":
            return self._take()
        if kind == "refusal":
            return 0
        if item.index < 0:
            item.index = self._take()
        return item.index

    def rest(self, item: Item, kind: str, part: int, whole: str) -> list[Event]:
        """What a fuller account of a text adds to the pieces."""
        said = item.said.get((kind, part))
        known = "" if said is None else "".join(said.pieces)
        if said is None and kind == "content" and whole == _summary(item):
            return []
        return self.say(item, kind, part, whole[len(known) :]) if whole.startswith(known) else []

    def start_call(self, item: Item, wire: OutputItem) -> list[Event]:
        if item.index >= 0:
            return []
        item.index = self._take()
        self.called_tools = True
        custom = item.kind == "custom_tool_call"
        call_id = _text(wire.call_id or wire.id)
        proof, origin = self._call_proofs.get(call_id, (None, None))
        return [ToolStart(item.index, call_id, _text(wire.name), 0, custom, proof, origin)]

    # -- whole items
    def finish(self, item: Item, wire: OutputItem, raw: Raw) -> list[Event]:
        """An item as it ended; everything that was not told yet."""
        item.done = True
        if item.kind == "message":
            return self._finish_message(item, _read_parts(wire.content))
        if item.kind == "reasoning":
            return self._finish_reasoning(item, wire)
        if item.kind in _CALLS:
            given = wire.input if item.kind == "custom_tool_call" else wire.arguments
            return self.start_call(item, wire) + self.rest(item, "arguments", 0, _text(given))
        return [OpaqueBlock(DIALECT, item.kind, raw.copy(), self._take())]

    def _finish_message(self, item: Item, parts: list[Shown]) -> list[Event]:
        events: list[Event] = []
        seen: set[tuple[str, int]] = set()
        for number, part in enumerate(parts):
            if isinstance(part.refusal, str):
                place = item.place("refusal", number, part.refusal, seen)
                events += self.rest(item, "refusal", place, part.refusal)
            if not isinstance(part.text, str):
                continue
            place = item.place("text", number, part.text, seen)
            events += self.rest(item, "text", place, part.text)
            said = item.said.get(("text", place))
            index = self.next if said is None else said.index
            for kind, raw in ((ANNOTATIONS, part.annotations), (LOGPROBS, part.logprobs)):
                if len(raw) > 2 and bytes(raw) != b"null":
                    events.append(OpaqueBlock(DIALECT, kind, raw.copy(), index))
        return events

    def _finish_reasoning(self, item: Item, wire: OutputItem) -> list[Event]:
        events: list[Event] = []
        seen: set[tuple[str, int]] = set()
        for kind, raw in (("summary", wire.summary), ("content", wire.content)):
            for number, part in enumerate(_read_parts(raw)):
                if isinstance(part.text, str):
                    place = item.place(kind, number, part.text, seen)
                    events += self.rest(item, kind, place, part.text)
        return events + self._proofs(item, wire)

    def _proofs(self, item: Item, wire: OutputItem) -> list[Event]:
        """What an item proves. An item that has an id and nothing else proves nothing to anybody."""
        if not isinstance(wire.encrypted_content, str) or not wire.encrypted_content:
            return []
        found = unseal(wire.id if isinstance(wire.id, str) else "", wire.encrypted_content)
        if found.call_id is not None:
            self._call_proofs[found.call_id] = (found.proof, found.origin)
        elif found.redacted is not None:
            index = self._block(item, "summary")
            return [ReasoningRedacted(found.redacted, found.origin or "", index)]
        elif found.proof is not None:
            index = self._block(item, "summary")
            return [ReasoningSignature(found.proof, found.origin or "", index)]
        return []

    def final(self, output: list[Raw]) -> list[Event]:
        """The final response's items. Ids may have changed since, so the n-th of a type is the n-th of that type."""
        events: list[Event] = []
        seen: dict[str, list[Item]] = {}
        for item in self.items:
            seen.setdefault(item.kind, []).append(item)
        for raw in output:
            wire = read_item(raw)
            if wire is None or wire.type is None:
                continue
            same = seen.get(wire.type)
            known = same.pop(0) if same else self.open(wire.type)
            if not known.done:
                events += self.finish(known, wire, raw)
        return events


def _summary(item: Item) -> str:
    return _PIECE.join("".join(said.pieces) for (kind, _), said in item.said.items() if kind == "summary")
