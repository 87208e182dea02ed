"""What a configuration says and probably does not mean: `turnout check` and `turnout serve` print it.

Promise: nothing here is refused by the gateway; each remark names what will fail or surprise later and what to do about it. No value that
may be a credential is repeated. What the gateway refuses is in `config` and in the catalog; a store that cannot be opened is
found here too, as looking for it needs the disk.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from turnout.config.addresses import corrected, lacks_path
from turnout.config.load import Loaded, Problem, Remark
from turnout.config.reader import hint
from turnout.config.schema import Config, Policy, Provider
from turnout.core.card import Card
from turnout.store.sqlite import path_of
from turnout.upstream.catalog import Catalog
from turnout.upstream.known import Known, KnownProvider
from turnout.upstream.signers import BY_DIALECT, REQUEST_SIGNERS

_PROVIDER = re.compile(r"providers\.([A-Za-z0-9._-]+?)(?:\.[a-z_]+)?: ")
_VERSIONED = ("openai_chat", "openai_responses", "mistral")


def advice(loaded: Loaded, config: Config, catalog: Catalog, known: Known) -> tuple[Problem, ...]:
    """Of a configuration that is taken; `config` has the keys and addresses that the environment gave."""
    return loaded.problems(
        [*_models(config), *_providers(config, loaded, known), *_policies(config, catalog)]
    )


def _models(config: Config) -> Iterator[Remark]:
    if not config.models:
        yield (
            ("models",),
            "there are none, so every request will be refused; add one, or see `turnout init`",
            (),
        )
    for name, model in config.models.items():
        for i, fallback in enumerate(model.fallbacks):
            if fallback in model.fallbacks[:i]:
                yield ("models", name, "fallbacks", i), "stands in this list already; it is tried once", ()


def _providers(config: Config, loaded: Loaded, known: Known) -> Iterator[Remark]:
    users = {model.provider for model in config.models.values()}
    for name in dict.fromkeys([*config.providers, *users]):
        provider, fact = config.providers.get(name, Provider()), known.providers.get(name)
        if remark := _address(name, provider, fact):
            yield remark
        if message := _keyless(provider, loaded.config.providers.get(name, Provider()), fact):
            declared = ("providers", name) in loaded.reader.places
            yield ("providers", name) if declared else _first_use(name, config), message, ()


def _first_use(provider: str, config: Config) -> tuple[str | int, ...]:
    users = (name for name, model in config.models.items() if model.provider == provider)
    return next((("models", name, "provider") for name in users), ("models",))


def _keyless(provider: Provider, written: Provider, fact: KnownProvider | None) -> str:
    """Why its requests will be refused for want of a credential; empty if they will not, or nobody can tell."""
    dialect = provider.dialect or (fact.dialect if fact else None)
    signer = (
        provider.signer
        or (fact.signer if fact else None)
        or BY_DIALECT.get(dialect or "openai_chat", "bearer")
    )
    if provider.simulated or provider.api_key or provider.headers or signer == "none":
        return ""
    base_url = provider.base_url or (fact.base_url if fact else None)
    if base_url is None or _is_inside(base_url):
        return ""
    variable = fact.key_variable if fact else None
    if fact is None:
        needs = signer in REQUEST_SIGNERS
        return "has no `api_key`, and its requests cannot be signed without" if needs else ""
    if variable is None:
        return "" if fact.unpriced else "has no `api_key`, so it will refuse every request"
    if written.base_url and os.environ.get(variable):
        return f"has no `api_key`: {variable} goes to the known address only; add `api_key: ${{{variable}}}`"
    return f"has no key, so it will refuse every request; set {variable}, or add `api_key`"


def _is_inside(base_url: str) -> bool:
    """A host of one's own network, which may well ask for no key."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan"))


def _address(name: str, provider: Provider, fact: KnownProvider | None) -> Remark | None:
    dialect = provider.dialect or (fact.dialect if fact else None)
    if provider.base_url is None or dialect is None:
        return None
    shipped = fact.base_url if fact else None
    address = corrected(provider.base_url, dialect, shipped)
    path = ("providers", name, "base_url")
    if dialect in _VERSIONED and lacks_path(address) and not (shipped and lacks_path(shipped)):
        return path, "has no path; most servers of this dialect answer below `/v1`", ()
    if dialect == "ollama" and address.endswith("/v1"):
        return (
            path,
            "ends in `/v1`, where Ollama speaks `openai_chat`; take that dialect, or leave out `/v1`",
            (),
        )
    return None


def _policies(config: Config, catalog: Catalog) -> Iterator[Remark]:
    """A tag that no model has: the policy leaves nothing, or does not forbid what it seems to."""
    cards: Collection[Card] = catalog.cards.values()
    tags = sorted({tag for card in cards for tag in card.tags})
    if not cards:
        return
    for name, policy in config.policies.items():
        yield from _missing_tags(name, policy, tags)
        wanted, any_of = frozenset(policy.require_tags), frozenset(policy.require_any_tags)
        left = [card for card in cards if wanted <= card.tags and (not any_of or any_of & card.tags)]
        if not left and wanted <= set(tags) and (not any_of or any_of & set(tags)):
            yield ("policies", name), "no model has all the tags that it requires", ()


def _missing_tags(name: str, policy: Policy, tags: list[str]) -> Iterator[Remark]:
    for i, tag in enumerate(policy.require_tags):
        if tag not in tags:
            said = f"no model has this tag, so none may be used under this policy{hint(tag, tags)}"
            yield ("policies", name, "require_tags", i), said, tags
    for i, tag in enumerate(policy.require_any_tags):
        if tag not in tags:
            yield ("policies", name, "require_any_tags", i), f"no model has this tag{hint(tag, tags)}", tags
    for i, tag in enumerate(policy.forbid_tags):
        if tag not in tags and (near := hint(tag, tags)):  # forbidding what nobody has yet is foresight
            yield (
                ("policies", name, "forbid_tags", i),
                f"no model has this tag, so it forbids nothing{near}",
                tags,
            )


def unusable_store(loaded: Loaded) -> tuple[Problem, ...]:
    """Why `serve` would not open the store. Nothing is made or changed."""
    message = ""
    if (path := path_of(loaded.config.store)) != ":memory:":
        file = FilePath(path)
        if not file.parent.is_dir():
            message = f"the folder {file.parent} does not exist; make it, or name another"
        elif file.is_dir():
            message = "is a folder; name a file in it"
        elif not os.access(file if file.exists() else file.parent, os.W_OK):
            message = "cannot be written here"
    return loaded.refusals([(("store",), message, ())]) if message else ()


def refused(loaded: Loaded, message: str) -> tuple[Problem, ...]:
    """A refusal of the catalog, whose message begins with the key, with its place in the file."""
    path, key = loaded.longest_start_of(message)
    if len(path) < 2 and (match := _PROVIDER.match(message)):  # named by a model only
        return loaded.refusals([(_first_use(match[1], loaded.config), message, ())])
    rest = message.removeprefix(f"{key}: ") if key else message
    return loaded.refusals([(path, rest, ())])
