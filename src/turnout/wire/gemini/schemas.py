"""Google's `Schema` (a subset of OpenAPI 3.0) as JSON Schema.

Differences: type names in capitals or as numbers, `nullable`, integers written as strings (`minItems: "1"`), and members that JSON Schema does not have
(`propertyOrdering`). What is JSON Schema already is returned as it is, text for text.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw

_NUMBERS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_ONE: Mapping[str, str] = MappingProxyType({"items": "items", "additionalProperties": "additionalProperties"})
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "any_of": "anyOf",
        "additional_properties": "additionalProperties",
        "min_items": "minItems",
        "max_items": "maxItems",
        "min_length": "minLength",
        "max_length": "maxLength",
        "min_properties": "minProperties",
        "max_properties": "maxProperties",
        "property_ordering": "propertyOrdering",
    }
)
_TYPES = (
    "",
    "string",
    "number",
    "integer",
    "boolean",
    "array",
    "object",
    "null",
)  # by their numbers, as some SDKs send them
_encode = msgspec.json.Encoder().encode
_decode: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)


def json_schema(raw: Raw) -> Raw:
    """The same schema for everybody else. Text that is no object, or too deep, is returned unchanged."""
    try:
        value = _decode.decode(raw)
        if not isinstance(value, dict):
            return raw.copy()
        converted = _schema(value)
        return raw.copy() if converted == value else Raw(_encode(converted))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return raw.copy()


def _schema(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for given_name, inner in value.items():
        name = _NAMES.get(given_name, given_name)
        if name == "type" and type(inner) is int and 0 <= inner < len(_TYPES):
            if inner:
                out[name] = _TYPES[inner]
        elif name == "type" and isinstance(inner, str):
            if inner != "TYPE_UNSPECIFIED":
                out[name] = inner.lower() if inner.isupper() else inner
        elif name == "properties" and isinstance(inner, dict):
            out[name] = {key: _schema(item) for key, item in inner.items()}
        elif name in _ONE:
            out[name] = _schema(inner)
        elif name == "anyOf" and isinstance(inner, list):
            out[name] = [_schema(item) for item in inner]
        elif name in _NUMBERS and isinstance(inner, str) and inner.isdecimal():
            out[name] = int(inner)
        elif name not in ("nullable", "propertyOrdering"):
            out[name] = inner
    return _nullable(out) if value.get("nullable") is True else out


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(kind := schema.get("type"), str):
        schema["type"] = [kind, "null"]
        if isinstance(choices := schema.get("enum"), list) and None not in choices:
            schema["enum"] = [*choices, None]
    elif isinstance(either := schema.get("anyOf"), list):
        schema["anyOf"] = [*either, {"type": "null"}]
    return schema
