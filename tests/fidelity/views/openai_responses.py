"""OpenAI Responses as the `openai` SDK reads them: output items, or the events that they grow from.

A stream says most things three times: in deltas, when an item is done, and in the final response. Deltas count; what came without any is
taken from the finished item, and from the final response where no item was streamed at all.
"""

from __future__ import annotations

import json
from typing import Any

import openai
from msgspec import Struct, field
from openai.types.responses import Response, ResponseStreamEvent

from tests.fidelity.views import openai_chat
from tests.fidelity.views.said import Said, Tokens, Tool, View, failure
from tests.fidelity.views.transport import replied

_client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9")
_ENDS = frozenset({"response.completed", "response.incomplete"})


class _Item(Struct):
    """One output item. Parts are texts by (kind, number): `summary` and `content` number apart."""

    kind: str = ""
    parts: dict[tuple[str, int], str] = field(default_factory=dict)
    refusals: dict[int, str] = field(default_factory=dict)
    tool: Tool | None = None

    def add(self, kind: str, number: int, text: str) -> None:
        self.parts[kind, number] = self.parts.get((kind, number), "") + text

    @property
    def text(self) -> str:
        """A summary before the reasoning that it sums up; its parts are paragraphs."""
        paragraphs = [text for (kind, _), text in sorted(self.parts.items()) if kind == "summary"]
        return "\n\n".join(paragraphs) + "".join(
            t for (k, _), t in sorted(self.parts.items()) if k != "summary"
        )


def whole(body: bytes) -> View:
    data: Any = json.loads(body)
    if not isinstance(data, dict) or data.get("object") != "response" or data.get("status") == "failed":
        return failure()
    data = Response.construct(**data).to_dict(mode="python", warnings=False)
    return _view([_finished(item) for item in data.get("output") or []], data)


def events(body: bytes) -> openai.Stream[ResponseStreamEvent]:
    """What iterates when a user writes `for event in client.responses.create(stream=True)`."""
    return openai.Stream[ResponseStreamEvent](
        cast_to=ResponseStreamEvent,  # type: ignore[arg-type]
        response=replied(body),
        client=_client,
    )


def stream(body: bytes) -> View:
    items: dict[int, _Item] = {}
    final: Any = None
    failed = False
    try:
        for event in events(body):
            data: Any = event.to_dict(mode="python", warnings=False)
            kind = data.get("type")
            if kind in _ENDS:
                final = data["response"]
                break  # one body, one response: what a fixture concatenates after it is another reply
            if kind in ("response.failed", "error"):
                failed = True
            else:
                _grow(items, kind, data)
    except openai.APIError:
        failed = True
    found = [items[number] for number in sorted(items)]
    if final is None:
        return View([_said(found)], Tokens(), failed=True)
    if not found:
        found = [_finished(item) for item in final.get("output") or []]
    view = _view(found, final)
    view.failed = failed
    return view


def _grow(items: dict[int, _Item], kind: str, data: Any) -> None:
    number = data.get("output_index")
    if number is None:
        return
    if kind == "response.output_item.added":
        items[number] = _opened(data["item"])
    item = items.setdefault(number, _Item())
    match kind:
        case "response.output_item.done":
            _complete(item, _finished(data["item"]))
        case "response.output_text.delta" | "response.reasoning_text.delta":
            item.add("content", data.get("content_index") or 0, data["delta"])
        case "response.reasoning_summary_text.delta":
            item.add("summary", data.get("summary_index") or 0, data["delta"])
        case "response.refusal.delta":
            at = data.get("content_index") or 0
            item.refusals[at] = item.refusals.get(at, "") + data["delta"]
        case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
            if item.tool is not None:
                item.tool.arguments += data["delta"]


def _opened(raw: Any) -> _Item:
    item = _finished(raw)
    if item.tool is not None:
        item.tool.arguments = ""
    return _Item(item.kind, tool=item.tool)


def _complete(item: _Item, finished: _Item) -> None:
    item.kind = finished.kind
    for kind in ("summary", "content"):
        streamed = {at: text for at, text in item.parts.items() if at[0] == kind}
        whole = {at: text for at, text in finished.parts.items() if at[0] == kind}
        if "".join(whole.values()).startswith("".join(streamed.values())):  # deltas may be left out
            item.parts = {**{at: text for at, text in item.parts.items() if at[0] != kind}, **whole}
    item.refusals = {**finished.refusals, **item.refusals}
    if item.tool is None or not item.tool.arguments:
        item.tool = finished.tool


def _finished(raw: Any) -> _Item:
    item = _Item(raw.get("type") or "")
    for number, part in enumerate(raw.get("summary") or []):
        item.add("summary", number, part.get("text") or "")
    content = raw.get("content") if item.kind in ("message", "reasoning") else None
    for number, part in enumerate(content or []):
        if part.get("type") == "refusal":
            item.refusals[number] = part.get("refusal") or ""
        else:
            item.add("content", number, part.get("text") or "")
    if item.kind == "function_call":
        item.tool = Tool(raw["name"], raw.get("arguments") or "", raw.get("call_id") or "")
    elif item.kind == "custom_tool_call":
        item.tool = Tool(raw["name"], raw.get("input") or "", raw.get("call_id") or "")
    return item


def _said(items: list[_Item]) -> Said:
    said = Said()
    for item in items:
        if item.kind == "reasoning":
            said.reasoning += item.text
        elif item.kind == "message":
            said.text += item.text
            said.refusal += "".join(item.refusals.values())
        elif item.tool is not None:
            said.tools.append(item.tool)
    return said


def _view(items: list[_Item], response: Any) -> View:
    said = _said(items)
    said.finish = _finish(said, response)
    return View([said], tokens(response.get("usage")))


def _finish(said: Said, response: Any) -> str:
    """Programs look for calls and refusals among the items: the status does not tell them apart."""
    if response.get("status") in ("queued", "in_progress"):  # in the background
        return "unfinished"
    if response.get("status") == "incomplete":
        reason = (response.get("incomplete_details") or {}).get("reason")
        return "content_filter" if reason == "content_filter" else "length"
    return "tool_calls" if said.tools else "stop"


def tokens(usage: Any) -> Tokens:
    """The same arithmetic as for chat completions, whose counts these are by other names."""
    if not isinstance(usage, dict):
        return Tokens()
    names = {
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "input_tokens_details": "prompt_tokens_details",
        "output_tokens_details": "completion_tokens_details",
    }
    return openai_chat.tokens({names.get(name, name): value for name, value in usage.items()}, {})
