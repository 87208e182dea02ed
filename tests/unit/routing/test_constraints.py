"""Filters: each on its own, joined for one caller, and what a caller is told when none is left."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import Raw

from turnout.core.call import ANONYMOUS, Ceiling, Controls, Envelope, Limits, Plan, Principal, Scope
from turnout.core.card import Card
from turnout.core.errors import CallFailed, Failure, Kind, Removal, Violation
from turnout.core.model import Image, Message, Params, Request, ResponseFormat, Text, Tool, Url
from turnout.core.money import usd_per_mtok, usd_to_nano
from turnout.routing.admission import Conditions, least, lowest
from turnout.routing.constraints import Demand
from turnout.routing.plan import Planner
from turnout.routing.probe import probe_for
from turnout.routing.table import PolicyRule, build_table

from .models import ALL, CARDS, PLAIN, POLICIES, ask, card, decide, table

PICTURE = Request(
    "openai_chat", "auto", (Message("user", (Text("What is this?"), Image(Url("https://x.org/a.png")))),)
)


def labels(plan: Plan) -> list[str]:
    return [candidate.label for candidate in plan.candidates]


def failure_of(attempt: Callable[[], object]) -> Failure:
    with pytest.raises(CallFailed) as caught:
        attempt()
    return caught.value.failure


def removed(plan: Plan) -> dict[str, str | None]:
    return {found.model: found.filter for found in plan.verdicts if not found.kept}


def caller(*limits: Limits, cost_center: str | None = None) -> Principal:
    return Principal(key="app", cost_center=cost_center, limits=limits)


def usd(rate: str) -> int:
    return usd_per_mtok(rate)


# scopes


@pytest.mark.parametrize("scope", ["principal", "team", "user", "cost_center"])
@pytest.mark.parametrize(
    ("limits", "word"),
    [
        ({"denied": frozenset({"gpt-4o"})}, "denied"),
        ({"models": frozenset({"gpt-5"})}, "models"),
        ({"denied_providers": frozenset({"openai"})}, "denied_providers"),
        ({"providers": frozenset({"google"})}, "providers"),
    ],
)
def test_every_scope_has_every_kind_of_limit(
    scope: Scope, limits: dict[str, frozenset[str]], word: str
) -> None:
    who = caller(Limits(scope, **limits))  # type: ignore[arg-type]
    assert removed(decide("auto", principal=who))["openai/gpt-4o"] == f"{scope}:{word}"
    failure = failure_of(lambda: decide("gpt-4o", principal=who))
    assert failure.kind is Kind.FORBIDDEN
    assert failure.violations == (Violation(f"{scope}:{word}", "gpt-4o"),)


def test_allow_lists_of_scopes_are_intersected_by_model_not_by_name() -> None:
    team = Limits("team", models=frozenset({"fast", "gpt-4o"}))
    user = Limits("user", models=frozenset({"groq/llama-3.1-8b-instant", "gpt-5"}))
    assert labels(decide("auto", principal=caller(team, user))) == ["groq/llama-3.1-8b-instant"]
    assert failure_of(lambda: decide("gpt-5", principal=caller(team, user))).kind is Kind.FORBIDDEN


def test_policies_and_ceilings_and_budgets_of_all_scopes_hold_together() -> None:
    who = caller(
        Limits("principal", policies=("no-cn",), ceiling=Ceiling(output=usd("5"))),
        Limits("team", policies=("eu",), ceiling=Ceiling(input=usd("1"))),
        Limits("user", budget_nano=usd_to_nano("0.5")),
    )
    planner = Planner(build_table(CARDS, policies=POLICIES))
    kept = decide("auto", principal=who, controls=Controls(priority="high"), planner=planner).candidates
    assert {one.label for one in kept} == {
        "google/gemini-2.5-flash",
        "google/gemini-2.5-flash-lite",
        "mistral/mistral-small-latest",
    }
    poor = caller(*who.limits, Limits("cost_center", budget_nano=1))
    assert failure_of(lambda: decide("auto", principal=poor)).kind is Kind.BUDGET_EXCEEDED


def test_a_request_cannot_leave_its_limits_by_naming_another_cost_centre() -> None:
    planner = Planner(
        build_table(CARDS, cost_centers={"lab": Limits("cost_center", providers=frozenset({"google"}))})
    )
    own = Limits("cost_center", denied=frozenset({"gemini-2.5-pro"}))
    plan = decide("auto", controls=Controls(cost_center="lab"), principal=caller(own), planner=planner)
    assert {one.provider for one in plan.candidates} == {"google"}
    assert removed(plan)["google/gemini-2.5-pro"] == "cost_center:denied"
    assert decide("gpt-4o", planner=planner).candidates[0].name == "gpt-4o"
    named = failure_of(lambda: decide("gpt-4o", controls=Controls(cost_center="lab"), planner=planner))
    assert named.kind is Kind.FORBIDDEN
    unheard = decide("gpt-4o", controls=Controls(cost_center="unheard-of"), planner=planner)
    assert unheard.candidates[0].name == "gpt-4o"


def test_the_least_and_the_lowest() -> None:
    assert least((None, 3, 2)) == 2
    assert least((None,)) is None
    assert lowest((None, Ceiling(3, None), Ceiling(2, 9))) == Ceiling(2, 9)
    assert lowest((None,)) is None


# policies


def test_every_part_of_a_policy() -> None:
    policies = {
        "here": PolicyRule(require_any_tags=frozenset({"eu", "moon"})),
        "houses": PolicyRule(allow_providers=frozenset({"openai", "mistral"})),
        "not-groq": PolicyRule(deny_providers=frozenset({"groq"})),
        "nobody": PolicyRule(allow_models=frozenset()),
    }
    planner = Planner(build_table(CARDS, policies=policies))

    def providers(*names: str) -> set[str]:
        asks = Controls(priority="high", compliance=names)
        return {one.provider for one in decide("auto", controls=asks, planner=planner).candidates}

    assert providers("here") == {"google", "mistral"}
    assert providers("houses") == {"openai", "mistral"}
    assert providers("houses", "here") == {"mistral"}
    assert "groq" not in providers("not-groq")
    failure = failure_of(lambda: providers("nobody"))
    assert failure.kind is Kind.NO_CANDIDATE
    assert failure.details == (Removal("policy:nobody", 17),)


@pytest.mark.parametrize("word", ["-eu", "!eu", "none", "off"])
def test_an_attempt_to_lift_a_policy_is_refused_and_counted(word: str) -> None:
    failure = failure_of(lambda: decide("auto", controls=Controls(compliance=(word,))))
    assert failure.kind is Kind.FORBIDDEN
    lifted = "policy:eu" if word.endswith("eu") else "policy:*"
    assert failure.violations == (Violation(lifted, word),)


# price, capability, output, health


def test_a_price_ceiling_looks_at_both_rates_and_needs_a_price() -> None:
    cards = (*CARDS, card("house", "mistral", "standard", None))
    planner = Planner(build_table(cards))
    asks = Controls(priority="high", ceiling=Ceiling(usd("0.5"), usd("2.4")))
    plan = decide("auto", controls=asks, planner=planner)
    assert all(one.price is not None for one in plan.candidates)
    assert all(one.price.rates.output <= usd("2.4") for one in plan.candidates if one.price is not None)
    assert removed(plan)["google/gemini-2.5-flash"] == "price_ceiling"
    assert removed(plan)["mistral/house"] == "price_ceiling"
    failure = failure_of(lambda: decide("gpt-4o", controls=Controls(ceiling=Ceiling(usd("1")))))
    assert failure.kind is Kind.BUDGET_EXCEEDED
    assert "2.5 USD per million input tokens" in failure.message


def test_more_output_than_a_model_gives_removes_it_only_where_it_was_asked_for() -> None:
    short = Card("short", "openai", "short", "openai_chat", "light", capabilities=ALL, max_output=1_000)
    planner = Planner(build_table((short, card("gpt-4o", "openai", "standard", ("2.5", "10")))))
    assert decide("auto", ask("hi"), planner=planner).candidates[0].name == "short"
    plan = decide("auto", ask("hi", params=Params(max_tokens=1_001)), planner=planner)
    assert labels(plan) == ["openai/gpt-4o"]
    assert removed(plan) == {"openai/short": "output_limit"}
    outright = decide("short", ask("hi", params=Params(max_tokens=1_001)), planner=planner)
    assert labels(outright) == ["openai/short"]  # its provider counts exactly


def test_what_is_out_of_order_is_left_out_unless_nothing_else_is_left() -> None:
    planner = Planner(table())
    asked = ask("hi")

    def plan(name: str, *out: str, asks: Controls = Controls()) -> Plan:  # noqa: B008 (frozen)
        now = Conditions(unhealthy=frozenset(out))
        return planner.decide(name, asks, ANONYMOUS, lambda: asked, "chat", conditions=now, explained=True)

    first, second, *_ = labels(plan("gpt-4o"))
    without = plan("gpt-4o", first)
    assert labels(without)[0] == second
    assert removed(without) == {first: "health"}
    assert [notice.code for notice in without.notices] == ["fallback"]
    assert labels(plan("gpt-4o", *labels(plan("gpt-4o")))) == labels(plan("gpt-4o"))
    assert labels(plan("gpt-4o", first, asks=Controls(degrade="forbid")))[0] == first
    everything = frozenset(one.label for one in CARDS)
    assert labels(plan("auto", *everything)) == labels(plan("auto"))
    assert planner.decide("gpt-4o", Controls(), ANONYMOUS, lambda: asked, "chat").candidates[0].label == first


def test_a_budget_left_is_a_budget() -> None:
    planner = Planner(table())
    asked = ask("Prove that the square root of two is irrational, step by step.")

    def first(left: int | None) -> str:
        now = Conditions(budget_left_nano=left)
        return (
            planner.decide(
                "claude-opus-4-1",
                Controls(prefer=("llama-3.1-8b",)),
                ANONYMOUS,
                lambda: asked,
                "chat",
                conditions=now,
            )
            .candidates[0]
            .name
        )

    assert first(None) == "claude-opus-4-1"
    assert first(usd_to_nano("0.001")) == "llama-3.1-8b"
    assert failure_of(lambda: first(1)).kind is Kind.BUDGET_EXCEEDED


def test_degrade_forbid_ends_the_call_where_the_budget_removes_the_first_choice() -> None:
    tight = usd_to_nano("0.0001")
    allowed = decide("auto:large", "hi", Controls(budget_nano=tight))
    assert [notice.code for notice in allowed.notices] == ["downgraded-budget"]
    failure = failure_of(lambda: decide("auto:large", "hi", Controls(budget_nano=tight, degrade="forbid")))
    assert failure.kind is Kind.BUDGET_EXCEEDED
    enough = Controls(budget_nano=usd_to_nano("1"), degrade="forbid")
    assert labels(decide("auto:large", "hi", enough)) == labels(decide("auto:large", "hi"))


def test_degrade_forbid_lets_a_policy_choose_another_model() -> None:
    asks = Controls(compliance=("eu",), degrade="forbid", budget_nano=usd_to_nano("1"))
    assert decide("auto", controls=asks).candidates[0].tags >= {"eu"}


# a named model


def test_fallbacks_of_a_named_model_pass_the_filters_of_the_request() -> None:
    cards = (
        card("eyes", "openai", "standard", ("1", "1"), fallbacks=("blind", "eyes-2")),
        card("eyes-2", "google", "standard", ("1", "1")),
        card("blind", "groq", "standard", ("1", "1"), capabilities=PLAIN),
        card("unknown", "mistral", "standard", ("1", "1"), capabilities=frozenset()),
    )
    planner = Planner(build_table(cards))
    assert labels(decide("eyes", "hi", planner=planner)) == ["openai/eyes", "groq/blind", "google/eyes-2"]
    assert labels(decide("eyes", PICTURE, planner=planner)) == ["openai/eyes", "google/eyes-2"]
    assert labels(decide("unknown", PICTURE, planner=planner)) == ["mistral/unknown"]
    failure = failure_of(lambda: decide("blind", PICTURE, planner=planner))
    assert failure.kind is Kind.UNSUPPORTED
    assert failure.details == (Removal("capability:vision", 1),)


def test_what_can_be_put_in_words_is_left_to_a_named_model() -> None:
    wants = ask("hi", response_format=ResponseFormat("json_schema", "s", Raw(b"{}"), True))
    assert labels(decide("llama-3.1-8b", wants)) == ["groq/llama-3.1-8b-instant"]
    assert "groq" not in {one.provider for one in decide("auto", wants).candidates}


def test_a_body_that_cannot_be_read_is_left_to_the_named_models_provider() -> None:
    def unreadable() -> Request:
        raise CallFailed(Failure(Kind.BAD_REQUEST, "what is this"))

    envelope = Envelope("gpt-4o", False, False, {"tools": Raw(b"[]")}, b'{"tools":[],"tool":"image audio"}')
    planner = Planner(table())
    plan = planner.decide("gpt-4o", Controls(), ANONYMOUS, unreadable, "chat", envelope=envelope)
    assert plan.candidates[0].name == "gpt-4o"


def test_a_preference_does_not_override_a_rule_and_is_counted() -> None:
    asks = Controls(prefer=("deepseek-chat", "mistral-large"), compliance=("eu",))
    plan = decide("auto", controls=asks)
    assert plan.candidates[0].name == "mistral-large"
    assert plan.violations == (Violation("policy:eu", "deepseek-chat"),)


def test_a_named_model_that_a_policy_forbids_is_counted_even_if_a_fallback_answers() -> None:
    plan = decide("gpt-4o", controls=Controls(compliance=("eu",)))
    assert labels(plan) == ["google/gemini-2.5-pro"]
    assert plan.violations == (Violation("policy:eu", "gpt-4o"),)
    assert [notice.code for notice in plan.notices] == ["rerouted"]
    assert decide("gpt-4o", PICTURE).violations == ()


# preferences


def test_the_precedence_of_preferences() -> None:
    stored = caller(
        Limits("team", prefer=("mistral-small",)), Limits("user", prefer=("gpt-5-mini", "gpt-4o-mini"))
    )
    assert decide("auto", principal=stored).candidates[0].name == "gpt-5-mini"
    wish = Controls(prefer=("gemini-2.5-flash",))
    assert decide("auto", principal=stored, controls=wish).candidates[0].name == "gemini-2.5-flash"
    assert decide("auto:light", principal=stored).candidates[0].name == "gpt-4o-mini"
    assert decide("gpt-4o", principal=stored).candidates[0].name == "gpt-4o"
    eu = Controls(compliance=("eu",))
    assert decide("auto", principal=stored, controls=eu).candidates[0].provider in ("google", "mistral")
    assert decide("auto", principal=caller(Limits("team", prefer=("gpt-5",)))).candidates[0].name == "gpt-5"


# what is said


def test_a_budget_names_the_cheapest_that_it_keeps_out() -> None:
    failure = failure_of(lambda: decide("auto", controls=Controls(budget_nano=1)))
    asked = ask("What is the capital of France?")
    plan = Planner(table()).explain_decide("auto", Controls(), ANONYMOUS, lambda: asked, "chat")
    assert failure.kind is Kind.BUDGET_EXCEEDED
    costs = {one.model: one.terms["cost_usd"] for one in plan.verdicts if one.kept and one.terms}
    cheapest = min(costs, key=lambda model: costs[model])
    assert f"the cheapest, {cheapest}: about " in failure.message


def test_an_error_counts_what_each_filter_removed() -> None:
    asks = Controls(compliance=("eu",), budget_nano=0)
    failure = failure_of(lambda: decide("auto", PICTURE, asks))
    assert failure.kind is Kind.BUDGET_EXCEEDED
    assert failure.message.startswith("no model is left: policy:eu removed 11, budget 3; the cheapest, ")
    assert failure.details == (Removal("policy:eu", 11), Removal("budget", 3))


def test_an_admission_judges_cards_of_the_table_and_others_alike() -> None:
    planner = Planner(table())
    who = caller(Limits("team", policies=("eu",), denied=frozenset({"local-judge"})))
    admission = planner.admission(who, Controls(), "chat")
    assert admission is planner.admission(who, Controls(priority="low"), "chat")
    for one in CARDS:
        refusal = admission.refusal(one)
        assert (refusal is None) == ("eu" in one.tags and one.capabilities != {"embeddings"})
        assert admission.permits(one) == ("eu" in one.tags)
    judge = card("judge", "mistral", "light", None, tags=frozenset({"eu"}))
    assert admission.refusal(judge) is None
    abroad = admission.refusal(card("judge", "mistral", "light", None, tags=frozenset({"us"})))
    assert abroad is not None
    assert abroad.filter == "policy:eu"
    denied = admission.refusal(card("local-judge", "mistral", "light", None, tags=frozenset({"eu"})))
    assert denied is not None
    assert denied.filter == "team:denied"
    blind = admission.refusal(
        card("b", "mistral", "light", None, capabilities=PLAIN), Demand(frozenset({"vision"}))
    )
    assert blind is not None
    assert blind.filter == "capability:vision"


# the glance at a body


def envelope(body: bytes, **fields: bytes) -> Envelope:
    return Envelope("m", False, False, {name: Raw(text) for name, text in fields.items()}, body)


def test_a_probe_looks_for_what_some_candidate_lacks() -> None:
    named = card("n", "openai", "standard", None, None, capabilities=ALL)
    blind = card("b", "groq", "standard", None, None, capabilities=frozenset({"tools"}))
    assert probe_for([named], []) is None
    probe = probe_for([named], [blind])
    assert probe is not None
    plain = b'{"messages":[{"role":"user","content":"an image of a file"}]}'
    assert probe.clears(envelope(plain))  # words in a prompt without parts
    assert not probe.clears(envelope(b'{"messages":[{"content":[{"type":"image_url"}]}]}'))
    assert probe.clears(envelope(b'{"messages":[{"content":[{"type":"text","text":"hi"}]}]}'))
    assert not probe.clears(envelope(b'{"contents":[{"inlineData":{}}]}', contents=b"[]"))
    assert not probe.clears(envelope(b'{"type":"json_schema"}'))


def test_a_probe_holds_sizes_below_every_window() -> None:
    named = card("n", "openai", "standard", None, None)
    small = Card("s", "groq", "s", "openai_chat", "light", context_window=10_000, max_output=5_000)
    probe = probe_for([named], [small])
    assert probe is not None
    assert probe.clears(envelope(b"x" * 1_900))
    assert not probe.clears(envelope(b"x" * 2_100))
    assert probe.clears(envelope(b"x" * 100, max_tokens=b"5000"))
    assert not probe.clears(envelope(b"x" * 100, max_tokens=b"5001"))
    assert not probe.clears(envelope(b"x" * 1_900, max_tokens=b"4999"))
    assert not probe.clears(envelope(b"x" * 100, max_tokens=b'"many"'))
    assert not probe.clears(envelope(b"x" * 100, generationConfig=b"{}"))
    assert probe.clears(envelope(b"x" * 100, max_tokens=b"null"))


def test_tools_of_a_named_model_that_has_none() -> None:
    mute = card("mute", "groq", "light", None, capabilities=frozenset({"json_mode"}))
    planner = Planner(build_table((mute,)))
    failure = failure_of(lambda: decide("mute", ask("hi", tools=(Tool("f"),)), planner=planner))
    assert failure.kind is Kind.UNSUPPORTED
    assert labels(decide("mute", "hi", planner=planner)) == ["groq/mute"]
