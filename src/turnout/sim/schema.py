"""Instances of JSON Schemas: values that satisfy a schema and, where possible, come from the text at hand.

Covers what structured output allows: object, array, string, number, integer, boolean, null, enum, const, anyOf/oneOf/allOf, $ref into $defs,
type lists, bounds on numbers, lengths and items. Recursive schemas end at `DEPTH_MAX`, where optional members are left out; one that
demands to go on for ever gets null at `DEPTH_LIMIT`, and one that spreads too wide is cut to what it requires at `NODES_FULL`.
"""

from __future__ import annotations

import math
import re
from typing import Any

from msgspec import Struct

from turnout.sim.text import entities, numbers, topic, words

Schema = dict[str, Any]

DEPTH_MAX = 6
ITEMS_DEFAULT = 2
ITEMS_MAX = 50
DEPTH_LIMIT = 24
NODES_FULL = 500
NODES_MAX = 2_000
MAGNITUDE_MAX = 1e15

_FORMATS = {
    "date": "2025-06-01",
    "date-time": "2025-06-01T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "alex@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
}
_NAMED = {
    "email": "alex@example.com",
    "date": "2025-06-01",
    "url": "https://example.com/",
    "phone": "+1 555 0100",
    "currency": "USD",
    "language": "English",
    "country": "France",
    "city": "Paris",
    "location": "Paris",
    "color": "blue",
    "colour": "blue",
    "street": "1 Main Street",
    "zip": "75001",
    "postal": "75001",
}
_PEOPLE = ("Alex Morgan", "Sam Rivera", "Kim Novak")
_LISTED = ("reading", "hiking", "cooking", "painting", "chess")
_TEXTUAL = frozenset(
    "text query question prompt message input content body description summary reason explanation answer".split()
)
_ANSWERS = frozenset(
    "answer response reply result value total sum text message content body description summary reason explanation".split()
)
_PLACES = frozenset("city country place location destination town".split())
_PREPOSITIONS = ("from", "to", "in", "at")


class Source(Struct):
    """Where values come from: the names and numbers of a text, each used once, then started over; and what would answer it."""

    text: str
    names: list[str]
    numbers: list[float]
    used_names: int = 0
    used_numbers: int = 0
    nodes: int = 0
    answer: str = ""

    @classmethod
    def of(cls, text: str, answer: str = "") -> Source:
        return cls(text, entities(text), numbers(text), answer=answer)

    def name(self) -> str | None:
        if not self.names:
            return None
        self.used_names += 1
        return self.names[(self.used_names - 1) % len(self.names)]

    def number(self) -> float | None:
        if self.used_numbers >= len(self.numbers):
            return None
        self.used_numbers += 1
        return self.numbers[self.used_numbers - 1]


def instance(schema: Schema, text: str, answer: str = "") -> object:
    """A value that satisfies `schema`, filled from `text` and its `answer`. An unknown or empty schema gives an object."""
    return _value(schema, schema, Source.of(text, answer), "", 0)


def fill(schema: Schema, root: Schema, source: Source, name: str) -> object:
    """A value for the member `name` of something larger, drawing on what `source` still has."""
    return _value(schema, root, source, name, 1)


def _value(schema: Any, root: Schema, source: Source, name: str, depth: int) -> object:
    source.nodes += 1
    if depth > DEPTH_LIMIT or source.nodes > NODES_MAX:
        return None
    if source.nodes > NODES_FULL:
        depth = max(depth, DEPTH_MAX)
    node = _resolved(schema, root)
    if "const" in node:
        return node["const"]
    if isinstance(node.get("enum"), list) and node["enum"]:
        said = choose([None, *node["enum"]], source.answer)
        return choose(node["enum"], source.text, name) if said is None else said
    for key in ("anyOf", "oneOf"):
        if isinstance(node.get(key), list) and node[key]:
            chosen = {part: value for part, value in node.items() if part != key}
            _merge(chosen, _resolved(_preferred(node[key], root, depth), root))
            return _value(chosen, root, source, name, depth + 1)
    match _kind(node, depth):
        case "object":
            return _object(node, root, source, depth)
        case "array":
            return _array(node, root, source, name, depth)
        case "integer":
            return _number(node, source, name, integer=True)
        case "number":
            return _number(node, source, name, integer=False)
        case "boolean":
            return not ({"not", "no", "never"} & set(words(source.text)))
        case "null":
            return None
    return _string(node, source, name, depth)


def _resolved(schema: Any, root: Schema, depth: int = 0) -> dict[str, Any]:
    """The node behind references, with `allOf` merged in."""
    node: Any = schema
    for _ in range(DEPTH_MAX):
        if not isinstance(node, dict) or not isinstance(node.get("$ref"), str):
            break
        beside = {key: value for key, value in node.items() if key != "$ref"}
        found = _pointed(node["$ref"], root)
        node = dict(found) if isinstance(found, dict) else {}
        _merge(node, beside)
    if not isinstance(node, dict):
        return {}
    if isinstance(node.get("allOf"), list) and depth < DEPTH_MAX:
        merged = {key: value for key, value in node.items() if key != "allOf"}
        for part in node["allOf"]:
            _merge(merged, _resolved(part, root, depth + 1))
        return merged
    return node


def _merge(merged: dict[str, Any], part: dict[str, Any]) -> None:
    for key, value in part.items():
        if key == "properties" and isinstance(value, dict):
            merged["properties"] = {**_members(merged), **value}
        elif key == "required" and isinstance(value, list):
            merged["required"] = [*_required(merged), *value]
        else:
            merged.setdefault(key, value)


def _members(node: dict[str, Any]) -> dict[str, Any]:
    properties = node.get("properties")
    return properties if isinstance(properties, dict) else {}


def _required(node: dict[str, Any]) -> list[str]:
    required = node.get("required")
    return [key for key in required if isinstance(key, str)] if isinstance(required, list) else []


def _pointed(reference: str, root: Schema) -> object:
    node: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node


def _preferred(options: list[Any], root: Schema, depth: int) -> object:
    """The first option that says something; near the bottom, one that ends the recursion."""
    nulls = [option for option in options if _resolved(option, root).get("type") == "null"]
    leaves = [
        option for option in options if _resolved(option, root).get("type") not in ("object", "array", None)
    ]
    if depth >= DEPTH_MAX and (nulls or leaves):
        return (nulls or leaves)[0]
    return next((option for option in options if option not in nulls), options[0])


def _kind(node: dict[str, Any], depth: int) -> str:
    kind = node.get("type")
    if isinstance(kind, list):
        if depth >= DEPTH_MAX and "null" in kind:
            return "null"
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "items" in node:
        return "array"
    return "object" if "properties" in node or depth == 0 else "string"


def choose(options: list[Any], text: str, name: str = "") -> object:
    """The option that the text mentions, else the first; the one right after the word `name` before all others."""
    lowered = text.lower()
    if name.lower() in _PREPOSITIONS:
        after = re.findall(rf"\b{name.lower()}\s+(\w+)", lowered)
        for option in options:
            if isinstance(option, str) and option.lower() in after:
                return option
    spoken = set(words(text))
    for option in options:
        if (
            isinstance(option, str)
            and option
            and (option.lower() in spoken or (" " in option and option.lower() in lowered))
        ):
            return option
    return options[0]


def _object(node: dict[str, Any], root: Schema, source: Source, depth: int) -> object:
    properties, required = _members(node), _required(node)
    made = {
        key: _value(value, root, source, key, depth + 1)
        for key, value in properties.items()
        if key in required or depth < DEPTH_MAX - 2
    }
    more = node.get("additionalProperties")
    other = more if isinstance(more, dict) else {"type": "string"}
    least = max(_bound(node, "minProperties", 0), 1 if isinstance(more, dict) and not properties else 0)
    extra = [f"key{number}" for number in range(1, min(least, ITEMS_MAX) - len(made) + 1)]
    for key in dict.fromkeys([*(key for key in required if key not in made), *extra]):
        made[key] = _value(other, root, source, key, depth + 1)
    return made


def _array(node: dict[str, Any], root: Schema, source: Source, name: str, depth: int) -> object:
    fixed = node.get("prefixItems")
    first = fixed[:ITEMS_MAX] if isinstance(fixed, list) else []
    least = max(_bound(node, "minItems", 0), len(first))
    most = len(first) if node.get("items") is False else _bound(node, "maxItems", ITEMS_MAX)
    wanted = least if depth >= DEPTH_MAX else max(least, min(ITEMS_DEFAULT, most))
    rest = node.get("items", {"type": "string"})
    made: list[object] = []
    for at in range(min(wanted, ITEMS_MAX)):
        items = first[at] if at < len(first) else rest
        value = _value(items, root, source, name, depth + 1)
        if value in made and node.get("uniqueItems"):
            value = _another(value, made, _resolved(items, root))
        elif value in made and isinstance(value, str) and not _fixed(items, root):
            value = _LISTED[at % len(_LISTED)]
        made.append(value)
    return made


def _another(value: object, made: list[object], node: dict[str, Any]) -> object:
    """A value of the same kind that is not among those `made`, if there is one."""
    options = node.get("enum")
    if isinstance(options, list):
        return next((option for option in options if option not in made), value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return next(value + step for step in range(1, len(made) + 2) if value + step not in made)
    return f"{value} {len(made) + 1}" if isinstance(value, str) else value


def _fixed(items: Any, root: Schema) -> bool:
    """Its values are not free to vary."""
    node = _resolved(items, root)
    return any(
        word in node for word in ("enum", "const", "format", "anyOf", "oneOf", "minLength", "maxLength")
    )


def _bound(node: dict[str, Any], key: str, default: int) -> int:
    value = node.get(key)
    return int(value) if isinstance(value, int | float) and abs(value) < MAGNITUDE_MAX else default


def _limit(node: dict[str, Any], key: str) -> float | None:
    value = node.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAGNITUDE_MAX:
        return None
    return value


def _number(node: dict[str, Any], source: Source, name: str, *, integer: bool) -> object:
    told = numbers(source.answer)[-1:] if _ANSWERS.intersection(words(name.replace("_", " "))) else []
    value = told[0] if told else source.number()
    if value is None:
        value = 30 if "age" in words(name.replace("_", " ")) else 1
    above, below = _limit(node, "exclusiveMinimum"), _limit(node, "exclusiveMaximum")
    if not integer and above is not None and below is not None:
        return value if above < value < below else (above + below) / 2
    least = _limit(node, "minimum") if above is None else above + 1
    most = _limit(node, "maximum") if below is None else below - 1
    value = value if most is None else min(value, most)
    value = value if least is None else max(value, least)
    step = _limit(node, "multipleOf") or 0
    if step > 0 and abs(value / step) < MAGNITUDE_MAX:
        up = math.ceil(value / step) * step
        value = up if most is None or up <= most else math.floor(value / step) * step
    return math.ceil(value) if integer else value


def _string(node: dict[str, Any], source: Source, name: str, depth: int) -> str:
    form = node.get("format")
    value = _FORMATS.get(form) if isinstance(form, str) else None
    if value is None:
        value = _worded(source, name)
    least, most = _bound(node, "minLength", 0), _bound(node, "maxLength", 100_000)
    return (value + " " + "more " * (least // 5 + 1))[:least] if len(value) < least else value[:most]


def _place(source: Source, parts: list[str]) -> str | None:
    """The name after the preposition that says so; it is not given out again while there are others."""
    spoken = [word for word in _PREPOSITIONS if word in parts] or ["in", "at"] * bool(
        _PLACES.intersection(parts)
    )
    for word in spoken:
        for name in source.names:
            if re.search(rf"\b{word}\s+{re.escape(name)}\b", source.text):
                source.names = [other for other in source.names if other != name] or source.names
                return name
    return None


def _worded(source: Source, name: str) -> str:
    parts = words(name.replace("_", " ").replace("-", " "))
    if source.answer and _ANSWERS.intersection(parts):
        return source.answer
    if _TEXTUAL.intersection(parts):
        return topic(source.text)
    place = _place(source, parts)
    if place is not None:
        return place
    if any(part in ("hobbies", "interests", "tags", "keywords", "skills", "items") for part in parts):
        return _LISTED[len(name) % len(_LISTED)]
    known = next((_NAMED[part] for part in parts if part in _NAMED), None)
    found = source.name()
    if found is not None:
        return found
    if "name" in parts or "person" in parts or "author" in parts:
        return _PEOPLE[len(source.text) % len(_PEOPLE)]
    return known or topic(source.text)
