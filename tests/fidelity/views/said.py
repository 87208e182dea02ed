"""What a reply says, whatever its dialect: the common shape that all readings have."""

from __future__ import annotations

from msgspec import Struct, field


class Tokens(Struct):
    """By price class; `None` where nobody said."""

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None


class Tool(Struct):
    """`arguments` is JSON text; a custom tool's is what it was given, as it is."""

    name: str
    arguments: str
    id: str = ""


class Said(Struct):
    """One choice. `finish` is the dialect's own word, or one of another dialect that means the same."""

    text: str = ""
    refusal: str = ""
    reasoning: str = ""
    tools: list[Tool] = field(default_factory=list)
    finish: str | None = None


class View(Struct):
    choices: list[Said]
    tokens: Tokens
    failed: bool = False


def failure() -> View:
    """A reply that is an error, or none."""
    return View([], Tokens(), failed=True)
