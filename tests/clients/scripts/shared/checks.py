"""What the Python scripts share: a check is one function for one cell of the table, and reports itself as one line of JSON.

It runs in a client's own environment, so it uses the standard library only.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import traceback
from collections.abc import Callable
from typing import Any

TURNOUT = os.environ.get("TURNOUT_URL", "http://127.0.0.1:8080")
QUESTION = "What is the capital of France?"
ANSWER = "The capital of France is Paris."
WHY_CHARS_MAX = 2000

Check = Callable[[], Any]
_found: list[tuple[str, str, Check]] = []


def check(api: str, feature: str) -> Callable[[Check], Check]:
    """Registers the function for one cell; it passes unless it raises. It may be a coroutine function."""

    def register(function: Check) -> Check:
        _found.append((api, feature, function))
        return function

    return register


def says(text: str, *parts: str) -> None:
    """Raises AssertionError that shows the text, unless it holds every part."""
    missing = [part for part in parts if part not in text]
    assert not missing, f"{missing} not in: {text[:WHY_CHARS_MAX]!r}"


def refusal(call: Callable[[], Any]) -> Exception:
    """What the call raises. Raises AssertionError if it does not, for then a wrong request was accepted."""
    try:
        call()
    except Exception as refused:  # noqa: BLE001 - which class it is depends on the client
        return refused
    raise AssertionError("a request for an unknown model was accepted")


def _why(function: Check, loop: asyncio.Runner) -> str | None:
    try:
        result = function()
        if inspect.iscoroutine(result):
            loop.run(result)
    except Exception:  # noqa: BLE001 - whatever a client raises is the finding
        return traceback.format_exc()[-WHY_CHARS_MAX:]
    return None


def run_checks() -> None:
    """All of them, on one event loop: clients keep connections from call to call."""
    with asyncio.Runner() as loop:
        for api, feature, function in _found:
            why = _why(function, loop)
            print(json.dumps({"api": api, "feature": feature, "why": why}), flush=True)
