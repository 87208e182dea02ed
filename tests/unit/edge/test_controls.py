"""Controls: headers and body, every field, and every way to get it wrong."""

from __future__ import annotations

import pytest

from turnout.core.call import Ceiling, Controls
from turnout.core.errors import CallFailed, Kind
from turnout.core.money import usd_per_mtok
from turnout.edge.controls import CAN_WAIT_S_DEFAULT, read_controls


def test_nothing_asked() -> None:
    assert read_controls({}, None) == Controls()


def test_every_header() -> None:
    controls = read_controls(
        {
            "priority": "high",
            "budget_usd": "0.05",
            "task": "extraction",
            "prefer": "gpt-4o, claude-sonnet-4-5",
            "compliance": "eu,hipaa",
            "cost_center": "R&D",
            "deadline_ms": "1500",
            "cache": "refresh",
            "can_wait": "2h",
            "tags": "team=a,run=7",
        },
        None,
    )
    assert controls == Controls(
        priority="high",
        budget_nano=50_000_000,
        task="extraction",
        prefer=("gpt-4o", "claude-sonnet-4-5"),
        compliance=("eu", "hipaa"),
        cost_center="R&D",
        deadline_ms=1500,
        cache="refresh",
        can_wait_s=7200,
        tags=(("team", "a"), ("run", "7")),
    )


def test_body_object_with_json_types() -> None:
    body = (
        b'{"budget_usd": 0.05, "prefer": ["a", "b"], "deadline_ms": 10, "can_wait": true, "tags": {"k": "v"}}'
    )
    controls = read_controls({}, body)
    assert controls.budget_nano == 50_000_000
    assert controls.prefer == ("a", "b")
    assert controls.deadline_ms == 10
    assert controls.can_wait_s == CAN_WAIT_S_DEFAULT
    assert controls.tags == (("k", "v"),)


def test_header_wins_over_body() -> None:
    assert read_controls({"priority": "low"}, b'{"priority": "high"}').priority == "low"


@pytest.mark.parametrize(
    ("headers", "body", "param"),
    [
        ({"priority": "urgent"}, None, "x-turnout-priority"),
        ({"budget_usd": "-1"}, None, "x-turnout-budget-usd"),
        ({"budget_usd": "NaN"}, None, "x-turnout-budget-usd"),
        ({"budget_usd": "1e999"}, None, "x-turnout-budget-usd"),
        ({"task": "cooking"}, None, "x-turnout-task"),
        ({"deadline_ms": "0"}, None, "x-turnout-deadline-ms"),
        ({"deadline_ms": "1.5"}, None, "x-turnout-deadline-ms"),
        ({"deadline_ms": "९"}, None, "x-turnout-deadline-ms"),
        ({"cache": "maybe"}, None, "x-turnout-cache"),
        ({"can_wait": "soon"}, None, "x-turnout-can-wait"),
        ({"cost_center": "a\x00b"}, None, "x-turnout-cost-center"),
        ({"cost_center": "x" * 300}, None, "x-turnout-cost-center"),
        ({"tags": ",".join(["k=v"] * 100)}, None, "x-turnout-tags"),
        ({"colour": "red"}, None, "x-turnout-colour"),
        ({}, b'{"budget_usd": true}', "turnout.budget_usd"),
        ({}, b'{"prefer": 3}', "turnout.prefer"),
        ({}, b'{"deadline_ms": true}', "turnout.deadline_ms"),
        ({}, b'{"nope": 1}', "turnout.nope"),
        ({}, b"[1]", "turnout"),
        ({}, b'"x"', "turnout"),
    ],
)
def test_what_cannot_be_read_is_named(headers: dict[str, str], body: bytes | None, param: str) -> None:
    with pytest.raises(CallFailed) as caught:
        read_controls(headers, body)
    assert caught.value.failure.kind is Kind.BAD_REQUEST
    assert caught.value.failure.param == param


def test_a_price_ceiling_and_what_may_be_degraded() -> None:
    both = read_controls({"price_ceiling": "input=3,output=0.25", "degrade": "forbid"}, None)
    assert both == Controls(ceiling=Ceiling(usd_per_mtok(3), usd_per_mtok("0.25")), degrade="forbid")
    body = b'{"price_ceiling": {"output": "15"}, "degrade": "allow"}'
    assert read_controls({}, body) == Controls(ceiling=Ceiling(None, usd_per_mtok(15)))


@pytest.mark.parametrize(
    "value",
    ["3", "", "input", "input=", "input=nan", "input=inf", "input=-1", "in=3", "input=2000000", "input=1e-9"],
)
def test_a_ceiling_that_cannot_be_read_is_an_error(value: str) -> None:
    with pytest.raises(CallFailed) as caught:
        read_controls({"price_ceiling": value}, None)
    assert caught.value.failure.kind is Kind.BAD_REQUEST
    assert caught.value.failure.param == "x-turnout-price-ceiling"


@pytest.mark.parametrize("body", [b'{"price_ceiling": {"input": 3}}', b'{"price_ceiling": {"input": 2.5}}'])
def test_a_ceiling_in_the_body_may_be_a_number(body: bytes) -> None:
    assert read_controls({}, body).ceiling is not None


@pytest.mark.parametrize("tags", ["foo", "team=a,foo", "foo,", "="])
def test_a_tag_that_is_no_pair_is_told_the_form(tags: str) -> None:
    with pytest.raises(CallFailed) as caught:
        read_controls({"tags": tags}, None)
    failure = caught.value.failure
    assert (failure.kind, failure.param) == (Kind.BAD_REQUEST, "x-turnout-tags")
    if tags != "=":
        assert "name=value" in failure.message
