"""From a tree of text to the values that the schema's types ask for.

Promise: every problem is found in one pass, each with its place; a part that is wrong is left out and the rest is still read.
The types are the only list of fields, ranges and choices: nothing is repeated here. A scalar means what its field's type
says, with or without quotes, after `${VARIABLE}` and `${VARIABLE:-default}` were replaced (`$${` stands for `${`).

Values of the fields in `SECRET_FIELDS` stay out of `public`, and so out of every message and excerpt.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from enum import Enum
from math import isfinite

from msgspec import inspect

from turnout.config.document import NODES_MAX, Entries, Items, Malformed, Node, Place, Scalar
from turnout.config.problems import PROBLEMS_MAX, Finding

SECRET_FIELDS = frozenset({"api_key", "key", "headers"})
NAME_CHARS_MAX = 64
HINT_CHOICES_MAX = 1000

Path = tuple[str | int, ...]


class Enough(Exception):
    """As many findings as are shown; there is no use in looking for more."""


class Bad(Enum):
    """What a part reads as when it cannot be used; the finding says why."""

    BAD = 0


BAD = Bad.BAD

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}\n]*)\}|\$\{")
_FOREIGN_REFERENCE = re.compile(
    r"\$[A-Za-z_][A-Za-z0-9_]*|.*\$[A-Z][A-Z0-9_]{2,}.*|%[A-Z][A-Z0-9_]*%|\{\{.*\}\}|os\.environ/.*|env[:.][A-Z][A-Z0-9_]*"
)
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_STAND_INS: Mapping[str | int, str] = {"key": "not-set-{}", "base_url": "http://{}-is-not-set.invalid"}
"""For fields without which a section means nothing."""
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INT = re.compile(r"[+-]?[0-9]+(_[0-9]+)*")
_FLOAT = re.compile(r"[+-]?([0-9]+(_[0-9]+)*(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FOUND = {Items: "a list", Entries: "a section", Scalar: "a single value"}


class Reader:
    """Reads one document. Afterwards `findings` is what is wrong, `oddities` what is allowed and seldom meant, `places` where
    everything stands, `doubled` the sections in which a name is given twice.

    `lenient`: a value whose variable is not set is left out or, where it cannot be, is a word that says so; `unset` has them all.
    """

    def __init__(self, env: Mapping[str, str], lenient: bool = False) -> None:
        self._env = env
        self._lenient = lenient
        self._nodes = 0
        self.findings: list[Finding] = []
        self.oddities: list[Finding] = []
        self.doubled: set[Path] = set()
        self.unset: dict[Path, str] = {}
        self.places: dict[Path, Place] = {}
        self.public: set[Place] = set()

    def read(self, node: Node, kind: inspect.Type, path: Path = (), secret: bool = False) -> object:
        """The value, as builtins that `msgspec.convert` takes; `BAD` if there is none. Raises `Malformed`, `Enough`."""
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise Malformed(node.place, f"more than {NODES_MAX} values, aliases included")
        self.places.setdefault(path, node.place)
        kind, optional = _bare(kind)
        if isinstance(node, Scalar) and node.plain and node.text in _NULLS:
            return self._nothing(node, kind, optional, path)
        if isinstance(kind, inspect.StructType):
            return self._struct(node, kind, path, secret)
        if isinstance(kind, inspect.DictType):
            return self._dict(node, kind, path, secret)
        if isinstance(kind, inspect.VarTupleType):
            return self._list(node, kind, path, secret)
        return self._scalar(node, kind, path, secret)

    def say(self, place: Place, path: Path, message: str, allowed: Collection[str] = ()) -> Bad:
        self.findings.append(Finding(place, dotted(path), message, tuple(allowed)))
        if len(self.findings) >= PROBLEMS_MAX:
            raise Enough
        return BAD

    def nearest(self, path: Path) -> Place:
        """Where the path is, or the nearest section around it."""
        ends = (path[:end] for end in range(len(path), 0, -1))
        return next((self.places[end] for end in ends if end in self.places), Place(0, 0))

    def _nothing(self, node: Scalar, kind: inspect.Type, optional: bool, path: Path) -> object:
        if optional:
            return None
        if isinstance(kind, (inspect.StructType, inspect.DictType, inspect.VarTupleType)):
            empty = Items if isinstance(kind, inspect.VarTupleType) else Entries
            return self.read(empty(node.place, ()), kind, path)
        return self.say(node.place, path, f"has no value; expected {_expected(kind)}")

    # -- collections
    def _struct(self, node: Node, kind: inspect.StructType, path: Path, secret: bool) -> object:
        if not isinstance(node, Entries):
            return self._wrong(node, "a section with fields", path)
        fields = {field.encode_name: field for field in kind.fields}
        values: dict[str, object] = {}
        for name, child in self._entries(node, path):
            field = fields.get(name.text)
            if field is None:
                self._unknown(name, "there is no field", fields, path)
                continue
            hidden = secret or name.text in SECRET_FIELDS
            values[name.text] = self.read(child, field.type, (*path, name.text), hidden)
        for field in fields.values():
            if field.required and field.encode_name not in values:
                self.say(node.place, (*path, field.encode_name), "is required")
                values[field.encode_name] = BAD
        if any(field.required and values[field.encode_name] is BAD for field in fields.values()):
            return BAD
        return {name: value for name, value in values.items() if value is not BAD}

    def _dict(self, node: Node, kind: inspect.DictType, path: Path, secret: bool) -> object:
        if not isinstance(node, Entries):
            return self._wrong(node, "a section with names", path)
        values: dict[str, object] = {}
        for name, child in self._entries(node, path):
            if isinstance(kind.key_type, inspect.LiteralType):
                if name.text not in kind.key_type.values:
                    self._unknown(name, "is not one of the names allowed:", _choices(kind.key_type), path)
                    continue
            elif isinstance(kind.key_type, inspect.StrType) and (wrong := _unfit(name.text, kind.key_type)):
                self.say(name.place, path, f"the name {_clipped(name.text)} {wrong}")
                continue
            value = self.read(child, kind.value_type, (*path, name.text), secret)
            if value is not BAD:
                values[name.text] = value
        return values

    def _list(self, node: Node, kind: inspect.VarTupleType, path: Path, secret: bool) -> object:
        if not isinstance(node, Items):
            return self._wrong(node, "a list", path)
        values = (self.read(item, kind.item_type, (*path, i), secret) for i, item in enumerate(node.items))
        return [value for value in values if value is not BAD]

    def _entries(self, node: Entries, path: Path) -> Iterator[tuple[Scalar, Node]]:
        """Each name once. `<<` merges other sections in, without overriding what is written here."""
        own: dict[str, Scalar] = {}
        for name, child in node.entries:
            if _is_merge(name):
                continue
            self.public.add(name.place)
            first = own.setdefault(name.text, name)
            if first is not name:
                self.doubled.add(path)
                self.say(
                    name.place, (*path, name.text), f"is given twice; first on line {first.place.line + 1}"
                )
                continue
            yield name, child
        for name, child in node.entries:
            if _is_merge(name):
                yield from self._merged(child, own, path)

    def _merged(self, child: Node, own: dict[str, Scalar], path: Path) -> Iterator[tuple[Scalar, Node]]:
        for source in child.items if isinstance(child, Items) else (child,):
            if not isinstance(source, Entries):
                self._wrong(source, "a section to merge", path)
                continue
            for name, value in source.entries:
                self.public.add(name.place)
                if own.setdefault(name.text, name) is name and not _is_merge(name):
                    yield name, value

    def _wrong(self, node: Node, expected: str, path: Path) -> Bad:
        advice = ""
        if isinstance(node, Scalar) and expected == "a list" and path and isinstance(path[-1], str):
            advice = f"; even one value is written in brackets: `{path[-1]}: […]`"
        return self.say(node.place, path, f"expected {expected}, found {_FOUND[type(node)]}{advice}")

    def _unknown(self, name: Scalar, message: str, allowed: Collection[str], path: Path) -> None:
        said = f"{message} {_clipped(name.text)}{hint(name.text, allowed)}"
        self.say(name.place, (*path, name.text[:NAME_CHARS_MAX]), said, allowed)

    # -- scalars
    def _scalar(self, node: Node, kind: inspect.Type, path: Path, secret: bool) -> object:
        if not isinstance(node, Scalar):
            return self._wrong(node, _expected(kind), path)
        if not secret and not ("://" in node.text and ("@" in node.text or "?" in node.text)):
            self.public.add(node.place)
        text = self._expand(node, path)
        if text is BAD:
            return BAD
        assert isinstance(text, str)
        if isinstance(kind, inspect.StrType) and _FOREIGN_REFERENCE.fullmatch(node.text):
            said = "looks like an environment variable and is taken as it is written; a variable is `${NAME}`"
            self.oddities.append(Finding(node.place, dotted(path), said))
        value = _parsed(text, kind)
        if value is BAD:
            if isinstance(kind, inspect.LiteralType):
                choices = _choices(kind)
                return self.say(
                    node.place, path, f"is not one of the values allowed{hint(text, choices)}", choices
                )
            return self.say(node.place, path, f"is not {_expected(kind)}")
        wrong = _unfit(value, kind)
        return self.say(node.place, path, wrong) if wrong else value

    def _expand(self, node: Scalar, path: Path) -> str | Bad:
        wrong = False

        def replace(match: re.Match[str]) -> str:
            nonlocal wrong
            if match[0] == "$${":
                return "${"
            reference = _VARIABLE.fullmatch(match[1] or "")
            if reference is None:
                self.say(
                    node.place,
                    path,
                    "expected `${VARIABLE}` or `${VARIABLE:-default}`; write `$${` for `${` itself",
                )
                wrong = True
                return ""
            name, default = reference.groups()
            value = self._env.get(name)
            if default is not None:
                return value or str(default)
            if value is None:
                wrong = True
                self.unset[path] = name
                if not self._lenient:
                    self.say(node.place, path, f"the environment variable {name} is not set")
            return value or ""

        expanded = _REFERENCE.sub(replace, node.text)
        if not wrong:
            return expanded
        stand_in = _STAND_INS.get(path[-1] if path else "") if self._lenient and path in self.unset else None
        return BAD if stand_in is None else stand_in.format(self.unset[path].lower().replace("_", "-"))


def dotted(path: Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def hint(text: str, allowed: Collection[str], most: int = 1) -> str:
    """The nearest of the values allowed, as the end of a message."""
    if len(allowed) > HINT_CHOICES_MAX:
        return ""
    close = get_close_matches(text[:NAME_CHARS_MAX], list(allowed), n=most)
    if len(close) > 1:
        return f"; did you mean {', '.join(close[:-1])} or {close[-1]}?"
    return f"; did you mean {close[0]}?" if close else ""


def _clipped(name: str) -> str:
    return repr(name if len(name) <= NAME_CHARS_MAX else f"{name[:NAME_CHARS_MAX]}…")


def _is_merge(name: Scalar) -> bool:
    return name.plain and name.text == "<<"


def _bare(kind: inspect.Type) -> tuple[inspect.Type, bool]:
    """Without descriptions and without `None`; whether `None` was allowed."""
    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        (rest,) = (each for each in kind.types if not isinstance(each, inspect.NoneType))
        return _bare(rest)[0], True
    return kind, False


def _choices(kind: inspect.LiteralType) -> tuple[str, ...]:
    return tuple(str(value) for value in kind.values)


def _expected(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    if isinstance(kind, inspect.IntType):
        return "a whole number"
    return "a number" if isinstance(kind, inspect.FloatType) else "text"


def _parsed(text: str, kind: inspect.Type) -> object:
    if isinstance(kind, inspect.BoolType):
        return _BOOLS.get(text.lower(), BAD)
    if isinstance(kind, inspect.IntType):
        return int(text) if len(text) <= NAME_CHARS_MAX and _INT.fullmatch(text) else BAD
    if isinstance(kind, inspect.FloatType):
        value = float(text) if len(text) <= NAME_CHARS_MAX and _FLOAT.fullmatch(text) else None
        return BAD if value is None or not isfinite(value) else value
    if isinstance(kind, inspect.LiteralType):
        return text if text in kind.values else BAD
    return text


def _unfit(value: object, kind: inspect.Type) -> str:
    """Why a value of the right type is not in its range; empty if it is."""
    if isinstance(kind, (inspect.IntType, inspect.FloatType)) and isinstance(value, (int, float)):
        if kind.ge is not None and value < kind.ge:
            return f"must be at least {kind.ge}"
        if kind.le is not None and value > kind.le:
            return f"must be at most {kind.le}"
    if isinstance(kind, inspect.StrType) and isinstance(value, str):
        if len(value) < (kind.min_length or 0):
            return f"must have at least {kind.min_length} characters"
        if kind.max_length is not None and len(value) > kind.max_length:
            return f"must have at most {kind.max_length} characters"
        if kind.pattern is not None and not re.search(kind.pattern, value):
            return f"may only have the characters {kind.pattern.strip('^$+')}"
    return ""
