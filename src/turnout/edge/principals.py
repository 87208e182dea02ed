"""From the configuration's keys, teams, users and cost centres to what routing knows of them: principals and their limits.

Promise: whatever a section restricts holds for every key that belongs to it, and nothing is merged here: each scope stays apart,
so that a refusal can say whose rule it was. Keys with the same restrictions share one object, so that what is worked out for one
is remembered for all. It must not know how a rule is applied.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from turnout.config import schema
from turnout.core.call import Ceiling, Limits, Principal, Scope
from turnout.core.money import usd_per_mtok, usd_to_nano
from turnout.layers.admit import Keyring


class _Shared:
    """Limits by what they say: those of equal sections are one object."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Limits] = {}

    def of(self, scope: Scope, rules: schema.Rules | None) -> tuple[Limits, ...]:
        """At most one; none where nothing is restricted and nothing preferred."""
        if rules is None:
            return ()
        says = (
            None if rules.models is None else frozenset(rules.models),
            frozenset(rules.denied_models),
            None if rules.providers is None else frozenset(rules.providers),
            frozenset(rules.denied_providers),
            rules.policies,
            _ceiling(rules.price_ceiling),
            None if rules.budget_usd is None else usd_to_nano(str(rules.budget_usd)),
            rules.prefer,
        )
        limits = self._found.setdefault((scope, *says), Limits(scope, *says))
        return () if says == _NOTHING else (limits,)


_NOTHING: tuple[object, ...] = (None, frozenset(), None, frozenset(), (), None, None, ())


def _ceiling(given: schema.PriceCeiling) -> Ceiling | None:
    if given.input is None and given.output is None:
        return None
    return Ceiling(_rate(given.input), _rate(given.output))


def _rate(usd: float | None) -> int | None:
    return None if usd is None else usd_per_mtok(Decimal(str(usd)))


def keyring(config: schema.Config) -> Keyring:
    """Every configured key with its principal."""
    return Keyring(principals(config))


def principals(config: schema.Config) -> Iterable[tuple[str, Principal]]:
    """Secrets and who shows them."""
    shared = _Shared()
    for key in config.keys:
        yield (
            key.key,
            Principal(
                key=key.name,
                user=key.user,
                team=key.team,
                cost_center=key.cost_center,
                limits=(
                    *shared.of("principal", key),
                    *shared.of("team", config.teams.get(key.team or "")),
                    *shared.of("user", config.users.get(key.user or "")),
                    *shared.of("cost_center", config.cost_centers.get(key.cost_center or "")),
                ),
            ),
        )


def cost_center_limits(config: schema.Config) -> dict[str, Limits]:
    """What holds when a request names the cost centre itself."""
    shared = _Shared()
    return {
        name: limits
        for name, rules in config.cost_centers.items()
        for limits in shared.of("cost_center", rules)
    }
