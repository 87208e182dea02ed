"""How much a Gemini model is to think: `thinkingConfig`.

Gemini 3 takes a level, Gemini 2.5 a budget in tokens (`wire/effort.py` converts), both count thinking within `maxOutputTokens`. A caller of
this dialect said it in this dialect's words, which are kept. Any other caller expects to see the thinking that it asked for, so
thoughts are included unless it said otherwise.
"""

from __future__ import annotations

from msgspec import Struct

from turnout.core.model import ReasoningControl, Request
from turnout.wire.codec import Target
from turnout.wire.effort import budget_for, effort_for
from turnout.wire.gemini.drops import Drops
from turnout.wire.gemini.marks import DIALECT
from turnout.wire.gemini.models import budget_range, is_new, must_think

_DYNAMIC = -1
_LEVELS = {
    "none": "MINIMAL",
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}


class ThinkingConfig(Struct, omit_defaults=True, rename="camel"):
    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


def plan_thinking(request: Request, target: Target, drops: Drops) -> ThinkingConfig | None:
    control = request.reasoning
    if control is None:
        return None
    if request.dialect == DIALECT:
        return _own(control)
    if target.capabilities and "reasoning" not in target.capabilities:
        drops.note("reasoning", not _off(control))
        return None
    if _off(control):
        return _least(target, drops)
    shown = control.display != "omitted"
    if is_new(target):
        return ThinkingConfig(shown, None, _level(control, target, drops))
    return ThinkingConfig(shown, _budget(control, target, drops))


def _own(control: ReasoningControl) -> ThinkingConfig | None:
    budget = _DYNAMIC if control.mode == "adaptive" else control.budget_tokens
    level = None if control.effort is None else control.effort.upper()
    shown = None if control.display is None else control.display != "omitted"
    return ThinkingConfig(shown, budget, level)


def _off(control: ReasoningControl) -> bool:
    return control.mode == "disabled" or control.effort == "none" or control.budget_tokens == 0


def _least(target: Target, drops: Drops) -> ThinkingConfig:
    """No thinking, or the least that the model can be brought to."""
    drops.note("reasoning.disabled", must_think(target) or is_new(target))
    if is_new(target):
        return ThinkingConfig(False, None, "LOW" if must_think(target) else "MINIMAL")
    return ThinkingConfig(False, budget_range(target)[0] if must_think(target) else 0)


def _level(control: ReasoningControl, target: Target, drops: Drops) -> str | None:
    effort = control.effort
    if effort is None and control.budget_tokens is not None:
        drops.note("reasoning.budget_tokens")
        effort = effort_for(max(control.budget_tokens, budget_for("minimal")))
    if effort is None:
        return None
    drops.note("reasoning.effort", effort in ("xhigh", "max"))
    level = _LEVELS.get(effort, "MEDIUM")
    return "LOW" if level == "MINIMAL" and must_think(target) else level


def _budget(control: ReasoningControl, target: Target, drops: Drops) -> int | None:
    """A level without an amount leaves it to the model."""
    if control.budget_tokens is None and control.effort is None:
        return _DYNAMIC if control.mode is not None else None
    wanted = control.budget_tokens or budget_for(control.effort)
    least, most = budget_range(target)
    drops.note("reasoning.budget_range", control.budget_tokens is not None and not least <= wanted <= most)
    return min(max(wanted, least), most)
