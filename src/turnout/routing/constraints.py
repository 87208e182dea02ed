"""What a candidate must satisfy. A filter says no, and names itself; it never reorders.

Promise: the same filters hold for the first choice, for every fallback, and so for hedges and whatever else is later drawn
from a plan's candidates: there is no second way in (`admission` joins them for one caller). The order is that of the reasons
a caller should hear first: may this caller use the model at all, do the policies permit it, is it cheap enough, can it do
what is asked, does the request fit, can it be paid.

An unknown fact (no capabilities, no window) excludes nothing. An unknown *price* under a budget or a price ceiling does: a
promise about money cannot rest on a cost that nobody knows. Filters see cards and plain values; they know no order and no tier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from turnout.core.call import PASSED, Ceiling, Limits, Op, Scope
from turnout.core.card import Capability, Card
from turnout.core.errors import Kind, Violation, fail
from turnout.core.money import PICO_PER_USD_PER_MTOK, Price, format_usd
from turnout.routing.table import PolicyRule, RoutingTable, cannot_chat, is_embedder

NAME_CHARS_MAX = 128  # of a caller's word quoted back in an error


class Refusal(Struct, frozen=True, gc=False):
    """Why a candidate was removed. `filter` is stable (`policy:eu`, `capability:vision`), `reason` a sentence part."""

    filter: str
    reason: str


class Demand(Struct, frozen=True):
    """What one request asks of a candidate. Sizes are tokens, the budget nano-dollars; `None` asks nothing.

    `window_tokens` is prompt and answer together, `output_tokens` what the caller asked for outright, `prompt_tokens` what
    decides which step of a price is paid.
    """

    needs: frozenset[Capability] = frozenset()
    window_tokens: int | None = None
    output_tokens: int | None = None
    budget_nano: int | None = None
    prompt_tokens: int = 0
    ceiling: Ceiling | None = None


NOTHING_ASKED = Demand()


class Rule(Struct, frozen=True):
    """A policy with its name, ready to apply."""

    filter: str
    policy: PolicyRule


def rules_for(table: RoutingTable, names: Iterable[str]) -> tuple[Rule, ...]:
    """The named policies, once each.

    Raises `CallFailed`: BAD_REQUEST on a name that is not configured, FORBIDDEN where it is an attempt to lift a policy.
    """
    rules = []
    for name in dict.fromkeys(names):
        policy = table.policies.get(name)
        if policy is None:
            raise _no_such_policy(table, name)
        rules.append(Rule(f"policy:{name}", policy))
    return tuple(rules)


_LIFTING = frozenset({"none", "off", "no", "false"})


def _no_such_policy(table: RoutingTable, name: str) -> Exception:
    """`-eu`, `!eu` and `none` are understood, so that they can be refused and counted: a caller adds policies, it lifts none."""
    bare = name.lstrip("-!")
    if bare != name or name.lower() in _LIFTING:
        lifted = f"policy:{bare}" if bare in table.policies else "policy:*"
        text = f"a policy cannot be lifted by a request: {name[:NAME_CHARS_MAX]!r}"
        violation = Violation(lifted, name[:NAME_CHARS_MAX])
        return fail(Kind.FORBIDDEN, text, param="compliance", violations=(violation,))
    return fail(Kind.BAD_REQUEST, f"no policy is called {name[:80]!r}", param="compliance")


def names_by_label(table: RoutingTable) -> dict[str, frozenset[str]]:
    """For each `provider/id`, every name that leads to it: a rule against one of them is a rule against the model."""
    found: dict[str, set[str]] = {}
    for name, cards in table.cards.items():
        for card in cards:
            found.setdefault(card.label, {card.name, card.label}).add(name)
    return {label: frozenset(names) for label, names in found.items()}


_WHO: Mapping[Scope, str] = {
    "principal": "this key",
    "team": "this team",
    "user": "this user",
    "cost_center": "this cost centre",
}


def refusal_by_limits(card: Card, names: frozenset[str], limits: Limits) -> Refusal | None:
    """What a key, team, user or cost centre says of a model, and of whoever provides it."""
    scope, who = limits.scope, _WHO[limits.scope]
    if not limits.denied.isdisjoint(names):
        return Refusal(f"{scope}:denied", f"{who} may not use the model")
    if card.provider in limits.denied_providers:
        return Refusal(f"{scope}:denied_providers", f"{who} may not use the provider {card.provider}")
    if limits.models is not None and limits.models.isdisjoint(names):
        return Refusal(f"{scope}:models", f"the model is not among those {who} may use")
    if limits.providers is not None and card.provider not in limits.providers:
        return Refusal(f"{scope}:providers", f"{card.provider} is not among the providers {who} may use")
    return None


def refusal_by_policy(card: Card, names: frozenset[str], rules: Iterable[Rule]) -> Refusal | None:
    for rule in rules:
        policy = rule.policy
        reason = _tag_reason(card.tags, policy) or _name_reason(card.provider, names, policy)
        if reason is not None:
            return Refusal(rule.filter, reason)
    return None


def _tag_reason(tags: frozenset[str], policy: PolicyRule) -> str | None:
    missing = policy.require_tags - tags
    if missing:
        return f"lacks the tag {min(missing)}"
    if policy.require_any_tags and policy.require_any_tags.isdisjoint(tags):
        return f"has none of the tags {', '.join(sorted(policy.require_any_tags))}"
    forbidden = policy.forbid_tags & tags
    return f"has the tag {min(forbidden)}" if forbidden else None


def _name_reason(provider: str, names: frozenset[str], policy: PolicyRule) -> str | None:
    if not policy.deny_models.isdisjoint(names):
        return "the policy denies the model"
    if provider in policy.deny_providers:
        return f"the policy denies the provider {provider}"
    if policy.allow_models is not None and policy.allow_models.isdisjoint(names):
        return "the policy does not list the model"
    if policy.allow_providers is not None and provider not in policy.allow_providers:
        return f"the policy does not list the provider {provider}"
    return None


def refusal_by_ceiling(price: Price | None, ceiling: Ceiling, prompt_tokens: int) -> Refusal | None:
    """Rates, not amounts: those that hold for a prompt of so many tokens."""
    if price is None:
        return Refusal("price_ceiling", "its price is unknown, so a ceiling cannot hold")
    rates = price.rates_for(prompt_tokens)
    for word, rate, most in (("input", rates.input, ceiling.input), ("output", rates.output, ceiling.output)):
        if most is not None and rate > most:
            usd = rate / PICO_PER_USD_PER_MTOK
            return Refusal("price_ceiling", f"{usd:g} USD per million {word} tokens is over the ceiling")
    return None


_DOES: Mapping[Op, Capability] = {
    "completions": "completions",
    "moderations": "moderations",
    "images": "images",
    "image_edits": "images",
    "image_variations": "images",
    "speech": "speech",
    "transcriptions": "transcriptions",
    "translations": "transcriptions",
}


def refusal_by_op(card: Card, op: Op) -> Refusal | None:
    """Embedding models embed and do nothing else; chat models do not embed. What is passed goes to its own dialect only.

    Many chat models also complete; for the rest, what a model can do must be unknown or include it.
    """
    if op in PASSED:
        return _refusal_by_passed_op(card, op)
    if op == "embeddings":
        if card.capabilities and "embeddings" not in card.capabilities:
            return Refusal("capability:embeddings", "it makes no embeddings")
    elif is_embedder(card):
        return Refusal("capability:chat", "it makes embeddings only")
    elif cannot_chat(card):
        return Refusal("capability:chat", f"it does {', '.join(sorted(card.capabilities))} only")
    return None


def _refusal_by_passed_op(card: Card, op: Op) -> Refusal | None:
    if card.dialect != PASSED[op]:
        return Refusal(f"capability:{op}", f"the dialect {card.dialect} has no such operation")
    if (
        not card.capabilities
        or _DOES[op] in card.capabilities
        or (op == "completions" and not cannot_chat(card))
    ):
        return None
    return Refusal(f"capability:{op}", f"it is not known to do {_DOES[op]}")


def refusal_by_request(card: Card, demand: Demand, cost_nano: int | None) -> Refusal | None:
    """What only the request decides: capabilities, sizes and money, in this order."""
    if demand.ceiling is not None and card.price is not None and card.price.steps:
        dear = refusal_by_ceiling(card.price, demand.ceiling, demand.prompt_tokens)
        if dear is not None:
            return dear
    if demand.needs and card.capabilities:
        missing = missing_capabilities(card, demand.needs)
        if missing:
            return Refusal(f"capability:{missing[0]}", f"it lacks {', '.join(missing)}")
    window, asked = card.context_window, demand.window_tokens
    if asked is not None and window is not None and asked > window:
        return Refusal("context_window", f"{asked} tokens do not fit into {window}")
    most, asked = card.max_output, demand.output_tokens
    if asked is not None and most is not None and asked > most:
        return Refusal("output_limit", f"{asked} tokens were asked for, it gives at most {most}")
    if demand.budget_nano is not None:
        if cost_nano is None:
            return Refusal("budget", "its price is unknown, so a budget cannot hold")
        if cost_nano > demand.budget_nano:
            return Refusal("budget", f"about {format_usd(cost_nano)} USD is over the budget")
    return None


def missing_capabilities(card: Card, needs: frozenset[Capability]) -> list[Capability]:
    """What a card with known capabilities lacks. Who can follow a schema can write plain JSON."""
    missing = needs - card.capabilities
    if "json_mode" in missing and "json_schema" in card.capabilities:
        missing -= {"json_mode"}
    return sorted(missing)


_STAGES = {
    "principal": 0,
    "team": 0,
    "user": 0,
    "cost_center": 0,
    "policy": 1,
    "price_ceiling": 2,
    "capability": 3,
    "context_window": 4,
    "output_limit": 5,
    "budget": 6,
}
_POLICY = _STAGES["policy"]


def stage(name: str) -> int:
    """How far a candidate got that the filter `name` removed."""
    return _STAGES[name.partition(":")[0]]


def is_principal(refusal: Refusal) -> bool:
    """Whether a key, team, user or cost centre said no, and not the request."""
    return stage(refusal.filter) < _POLICY


def is_rule(refusal: Refusal) -> bool:
    """Whether it was somebody's rule about the model: asking for it all the same is an attempt to break the rule."""
    return stage(refusal.filter) <= _POLICY


KIND_BY_STAGE: Mapping[int, Kind] = {
    0: Kind.NO_CANDIDATE,
    1: Kind.NO_CANDIDATE,
    2: Kind.BUDGET_EXCEEDED,
    3: Kind.UNSUPPORTED,
    4: Kind.CONTEXT_TOO_LONG,
    5: Kind.UNSUPPORTED,
    6: Kind.BUDGET_EXCEEDED,
}
