"""An Anthropic messages request, read by hand."""

from __future__ import annotations

from typing import Any

from tests.fidelity.asked.common import Reader, canonical, parts_of


class AnthropicReader(Reader):
    def _settings(self, body: dict[str, Any]) -> None:
        to = self.asked
        to.max_tokens = body.get("max_tokens")
        to.stop = body.get("stop_sequences") or []
        to.system = "".join(part["text"] for part in parts_of(body.get("system")))
        for tool in body.get("tools") or []:
            if tool.get("type") in (None, "custom"):
                to.tools.append(
                    (tool["name"], tool.get("description") or "", canonical(tool["input_schema"]))
                )
        choice = body.get("tool_choice") or {"type": "auto"}
        to.tool_choice = choice["name"] if choice["type"] == "tool" else choice["type"]

    def _message(self, role: str, message: dict[str, Any]) -> None:
        for part in parts_of(message.get("content")):
            if role == "system":
                self.asked.system += part.get("text") or ""
            else:
                self._part(role, part)

    def _part(self, role: str, part: dict[str, Any]) -> None:
        kind = part["type"]
        if kind == "text":
            self.say(role, part["text"])
        elif kind in ("image", "document"):
            self._media(role, part["source"])
        elif kind == "tool_use":
            self.call(part["id"], part["name"], canonical(part["input"]))
        elif kind == "tool_result":
            texts = []
            for inner in parts_of(part.get("content")):
                if inner["type"] == "text":
                    texts.append(inner["text"])
                else:
                    self._part(role, inner)
            self.asked.results.append((self.number(part["tool_use_id"]), "".join(texts)))

    def _media(self, role: str, source: dict[str, Any]) -> None:
        if source["type"] == "text":
            self.say(role, source["data"])
        elif source["type"] in ("base64", "url"):
            self.asked.media.append(source.get("data") or source["url"])
