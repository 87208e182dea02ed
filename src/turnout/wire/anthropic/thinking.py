"""How much an Anthropic model is to think, and what that costs the rest of the request.

Three ways lead there: a caller of this dialect said it in this dialect's words, which are kept; an adaptive model (quirk
`adaptive_thinking`) takes a level; any other takes a budget from `wire/effort.py`, below `max_tokens`. Thinking is given up, by a
declared name, where the API forbids it: with a forced tool, in a tool loop whose earlier thinking is not Anthropic's, and when
`max_tokens` leaves no room.

`max_tokens` is required by the API: the caller's, else the target's largest output, else a guess of which the caller is told: the nearest
model's, or `MAX_TOKENS_DEFAULT` and the budget on top.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from turnout.core.model import (
    Message,
    Part,
    Reasoning,
    ReasoningControl,
    Request,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from turnout.wire.anthropic.contents import Drops
from turnout.wire.anthropic.marks import DIALECT
from turnout.wire.codec import Target
from turnout.wire.effort import budget_for, effort_for, fit_budget

MAX_TOKENS_DEFAULT = 4_096
_LEVELS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "max"}


class Thinking(Struct, omit_defaults=True):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class ThinkingPlan(Struct):
    """`thinking` and `output_config.effort` as they are sent, with the `max_tokens` that fits them.

    `guessed`: the caller did not say how much, and nobody knows how much the model gives.
    """

    max_tokens: int
    thinking: Thinking | None = None
    effort: str | None = None
    guessed: bool = False

    @property
    def guessed_max(self) -> int | None:
        return self.max_tokens if self.guessed else None

    @property
    def on(self) -> bool:
        return self.thinking is not None and self.thinking.type != "disabled"


def plan_thinking(request: Request, target: Target, drops: Drops) -> ThinkingPlan:
    control = request.reasoning
    plan = _plan_of(request, target)
    if control is None:
        return plan
    if request.dialect == DIALECT:
        plan.effort = control.effort
        if control.mode is not None:
            plan.thinking = Thinking(control.mode, control.budget_tokens, control.display)
        return plan
    if _wanted(control) and not _forbidden(request, target, drops):
        if "adaptive_thinking" in target.quirks:
            plan.thinking, plan.effort = Thinking("adaptive", None, control.display), _level(control, target)
        else:
            _add_budget(plan, request, target, drops)
    return plan


def forces(choice: ToolChoice | None) -> bool:
    """Whether the caller leaves the model no choice but to call a tool."""
    return choice is not None and choice.mode in ("required", "named")


def _plan_of(request: Request, target: Target) -> ThinkingPlan:
    asked = request.params.max_tokens or target.max_output
    if asked is not None:
        return ThinkingPlan(asked)
    return ThinkingPlan(target.output_guess or MAX_TOKENS_DEFAULT, guessed=True)


def _wanted(control: ReasoningControl) -> bool:
    if control.mode == "disabled" or control.effort == "none" or control.budget_tokens == 0:
        return False
    return bool(control.mode or control.effort or control.budget_tokens)


def _forbidden(request: Request, target: Target, drops: Drops) -> bool:
    if target.capabilities and "reasoning" not in target.capabilities:
        drops.note("reasoning")
        return True
    if request.tools and forces(request.tool_choice) and "no_forced_tools" not in target.quirks:
        drops.note("reasoning.forced_tool_choice")
        return True
    return False


def _level(control: ReasoningControl, target: Target) -> str | None:
    effort = control.effort
    if effort is None and control.budget_tokens:
        effort = effort_for(max(control.budget_tokens, budget_for("minimal")))
    if effort == "xhigh" and "effort_xhigh" in target.quirks:
        return effort
    return None if effort is None else _LEVELS.get(effort, "medium")


def _add_budget(plan: ThinkingPlan, request: Request, target: Target, drops: Drops) -> None:
    control = request.reasoning or ReasoningControl()
    if _foreign_tool_loop(request.messages):
        drops.note("reasoning.tool_loop")
        return
    budget = control.budget_tokens or budget_for(control.effort)
    if plan.guessed and target.output_guess is None:
        plan.max_tokens = budget + MAX_TOKENS_DEFAULT
    fitting = fit_budget(budget, plan.max_tokens)
    if fitting is None:
        drops.note("reasoning.max_tokens")
        return
    plan.thinking = Thinking("enabled", fitting, control.display)


def _foreign_tool_loop(messages: Sequence[Message]) -> bool:
    """Does the conversation end in tool results whose calls Anthropic did not think about?"""
    answered = False
    for message in reversed(messages):
        if message.role != "assistant":
            answered = answered or any(isinstance(part, ToolResult) for part in message.content)
        elif any(isinstance(part, ToolCall) for part in message.content):
            return answered and not any(_is_own_thinking(part) for part in message.content)
        else:
            return False
    return False


def _is_own_thinking(part: Part) -> bool:
    if not isinstance(part, Reasoning) or part.origin != DIALECT:
        return False
    return part.signature is not None or part.redacted is not None
