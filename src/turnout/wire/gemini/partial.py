"""Arguments of a function call that arrive member by member (`streamFunctionCallArguments`).

Each fragment names a place with a JSON path (`$.items[0].name`) and gives a string piece, a number, a boolean or a null; the pieces of a
string are joined. The other dialects stream the JSON text itself, which cannot be known before the call ends: a later fragment may
still add a member anywhere. So the object is put together here and given as text once. What cannot be placed is left out; places are
bounded.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

ITEMS_MAX = 10_000  # positions of one list: a path may name any index
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[['\"]([^'\"\]]*)['\"]\]")
_encode = msgspec.json.Encoder().encode


class Fragment(Struct, rename="camel"):
    """One `partialArgs` entry."""

    json_path: str | None = None
    string_value: str | None = None
    number_value: float | int | None = None
    bool_value: bool | None = None
    null_value: str | int | None = None


class Arguments:
    """The arguments object under construction."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}

    def add(self, fragment: Fragment) -> None:
        steps = _steps(fragment.json_path or "")
        if steps and isinstance(steps[0], str):
            _put(self._root, steps, _value(fragment))

    def text(self) -> str:
        return _encode(self._root).decode()


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for name, index, quoted in _STEP.findall(path.removeprefix("$")):
        steps.append(min(int(index[:9]), ITEMS_MAX) if index else name or quoted)
    return steps


def _value(fragment: Fragment) -> Any:
    for value in (fragment.string_value, fragment.bool_value, fragment.number_value):
        if value is not None:
            return int(value) if type(value) is float and value.is_integer() else value
    return None


def _put(root: dict[str, Any], steps: list[str | int], value: Any) -> None:
    place: Any = root
    for step, following in pairwise(steps):
        found = _get(place, step)
        if not isinstance(found, dict | list):
            found = {} if isinstance(following, str) else []
            if not _set(place, step, found):
                return
        place = found
    before = _get(place, steps[-1])
    _set(place, steps[-1], before + value if isinstance(before, str) and isinstance(value, str) else value)


def _get(place: Any, step: str | int) -> Any:
    if isinstance(place, dict):
        return place.get(step)
    return place[step] if isinstance(step, int) and step < len(place) else None


def _set(place: Any, step: str | int, value: Any) -> bool:
    if isinstance(place, dict) and isinstance(step, str):
        place[step] = value
        return True
    if not isinstance(place, list) or not isinstance(step, int) or step >= ITEMS_MAX:
        return False
    place.extend([None] * (step + 1 - len(place)))
    place[step] = value
    return True
