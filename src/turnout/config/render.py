"""The configuration reference as Markdown, made from the types: `python -m turnout.config.render > docs/configuration.md`.

Promise: the document cannot differ from the code, as a test compares them. Sections stand in the order of the file; a type that is used
in several places is described once, with every place.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, inspect

from turnout.config.schema import Config

_INTRODUCTION = """\
# Configuration

One YAML file, `turnout.yaml` by default. An empty file is valid. `turnout check` names file, line, key and the allowed values of whatever is
wrong; an unknown field is an error. A changed file is taken over while the gateway runs, as a whole or not at all.

`${VARIABLE}` in a value stands for an environment variable, which must be set; `${VARIABLE:-default}` has a default for one that is not
set or empty; `$${` stands for `${` itself. Write credentials as variables: the values of `api_key`, `key` and `headers` never
appear in messages. Anchors, aliases and `<<` merges work; YAML tags do not.

```yaml
server: {host: 127.0.0.1, port: 8080}
store: sqlite:///turnout.db
providers:
  openai: {api_key: "${OPENAI_API_KEY}", tags: [us]}        # known: base URL and dialect need not be said
  anthropic: {api_key: "${ANTHROPIC_API_KEY}", tags: [us]}
  house: {dialect: openai_chat, base_url: "http://127.0.0.1:8000/v1", tags: [eu]}
models:
  gpt-4o: {provider: openai, fallbacks: [claude-sonnet, llama-house]}
  claude-sonnet: {provider: anthropic, id: claude-sonnet-4-6, tier: large, fallbacks: [gpt-4o]}
  llama-house: {provider: house, id: llama-3.3-70b, tier: light, price: {input: 0, output: 0}}  # USD per million tokens
routing:
  tiers: {light: [llama-house, gpt-4o], standard: [gpt-4o], large: [claude-sonnet]}   # what `auto` chooses from, best first
  tasks: {code_generation: claude-sonnet, extraction: llama-house}
  long_context_tokens: 50000
policies:
  eu: {require_tags: [eu]}
resilience:
  deadlines: {first_token_ms: 20000}
# keys:                                   # clients must show one; with none, the gateway is open on loopback only
#   - {name: app, key: "${TURNOUT_KEY_APP}", policies: [eu]}
```
"""


class Section(Struct):
    """A type, with every path at which it stands."""

    kind: inspect.StructType
    paths: list[str]


def sections() -> list[Section]:
    """Every section of the file, in its order."""
    found: dict[type, Section] = {}
    root = inspect.type_info(Config)
    assert isinstance(root, inspect.StructType)
    _collect(root, "", found)
    return list(found.values())


def _collect(kind: inspect.StructType, path: str, found: dict[type, Section]) -> None:
    section = found.setdefault(kind.cls, Section(kind, []))
    section.paths.append(path)
    for field in kind.fields:
        inner, suffix = _inside(field.type)
        if isinstance(inner, inspect.StructType):
            _collect(inner, f"{path}.{field.encode_name}{suffix}".lstrip("."), found)


def _inside(kind: inspect.Type) -> tuple[inspect.Type, str]:
    """The type within descriptions and collections, and how a path into it goes on."""
    kind = _bare(kind)
    if isinstance(kind, inspect.DictType):
        return _bare(kind.value_type), ".<name>"
    if isinstance(kind, inspect.VarTupleType):
        return _bare(kind.item_type), "[]"
    return kind, ""


def _bare(kind: inspect.Type) -> inspect.Type:
    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _bare(next(each for each in kind.types if not isinstance(each, inspect.NoneType)))
    return kind


def description(field: inspect.Field) -> str:
    """What the schema says about a field; empty if nothing."""
    kind: inspect.Type = field.type
    while isinstance(kind, inspect.Metadata):
        if kind.extra_json_schema and "description" in kind.extra_json_schema:
            return str(kind.extra_json_schema["description"])
        kind = kind.type
    return ""


def _type_text(kind: inspect.Type) -> str:
    kind = _bare(kind)
    if isinstance(kind, inspect.LiteralType):
        return " ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, inspect.VarTupleType):
        return f"list of {_type_text(kind.item_type)}"
    if isinstance(kind, inspect.DictType):
        return f"{_type_text(kind.key_type)} → {_type_text(kind.value_type)}"
    if isinstance(kind, inspect.StructType):
        return "section"
    if isinstance(kind, inspect.BoolType):
        return "`true` `false`"
    return _scalar_text(kind)


def _scalar_text(kind: inspect.Type) -> str:
    if isinstance(kind, (inspect.IntType, inspect.FloatType)):
        name = "whole number" if isinstance(kind, inspect.IntType) else "number"
        if kind.ge is not None and kind.le is not None:
            return f"{name}, {kind.ge:,} to {kind.le:,}"
        return name if kind.ge is None else f"{name}, at least {kind.ge:,}"
    return "text"


def _default_text(field: inspect.Field) -> str:
    if field.required:
        return "**required**"
    default: Any = field.default
    if default is NODEFAULT or default is None or default == () or isinstance(default, Struct):
        return ""
    if isinstance(default, int) and not isinstance(default, bool):
        return f"`{default:_}`" if default >= 10_000 else f"`{default}`"
    return f"`{default if isinstance(default, str) else msgspec.json.encode(default).decode()}`"


def _lines(section: Section) -> Iterator[str]:
    paths = [path for path in section.paths if path]
    if paths:
        yield f"## {', '.join(f'`{path}`' for path in paths)}"
    else:
        yield "## The file"
    yield ""
    yield " ".join((section.kind.cls.__doc__ or "").split())
    yield ""
    yield "| field | type | default | |"
    yield "|---|---|---|---|"
    for field in section.kind.fields:
        yield (
            f"| `{field.encode_name}` | {_type_text(field.type)} | {_default_text(field)} | {description(field)} |"
        )
    yield ""


def reference_markdown() -> str:
    """The whole document."""
    lines = [line for section in sections() for line in _lines(section)]
    return _INTRODUCTION + "\n" + "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference_markdown())
