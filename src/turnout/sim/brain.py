"""From an ask to what is said: the one place that decides between text, function calls and structured output."""

from __future__ import annotations

import json

from turnout.sim import answers, tokens, tools
from turnout.sim.ask import Ask, Said, SimError
from turnout.sim.models import SimModel
from turnout.sim.schema import instance

HIDDEN_THOUGHT_TOKENS = 64


def think(ask: Ask, model: SimModel, seed: int, variant: int = 0) -> Said:
    """`variant` tells apart the alternatives of one request."""
    said = Said()
    if ask.think:
        said.thought = answers.thoughts(ask)
        said.thought_tokens = tokens.count(said.thought)
        if model.thinking == "hidden":
            said.thought, said.thought_tokens = "", max(HIDDEN_THOUGHT_TOKENS, said.thought_tokens)
    said.calls = tools.calls(ask, seed + variant, "anthropic" if model.provider == "anthropic" else "openai")
    if said.calls:
        said.finish = "tools"
    elif ask.schema is not None:
        said.text = json.dumps(instance(ask.schema, ask.question), ensure_ascii=False)
    elif ask.any_json:
        said.text = json.dumps({"answer": answers.answer(ask, seed, model.skill)}, ensure_ascii=False)
    else:
        said.text = answers.answer(ask, seed + variant, model.skill)
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
    room = max(0, limit - said.thought_tokens) if ask.think else limit
    said.text, missing = tokens.cut(said.text, room)
    if missing:
        said.finish, said.sequence = "length", None


def check_window(ask: Ask, model: SimModel) -> None:
    """Raises `SimError` (code `context_length_exceeded`) when prompt and answer do not fit the model."""
    if ask.prompt_tokens > model.context_window:
        raise SimError(
            400,
            "invalid_request_error",
            f"This model's maximum context length is {model.context_window} tokens. However, your messages resulted in "
            f"{ask.prompt_tokens} tokens. Please reduce the length of the messages.",
            "context_length_exceeded",
            "messages",
        )
