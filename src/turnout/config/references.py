"""What no type can say: that the names in a configuration lead somewhere, and that its parts fit together.

Promise: each check looks at a configuration that is well-formed by its types and says what is wrong by path; it knows neither text
nor files. No value is repeated, as any may come from an environment variable. Where a part was left out because it is wrong itself, names that might have been in it are not complained about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from urllib.parse import urlsplit

from msgspec.structs import asdict

from turnout.config.exposure import PLACEHOLDER_KEYS, is_loopback
from turnout.config.reader import Path, hint
from turnout.config.schema import Config, Provider, Rules
from turnout.core.money import usd_per_mtok

Say = Callable[[Path, str, Collection[str]], object]

STORES = ("sqlite:///relative.db", "sqlite:////absolute.db")
AUTO = "auto"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


NEAREST = 3
MANY = 12


def check(
    config: Config, known: Sequence[str], declared: Collection[Path], doubled: Collection[Path], say: Say
) -> None:
    """`known`: names of shipped providers; `declared`: every path in the document; `doubled`: sections in which a name stands
    twice; `say(path, message, allowed)`."""
    _server(config, say)
    _providers(config, known, declared, say)
    _prices(config, say)
    _aliases(config, say)
    _model_providers(config, known, declared, say)
    if not any(path[:1] == ("models",) for path in doubled):
        _model_names(config, declared, say)  # a model that is given twice may have had the name
    _fallbacks(config, say)
    _rule_names(config, known, declared, say)
    _tags(config, say)
    _keys(config, say)


def _server(config: Config, say: Say) -> None:
    if not config.keys and not is_loopback(config.server.host):
        say(("server", "host"), "listens beyond this machine, so it needs `keys`; or use 127.0.0.1", ())
    if not config.store.startswith("sqlite://"):
        say(("store",), "is not a store that is supported", STORES)


def _providers(config: Config, known: Sequence[str], declared: Collection[Path], say: Say) -> None:
    for name, provider in config.providers.items():
        path = ("providers", name)
        wanted = [field for field in ("dialect", "base_url") if (*path, field) not in declared]
        if name not in known and wanted:
            message = f"is not a known provider, so it needs {' and '.join(f'`{field}`' for field in wanted)}"
            say(path, f"{message}{_near(name, known)}", known)
        if provider.base_url is not None and (wrong := _wrong_url(provider.base_url)):
            say((*path, "base_url"), wrong, ())
        _headers(path, provider, say)


def _headers(path: Path, provider: Provider, say: Say) -> None:
    if provider.api_key is not None and not _fits_header(provider.api_key):
        say((*path, "api_key"), "has a line break or a character that an HTTP header cannot carry", ())
    for name, value in provider.headers.items():
        if not _HEADER_NAME.fullmatch(name):
            say((*path, "headers", name), "is not the name of an HTTP header", ())
        elif not _fits_header(value):
            say(
                (*path, "headers", name),
                "has a line break or a character that an HTTP header cannot carry",
                (),
            )


def _fits_header(value: str) -> bool:
    return value.isascii() and (not value or value.isprintable())


def _prices(config: Config, say: Say) -> None:
    for name, model in config.models.items():
        for field, value in asdict(model.price).items() if model.price is not None else ():
            if not _is_rate(value or 0):
                say(("models", name, "price", field), _TOO_FINE, ())


_TOO_FINE = "is finer than a millionth of a dollar per million tokens"


def _is_rate(usd: float) -> bool:
    try:
        return usd_per_mtok(Decimal(str(usd))) >= 0
    except ValueError:
        return False


def _wrong_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or any(character.isspace() or not character.isprintable() for character in url):
        return "is not an http:// or https:// URL"
    if parts.username is not None or parts.password is not None:
        return "must not hold credentials; give them as `api_key` or `headers`"
    if "?" in url or "#" in url:
        return "must not have a query or a fragment"
    return ""


def _aliases(config: Config, say: Say) -> None:
    taken = dict.fromkeys(config.models, "a model")
    for name in config.models:
        if _is_auto(name):
            say(("models", name), f"`{AUTO}` and `{AUTO}:…` are reserved for routing", ())
    for name, model in config.models.items():
        for i, alias in enumerate(model.aliases):
            path = ("models", name, "aliases", i)
            if _is_auto(alias):
                say(path, f"`{AUTO}` and `{AUTO}:…` are reserved for routing", ())
            elif alias in taken:
                say(path, f"is the name of {taken[alias]} already", ())
            taken.setdefault(alias, f"an alias of {name}")


def _is_auto(name: str) -> bool:
    return name == AUTO or name.startswith(f"{AUTO}:")


def _model_providers(config: Config, known: Sequence[str], declared: Collection[Path], say: Say) -> None:
    allowed = tuple(dict.fromkeys([*config.providers, *known]))
    for name, model in config.models.items():
        if model.provider not in allowed and ("providers", model.provider) not in declared:
            message = f"no provider is called so{_near(model.provider, allowed)}"
            say(("models", name, "provider"), message, allowed)


def _near(name: str, providers: Collection[str]) -> str:
    """The nearest providers, or where all are listed when there are too many to read."""
    if near := hint(name, providers, NEAREST):
        return near
    return "; `turnout providers --known` lists those that need no address" if len(providers) > MANY else ""


def _fallbacks(config: Config, say: Say) -> None:
    """Fallbacks of fallbacks are not followed, so two models may well name each other; a model that names itself is a mistake."""
    for name, model in config.models.items():
        own = {name, *model.aliases, f"{model.provider}/{name}", f"{model.provider}/{model.id or name}"}
        for path, fallback in _listed(("models", name, "fallbacks"), model.fallbacks):
            if fallback in own:
                say(path, "is the model itself, which cannot stand in for itself; take it out", ())


def _model_names(config: Config, declared: Collection[Path], say: Say) -> None:
    if any(len(path) == 2 and path[0] == "models" and path[1] not in config.models for path in declared):
        return  # a model that cannot be read may have had the name
    names = _callable_names(config)
    allowed = tuple(config.models)
    for path, name in _uses(config):
        if name not in names and not _may_be_known(name, config):
            say(path, f"no model or alias is called so{hint(name, allowed)}", allowed)


def _callable_names(config: Config) -> frozenset[str]:
    names = set(config.models)
    for name, model in config.models.items():
        names.update((*model.aliases, f"{model.provider}/{name}"))
        if model.id is not None:
            names.add(f"{model.provider}/{model.id}")
    return frozenset(names)


def _may_be_known(name: str, config: Config) -> bool:
    """`provider/id` of a model whose id is shipped data, which only the catalog can tell."""
    provider, slash, _ = name.partition("/")
    return bool(slash) and any(m.provider == provider and m.id is None for m in config.models.values())


def _uses(config: Config) -> Iterable[tuple[Path, str]]:
    for name, model in config.models.items():
        yield from _listed(("models", name, "fallbacks"), model.fallbacks)
    for tier, models in config.routing.tiers.items():
        yield from _listed(("routing", "tiers", tier), models)
    for task, model_name in config.routing.tasks.items():
        yield ("routing", "tasks", task), model_name
    for name, policy in config.policies.items():
        yield from _listed(("policies", name, "allow_models"), policy.allow_models or ())
        yield from _listed(("policies", name, "deny_models"), policy.deny_models)
    for path, rules in _rules(config):
        yield from _listed((*path, "models"), rules.models or ())
        yield from _listed((*path, "denied_models"), rules.denied_models)
        yield from _listed((*path, "prefer"), rules.prefer)


def _listed(path: Path, names: Iterable[str]) -> Iterable[tuple[Path, str]]:
    return (((*path, i), name) for i, name in enumerate(names))


def _rules(config: Config) -> Iterable[tuple[Path, Rules]]:
    """Every section of rules, with its path."""
    for i, key in enumerate(config.keys):
        yield ("keys", i), key
    for word, found in (
        ("teams", config.teams),
        ("users", config.users),
        ("cost_centers", config.cost_centers),
    ):
        for name, rules in found.items():
            yield (word, name), rules


def _rule_names(config: Config, known: Sequence[str], declared: Collection[Path], say: Say) -> None:
    """The policies and providers that rules and policies speak of."""
    providers = tuple(dict.fromkeys([*config.providers, *known]))
    for path, name in _provider_uses(config):
        if name not in providers and ("providers", name) not in declared:
            say(path, f"no provider is called so{_near(name, providers)}", providers)
    for path, rules in _rules(config):
        for at, name in _listed((*path, "policies"), rules.policies):
            if name not in config.policies and ("policies", name) not in declared:
                say(at, f"no policy is called so{hint(name, config.policies)}", tuple(config.policies))
        for field, value in asdict(rules.price_ceiling).items():
            if value is not None and not _is_rate(value):
                say((*path, "price_ceiling", field), _TOO_FINE, ())


def _provider_uses(config: Config) -> Iterable[tuple[Path, str]]:
    for path, rules in _rules(config):
        yield from _listed((*path, "providers"), rules.providers or ())
        yield from _listed((*path, "denied_providers"), rules.denied_providers)
    for name, policy in config.policies.items():
        yield from _listed(("policies", name, "allow_providers"), policy.allow_providers or ())
        yield from _listed(("policies", name, "deny_providers"), policy.deny_providers)


_TRAINING = ("training:no", "training:yes")
_RETENTION = re.compile(r"retention:(zero|unknown|[0-9]{1,4}d)")


def _tags(config: Config, say: Say) -> None:
    """A misspelt tag in a group of standard words would match nothing, and a policy that forbids it would forbid nothing."""
    for path, tag in _tag_uses(config):
        if tag.startswith("training:") and tag not in _TRAINING:
            say(path, f"is not a standard word{hint(tag, _TRAINING)}", _TRAINING)
        elif tag.startswith("retention:") and not _RETENTION.fullmatch(tag):
            say(path, "is not a standard word", ("retention:zero", "retention:30d", "retention:unknown"))


def _tag_uses(config: Config) -> Iterable[tuple[Path, str]]:
    for name, provider in config.providers.items():
        yield from _listed(("providers", name, "tags"), provider.tags or ())
    for name, model in config.models.items():
        yield from _listed(("models", name, "tags"), model.tags)
    for name, policy in config.policies.items():
        for field in ("require_tags", "require_any_tags", "forbid_tags"):
            yield from _listed(("policies", name, field), getattr(policy, field))


def _keys(config: Config, say: Say) -> None:
    names: dict[str, int] = {}
    secrets: dict[str, int] = {}
    for i, key in enumerate(config.keys):
        if names.setdefault(key.name, i) != i:
            say(("keys", i, "name"), "is the name of another key already", ())
        if key.key in PLACEHOLDER_KEYS and not is_loopback(config.server.host):
            say(("keys", i, "key"), "stands in Turnout's documents, so everybody knows it", ())
        if secrets.setdefault(key.key, i) != i:
            say(
                ("keys", i, "key"),
                f"is the same secret as that of keys[{secrets[key.key]}]",
                (),
            )
