"""An instance of a JSON Schema: what a model with structured output would answer, deterministic and bounded."""

from __future__ import annotations

import re
from typing import Any

DEPTH_MAX = 12
_NAMES = {
    "name": "Ada Lovelace",
    "city": "Paris",
    "country": "France",
    "email": "ada@example.com",
    "title": "A short title",
    "summary": "A short summary.",
    "date": "2026-01-15",
    "url": "https://example.com",
    "color": "blue",
    "language": "English",
}
_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T12:00:00Z",
    "email": "ada@example.com",
    "uri": "https://example.com",
    "uuid": "6f1c2f6e-3b7a-4b52-9a53-0c8a3a1d2e4f",
    "time": "12:00:00Z",
}


def instance(schema: Any, text: str = "", name: str = "") -> Any:
    """`text` is what was asked: an enum's value that stands in it is chosen."""
    return _make(schema, schema, text, name, 0)


def _make(schema: Any, root: Any, text: str, name: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > DEPTH_MAX:
        return None
    if "$ref" in schema:
        return _make(_resolve(str(schema["$ref"]), root), root, text, name, depth + 1)
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return _enum(schema["enum"], text)
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list) and schema[word]:
            options = [option for option in schema[word] if option != {"type": "null"}] or schema[word]
            return _make(options[0], root, text, name, depth + 1)
    if isinstance(schema.get("allOf"), list):
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            merged.update(_resolve(str(part["$ref"]), root) if "$ref" in part else part)
        return _make(merged, root, text, name, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    return _typed(kind or ("object" if "properties" in schema else "string"), schema, root, text, name, depth)


def _resolve(ref: str, root: Any) -> dict[str, Any]:
    found = root
    for part in ref.lstrip("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _enum(values: list[Any], text: str) -> Any:
    lowered = text.lower()
    return next((v for v in values if isinstance(v, str) and v.lower() in lowered), values[0])


def _typed(kind: str, schema: dict[str, Any], root: Any, text: str, name: str, depth: int) -> Any:
    if kind == "object":
        properties = schema.get("properties") or {}
        return {key: _make(value, root, text, key, depth + 1) for key, value in properties.items()}
    if kind == "array":
        items = schema.get("items") or {"type": "string"}
        wanted = max(int(schema.get("minItems") or 0), 2)
        wanted = min(wanted, int(schema.get("maxItems") or wanted), 50)
        return [_make(items, root, text, name.rstrip("s"), depth + 1) for _ in range(wanted)]
    if kind in ("integer", "number"):
        return _number(kind, schema, text, name)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _string(schema, name)


def _number(kind: str, schema: dict[str, Any], text: str, name: str) -> float | int:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value: float = 36 if "age" in name.lower() else 42
    found = re.search(r"-?\d+(?:\.\d+)?", text)
    if found:
        value = float(found[0])
    if low is not None:
        value = max(value, low + ("exclusiveMinimum" in schema))
    if high is not None:
        value = min(value, high - ("exclusiveMaximum" in schema))
    return int(value) if kind == "integer" else value


def _string(schema: dict[str, Any], name: str) -> str:
    lowered = name.lower()
    value = _FORMATS.get(str(schema.get("format"))) or next(
        (text for key, text in _NAMES.items() if key in lowered), f"example {name or 'text'}"
    )
    short = int(schema.get("minLength") or 0)
    value = value.ljust(short, ".")
    return value[: int(schema["maxLength"])] if schema.get("maxLength") else value
