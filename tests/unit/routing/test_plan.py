"""Decisions on a whole configuration: names, precedence, filters, money, what is refused and how."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from msgspec import Raw

from turnout.core.call import ANONYMOUS, Controls, Envelope, Limits, Plan, Principal
from turnout.core.card import Card
from turnout.core.errors import CallFailed, Kind
from turnout.core.model import Image, Message, Params, Request, ResponseFormat, Text, Tool, Url
from turnout.core.money import usd_to_nano
from turnout.routing.plan import PLANS_MAX, Planner
from turnout.routing.table import build_table

from .models import CARDS, POLICIES, TASKS, ask, card, decide, table

CODE = "Write a Python function that merges two sorted lists"
PLAIN_BODY = Envelope(
    "gpt-4o", False, False, {}, b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'
)
EXTRACT = "Extract all names from this text: Ann met Bob."


def labels(plan: Plan) -> list[str]:
    return [candidate.label for candidate in plan.candidates]


def refused(kind: Kind, attempt: Callable[[], object]) -> str:
    with pytest.raises(CallFailed) as caught:
        attempt()
    assert caught.value.failure.kind is kind
    return caught.value.failure.message


def verdict(plan: Plan, model: str) -> tuple[bool, str | None]:
    return next((found.kept, found.filter) for found in plan.verdicts if found.model == model)


# names


@pytest.mark.parametrize("name", ["llama-3.1-8b", "fast", "groq/llama-3.1-8b", "groq/llama-3.1-8b-instant"])
def test_every_spelling_leads_to_the_model(name: str) -> None:
    assert labels(decide(name)) == ["groq/llama-3.1-8b-instant"]


def test_a_named_model_is_followed_by_its_fallbacks_and_never_decoded() -> None:
    def never() -> Request:
        raise AssertionError("decoded for nothing")

    planner = Planner(table())
    plans = [
        planner.decide("gpt-4o", Controls(), ANONYMOUS, never, "chat", envelope=PLAIN_BODY) for _ in range(2)
    ]
    assert labels(plans[0]) == ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "google/gemini-2.5-pro"]
    assert plans[0] is plans[1]
    assert plans[0].tier is None
    assert plans[0].task is None


def test_the_memory_of_plans_is_bounded() -> None:
    planner = Planner(table())
    for index in range(PLANS_MAX + 10):
        principal = Principal(key="k", limits=(Limits(denied=frozenset({f"none-{index}"})),))
        planner.decide("gpt-4o", Controls(), principal, partial(ask, "hi"), "chat")
    assert len(planner._plans) <= PLANS_MAX


def test_an_unknown_model_gets_suggestions_that_its_key_may_use() -> None:
    assert "gpt-4o-mini" in refused(Kind.UNKNOWN_MODEL, lambda: decide("gpt-4o-mni"))
    denied = Principal(limits=(Limits(denied=frozenset({"gpt-4o-mini"})),))
    assert "gpt-4o-mini" not in refused(Kind.UNKNOWN_MODEL, lambda: decide("gpt-4o-mni", principal=denied))
    assert "auto:light" in refused(Kind.UNKNOWN_MODEL, lambda: decide("auto:lite"))
    assert len(refused(Kind.UNKNOWN_MODEL, lambda: decide("x" * 100_000))) < 300


@pytest.mark.parametrize("tier", ["light", "standard", "large"])
def test_auto_with_a_tier(tier: str) -> None:
    plan = decide(f"auto:{tier}", CODE)
    assert plan.candidates[0].tier == tier
    assert plan.tier is not None
    assert (plan.tier.name, plan.tier.probability) == (tier, 1.0)


def test_auto_with_a_task() -> None:
    plan = decide("auto:summarization", "hello")
    assert plan.task is not None
    assert (plan.task.name, plan.task.source) == ("summarization", "model_name")
    assert plan.candidates[0].name == "claude-sonnet-4-5"


# precedence


def test_prefer_then_task_map_then_tier() -> None:
    mapped = decide("auto", CODE)
    assert mapped.candidates[0].name == TASKS["code_generation"]
    preferred = decide("auto", CODE, Controls(prefer=("nowhere", "mistral-large", "fast")))
    assert [found.name for found in preferred.candidates[:2]] == ["mistral-large", "llama-3.1-8b"]
    plain = decide("auto", "hi there")
    assert [found.name for found in plain.candidates[:1]] == ["llama-3.1-8b"]


def test_a_mapped_model_below_the_tier_does_not_lead() -> None:
    long = decide("auto:extraction", ask("hi", earlier=("a", "b") * 30))
    assert long.tier is not None
    assert long.tier.name == "large"
    assert long.candidates[0].tier == "large"


def test_a_light_failure_can_be_served_by_standard_and_the_last_resort_is_smaller() -> None:
    tiers = [found.tier for found in decide("auto", "hi", Controls(priority="high")).candidates]
    assert tiers == sorted(tiers, key=["light", "standard", "large"].index)
    tiers = [found.tier for found in decide("auto:large", "hi", Controls(priority="high")).candidates]
    assert tiers == sorted(tiers, key=["large", "standard", "light"].index)


def test_scores_fall_along_the_candidates() -> None:
    plan = decide("auto", CODE, Controls(priority="high", prefer=("fast",)))
    scores = [found.score or 0.0 for found in plan.verdicts if found.kept]
    assert len(scores) == len(plan.candidates)
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)


def test_one_model_under_two_names_is_asked_once() -> None:
    twin = card("twin", "openai", "standard", ("2.5", "10"), id="gpt-4o")
    planner = Planner(build_table((*CARDS, twin), policies=POLICIES))
    plan = decide("auto:standard", CODE, Controls(priority="high"), planner=planner)
    assert labels(plan).count("openai/gpt-4o") == 1


# who may use what


def test_a_denied_model_is_refused_by_any_of_its_names() -> None:
    for denied in ("gpt-4o", "openai/gpt-4o"):
        for asked in ("gpt-4o", "openai/gpt-4o"):
            who = Principal(limits=(Limits(denied=frozenset({denied})),))
            refused(Kind.FORBIDDEN, partial(decide, asked, principal=who))


def test_an_allow_list_holds_for_fallbacks_and_auto() -> None:
    principal = Principal(limits=(Limits(models=frozenset({"gpt-4o", "fast"})),))
    assert labels(decide("gpt-4o", principal=principal)) == ["openai/gpt-4o"]
    assert set(labels(decide("auto", principal=principal))) <= {"openai/gpt-4o", "groq/llama-3.1-8b-instant"}
    refused(Kind.FORBIDDEN, lambda: decide("gpt-5", principal=principal))
    nobody = Principal(limits=(Limits(models=frozenset()),))
    assert "principal:models" in refused(Kind.NO_CANDIDATE, lambda: decide("auto", principal=nobody))


def test_denied_wins_over_allowed() -> None:
    principal = Principal(limits=(Limits(models=frozenset({"gpt-4o"}), denied=frozenset({"gpt-4o"})),))
    refused(Kind.FORBIDDEN, lambda: decide("gpt-4o", principal=principal))


@pytest.mark.parametrize(
    "bound", [Controls(compliance=("eu",)), Principal(limits=(Limits(policies=("eu",)),))]
)
def test_policies_of_the_request_and_of_the_key(bound: Controls | Principal) -> None:
    controls = bound if isinstance(bound, Controls) else Controls()
    principal = bound if isinstance(bound, Principal) else ANONYMOUS
    plan = decide("auto", CODE, controls, principal)
    assert all("eu" in found.tags for found in plan.candidates)
    assert verdict(plan, "openai/gpt-4o") == (False, "policy:eu")


def test_policies_add_up() -> None:
    controls = Controls(priority="high", compliance=("no-cn", "not-opus", "eu"))
    assert {found.provider for found in decide("auto:large", CODE, controls).candidates} == {
        "google",
        "mistral",
    }
    listed = decide("auto", CODE, Controls(priority="high", compliance=("listed",)))
    assert {found.name for found in listed.candidates} == {"gpt-4o", "llama-3.1-8b"}


def test_a_policy_that_is_not_configured_is_the_callers_error() -> None:
    for controls, principal in (
        (Controls(compliance=("mars",)), ANONYMOUS),
        (Controls(), Principal(limits=(Limits(policies=("mars",)),))),
    ):
        attempt = partial(decide, "gpt-4o", "hi", controls, principal)
        assert "mars" in refused(Kind.BAD_REQUEST, attempt)


def test_a_policy_that_leaves_nothing_is_named() -> None:
    assert "policy:moon" in refused(
        Kind.NO_CANDIDATE, lambda: decide("auto", controls=Controls(compliance=("moon",)))
    )


def test_a_named_model_that_a_policy_rules_out_is_replaced_openly() -> None:
    plan = decide("gpt-4o", controls=Controls(compliance=("eu",)))
    assert labels(plan) == ["google/gemini-2.5-pro"]
    assert [notice.code for notice in plan.notices] == ["rerouted"]
    assert "policy:eu" in plan.notices[0].message


# what the request needs


def test_vision_and_schemas_need_models_that_have_them() -> None:
    picture = Message("user", (Text("what is this?"), Image(Url("https://example.com/a.png"))))
    seen = decide("auto", Request("openai_chat", "auto", (picture,)), Controls(priority="high"))
    assert all("vision" in found.capabilities for found in seen.candidates)
    schema = ResponseFormat("json_schema", name="a", schema=Raw(b"{}"))
    shaped = decide("auto:light", ask(EXTRACT, response_format=schema), Controls(priority="high"))
    assert verdict(shaped, "groq/llama-3.1-8b-instant") == (False, "capability:json_schema")
    assert all("json_schema" in found.capabilities for found in shaped.candidates)


def test_unknown_facts_exclude_nothing() -> None:
    plain = card("plain", "groq", "light", None, None, frozenset())
    request = ask("hi " * 100_000, tools=(Tool("f"),))
    assert labels(decide("auto", request, planner=Planner(build_table((plain,))))) == ["groq/plain"]


def test_a_capability_that_nobody_has() -> None:
    blind = build_table([found for found in CARDS if "vision" not in found.capabilities])
    picture = Request("openai_chat", "auto", (Message("user", (Image(Url("https://example.com/a.png")),)),))
    assert "capability:vision" in refused(
        Kind.UNSUPPORTED, lambda: decide("auto", picture, planner=Planner(blind))
    )


def test_long_prompts_go_to_large_windows() -> None:
    plan = decide("auto", ask("harbour " * 150_000))
    assert plan.tokens is not None
    assert plan.tokens.input > 150_000
    assert plan.tier is not None
    assert plan.tier.name == "large"
    assert all((found.context_window or 0) >= plan.tokens.input for found in plan.candidates)
    assert verdict(plan, "deepseek/deepseek-reasoner") == (False, "context_window")


def test_max_tokens_counts_towards_the_window() -> None:
    tight = decide("auto:standard", ask("hi", params=Params(max_tokens=100_000)), Controls(priority="high"))
    assert verdict(tight, "deepseek/deepseek-chat") == (False, "context_window")


def test_nothing_is_large_enough() -> None:
    refused(Kind.CONTEXT_TOO_LONG, lambda: decide("auto", ask("hi", params=Params(max_tokens=9_000_000))))


def test_embeddings() -> None:
    plan = decide("auto", "hello", op="embeddings")
    assert labels(plan) == ["openai/text-embedding-3-small"]
    assert verdict(plan, "mistral/mistral-embed") == (False, "vector_space")
    assert {found.name for found in decide("mistral-embed", op="embeddings").candidates} == {"mistral-embed"}
    assert "embeddings" in refused(Kind.UNSUPPORTED, lambda: decide("gpt-5", op="embeddings"))
    assert "capability:chat" in refused(Kind.UNSUPPORTED, lambda: decide("mistral-embed"))


# money


def test_over_the_budget_a_cheaper_model_answers_and_the_caller_is_told() -> None:
    rich = decide("auto", CODE)
    assert rich.estimated_cost_nano is not None
    poor = decide("auto", CODE, Controls(budget_nano=rich.estimated_cost_nano // 4))
    assert poor.candidates[0] != rich.candidates[0]
    assert poor.estimated_cost_nano is not None
    assert poor.estimated_cost_nano <= rich.estimated_cost_nano // 4
    assert [notice.code for notice in poor.notices] == ["downgraded-budget"]
    assert verdict(poor, rich.candidates[0].label) == (False, "budget")
    assert not rich.notices


def test_a_budget_notice_survives_another_filter_in_front() -> None:
    controls = Controls(
        compliance=("not-opus",), prefer=("claude-opus-4-1", "gpt-4o"), budget_nano=usd_to_nano("0.001")
    )
    assert [notice.code for notice in decide("auto", CODE, controls).notices] == ["downgraded-budget"]


def test_preferences_are_bounded() -> None:
    plan = decide("auto", "hi", Controls(prefer=(*["nowhere"] * 100, "gpt-5")))
    assert plan.candidates[0].name == "llama-3.1-8b"


def test_a_budget_that_nothing_meets() -> None:
    refused(Kind.BUDGET_EXCEEDED, lambda: decide("auto", CODE, Controls(budget_nano=1)))
    refused(Kind.BUDGET_EXCEEDED, lambda: decide("gpt-5-mini", CODE, Controls(budget_nano=1)))


def test_a_budget_holds_for_a_named_model_and_its_fallbacks() -> None:
    plan = decide("gpt-4o", CODE, Controls(budget_nano=usd_to_nano("0.0065")))
    assert labels(plan) == ["openai/gpt-4o", "google/gemini-2.5-pro"]


def test_an_unknown_price_cannot_keep_a_budget() -> None:
    free = Planner(build_table((card("mystery", "groq", "light", None),)))
    refused(Kind.BUDGET_EXCEEDED, lambda: decide("auto", "hi", Controls(budget_nano=10**12), planner=free))
    assert decide("auto", "hi", planner=free).estimated_cost_nano is None


def test_without_high_priority_fallbacks_are_not_dearer() -> None:
    high = decide("auto", CODE, Controls(priority="high"))
    normal = decide("auto", CODE)
    assert high.candidates[0] == normal.candidates[0]
    assert set(labels(normal)) < set(labels(high))
    assert verdict(normal, "anthropic/claude-sonnet-4-5") == (False, "priority")


def test_availability_wins_where_no_cheaper_fallback_exists() -> None:
    two = (card("a", "groq", "light", ("0.1", "0.1")), card("b", "openai", "light", ("1", "1")))
    assert labels(decide("auto", "hi", planner=Planner(build_table(two)))) == ["groq/a", "openai/b"]


def test_expected_output_follows_task_and_max_tokens() -> None:
    expected = {
        text: plan.tokens.output_expected
        for text in ("Classify this as spam or not: win a prize", "Write a poem about an autumn river")
        if (plan := decide("auto", text)).tokens
    }
    assert list(expected.values()) == sorted(expected.values())
    capped = decide("auto", ask("Write a poem about an autumn river", params=Params(max_tokens=5)))
    assert capped.tokens is not None
    assert capped.tokens.output_expected == 5


def test_an_empty_configuration_is_no_candidate() -> None:
    refused(Kind.NO_CANDIDATE, lambda: decide("auto", planner=Planner(build_table(()))))


def test_the_table_refuses_names_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match=r"routing\.tasks\.translation"):
        build_table(CARDS, tasks={"translation": "nowhere"})
    with pytest.raises(ValueError, match=r"routing\.tiers\.light"):
        build_table(CARDS, tiers={"light": ("nowhere",)})
    with pytest.raises(ValueError, match="alias"):
        build_table(CARDS, aliases={"x": "nowhere"})


def test_tiers_missing_in_the_configuration_are_filled_cheapest_first() -> None:
    built = table()
    assert [found.name for found in built.by_tier["light"]] == ["llama-3.1-8b", "gpt-4o-mini"]
    standard: list[Card] = list(built.by_tier["standard"])
    assert standard[0].name == "deepseek-chat"
    assert all(found.tier == "standard" for found in standard)
