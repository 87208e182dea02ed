"""Whether to call tools, which, and with what: decided from words, so that a test can predict it.

A tool is wanted when the question speaks of what its name says ("weather" for `get_weather`), or shares two words with its description.
Values come from the question: capitalised or quoted strings for strings, numbers for numbers, mentioned members for enums. A tool with one
free string and a question with several names gives one call a name, in parallel, as real models do.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from turnout.sim.ask import Ask, Call, Offered
from turnout.sim.schema import Source, choose, fill
from turnout.sim.text import arithmetic, entities, names, quoted, words

CALLS_MAX = 8
DESCRIPTION_WORDS_MIN = 2
WORDS_A_SHARED_ONE = 10  # a long description shares a word or two with any question
_VERBS = frozenset(
    "a an and api by call check compute create current data delete do execute fetch find for from get info information list lookup make "
    "my of on or query read run search send set show the to tool update use value with".split()
)
_WHOLE_TEXT = frozenset("query question text prompt message input content search keywords".split())


def calls(ask: Ask, seed: int, prefix: str) -> list[Call]:
    """The calls to make, none for an answer in words. Ids are `prefix` and 24 characters (9 without one) that follow from the request."""
    if not ask.tools or ask.choice == "none" or (ask.results and ask.choice == "auto"):
        return []
    wanted = _wanted(ask)
    made = [one for tool in wanted for one in _of(tool, ask.question, many=ask.parallel)]
    return [
        Call(_id(seed, prefix, ask, number), name, arguments)
        for number, (name, arguments) in enumerate(made[: CALLS_MAX if ask.parallel else 1])
    ]


def _id(seed: int, prefix: str, ask: Ask, number: int) -> str:
    """Alike for alike requests, distinct within one conversation, because that grows."""
    digest = hashlib.sha256(f"{seed}:{ask.model}:{number}:{ask.transcript}".encode("utf-8", "surrogatepass"))
    return prefix + digest.hexdigest()[: 24 if prefix else 9]


def _wanted(ask: Ask) -> list[Offered]:
    if ask.choice == "named":
        return [tool for tool in ask.tools if tool.name == ask.named]
    lowered = ask.question.lower()
    spoken = {_stem(word) for word in words(ask.question)}
    named = [tool for tool in ask.tools if re.search(rf"\b{re.escape(tool.name.lower())}\b", lowered)]
    if named:
        return sorted(named, key=lambda tool: lowered.index(tool.name.lower()))
    meant = [tool for tool in ask.tools if _nouns(tool.name) & spoken]
    if meant:
        return meant
    described = [_nouns(tool.description) for tool in ask.tools]
    score, number = max((len(nouns & spoken), -number) for number, nouns in enumerate(described))
    enough = max(DESCRIPTION_WORDS_MIN, len(described[-number]) // WORDS_A_SHARED_ONE)
    return [ask.tools[-number]] if score >= enough or ask.choice == "required" else []


def _nouns(text: str) -> set[str]:
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]+", " ", text)
    return {_stem(word) for word in words(split) if word not in _VERBS}


def _stem(word: str) -> str:
    return word.removesuffix("'s").removesuffix("s") if len(word) > 3 else word


def _of(tool: Offered, question: str, *, many: bool) -> list[tuple[str, str]]:
    """Names and arguments of the calls of one tool."""
    properties = _properties(tool)
    slots = [name for name in _required(tool, properties) if _is_free_string(properties[name])]
    named = entities(question) if len(slots) < 2 else _everything_named(question)
    found = [value for value in named if value != tool.name]
    figures = Source.of(question).numbers
    if len(slots) == 1 and len(found) > 1 and many and slots[0] not in _WHOLE_TEXT:
        sources = [Source(question, [value], list(figures)) for value in found[:CALLS_MAX]]
    else:
        sources = [Source(question, found, figures)]
    return [(tool.name, _arguments(tool, question, source)) for source in sources]


def _everything_named(question: str) -> list[str]:
    """Names and quotations in the order in which they come."""
    quotations = quoted(question)
    apart = [name for name in names(question) if not any(name in quotation for quotation in quotations)]
    return sorted(dict.fromkeys([*apart, *quotations]), key=question.index)


def _properties(tool: Offered) -> dict[str, Any]:
    properties = tool.schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _required(tool: Offered, properties: dict[str, Any]) -> list[str]:
    required = tool.schema.get("required")
    listed = [name for name in properties if name in required] if isinstance(required, list) else []
    # A tool that requires nothing but has parameters is called with the first of them.
    return listed or list(properties)[:1]


def _is_free_string(schema: Any) -> bool:
    return (
        isinstance(schema, dict)
        and schema.get("type") == "string"
        and "enum" not in schema
        and "const" not in schema
    )


def _arguments(tool: Offered, question: str, source: Source) -> str:
    properties = _properties(tool)
    required = _required(tool, properties)
    arguments: dict[str, object] = {}
    for name, schema in properties.items():
        if name in required:
            arguments[name] = _argument(tool, name, schema, question, source)
        elif isinstance(schema, dict) and isinstance(schema.get("enum"), list):
            value = choose([None, *schema["enum"]], question)
            if value is not None:
                arguments[name] = value
    return msgspec.json.encode(arguments).decode()


def _argument(tool: Offered, name: str, schema: Any, question: str, source: Source) -> object:
    if _is_free_string(schema):
        if name in ("expression", "calculation", "formula"):
            found = arithmetic(question)
            return found[0] if found else question
        if name in _WHOLE_TEXT and not source.names:
            return question
    return fill(schema if isinstance(schema, dict) else {}, tool.schema, source, name)
