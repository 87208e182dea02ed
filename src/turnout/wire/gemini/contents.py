"""Canonical messages as Gemini's `systemInstruction` and `contents`.

The API's own rules are applied to what other dialects' callers said: the responses to a turn's function calls come in one turn, right after
it and in the order of the calls; empty texts are left out; arguments and responses are objects. A thought goes back only with the proof
that Gemini made, on the part that bore it. Gemini 3 refuses the first function call of a turn without a proof: history of other models gets
the value that Google documents for it. What cannot be carried is noted by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from turnout.core.model import (
    Audio,
    Document,
    FileId,
    Image,
    Inline,
    Message,
    Opaque,
    Part,
    PlainText,
    Reasoning,
    Refusal,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from turnout.wire.anthropic.marks import custom_input, input_object, is_object
from turnout.wire.gemini.drops import Drops
from turnout.wire.gemini.marks import DIALECT, EMPTY_MARK, FOREIGN_CALL, TEXT_MARK, own_id
from turnout.wire.gemini.parts import DETAILS_KIND, guessed_type

_members = msgspec.json.Decoder(dict[str, Raw])
_DATA_URL = "data:"
_SPELLINGS = {"image/jpg": "image/jpeg"}
_AUDIO_TYPES = {"mp3": "audio/mpeg", "pcm16": "audio/pcm"}

WirePart = dict[str, Any] | Raw


class WireContent(Struct):
    role: str
    parts: list[WirePart]


class Scribe:
    """Writes one conversation. Remembers the names of calls, which the results need."""

    __slots__ = ("_drops", "_names", "_new")

    def __init__(self, drops: Drops, new: bool) -> None:
        self._drops = drops
        self._new = new
        self._names: dict[str, str] = {}

    def contents(self, turns: Iterable[Message]) -> list[WireContent]:
        written: list[WireContent] = []
        for message in _arranged(turns) if self._drops.foreign else turns:
            self._drops.note("messages.name", message.name is not None)
            parts = self._turn(message)
            if parts or not self._drops.foreign:
                written.append(WireContent("model" if message.role == "assistant" else "user", parts))
        return written

    def _turn(self, message: Message) -> list[WirePart]:
        parts: list[WirePart] = []
        waiting: list[str] = []
        for part in message.content:
            self._part(part, parts, waiting)
        for signature in waiting:  # proofs whose text had not come yet: history that keeps no order
            _sign_text(parts, signature, any_place=True)
        if self._new:
            _sign_first_call(parts)
        return parts

    def _part(self, part: Part, parts: list[WirePart], waiting: list[str]) -> None:
        drops = self._drops
        match part:
            case Text(text, cache):
                drops.note("cache_control", cache is not None)
                if text or not drops.foreign:
                    parts.append({"text": text})
            case Refusal(text):
                parts += [{"text": text}] if text else []
            case ToolCall():
                self._names[part.id] = part.name
                parts.append(self._call(part))
            case ToolResult():
                self._result(part, parts)
            case Reasoning():
                self._reasoning(part, parts, waiting)
            case Opaque(dialect, kind, raw):
                if dialect != DIALECT:
                    drops.note("opaque")
                elif kind == DETAILS_KIND:
                    _add_details(parts, raw)
                else:
                    parts.append(raw)
            case Image() | Document() | Audio():
                media = self._media(part)
                parts += [media] if media is not None else []

    # -- functions
    def _call(self, call: ToolCall) -> WirePart:
        drops = self._drops
        args, wrapped = (custom_input(call.arguments), False) if call.custom else input_object(call.arguments)
        drops.note("tool_calls.arguments", wrapped)
        drops.note("cache_control", call.cache is not None)
        function: dict[str, Any] = {"name": call.name, "args": args}
        if (call_id := own_id(call.id)) is not None:
            function = {"id": call_id, **function}
        part: dict[str, Any] = {"functionCall": function}
        if call.signature is not None and call.origin == DIALECT:
            part["thoughtSignature"] = call.signature
        else:
            drops.note("tool_calls.signature", call.signature is not None)
        return part

    def _result(self, result: ToolResult, parts: list[WirePart]) -> None:
        drops = self._drops
        drops.note("cache_control", result.cache is not None)
        texts = [part.text for part in result.content if isinstance(part, Text | Refusal)]
        function: dict[str, Any] = {
            "name": self._names.get(result.call_id) or result.name or result.call_id,
            "response": _response("".join(texts), bool(result.is_error)),
        }
        if (call_id := own_id(result.call_id)) is not None:
            function = {"id": call_id, **function}
        media: list[WirePart] = []
        for part in result.content:
            if not isinstance(part, Text | Refusal):
                self._part(part, media, [])
        inside = [part for part in media if self._fits_response(part)]
        after = [part for part in media if not self._fits_response(part)]
        if inside:
            function["parts"] = inside
        parts.append({"functionResponse": function})
        if after:
            drops.note("tool_results.media")
            parts.append({"text": f"Content of the result of {function['name']}:"})
            parts += after

    def _fits_response(self, part: WirePart) -> bool:
        """May it be among a function response's parts?"""
        return not self._drops.foreign or (self._new and isinstance(part, dict) and "inlineData" in part)

    # -- thoughts
    def _reasoning(self, part: Reasoning, parts: list[WirePart], waiting: list[str]) -> None:
        drops = self._drops
        if part.origin != DIALECT or part.redacted is not None or (drops.foreign and part.signature is None):
            drops.note("reasoning.unsigned")
        elif part.signature is not None and part.signature.startswith(TEXT_MARK):
            signature = part.signature.removeprefix(TEXT_MARK)
            if not _sign_text(parts, signature):
                waiting.append(signature)
        elif part.signature is not None and part.signature.startswith(EMPTY_MARK):
            parts.append({"text": "", "thoughtSignature": part.signature.removeprefix(EMPTY_MARK)})
        else:
            thought: dict[str, Any] = {"text": part.text, "thought": True}
            if part.signature is not None:
                thought["thoughtSignature"] = part.signature
            parts.append(thought)

    # -- media
    def _media(self, part: Image | Document | Audio) -> WirePart | None:
        drops = self._drops
        if isinstance(part, Image):
            drops.note("image.detail", part.detail not in (None, "auto"))
        if isinstance(part, Document):
            drops.note("document.context", part.context is not None)
            drops.note("document.citations", bool(part.citations))
        drops.note("cache_control", not isinstance(part, Audio) and part.cache is not None)
        fallback = "image/jpeg" if isinstance(part, Image) else "application/pdf"
        if isinstance(part, Audio):
            fallback = _AUDIO_TYPES.get(part.format or "", f"audio/{part.format or 'wav'}")
        name = part.name if isinstance(part, Document) else None
        return self._source(part.source, fallback, name)

    def _source(self, source: Source, fallback: str, name: str | None) -> WirePart | None:
        match source:
            case Url(url) if url.startswith(_DATA_URL):
                head, _, data = url[len(_DATA_URL) :].partition(",")
                return _inline(head.partition(";")[0] or fallback, data)
            case Url(url):
                return {"fileData": {"mimeType": guessed_type(url) or fallback, "fileUri": url}}
            case Inline(kind, data):
                return _inline(kind if "/" in kind else fallback, data)
            case PlainText(text):
                title = f"{name}\n\n" if name else ""
                return {"text": title + text}
            case FileId(file_id) if not self._drops.foreign:
                return {"fileData": {"fileUri": file_id}}
            case FileId():
                self._drops.note("file_id")
        return None


def _inline(kind: str, data: str) -> WirePart:
    return {"inlineData": {"mimeType": _SPELLINGS.get(kind, kind), "data": data}}


def _response(text: str, failed: bool) -> Any:
    if failed:
        return {"error": text}
    return Raw(text.encode()) if is_object(text) else {"output": text}


def _sign_text(parts: list[WirePart], signature: str, any_place: bool = False) -> bool:
    """Put a proof on the text before it, or on any text that has none."""
    for part in reversed(parts if any_place else parts[-1:]):
        if isinstance(part, dict) and "text" in part and not part.keys() & {"thought", "thoughtSignature"}:
            part["thoughtSignature"] = signature
            return True
    return False


def _sign_first_call(parts: Sequence[WirePart]) -> None:
    for part in parts:
        if isinstance(part, dict) and "functionCall" in part:
            part.setdefault("thoughtSignature", FOREIGN_CALL)
            return


def _add_details(parts: list[WirePart], raw: Raw) -> None:
    last = parts[-1] if parts else None
    if not isinstance(last, dict):
        return
    for name, value in _members.decode(raw).items():
        inner = last.get(name)
        if isinstance(inner, dict):
            last[name] = {**inner, **_members.decode(value)}
        else:
            last[name] = value


# -- the order of turns
def _arranged(turns: Iterable[Message]) -> list[Message]:
    """Turns of one role in a row become one when tools are involved; results open their turn, in the order of the calls."""
    merged: list[Message] = []
    for message in turns:
        last = merged[-1] if merged else None
        if last is not None and last.role == message.role and (_has_tools(last) or _has_tools(message)):
            merged[-1] = Message(message.role, last.content + message.content, last.name or message.name)
        else:
            merged.append(message)
    order: dict[str, int] = {}
    arranged = []
    for turn in merged:
        arranged.append(Message(turn.role, _results_first(turn.content, order), turn.name))
        calls = [part.id for part in turn.content if isinstance(part, ToolCall)]
        order = {call_id: place for place, call_id in enumerate(calls)}
    return arranged


def _has_tools(message: Message) -> bool:
    return any(isinstance(part, ToolCall | ToolResult) for part in message.content)


def _results_first(parts: tuple[Part, ...], order: dict[str, int]) -> tuple[Part, ...]:
    def place(part: Part) -> int:
        return order.get(part.call_id, len(order)) if isinstance(part, ToolResult) else len(order) + 1

    return tuple(sorted(parts, key=place))
