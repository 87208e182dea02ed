"""Which of the offered functions a simulated model calls, and with what.

A function is called when the question has words of its name or description. Its arguments come from the question: names of things
for strings, numbers for numbers, allowed values that are mentioned for enums. Several things asked about are several calls at once.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from turnout.sim.ask import Ask, Call, Offered
from turnout.sim.schema import instance

CALLS_MAX = 8
_WORD = re.compile(r"[a-z]{4,}")
_THING = re.compile(r"\b[A-Z][\w'-]*(?: (?:de |del |la )?[A-Z][\w'-]*)*")
_QUOTED = re.compile(r"[\"“']([^\"”']{1,200})[\"”']")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_OPENERS = frozenset(
    "What Which Who Where When Why How Is Are Was Were Do Does Did Can Could Would Should Please Tell Give Get Find Show Look Search"
    " Compare Check Name List The A An I In And It Use Call Send Book Set Turn Convert Translate Write Explain Hi Hello".split()
)


def calls(ask: Ask, seed: int, family: str) -> list[Call]:
    """Empty when nothing is to be called."""
    if not ask.tools or ask.choice == "none" or (ask.results and ask.choice == "auto"):
        return []
    tool = _chosen(ask)
    if tool is None:
        return []
    wanted = _arguments(tool, ask.question)
    if not ask.parallel:
        wanted = wanted[:1]
    return [
        Call(_id(seed, family, ask, number), tool.name, json.dumps(arguments, ensure_ascii=False))
        for number, arguments in enumerate(wanted[:CALLS_MAX])
    ]


def _chosen(ask: Ask) -> Offered | None:
    if ask.choice == "named":
        return next((tool for tool in ask.tools if tool.name == ask.named), None)
    asked = set(_WORD.findall(ask.question.lower()))
    scored = [(len(asked & _words(tool)), -number, tool) for number, tool in enumerate(ask.tools)]
    score, _, tool = max(scored, key=lambda item: item[:2])
    return tool if score or ask.choice == "required" else None


def _words(tool: Offered) -> set[str]:
    return set(_WORD.findall(f"{tool.name} {tool.description}".lower().replace("_", " ")))


def things(question: str) -> list[str]:
    """Names of things in a question, in order, each once."""
    found = [match[1] for match in _QUOTED.finditer(question)]
    for match in _THING.finditer(question):
        words = match[0].split(" ")
        while words and words[0] in _OPENERS:
            words.pop(0)
        if words:
            found.append(" ".join(words))
    return list(dict.fromkeys(found))


def _arguments(tool: Offered, question: str) -> list[dict[str, Any]]:
    properties: dict[str, Any] = tool.schema.get("properties") or {}
    required = tool.schema.get("required") or list(properties)
    names, numbers = things(question), _NUMBER.findall(question)
    varying = next(
        (
            key
            for key in required
            if properties.get(key, {}).get("type") == "string" and "enum" not in properties[key]
        ),
        None,
    )
    out = []
    for thing in names if varying and names else [""]:
        arguments: dict[str, Any] = {}
        for position, key in enumerate(required):
            arguments[key] = _value(properties.get(key, {}), key, question, numbers, position)
        if varying:
            arguments[varying] = thing or arguments[varying]
        out.append(arguments)
    return out


def _value(schema: dict[str, Any], key: str, question: str, numbers: list[str], position: int) -> Any:
    if schema.get("type") in ("integer", "number") and numbers:
        text = numbers[min(position, len(numbers) - 1)]
        return int(float(text)) if schema["type"] == "integer" else float(text)
    return instance(schema, question, key)


def _id(seed: int, family: str, ask: Ask, number: int) -> str:
    digest = hashlib.sha256(f"{seed}:{ask.model}:{ask.transcript}:{number}".encode()).hexdigest()
    return f"toolu_01{digest[:22]}" if family == "anthropic" else f"call_{digest[:24]}"
