"""`turnout route`: the decision that the gateway would make, made here."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from turnout.cli.setup import catalog_of, configuration
from turnout.cli.terminal import CommandError, out, plain, print_json, print_table
from turnout.core.call import ANONYMOUS
from turnout.core.errors import CallFailed
from turnout.core.model import Message, Request, Text
from turnout.edge.controls import read_controls
from turnout.routing.explanation import Explanation, explain


def route(prompt: str, model: str, controls: dict[str, str], path: Path | None, as_json: bool) -> int:
    text = sys.stdin.read() if prompt == "-" else prompt
    request = Request("openai_chat", model, (Message("user", (Text(text),)),))
    try:
        asked = read_controls(controls, None)
        _, planner = catalog_of(configuration(path))
        begun = time.perf_counter_ns()
        plan = planner.explain_decide(model, asked, ANONYMOUS, lambda: request, "chat")
        explanation = explain(plan, (time.perf_counter_ns() - begun) // 1000)
    except CallFailed as error:
        raise CommandError(error.failure.message, error.failure.code) from None
    if as_json:
        print_json(explanation)
    else:
        _show(explanation)
    return 0


def _show(found: Explanation) -> None:
    tier, task, tokens, plan = found.tier, found.task, found.tokens, found.plan
    assert tier is not None
    assert task is not None
    assert tokens is not None
    out(f"tier       {tier.name} ({tier.probability:.0%}{', abstained' if tier.abstained else ''})")
    out(
        f"task       {task.name} ({task.probability:.0%}, {task.source}{', abstained' if task.abstained else ''})"
    )
    out(f"tokens     {tokens.input} in, about {tokens.output_expected} out")
    cost = "unknown" if plan.estimated_cost_usd is None else f"${plan.estimated_cost_usd:.6f}"
    out(f"model      {plan.model}, estimated cost {cost}")
    out(f"fallbacks  {', '.join(plan.fallbacks) or 'none'}")
    for notice in found.notices:
        out(f"notice     {notice.code}: {plain(notice.message)}")
    out(f"decided in {found.decided_in_us} µs\n")
    print_table(
        "Candidates",
        ["model", "kept", "why"],
        [
            [
                verdict.model,
                "yes" if verdict.kept else "no",
                f"score {verdict.score:.3f}"
                if verdict.kept and verdict.score is not None
                else f"{verdict.filter or ''} {verdict.reason or ''}".strip(),
            ]
            for verdict in found.candidates
        ],
    )
