"""An OpenAI chat request, and Mistral's, read by hand."""

from __future__ import annotations

from typing import Any

from tests.fidelity.asked.common import Reader, canonical, parts_of, payload


class OpenAIReader(Reader):
    def _settings(self, body: dict[str, Any]) -> None:
        to = self.asked
        to.max_tokens = body.get("max_completion_tokens") or body.get("max_tokens")
        stop = body.get("stop") or []
        to.stop = [stop] if isinstance(stop, str) else stop
        functions = [tool["function"] for tool in body.get("tools") or [] if tool.get("type") == "function"]
        for function in [*functions, *(body.get("functions") or [])]:
            schema = function.get("parameters") or {}
            to.tools.append((function["name"], function.get("description") or "", canonical(schema)))
        choice = body.get("tool_choice") or body.get("function_call") or "auto"
        if isinstance(choice, dict):
            choice = (
                choice["type"]
                if choice.get("type") == "allowed_tools"
                else (choice.get("function") or choice)["name"]
            )
        to.tool_choice = "any" if choice == "required" else choice

    def _message(self, role: str, message: dict[str, Any]) -> None:
        if role in ("system", "developer"):
            self.asked.system += "".join(part.get("text") or "" for part in parts_of(message.get("content")))
            return
        if role in ("tool", "function"):
            self._result(message)
            return
        for part in parts_of(message.get("content")):
            self._part(role, part)
        for call in message.get("tool_calls") or []:
            function = call.get("function") or {}
            self.call(call["id"], function.get("name") or "", function.get("arguments") or "")
        if legacy := message.get("function_call"):
            self.call(f"legacy {legacy['name']}", legacy["name"], legacy.get("arguments") or "")

    def _result(self, message: dict[str, Any]) -> None:
        texts = []
        for part in parts_of(message.get("content")):
            if part["type"] == "text":
                texts.append(part["text"])
            else:
                self._part("user", part)
        call_id = message.get("tool_call_id") or f"legacy {message.get('name')}"
        self.asked.results.append((self.number(call_id), "".join(texts)))

    def _part(self, role: str, part: dict[str, Any]) -> None:
        kind = part.get("type")
        if kind in ("text", "refusal"):
            self.say(role, part[kind])
        elif kind == "image_url":
            image = part["image_url"]
            self.asked.media.append(payload(image if isinstance(image, str) else image["url"]))
        elif kind == "file" and part["file"].get("file_data"):
            self.asked.media.append(payload(part["file"]["file_data"]))
        elif kind == "input_audio":  # Mistral takes the data itself
            audio = part["input_audio"]
            self.asked.media.append(payload(audio if isinstance(audio, str) else audio["data"]))
        elif kind == "document_url":
            self.asked.media.append(payload(part["document_url"]))
