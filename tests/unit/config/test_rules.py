"""Keys, teams, users, cost centres and policies: what may be written, and what becomes of it."""

from __future__ import annotations

import pytest

from turnout.config.load import ConfigError, load_text
from turnout.config.schema import Config
from turnout.core.call import Ceiling, Limits, Principal
from turnout.core.money import usd_per_mtok, usd_to_nano
from turnout.edge.principals import cost_center_limits, principals

TEXT = """
providers:
  house: {dialect: openai_chat, base_url: "http://127.0.0.1:9/v1", tags: [region:eu, training:no, retention:30d]}
  other: {dialect: openai_chat, base_url: "http://127.0.0.1:9/v1", tags: ["region:us", cert:soc2]}
models:
  a: {provider: house, tags: [local]}
  b: {provider: other, aliases: [best]}
policies:
  eu: {require_any_tags: [region:eu, region:ch], forbid_tags: [training:yes]}
  houses: {allow_providers: [house], deny_providers: [other], allow_models: []}
teams:
  research: {denied_providers: [other], policies: [eu], price_ceiling: {input: 2, output: 7.5}}
users:
  ann@example.com: {prefer: [best, a], budget_usd: 0.5}
cost_centers:
  R+D: {providers: [house], models: [a], denied_models: [b]}
keys:
  - {name: ann, key: secret-key-1, team: research, user: ann@example.com, cost_center: R+D}
  - {name: bob, key: secret-key-2, team: research, user: bob@example.com}
  - {name: eve, key: secret-key-3, denied_models: [b]}
  - {name: fay, key: secret-key-4, denied_models: [b]}
"""


def load(text: str = TEXT) -> Config:
    return load_text(text, "turnout.yaml", {}, ())


def refused(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return {problem.key: problem.message for problem in caught.value.problems}


def people() -> dict[str, Principal]:
    return {principal.key: principal for _, principal in principals(load())}


def said(limits: Limits) -> tuple[object, ...]:
    return tuple(getattr(limits, field) for field in Limits.__struct_fields__)


def test_each_scope_stays_apart() -> None:
    team, user, center = people()["ann"].limits
    ceiling = Ceiling(usd_per_mtok(2), usd_per_mtok("7.5"))
    assert said(team) == said(
        Limits("team", denied_providers=frozenset({"other"}), policies=("eu",), ceiling=ceiling)
    )
    assert said(user) == said(Limits("user", prefer=("best", "a"), budget_nano=usd_to_nano("0.5")))
    assert said(center) == said(
        Limits(
            "cost_center",
            models=frozenset({"a"}),
            denied=frozenset({"b"}),
            providers=frozenset({"house"}),
        )
    )


def test_who_belongs_to_nothing_that_is_written_has_no_limits() -> None:
    (team,) = people()["bob"].limits
    assert team.scope == "team"
    assert not load_text("", "turnout.yaml", {}, ()).keys
    plain = load("keys: [{name: app, key: secret-key-1, team: a, user: b, cost_center: c}]")
    assert [principal.limits for _, principal in principals(plain)] == [()]


def test_keys_with_the_same_rules_share_what_is_worked_out_for_them() -> None:
    found = people()
    assert found["eve"].limits[0] is found["fay"].limits[0]
    assert found["ann"].limits[0] is found["bob"].limits[0]


def test_cost_centres_are_known_by_name() -> None:
    assert set(cost_center_limits(load())) == {"R+D"}


def test_an_empty_allow_list_allows_nothing() -> None:
    assert load().policies["houses"].allow_models == ()
    assert load().policies["eu"].allow_models is None


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("denied_providers: [other]", "denied_providers: [othr]", "teams.research.denied_providers[0]"),
        ("allow_providers: [house]", "allow_providers: [huose]", "policies.houses.allow_providers[0]"),
        ("policies: [eu]", "policies: [ue]", "teams.research.policies[0]"),
        ("prefer: [best, a]", "prefer: [worst]", "users.ann@example.com.prefer[0]"),
        ("models: [a], denied", "models: [z], denied", "cost_centers.R+D.models[0]"),
        ("training:no", "training:nope", "providers.house.tags[1]"),
        ("training:yes", "training:Yes", "policies.eu.forbid_tags[0]"),
        ("retention:30d", "retention:month", "providers.house.tags[2]"),
        ("input: 2,", "input: 0.0000001,", "teams.research.price_ceiling.input"),
        ("budget_usd: 0.5", "budget_usd: -1", "users.ann@example.com.budget_usd"),
        ("tags: [local]", "tags: ['lo cal']", "models.a.tags[0]"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, key: str) -> None:
    assert old in TEXT
    assert key in refused(TEXT.replace(old, new, 1))
