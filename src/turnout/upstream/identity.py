"""Which shipped model a configured one is: facts belong to the model, not to the name that somebody gave it.

Promise: a model is recognised by its id, whoever serves it and whatever it is called in a configuration. An id is taken as it is first and
then as its plain form: without the platform's path and prefixes (`anthropic/…`, `us.anthropic.…-v1:0`, `accounts/…/models/…`) and without the
day of a snapshot or `-latest`. Of several the nearest home wins: the provider itself, then one whose prices are the same, then one of the
same dialect, then any. What is a host's own way of asking (`HOST_WORDS`) does not travel to another shipped provider, which has its own.

A Claude that nobody shipped is taken for the nearest one that is: how it thinks is, its limits only where a number must be said.
Pure; it must not know configurations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from turnout.core.model import DialectName
from turnout.upstream.known import Known, KnownModel, KnownProvider

HOST_WORDS = frozenset(
    "cache_control chat_template_thinking enable_thinking extra_content parsed_reasoning reasoning_content reasoning_details "
    "reasoning_enabled reasoning_field reasoning_object reasoning_temperature_1 thinking_effort thinking_type top_k "
    "venice_parameters".split()
)
"""Quirk words that are of the server and not of the model."""

_REGION = re.compile(r"^(?:us-gov|us|eu|apac|jp|au|ca|global|regional)\.(?=[a-z0-9-]+\.)")
_MAKER = re.compile(r"^(?:anthropic|amazon|meta|mistral|openai|qwen|deepseek|cohere|ai21|writer)\.(?=[a-z])")
_DATE = re.compile(
    r"[-@](?:latest|default|20\d\d-[01]\d-[0-3]\d|20\d\d[01]\d[0-3]\d|(?:preview-)?[01]\d-20\d\d|(?:preview-)?[01]\d-[0-3]\d|\d{4})$"
)
_TUNED = re.compile(r"ft:([^:]+):.*")  # of a base, for somebody
_BEDROCK_VERSION = re.compile(r"(?:-v?\d)?:\d+$")
_VARIANT = re.compile(r":(?:free|batch|beta|extended|thinking|nitro|floor|online)$")
_CLAUDE_VERSION = re.compile(r"\d{1,2}(?=-|$)")


class Site(NamedTuple):
    """Where a model is served, as far as its identity depends on it. `shipped`: the shipped provider whose site it is."""

    name: str
    dialect: DialectName
    prices_from: str
    shipped: KnownProvider | None = None


@lru_cache(maxsize=1024)
def plain(id: str) -> str:
    """The model's own name: the same for every host, snapshot and spelling of the version."""
    tuned = _TUNED.fullmatch(id.lower())
    name = tuned[1] if tuned else id.lower()
    name = _REGION.sub("", name.rpartition("/")[2])
    if _MAKER.match(name):
        name = _BEDROCK_VERSION.sub("", _MAKER.sub("", name))
    name = _VARIANT.sub("", name)
    if "claude" in name:
        name = re.sub(r"-v\d+$", "", name) if name.count("-") > 1 else name
        name = name.replace(".", "-").removeprefix("databricks-")
    while (shorter := _DATE.sub("", name)) != name:
        name = shorter
    return _claude(name)


def _claude(name: str) -> str:
    """One order of family and version: `claude-4-opus` and `claude-opus-4` are `claude-opus-4-0`, but not those before 4."""
    turned = re.fullmatch(r"claude-([4-9](?:-\d{1,2})?)-(opus|sonnet|haiku)", name)
    if turned:
        name = f"claude-{turned[2]}-{turned[1]}"
    return f"{name}-0" if name in ("claude-opus-4", "claude-sonnet-4") else name


def find(id: str, site: Site, known: Known) -> KnownModel | None:
    """The shipped model that this is, with the words that hold at `site`; `None`: not shipped."""
    given, name = id.lower(), plain(id)
    best: tuple[tuple[int, bool], KnownModel] | None = None
    for model in (*known.models.values(), *known.unlisted):
        exact = model.id.lower() == given
        if not exact and plain(model.id) != name:
            continue
        rank = (_distance(known.providers[model.provider], model.provider, site), not exact)
        if best is None or rank < best[0]:
            best = rank, model
    return None if best is None else at_home(best[1], site, known)


def at_home(model: KnownModel, site: Site, known: Known) -> KnownModel:
    """`model` with the words that hold at `site`."""
    if (
        site.shipped is None
        or _distance(known.providers[model.provider], model.provider, site) <= _SAME_PRICES
    ):
        return model
    has_levels = any(word.startswith("efforts.") or word in HOST_WORDS for word in site.shipped.quirks)
    words = [word for word in model.quirks if not (has_levels and word.startswith("efforts."))]
    return _with_quirks(model, [word for word in words if word not in HOST_WORDS])


def _with_quirks(model: KnownModel, words: Sequence[str]) -> KnownModel:
    return model if len(words) == len(model.quirks) else replace(model, quirks=tuple(words))


_SAME_PRICES = 1


def _distance(provider: KnownProvider, name: str, site: Site) -> int:
    if name == site.name:
        return 0
    if (provider.prices_from or name) == site.prices_from:
        return _SAME_PRICES
    return 2 if provider.dialect == site.dialect else 3


# -- a Claude that is not shipped
def nearest_claude(id: str, known: Known) -> KnownModel | None:
    """The shipped Claude of the same family, else of any, whose version is the last one up to this one's; `None`: no Claude."""
    name = plain(id)
    if not name.startswith("claude"):
        return None
    claudes = [m for m in (*known.models.values(), *known.unlisted) if m.provider == "anthropic"]
    family, version = _family(name), _version(name)
    same = [model for model in claudes if _family(plain(model.id)) == family] or claudes
    return _up_to(version, same)


def _up_to(version: tuple[int, ...], models: Iterable[KnownModel]) -> KnownModel | None:
    ordered = sorted(models, key=_version_of)
    before = [model for model in ordered if not version or _version_of(model) <= version]
    return before[-1] if before else next(iter(ordered), None)


def _version_of(model: KnownModel) -> tuple[int, ...]:
    return _version(plain(model.id))


def _family(name: str) -> str:
    return next((word for word in name.split("-")[1:] if word.isalpha()), "")


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _CLAUDE_VERSION.findall(name))
