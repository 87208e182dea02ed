"""A request as the simulated models see it, whichever API it came through, and what they say to it."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field


class SimError(Exception):
    """A provider's refusal: status, type word, code, message. The API in question gives it its shape."""

    def __init__(
        self, status: int, kind: str, message: str, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.code = code
        self.param = param
        self.headers: dict[str, str] = {}

    @classmethod
    def told(cls, problem: SimError, headers: dict[str, str]) -> SimError:
        """The same refusal with headers."""
        problem.headers = headers
        return problem


class Offered(Struct):
    """A function that the caller offers."""

    name: str
    description: str
    schema: dict[str, Any]


class Result(Struct):
    call_id: str
    text: str


class Ask(Struct):
    """`transcript` is everything in order, for counting and caching; `question` the last thing that the user said."""

    model: str
    transcript: str
    question: str
    system: str = ""
    pictures: list[str] = field(default_factory=list)
    tools: list[Offered] = field(default_factory=list)
    choice: Literal["auto", "none", "required", "named"] = "auto"
    named: str = ""
    parallel: bool = True
    results: list[Result] = field(default_factory=list)
    schema: dict[str, Any] | None = None
    any_json: bool = False
    max_tokens: int | None = None
    stop: list[str] = field(default_factory=list)
    think: bool = False
    prompt_tokens: int = 0


class Call(Struct):
    id: str
    name: str
    arguments: str


class Said(Struct):
    """`finish`: `stop`, `length`, `tools`, or `sequence` (then `sequence` holds it)."""

    text: str = ""
    thought: str = ""
    calls: list[Call] = field(default_factory=list)
    finish: str = "stop"
    sequence: str | None = None
    output_tokens: int = 0
    thought_tokens: int = 0
