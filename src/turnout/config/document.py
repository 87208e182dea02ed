"""YAML text as a tree in which every node knows its place.

Promise: reading is bounded (bytes, nodes, depth, and aliases are shared, never copied), runs no constructor, and leaves scalars
as text: what a scalar means depends on the field that it stands for, so a country code `no` stays a word where a word is
expected. Values are not repeated in errors, as any of them may be a credential.

`${…}` may be written without quotes inside `{ }`, where YAML by itself would not allow the braces: such a reference is
disguised, character for character, while YAML reads the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    import yaml


class _Mark(Protocol):
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


TEXT_BYTES_MAX = 4 * 1024 * 1024
NODES_MAX = 100_000
DEPTH_MAX = 64

_REFERENCE = re.compile(r"\${1,2}\{[^{}\n]*\}")
_SPECIAL = "{},[]:#"
_DISGUISE = {ord(character): 0xF8E0 + index for index, character in enumerate(_SPECIAL)}
_REVEAL = {code: character for character, code in _DISGUISE.items()}
_QUOTED_IN_MESSAGE = re.compile(r"'[^'\s]{2,}'")


class Place(Struct, frozen=True):
    """From 0."""

    line: int
    column: int


class Scalar(Struct, frozen=True):
    """`plain` means without quotes. `end_column` is where it ends on its first line."""

    place: Place
    end_column: int
    text: str
    plain: bool


class Items(Struct, frozen=True):
    place: Place
    items: tuple[Node, ...]


class Entries(Struct, frozen=True):
    place: Place
    entries: tuple[tuple[Scalar, Node], ...]


Node = Scalar | Items | Entries


class Document(Struct, frozen=True):
    """`root` is absent for a text without content."""

    file: str
    lines: tuple[str, ...]
    root: Node | None = None
    scalars: tuple[Scalar, ...] = ()

    def on_line(self, line: int) -> list[Scalar]:
        return sorted((s for s in self.scalars if s.place.line == line), key=lambda s: s.place.column)


class Malformed(Exception):
    """Not YAML, or YAML of a kind that has no place in a configuration."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


def read(text: str, document: Document) -> Document:
    """The document with its tree. Raises `Malformed`."""
    import yaml

    if len(text) > TEXT_BYTES_MAX:
        raise Malformed(Place(0, 0), f"larger than {TEXT_BYTES_MAX // 1024 // 1024} MiB")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    disguised = _REFERENCE.sub(lambda match: match[0].translate(_DISGUISE), text)
    try:
        builder = _Builder(document.lines)
        root = builder.build(yaml.parse(disguised, Loader=loader))
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark or error.context_mark)
        if tab := _tab(document.lines, place):
            raise Malformed(tab, "not YAML: a tab in the indentation; use spaces") from None
        said = _said(error.problem or error.context).replace("in this context", "here")
        raise Malformed(place, f"not YAML: {said}{_ADVICE.get(said, '')}") from None
    except yaml.YAMLError:
        raise Malformed(Place(0, 0), "not YAML: a character that is not allowed") from None
    return Document(document.file, document.lines, root, tuple(builder.scalars))


_ADVICE = {
    "mapping values are not allowed here": "; a value with `: ` in it needs quotes, or the line is indented too far",
    "did not find expected key": "; a line is indented too far or too little, or a quote or bracket is not closed",
    "could not find expected ':'": "; a name is followed by a colon and a space",
}
_INDENTATION = re.compile(r"[ \t]*")


def _tab(lines: tuple[str, ...], place: Place) -> Place | None:
    """The first tab in the indentation of the line that cannot be read, or of the one before."""
    for number in (place.line, place.line - 1):
        if 0 <= number < len(lines):
            found = _INDENTATION.match(lines[number])
            if found is not None and "\t" in found[0]:
                return Place(number, found[0].index("\t"))
    return None


def _said(message: str | None) -> str:
    return _QUOTED_IN_MESSAGE.sub("…", message or "cannot be read").translate(_REVEAL)


class _Open:
    """A collection whose end was not seen yet."""

    __slots__ = ("anchor", "children", "mapping", "place")

    def __init__(self, place: Place, anchor: str | None, mapping: bool) -> None:
        self.place = place
        self.anchor = anchor
        self.mapping = mapping
        self.children: list[Node] = []


class _Builder:
    def __init__(self, lines: tuple[str, ...]) -> None:
        self._lines = lines
        self._anchors: dict[str, Node] = {}
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._documents = 0
        self._nodes = 0
        self.scalars: list[Scalar] = []

    def build(self, events: Iterator[yaml.Event]) -> Node | None:
        import yaml

        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._add(self._scalar(event), event.anchor)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self._start(event, isinstance(event, yaml.MappingStartEvent))
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._end()
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise Malformed(
                        _place(event.start_mark), "a second document begins; a configuration is one document"
                    )
        return self._root

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        place = self._check(event)
        end = _place(event.end_mark)
        last = end.column if end.line == place.line else len(self._lines[place.line])
        scalar = Scalar(place, last, event.value.translate(_REVEAL), event.implicit[0])
        self.scalars.append(scalar)
        return scalar

    def _start(self, event: yaml.CollectionStartEvent, mapping: bool) -> None:
        place = self._check(event)
        if len(self._stack) >= DEPTH_MAX:
            raise Malformed(place, f"nested deeper than {DEPTH_MAX} levels")
        self._stack.append(_Open(place, event.anchor, mapping))

    def _check(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> Place:
        place = _place(event.start_mark)
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise Malformed(place, f"more than {NODES_MAX} values")
        if event.tag is not None:
            raise Malformed(place, "YAML tags (`!…`) are not supported; quote a value that begins with `!`")
        return place

    def _end(self) -> None:
        done = self._stack.pop()
        if not done.mapping:
            self._add(Items(done.place, tuple(done.children)), done.anchor)
            return
        keys, values = done.children[::2], done.children[1::2]
        entries: list[tuple[Scalar, Node]] = []
        for key, value in zip(keys, values, strict=True):
            if not isinstance(key, Scalar):
                raise Malformed(key.place, "a key must be a single word")
            entries.append((key, value))
        self._add(Entries(done.place, tuple(entries)), done.anchor)

    def _alias(self, event: yaml.AliasEvent) -> None:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            raise Malformed(
                _place(event.start_mark),
                "an alias (`*…`) without its anchor; quote a value that begins with `*`",
            )
        self._add(node, None)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._stack:
            self._stack[-1].children.append(node)
        else:
            self._root = node


def _place(mark: _Mark | None) -> Place:
    return Place(mark.line, mark.column) if mark is not None else Place(0, 0)
