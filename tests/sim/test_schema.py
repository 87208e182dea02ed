"""What structured output gives satisfies the schema that asked for it, whatever the schema, and ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.sim.schema import instance

Schema = dict[str, Any]
KINDS: dict[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def satisfies(value: Any, schema: Schema, root: Schema) -> bool:
    """Written from the specification, not from the generator."""
    if "$ref" in schema:
        return satisfies(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    if "anyOf" in schema:
        return any(satisfies(value, option, root) for option in schema["anyOf"])
    if isinstance(schema["type"], list):
        return any(satisfies(value, {**schema, "type": kind}, root) for kind in schema["type"])
    if schema["type"] in ("integer", "number"):
        return _number_satisfies(value, schema)
    return _of_kind_satisfies(value, schema, root)


def _of_kind_satisfies(value: Any, schema: Schema, root: Schema) -> bool:
    of_kind = isinstance(value, KINDS[schema["type"]])
    if not of_kind:
        return False
    if schema["type"] == "object":
        properties = schema["properties"]
        return set(schema["required"]) <= set(value) <= set(properties) and all(
            satisfies(member, properties[key], root) for key, member in value.items()
        )
    if schema["type"] == "array":
        long_enough = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 100)
        return long_enough and all(satisfies(item, schema["items"], root) for item in value)
    if schema["type"] == "string":
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**6))
    return True


def _number_satisfies(value: Any, schema: Schema) -> bool:
    kinds = (int,) if schema["type"] == "integer" else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        return False
    inside = schema.get("minimum", value) <= value <= schema.get("maximum", value)
    strictly = schema.get("exclusiveMinimum", value - 1) < value < schema.get("exclusiveMaximum", value + 1)
    return inside and strictly and (value % schema["multipleOf"] == 0 if "multipleOf" in schema else True)


@st.composite
def bounded(draw: st.DrawFn, kind: str, low: str, high: str) -> Schema:
    """With both bounds, one of them, or none; always satisfiable."""
    least = draw(st.integers(0, 12))
    bounds = {low: least, high: least + draw(st.integers(2, 12))}
    kept = draw(st.sets(st.sampled_from([low, high])))
    return {"type": kind, **{key: bounds[key] for key in sorted(kept)}}


SCALARS = st.one_of(
    st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {"type": ["string", "null"]},
            {"const": "fixed"},
            {"enum": ["red", "green", 3]},
            {"$ref": "#/$defs/tree"},
            {"$ref": "#/$defs/list"},
            {"type": "integer", "multipleOf": 5, "minimum": 3, "maximum": 13},
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        ]
    ),
    bounded("string", "minLength", "maxLength"),
    bounded("integer", "minimum", "maximum"),
    bounded("number", "minimum", "maximum"),
    bounded("integer", "exclusiveMinimum", "exclusiveMaximum"),
)


@st.composite
def object_of(draw: st.DrawFn, members: st.SearchStrategy[Schema]) -> Schema:
    names = st.sampled_from(["name", "age", "city", "answer", "tags", "unit", "date"])
    properties = draw(st.dictionaries(names, members, max_size=4))
    return {"type": "object", "properties": properties, "required": sorted(properties)}


@st.composite
def array_of(draw: st.DrawFn, items: st.SearchStrategy[Schema]) -> Schema:
    return {**draw(bounded("array", "minItems", "maxItems")), "items": draw(items)}


SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        object_of(inner), array_of(inner), st.lists(inner, min_size=1, max_size=3).map(lambda o: {"anyOf": o})
    ),
    max_leaves=8,
)
DEFINITIONS: Schema = {
    "tree": {
        "type": "object",
        "properties": {"left": {"$ref": "#/$defs/maybe"}, "right": {"$ref": "#/$defs/maybe"}},
        "required": ["left", "right"],
    },
    "maybe": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
    "list": {
        "type": "object",
        "properties": {"rest": {"type": "array", "items": {"$ref": "#/$defs/list"}}},
        "required": ["rest"],
    },
}
TEXTS = st.sampled_from(["", "Extract: Ada Lovelace, 36, lives in London", "Not 17 but -3.5 of 'red' things"])


@settings(max_examples=150, deadline=None)
@given(SCHEMAS, TEXTS)
def test_an_instance_satisfies_its_schema(schema: Schema, text: str) -> None:
    root = {**schema, "$defs": DEFINITIONS}
    value = json.loads(json.dumps(instance(root, text, "There are 391 of them.")))
    assert satisfies(value, schema, root), value


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"$ref": "#"},
        {"type": "object", "properties": {letter: {"$ref": "#"} for letter in "abcdefghijklmnop"}},
        {"type": "array", "minItems": 10**9, "items": {"$ref": "#"}},
        {"allOf": [{"$ref": "#"}]},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
    ],
)
def test_a_schema_without_end_gives_something_small(schema: Schema) -> None:
    assert len(json.dumps(instance(schema, "Hello"))) < 100_000


def test_values_come_from_the_question_and_its_answer() -> None:
    text = {"type": "string"}
    person = {"properties": {"name": text, "age": {"type": "integer"}, "city": text}}
    found = instance(person, "Extract: Ada Lovelace, 36, lives in London")
    assert found == {"name": "Ada Lovelace", "age": 36, "city": "London"}
    result = {"properties": {"answer": {"type": "integer"}, "kind": {"enum": ["good", "bad"]}}}
    assert instance(result, "What is 17 * 23?", "17 * 23 = 391, bad") == {"answer": 391, "kind": "bad"}
