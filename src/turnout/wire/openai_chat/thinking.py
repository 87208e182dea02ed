"""How reasoning is asked for: providers of this dialect have half a dozen spellings.

The control is read into one `_Wish` (on, off, a level, a budget), which one of the writers below spells as the target's quirks say; without
a quirk it is OpenAI's `reasoning_effort`. What a spelling cannot say is noted: a budget becomes a level, or the other way round, by
the one table in `wire/effort.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from turnout.core.model import ReasoningControl, Request
from turnout.wire.codec import Target
from turnout.wire.effort import budget_for, effort_for
from turnout.wire.openai_chat import quirks as q
from turnout.wire.openai_chat.parts import Drops

_LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_OPENAI_LEVELS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh"})


class _Wish(Struct, frozen=True):
    """`off` excludes the others. Neither level nor budget: reasoning, at the model's own measure."""

    off: bool
    effort: str | None
    budget_tokens: int | None


Body = dict[str, Any]
_Writer = Callable[[Body, _Wish, Target, Drops], None]


def add_reasoning(body: Body, request: Request, target: Target, drops: Drops) -> None:
    """Nothing where the caller asked for nothing, but for providers that would mix reasoning into the text."""
    if q.PARSED_REASONING in target.quirks:
        body["reasoning_format"] = "parsed"
    control = request.reasoning
    if q.FORCED_TOOLS_UNTHINKING in target.quirks and _forces(body):
        drops.note("reasoning.forced_tool_choice", control is not None and control.mode != "disabled")
        control = ReasoningControl("disabled")
    if control is None:
        return
    if target.capabilities and "reasoning" not in target.capabilities:
        drops.note("reasoning", control.mode != "disabled")
        return
    wish = _wish(control)
    if q.ALWAYS_THINKS in target.quirks:
        drops.note("reasoning.effort", wish != _Wish(False, None, None))
        return
    writer = next((write for quirk, write in _WRITERS.items() if quirk in target.quirks), _write_effort)
    writer(body, wish, target, drops)
    drops.note("reasoning.display", control.display is not None)


def _forces(body: Body) -> bool:
    return body.get("tool_choice", "auto") not in ("auto", "none")


def _wish(control: ReasoningControl) -> _Wish:
    if control.mode == "disabled" or control.effort == "none":
        return _Wish(True, None, None)
    return _Wish(False, control.effort, control.budget_tokens)


def _level(wish: _Wish, target: Target, drops: Drops) -> str | None:
    """The level to name, one that the target takes; `None` leaves it to the model."""
    level = "none" if wish.off else wish.effort
    if level is None and wish.budget_tokens is not None:
        level = effort_for(wish.budget_tokens)
        drops.note("reasoning.budget_tokens")
    if level is None:
        return None
    taken = q.value_of(target.quirks, q.EFFORTS)
    if taken is None:
        if level == "max" and q.THINKING_EFFORT not in target.quirks:
            drops.note("reasoning.effort")
            return "high"
        return level
    levels = taken.split(".")
    if level in levels:
        return level
    drops.note("reasoning.effort")
    return _nearest(level, levels)


def _nearest(level: str, levels: list[str]) -> str:
    """The nearest level, of two the lower; an unknown one counts as `medium`."""
    if "default" in levels:
        return "default"
    known = [name for name in _LEVELS if name in levels and name != "none"] or levels
    wanted = _LEVELS.index(level if level in _LEVELS else "medium")
    return min(known, key=lambda name: abs(_LEVELS.index(name) - wanted))


def _write_effort(body: Body, wish: _Wish, target: Target, drops: Drops) -> None:
    level = _level(wish, target, drops)
    known = level in _OPENAI_LEVELS or q.value_of(target.quirks, q.EFFORTS) is not None
    if level is not None and (known or not drops.foreign):
        body["reasoning_effort"] = level


def _write_object(body: Body, wish: _Wish, target: Target, drops: Drops) -> None:
    taken = q.value_of(target.quirks, q.EFFORTS)
    if wish.off and taken is not None and "none" not in taken.split("."):
        return  # it reasons when it is asked only
    if not wish.off and q.REASONING_TEMPERATURE_1 in target.quirks:
        drops.note("temperature", body.get("temperature", 1) != 1)
        body["temperature"] = 1
    if wish.budget_tokens is not None and wish.effort is None:
        body["reasoning"] = {"max_tokens": wish.budget_tokens}
        return
    level = _level(wish, target, drops)
    body["reasoning"] = {"enabled": True} if level is None else {"effort": level}


def _write_enabled(body: Body, wish: _Wish, target: Target, drops: Drops) -> None:
    body["reasoning"] = {"enabled": not wish.off}
    _write_level(body, wish, target, drops)


def _write_thinking(body: Body, wish: _Wish, target: Target, drops: Drops) -> None:
    body["thinking"] = {"type": "disabled" if wish.off else "enabled"}
    if q.THINKING_EFFORT in target.quirks:
        _write_level(body, wish, target, drops)
        return
    drops.note("reasoning.effort", wish.effort is not None)
    drops.note("reasoning.budget_tokens", wish.budget_tokens is not None)


def _write_enable(body: Body, wish: _Wish, target: Target, drops: Drops) -> None:
    body["enable_thinking"] = not wish.off
    budget = wish.budget_tokens
    if budget is None and wish.effort is not None:
        budget = budget_for(wish.effort)
    if budget is not None:
        body["thinking_budget"] = budget


def _write_template(body: Body, wish: _Wish, target: Target, drops: Drops) -> None:
    body["chat_template_kwargs"] = {"enable_thinking": not wish.off}
    _write_level(body, wish, target, drops)


def _write_venice(body: Body, wish: _Wish, target: Target, drops: Drops) -> None:
    if wish.off:
        body["venice_parameters"] = {"disable_thinking": True}
    else:
        _write_level(body, wish, target, drops)


def _write_level(body: Body, wish: _Wish, target: Target, drops: Drops) -> None:
    """The level of reasoning that is switched on by another member."""
    if not wish.off and (level := _level(wish, target, drops)) is not None:
        body["reasoning_effort"] = level


_WRITERS: dict[str, _Writer] = {
    q.REASONING_OBJECT: _write_object,
    q.REASONING_ENABLED: _write_enabled,
    q.THINKING_TYPE: _write_thinking,
    q.ENABLE_THINKING: _write_enable,
    q.CHAT_TEMPLATE_THINKING: _write_template,
    q.VENICE_PARAMETERS: _write_venice,
}
