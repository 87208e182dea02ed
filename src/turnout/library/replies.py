"""What the library returns: a reply, its tool calls, vectors, and an answer in any dialect.

Promise: every value is from the call's own record or from the body that the gateway would have sent; nothing is worked out anew.
It must not know how a reply came about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import msgspec
from msgspec import Struct

from turnout.core.call import Notice
from turnout.core.events import Usage
from turnout.core.record import AttemptRow, attempt_rows
from turnout.edge.inside import Inside

_decode = msgspec.json.Decoder().decode


class ToolCall(Struct, frozen=True):
    """`arguments` is the JSON text that the model wrote (free text for a custom tool)."""

    id: str
    name: str
    arguments: str

    def json(self) -> Any:
        """The arguments, read. Raises `ValueError` where the model wrote no JSON."""
        return _decode(self.arguments)


class Facts(Struct, frozen=True):
    """What is known of an answered call, whatever was asked.

    `model` is who answered, as `provider/model`. `usage` counts tokens, `None` where nobody did. `cost_usd` is what the call cost,
    failed tries included, in USD; `None` where the price is unknown. `notices` are degradations that the caller must know of;
    `attempts` every try, in order; `simulated` says that the answer is invented.
    """

    request_id: str
    model: str
    usage: Usage | None
    cost_usd: float | None
    notices: tuple[Notice, ...]
    attempts: tuple[AttemptRow, ...]
    simulated: bool


class Reply(Facts, frozen=True, kw_only=True):
    """A whole reply. `raw` is the body in OpenAI's form; the fields are of its first choice, empty where there is no such thing.

    `finish_reason` is OpenAI's word. `message` can be appended to the conversation as it is.
    """

    raw: dict[str, Any]
    text: str
    reasoning: str
    refusal: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str

    @property
    def message(self) -> dict[str, Any]:
        return _message(self.raw)

    def json(self) -> Any:
        """The text read as JSON, for structured output. Raises `ValueError`."""
        return _decode(self.text)


class Embeddings(Facts, frozen=True, kw_only=True):
    """A sequence of vectors, in the order of the texts. `raw` is the body in OpenAI's form."""

    raw: dict[str, Any]
    vectors: tuple[list[float], ...]

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[list[float]]:
        return iter(self.vectors)

    @overload
    def __getitem__(self, index: int) -> list[float]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[list[float], ...]: ...
    def __getitem__(self, index: int | slice) -> list[float] | tuple[list[float], ...]:
        return self.vectors[index]


class Response(Struct, frozen=True):
    """What the gateway would have answered over HTTP. Header names are lower case; the last of a repeated one counts."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def request_id(self) -> str:
        return self.headers.get("x-turnout-request-id", "")

    def json(self) -> Any:
        """Raises `ValueError` for content that is no JSON, such as sound."""
        return _decode(self.content)


def _facts(inside: Inside) -> dict[str, Any]:
    call, card = inside.call, inside.card
    assert call is not None and card is not None, "an answered call"
    outcome = call.outcome
    cost = None if outcome is None or outcome.cost_nano is None else outcome.cost_nano / 1e9
    return {
        "request_id": call.id,
        "model": card.label,
        "usage": None if outcome is None else outcome.usage,
        "cost_usd": cost,
        "notices": tuple(call.notices),
        "attempts": attempt_rows(call.attempts, call.arrived_ns),
        "simulated": card.simulated,
    }


def reply_of(inside: Inside, body: bytes) -> Reply:
    raw = _decode(body)
    message = _message(raw)
    choice: Mapping[str, Any] = next(iter(raw.get("choices") or ()), {})
    return Reply(
        **_facts(inside),
        raw=raw,
        text=_text(message.get("content")),
        reasoning=_text(message.get("reasoning_content") or message.get("reasoning")),
        refusal=message.get("refusal") or "",
        tool_calls=tuple(_tool_call(call) for call in message.get("tool_calls") or ()),
        finish_reason=choice.get("finish_reason") or "",
    )


def embeddings_of(inside: Inside, body: bytes) -> Embeddings:
    raw = _decode(body)
    rows: Sequence[Mapping[str, Any]] = sorted(raw["data"], key=lambda row: int(row["index"]))
    return Embeddings(**_facts(inside), raw=raw, vectors=tuple(row["embedding"] for row in rows))


def _message(raw: Mapping[str, Any]) -> dict[str, Any]:
    choice: Mapping[str, Any] = next(iter(raw.get("choices") or ()), {})
    return choice.get("message") or {}


def _text(content: Any) -> str:
    """Providers that are relayed may have parts in place of a text."""
    if isinstance(content, list):
        return "".join([part.get("text") or "" for part in content if isinstance(part, dict)])
    return content if isinstance(content, str) else ""


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function")
    if function:
        return ToolCall(call.get("id") or "", function.get("name") or "", function.get("arguments") or "")
    custom = call.get("custom") or {}
    return ToolCall(call.get("id") or "", custom.get("name") or "", custom.get("input") or "")
