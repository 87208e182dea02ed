"""How much a model behind Converse is to think, in its maker's own words.

Claude's is planned exactly as for Anthropic's own API, with what that forbids. Others take a level: Nova 2 in `reasoningConfig`, gpt-oss in
`reasoning_effort`, Qwen and DeepSeek in `reasoning_config`. All of it travels in `additionalModelRequestFields`, but for Claude's level.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from turnout.core.model import Message, Part, Reasoning, Request
from turnout.wire.anthropic.contents import Drops
from turnout.wire.anthropic.thinking import ThinkingPlan, plan_thinking
from turnout.wire.bedrock.families import Family
from turnout.wire.bedrock.meanings import DIALECT
from turnout.wire.codec import Target
from turnout.wire.effort import effort_for

_encode = msgspec.json.Encoder().encode
_LEVELS: Mapping[str, str] = MappingProxyType(
    {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
)


def plan_claude(request: Request, target: Target, drops: Drops) -> ThinkingPlan:
    """`max_tokens`, thinking and level of a Claude model. Thinking that Claude signed on this platform is its own."""
    own = replace(request, messages=tuple(_renamed(message) for message in request.messages))
    return plan_thinking(own, target, drops)


def _renamed(message: Message) -> Message:
    if not any(isinstance(part, Reasoning) and part.origin == DIALECT for part in message.content):
        return message
    return Message(message.role, tuple(_as_anthropic(part) for part in message.content), message.name)


def _as_anthropic(part: Part) -> Part:
    return (
        replace(part, origin="anthropic") if isinstance(part, Reasoning) and part.origin == DIALECT else part
    )


def level_fields(request: Request, target: Target, family: Family, drops: Drops) -> dict[str, Raw]:
    """Members that ask another maker's model to think at a level; a budget is told as the level below it."""
    control = request.reasoning
    if (
        control is None
        or control.mode == "disabled"
        or control.effort == "none"
        or control.budget_tokens == 0
    ):
        return {}
    if family.reasoning is None or (target.capabilities and "reasoning" not in target.capabilities):
        drops.note("reasoning")
        return {}
    effort = control.effort
    if effort is None and control.budget_tokens:
        effort = effort_for(control.budget_tokens)
        drops.note("reasoning.budget_tokens")
    level = _LEVELS.get(effort or "medium", "medium")
    if family.reasoning == "reasoningConfig":
        return {family.reasoning: Raw(_encode({"type": "enabled", "maxReasoningEffort": level}))}
    return {family.reasoning: Raw(_encode(level))}
