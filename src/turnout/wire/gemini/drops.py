"""What could not be carried to a Gemini provider."""

from __future__ import annotations


class Drops:
    """Names of what could not be carried, each once, in the order in which it was met."""

    __slots__ = ("_names", "foreign")

    def __init__(self, foreign: bool) -> None:
        self.foreign = foreign  # does the request come from another dialect?
        self._names: dict[str, None] = {}

    def note(self, name: str, when: bool = True) -> None:
        if when:
            self._names[name] = None

    def names(self) -> tuple[str, ...]:
        return tuple(self._names)
