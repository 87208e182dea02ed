"""From an ask to what is said: the one place that decides between text, function calls and structured output."""

from __future__ import annotations

import msgspec

from turnout.sim import answers, tokens, tools
from turnout.sim.ask import Ask, Said
from turnout.sim.models import SimModel
from turnout.sim.schema import instance

HIDDEN_THOUGHT_TOKENS = 64
_CALL_PREFIXES = {"anthropic": "toolu_01", "mistral": ""}


def think(ask: Ask, model: SimModel, seed: int, variant: int = 0) -> Said:
    """`variant` tells apart the alternatives of one request."""
    said = Said()
    if ask.think:
        said.thought = answers.thoughts(ask)
        said.thought_tokens = tokens.count(said.thought)
        if model.thinking == "hidden":
            said.thought, said.thought_tokens = "", max(HIDDEN_THOUGHT_TOKENS, said.thought_tokens)
    said.calls = tools.calls(ask, seed + variant, _CALL_PREFIXES.get(model.provider, "call_"))
    if said.calls:
        said.finish = "tools"
    elif ask.schema is not None:
        said.text = msgspec.json.encode(
            instance(ask.schema, ask.question, answers.answer(ask, seed, model.skill))
        ).decode()
    elif ask.any_json:
        said.text = answers.json_object(ask, seed, model.skill)
    else:
        said.text = answers.answer(ask, seed, model.skill, variant)
    _stop_and_cut(said, ask, model)
    spoken = tokens.count(said.text) + sum(tokens.count(c.name + c.arguments) + 4 for c in said.calls)
    said.output_tokens = max(1, spoken + said.thought_tokens)
    return said


def _stop_and_cut(said: Said, ask: Ask, model: SimModel) -> None:
    found = [(at, text) for text in ask.stop if text and (at := said.text.find(text)) >= 0]
    if found and not said.calls:
        at, said.sequence = min(found)
        said.text, said.finish = said.text[:at], "sequence"
    limit = min(ask.max_tokens or model.max_output, model.max_output)
    said.thought_tokens = min(said.thought_tokens, limit)
    room = max(0, limit - said.thought_tokens) if ask.think else limit
    said.text, missing = tokens.cut(said.text, room)
    if missing:
        said.finish, said.sequence = "length", None
