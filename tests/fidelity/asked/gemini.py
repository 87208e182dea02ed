"""A Gemini request, read by hand. Its members may be spelled in camel or snake case; model and stream are in the path."""

from __future__ import annotations

import re
from typing import Any

from tests.fidelity.asked.common import Reader, canonical
from tests.fidelity.recordings import Dialect

_HUMP = re.compile(r"_([a-z])")
_VERBATIM = frozenset(
    {"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema"}
)
_TYPES = ("", "string", "number", "integer", "boolean", "array", "object")
_CHOICES = {"AUTO": "auto", "ANY": "any", "NONE": "none", "VALIDATED": "auto", "MODE_UNSPECIFIED": "auto"}


def camel(value: Any) -> Any:
    """The same with members in camel case, but for what is the caller's own JSON."""
    if isinstance(value, list):
        return [camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for name, inner in value.items():
        name = _HUMP.sub(lambda match: match[1].upper(), name)
        out[name] = inner if name in _VERBATIM else camel(inner)
    return out


def lowered(schema: Any) -> Any:
    """Gemini's own schemas shout their types, and order members, which JSON Schema cannot."""
    if isinstance(schema, list):
        return [lowered(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        name: inner for name, inner in schema.items() if name not in ("propertyOrdering", "property_ordering")
    }
    return {name: _type(inner) if name == "type" else lowered(inner) for name, inner in kept.items()}


def _type(value: Any) -> Any:
    """By name, or by number as some of Vertex AI's SDKs write it."""
    if isinstance(value, int):
        return _TYPES[value]
    return value.lower() if isinstance(value, str) else lowered(value)


class GeminiReader(Reader):
    def __init__(self, body: dict[str, Any]) -> None:
        self._called: dict[str, list[str]] = {}
        super().__init__(camel(body))

    def _settings(self, body: dict[str, Any]) -> None:
        to = self.asked
        generation = body.get("generationConfig") or {}
        to.temperature, to.top_p = generation.get("temperature"), generation.get("topP")
        to.max_tokens = generation.get("maxOutputTokens")
        to.stop = generation.get("stopSequences") or []
        system = body.get("systemInstruction") or {}
        parts = [{"text": system}] if isinstance(system, str) else system.get("parts") or []
        to.system = "".join(part.get("text") or "" for part in parts)
        for tool in body.get("tools") or []:
            for function in tool.get("functionDeclarations") or []:
                schema = function.get("parametersJsonSchema") or lowered(function.get("parameters") or {})
                to.tools.append((function["name"], function.get("description") or "", canonical(schema)))
        calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
        names = calling.get("allowedFunctionNames") or []
        choice = _CHOICES[(calling.get("mode") or "AUTO").upper()]
        to.tool_choice = names[0] if choice == "any" and len(names) == 1 else choice
        for content in body.get("contents") or []:
            self._message("assistant" if content.get("role") == "model" else "user", content)

    def _message(self, role: str, message: dict[str, Any]) -> None:
        for part in message.get("parts") or []:
            self._part(role, part)

    def _part(self, role: str, part: dict[str, Any]) -> None:
        if part.get("text") and not part.get("thought"):
            self.say(role, part["text"])
        if "inlineData" in part:
            self.asked.media.append(part["inlineData"]["data"])
        if "fileData" in part:
            self.asked.media.append(part["fileData"]["fileUri"])
        if "functionCall" in part:
            call = part["functionCall"]
            waiting = self._called.setdefault(call["name"], [])
            call_id = call.get("id") or f"{call['name']} {len(self.asked.calls)}"
            waiting.append(call_id)
            self.call(call_id, call["name"], canonical(call.get("args") or {}))
        if "functionResponse" in part:
            self._result(part["functionResponse"])

    def _result(self, result: dict[str, Any]) -> None:
        """A result without an id answers the oldest call of its name."""
        waiting = self._called.setdefault(result["name"], [])
        call_id = result.get("id") or (waiting[0] if waiting else result["name"])
        if call_id in waiting:
            waiting.remove(call_id)
        self.asked.results.append((self.number(call_id), canonical(result.get("response") or {})))
        for part in result.get("parts") or []:
            self._part("user", part)


IN_THE_PATH: frozenset[Dialect] = frozenset({"gemini", "bedrock", "bedrock_anthropic"})
"""Dialects whose body does not say whether a stream is wanted."""
