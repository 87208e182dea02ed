"""The document of `POST /v1/route`: every key that it promises, of the type that it promises."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from turnout.core.call import ANONYMOUS, Controls, Plan
from turnout.routing.explanation import explain
from turnout.routing.plan import Planner

from .models import ask, table


def document(requested: str, text: str, controls: Controls = Controls()) -> dict[str, Any]:  # noqa: B008 (frozen)
    plan = Planner(table()).explain_decide(requested, controls, ANONYMOUS, lambda: ask(text), "chat")
    found: dict[str, Any] = json.loads(msgspec.json.encode(explain(plan, 140)))
    return found


def test_an_automatic_decision() -> None:
    found = document("auto", "Extract all names from this text: Ann met Bob.")
    assert list(found) == ["tier", "task", "tokens", "plan", "candidates", "notices", "decided_in_us"]
    assert set(found["tier"]) == {"name", "probability", "abstained"}
    assert set(found["task"]) == {"name", "probability", "abstained", "source"}
    assert found["task"]["name"] == "extraction"
    assert found["task"]["source"] == "classifier"
    assert found["tokens"]["input"] > 0
    assert found["tokens"]["output_expected"] > 0
    assert set(found["plan"]) == {"model", "fallbacks", "hedge_after_ms", "estimated_cost_usd"}
    assert found["plan"]["model"] == "mistral/mistral-small-latest"
    assert 0 < found["plan"]["estimated_cost_usd"] < 0.01
    assert found["notices"] == []
    assert found["decided_in_us"] == 140


def test_every_candidate_says_why() -> None:
    found = document("auto", "hi", Controls(compliance=("eu",)))
    kept = [one for one in found["candidates"] if one["kept"]]
    removed = [one for one in found["candidates"] if not one["kept"]]
    assert [one["model"] for one in kept] == [found["plan"]["model"], *found["plan"]["fallbacks"]]
    assert all(set(one) == {"model", "kept", "score", "terms"} for one in kept)
    assert all(set(one) == {"model", "kept", "filter", "reason"} for one in removed)
    assert {"tier_fit", "task_fit", "cost_usd"} == set(kept[0]["terms"])
    assert "policy:eu" in {one["filter"] for one in removed}


@pytest.mark.parametrize("controls", [Controls(), Controls(budget_nano=10**9)])
def test_a_named_model_is_explained_too(controls: Controls) -> None:
    found = document("gpt-4o", "Write a poem about an autumn river", controls)
    assert found["plan"]["model"] == "openai/gpt-4o"
    assert found["task"]["name"] == "creative_writing"
    assert found["tier"]["name"] == "standard"
    assert found["plan"]["estimated_cost_usd"] > 0
    assert all("cost_usd" in one["terms"] for one in found["candidates"] if one["kept"])


def test_the_same_candidates_as_the_decision() -> None:
    planner = Planner(table())
    plans: list[Plan] = [
        decide("gpt-4o", Controls(), ANONYMOUS, lambda: ask("hi"), "chat")
        for decide in (planner.decide, planner.explain_decide)
    ]
    assert plans[0].candidates == plans[1].candidates
