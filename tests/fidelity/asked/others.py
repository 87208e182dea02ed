"""Requests of dialects that only providers speak, read by hand: Bedrock's Converse, Cohere's and Ollama's chat."""

from __future__ import annotations

import json
from typing import Any

from tests.fidelity.asked.common import Reader, canonical, parts_of, payload
from tests.fidelity.asked.openai_chat import OpenAIReader


class ConverseReader(Reader):
    def _settings(self, body: dict[str, Any]) -> None:
        to = self.asked
        inference = body.get("inferenceConfig") or {}
        to.max_tokens = inference.get("maxTokens")
        to.temperature, to.top_p = inference.get("temperature"), inference.get("topP")
        to.stop = inference.get("stopSequences") or []
        to.system = "".join(block.get("text") or "" for block in body.get("system") or [])
        config = body.get("toolConfig") or {}
        for spec in [tool["toolSpec"] for tool in config.get("tools") or [] if "toolSpec" in tool]:
            schema = spec["inputSchema"]["json"]
            to.tools.append((spec["name"], spec.get("description") or "", canonical(schema)))
        choice = config.get("toolChoice") or {"auto": {}}
        to.tool_choice = choice["tool"]["name"] if "tool" in choice else next(iter(choice))

    def _message(self, role: str, message: dict[str, Any]) -> None:
        for part in message.get("content") or []:
            self._part(role, part)

    def _part(self, role: str, part: dict[str, Any]) -> None:
        if "text" in part:
            self.say(role, part["text"])
        elif "toolUse" in part:
            use = part["toolUse"]
            self.call(use["toolUseId"], use["name"], canonical(use["input"]))
        elif "toolResult" in part:
            texts = []
            for inner in part["toolResult"].get("content") or []:
                if "text" in inner or "json" in inner:
                    texts.append(inner["text"] if "text" in inner else canonical(inner["json"]))
                else:
                    self._part(role, inner)
            self.asked.results.append((self.number(part["toolResult"]["toolUseId"]), "".join(texts)))
        for kind in ("image", "document", "video", "audio"):
            if kind in part:
                source = part[kind]["source"]
                if "text" in source:
                    self.say(role, source["text"])
                else:
                    self.asked.media.append(source.get("bytes") or source["s3Location"]["uri"])


class CohereReader(OpenAIReader):
    def _settings(self, body: dict[str, Any]) -> None:
        choice = {"REQUIRED": "required", "NONE": "none"}.get(body.get("tool_choice") or "", "auto")
        super()._settings({**body, "stop": body.get("stop_sequences"), "tool_choice": choice})
        self.asked.top_p = body.get("p")

    def _message(self, role: str, message: dict[str, Any]) -> None:
        self.say(role, message.get("tool_plan") or "")
        super()._message(role, message)

    def _result(self, message: dict[str, Any]) -> None:
        parts = [
            {"type": "text", "text": _document(part["document"])} if part["type"] == "document" else part
            for part in parts_of(message.get("content"))
        ]
        super()._result({**message, "content": parts})


def _document(document: Any) -> str:
    data = document.get("data") if isinstance(document, dict) else document
    return data if isinstance(data, str) else str(next(iter((data or {"": ""}).values())))


class OllamaReader(OpenAIReader):
    def __init__(self, body: dict[str, Any]) -> None:
        self._waiting: list[str] = []
        super().__init__(body)

    def _settings(self, body: dict[str, Any]) -> None:
        options = body.get("options") or {}
        super()._settings({**body, "stop": options.get("stop"), "max_tokens": options.get("num_predict")})
        self.asked.temperature, self.asked.top_p = options.get("temperature"), options.get("top_p")

    def _message(self, role: str, message: dict[str, Any]) -> None:
        """Calls may have no ids: results follow in the order of the calls."""
        self.asked.media += [payload(image) for image in message.get("images") or []]
        calls: list[dict[str, Any]] = []
        for call in message.get("tool_calls") or []:
            call_id = call.get("id") or f"call {len(self.asked.calls) + len(calls)}"
            self._waiting.append(call_id)
            function = {**call["function"], "arguments": json.dumps(call["function"].get("arguments"))}
            calls.append({"id": call_id, "function": function})
        if role == "tool" and self._waiting:
            message = {"tool_call_id": self._waiting.pop(0), **message}
        super()._message(role, {**message, "tool_calls": calls})
