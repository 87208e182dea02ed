"""A Responses request, read by hand."""

from __future__ import annotations

from typing import Any

from tests.fidelity.asked.common import Reader, canonical, parts_of, payload


class ResponsesReader(Reader):
    def _settings(self, body: dict[str, Any]) -> None:
        to = self.asked
        to.max_tokens = body.get("max_output_tokens")
        to.system = body.get("instructions") or ""
        for tool in body.get("tools") or []:
            if tool.get("type") == "function":
                schema = tool.get("parameters") or {}
                to.tools.append((tool["name"], tool.get("description") or "", canonical(schema)))
        choice = body.get("tool_choice") or "auto"
        to.tool_choice = _choice(choice)
        if isinstance(choice, dict) and choice.get("tools"):  # those that are allowed
            allowed = {tool.get("name") for tool in choice["tools"]}
            to.tools = [tool for tool in to.tools if tool[0] in allowed]
        given = body.get("input") or []
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        for item in items:
            self._message(item.get("role") or "assistant", item)

    def _message(self, role: str, message: dict[str, Any]) -> None:
        kind = message.get("type") or "message"
        if kind == "message":
            for part in parts_of(message.get("content")):
                self._part(role, part)
        elif kind == "function_call":
            self.call(message["call_id"], message["name"], message.get("arguments") or "")
        elif kind == "custom_tool_call":
            self.call(message["call_id"], message["name"], message.get("input") or "")
        elif kind in ("function_call_output", "custom_tool_call_output"):
            texts = []
            for part in parts_of(message.get("output")):
                if "text" in part:
                    texts.append(part["text"])
                else:
                    self._part("user", part)
            self.asked.results.append((self.number(message["call_id"]), "".join(texts)))

    def _part(self, role: str, part: dict[str, Any]) -> None:
        text = part.get("text") or part.get("refusal")
        if text and role in ("system", "developer"):
            self.asked.system += text
        elif text:
            self.say(role, text)
        elif part.get("image_url"):
            self.asked.media.append(payload(part["image_url"]))
        elif "input_audio" in part:
            self.asked.media.append(payload(part["input_audio"]["data"]))
        elif part.get("file_data") or part.get("file_url"):
            self.asked.media.append(payload(part.get("file_data") or part["file_url"]))


def _choice(choice: Any) -> str:
    if isinstance(choice, str):
        return "any" if choice == "required" else choice
    if choice.get("type") == "allowed_tools" or "mode" in choice:
        return _choice(choice.get("mode") or "auto")
    return str(choice.get("name") or choice["type"])
