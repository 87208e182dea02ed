"""Configurations to start from: what `turnout run` serves without a file, and what `turnout init` writes.

Promise: both are made from the shipped data handed in, by rules and not by lists of names: fallbacks are models of other
providers with the nearest tier, tasks go to the tier that they need. Credentials appear as `${VARIABLE}` in text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Protocol, get_args

from msgspec.structs import replace

from turnout.config.addresses import filled
from turnout.config.schema import Config, Model, Provider, Routing
from turnout.core.card import NOT_CHAT, TIERS, Capability, Task, Tier
from turnout.core.model import DialectName

FALLBACKS = 3

TIER_OF_TASK: Mapping[Task, Tier] = {
    "code_generation": "large",
    "summarization": "light",
    "extraction": "light",
    "translation": "standard",
    "structured_data": "standard",
    "classification": "light",
    "question_answering": "standard",
    "question_answering_in_context": "standard",
    "document_analysis": "large",
    "data_analysis": "large",
    "mathematics": "large",
    "reasoning": "large",
    "rewriting": "light",
    "creative_writing": "standard",
    "brainstorming": "standard",
    "conversation": "light",
    "tool_use": "standard",
}


class KnownProvider(Protocol):
    @property
    def base_url(self) -> str | None: ...
    @property
    def key_variable(self) -> str | None: ...
    @property
    def simulated_dialect(self) -> DialectName | None: ...


class KnownModel(Protocol):
    @property
    def provider(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def tier(self) -> Tier | None: ...
    @property
    def capabilities(self) -> tuple[Capability, ...]: ...
    @property
    def demo(self) -> bool: ...


class Known(Protocol):
    """The shipped data, as far as it is needed here."""

    @property
    def providers(self) -> Mapping[str, KnownProvider]: ...
    @property
    def models(self) -> Mapping[str, KnownModel]: ...
    @property
    def simulated(self) -> Sequence[str]: ...
    def retired(self, today: date) -> Collection[str]: ...


def demo_config(
    known: Known,
    base_urls: Mapping[str, str | None],
    env: Mapping[str, str],
    simulate: bool = False,
    today: date = date.min,
) -> Config:
    """All known models of the providers whose keys `env` has; where it has no provider's key at all, the demo's, simulated.

    Nothing is invented for somebody who has a real key, unless it is wanted: with `simulate`, the demo's models of all other
    providers are there beside the real ones. `base_urls` has the providers that can be simulated, and where they are.
    What is retired by `today` can be named, but nothing leads to it.
    """
    simulate = simulate or not providers_with_keys(known, env)
    models = {
        name: model
        for name, model in known.models.items()
        if _real(known.providers[model.provider], env)
        or (simulate and model.demo and model.provider in base_urls)
    }
    providers = {model.provider: known.providers[model.provider] for model in models.values()}
    return Config(
        providers={
            name: _real(provider, env) or _simulated(name, provider, base_urls[name])
            for name, provider in providers.items()
        },
        models=_models(models, _without(models, known.retired(today))),
        routing=_routing(_without(models, known.retired(today))),
    )


def _without(models: Mapping[str, KnownModel], retired: Collection[str]) -> dict[str, KnownModel]:
    return {name: model for name, model in models.items() if name not in retired}


def providers_with_keys(known: Known, env: Mapping[str, str]) -> tuple[str, ...]:
    """The known providers whose keys `env` has, whether or not the rest of their address is there too."""
    return tuple(
        name
        for name, provider in known.providers.items()
        if provider.key_variable and env.get(provider.key_variable)
    )


def with_simulated(config: Config, known: Known, base_urls: Mapping[str, str]) -> Config:
    """Providers that are marked as simulated and have no address get that of the simulation."""
    providers = dict(config.providers)
    for name, own in config.providers.items():
        if own.simulated and own.base_url is None and name in base_urls:
            dialect = own.dialect or known.providers[name].simulated_dialect
            key = own.api_key or f"sim-{name}"
            providers[name] = replace(own, base_url=base_urls[name], api_key=key, dialect=dialect)
    return replace(config, providers=providers)


def unstarted(config: Config) -> tuple[str, ...]:
    """Providers that are to be simulated by Turnout itself."""
    return tuple(name for name, own in config.providers.items() if own.simulated and own.base_url is None)


def with_known_keys(config: Config, known: Known, env: Mapping[str, str]) -> Config:
    """Known providers of which only the name is given get the key that their variable in `env` holds, and the address that others fill.

    Not where the configuration has a base URL or headers of its own: a key goes to nobody but its provider.
    """
    providers = dict(config.providers)
    for name in dict.fromkeys([*providers, *(model.provider for model in config.models.values())]):
        own, fact = providers.get(name, Provider()), known.providers.get(name)
        if fact is None or fact.base_url is None or own.base_url or own.simulated:
            continue
        address = filled(fact.base_url, env)
        if address is not None and address != fact.base_url:
            providers[name] = own = replace(own, base_url=address)
        if fact.key_variable is None or own.api_key or own.headers:
            continue
        if key := env.get(fact.key_variable):
            providers[name] = replace(own, api_key=key)
    return replace(config, providers=providers)


def _real(provider: KnownProvider, env: Mapping[str, str]) -> Provider | None:
    """The provider itself, where `env` has its key and all of its address."""
    key = env.get(provider.key_variable) if provider.key_variable else None
    address = filled(provider.base_url, env) if provider.base_url is not None else None
    return Provider(base_url=address, api_key=key) if key and address else None


def _simulated(name: str, provider: KnownProvider, url: str | None) -> Provider:
    return Provider(base_url=url, api_key=f"sim-{name}", dialect=provider.simulated_dialect, simulated=True)


def _models(models: Mapping[str, KnownModel], current: Mapping[str, KnownModel]) -> dict[str, Model]:
    return {
        name: Model(
            provider=model.provider,
            id=model.id if model.id != name else None,
            tier=model.tier,
            fallbacks=fallbacks_of(name, {**current, name: model}),
        )
        for name, model in models.items()
    }


def fallbacks_of(name: str, models: Mapping[str, KnownModel]) -> tuple[str, ...]:
    """Models of other providers that can do the same, nearest tier first, one a provider; what does not chat has no substitute."""
    own = models[name]
    if _cannot_chat(own):
        return ()
    others = [
        other for other, model in models.items() if model.provider != own.provider and not _cannot_chat(model)
    ]
    others.sort(key=lambda other: abs(_rank(models[other]) - _rank(own)))
    best: dict[str, str] = {}
    for other in others:
        best.setdefault(models[other].provider, other)
    return tuple(best.values())[:FALLBACKS]


def _cannot_chat(model: KnownModel) -> bool:
    return bool(model.capabilities) and NOT_CHAT.issuperset(model.capabilities)


def _rank(model: KnownModel) -> int:
    return TIERS.index(model.tier or "standard")


def _routing(models: Mapping[str, KnownModel]) -> Routing:
    tiers: dict[Tier, tuple[str, ...]] = {tier: _of_tier(tier, models) for tier in TIERS}
    tiers = {tier: names for tier, names in tiers.items() if names}
    tasks: tuple[Task, ...] = get_args(Task)
    chosen = {task: _for_task(task, tiers, models) for task in tasks}
    return Routing(tiers=tiers, tasks={task: name for task, name in chosen.items() if name is not None})


def _of_tier(tier: Tier, models: Mapping[str, KnownModel]) -> tuple[str, ...]:
    return tuple(name for name, model in models.items() if model.tier == tier and not _cannot_chat(model))


def _for_task(
    task: Task, tiers: Mapping[Tier, tuple[str, ...]], models: Mapping[str, KnownModel]
) -> str | None:
    """The first model of the task's tier, or of the nearest that has any; tools where the task is to use them."""
    rank = TIERS.index(TIER_OF_TASK[task])
    nearest = sorted(tiers, key=lambda tier: abs(TIERS.index(tier) - rank))
    names = [name for tier in nearest for name in tiers[tier]]
    if task == "tool_use":
        names = [name for name in names if "tools" in models[name].capabilities]
    return names[0] if names else None


_HEAD = """\
# Turnout's configuration. `turnout check` checks it; a changed file is taken over while the gateway runs.
# Every field, with its default: docs/configuration.md

server:
  host: 127.0.0.1  # any other address than loopback needs `keys`
  port: 8080

store: sqlite:///turnout.db  # the request log
"""

_NO_KEYS = """\
# No provider's key was found in the environment, so the providers below are simulated: `turnout serve` starts them, and
# what they answer is invented. To use a real one: set its variable and write its line as the commented ones are, such as
# `openai: {api_key: "${OPENAI_API_KEY}"}`; then take the simulated ones out, or calls may still go to them.
# A server of your own needs no key:
#
#   providers:
#     house: {dialect: openai_chat, base_url: "http://127.0.0.1:11434/v1"}
#   models:
#     llama-house: {provider: house, id: "llama3.2", tier: light, price: {input: 0, output: 0}}
"""

_KEYS = """\
# No provider's key was found in the environment, so nothing is active below. To try Turnout without any key,
# `turnout run` serves simulated providers. To use a real one: set its variable, take the `#` away from its
# lines in `providers` and from its models. A server of your own needs no key:
#
#   providers:
#     house: {dialect: openai_chat, base_url: "http://127.0.0.1:11434/v1"}
#   models:
#     llama-house: {provider: house, id: "llama3.2", tier: light, price: {input: 0, output: 0}}
"""

_KEYS = """\
# Keys that clients of the gateway must show; without any, everybody who can reach it may use it.
# keys:
#   - {name: app, key: "${TURNOUT_KEY_APP}", team: search}
"""


def init_text(known: Known, found: Sequence[str], today: date = date.min) -> str:
    """YAML that loads where the variables of the `found` providers are set; all other providers are comments.

    Where none is found it runs all the same, on the demo's models, simulated. What is retired by `today` is left out.
    """
    simulated = () if found else known.simulated
    models = _without(known.models, known.retired(today))
    active = {
        name: model
        for name, model in models.items()
        if model.provider in found or (model.demo and model.provider in simulated)
    }
    parts = [_HEAD]
    if not found:
        parts.append(_NO_KEYS)
    lines = [_provider_line(name, known, name in found, name in simulated) for name in known.providers]
    parts.append("providers:\n" + "".join(lines))
    parts.append("models:\n" + "".join(_model_line(name, models, active) for name in models))
    if active:
        parts.append(_routing_text(active))
    parts.append(_KEYS)
    return "\n".join(parts)


def _provider_line(name: str, known: Known, active: bool, simulated: bool) -> str:
    if simulated:
        return f"  {name}: {{simulated: true}}\n"
    variable, address = known.providers[name].key_variable, known.providers[name].base_url
    value = f'{{api_key: "${{{variable}}}"}}' if variable else f"{{}}  # {address}"
    return f"  {'' if active else '# '}{name}: {value}\n"


def _model_line(name: str, models: Mapping[str, KnownModel], active: Mapping[str, KnownModel]) -> str:
    model = models[name]
    fields = [f"provider: {model.provider}"]
    if model.id != name:
        fields.append(f'id: "{model.id}"' if set("@:") & set(model.id) else f"id: {model.id}")
    if model.tier is not None:
        fields.append(f"tier: {model.tier}")
    fallbacks = fallbacks_of(name, {**active, name: model})
    if fallbacks:
        fields.append(f"fallbacks: [{', '.join(fallbacks)}]")
    return f"  {'' if name in active else '# '}{name}: {{{', '.join(fields)}}}\n"


def _routing_text(models: Mapping[str, KnownModel]) -> str:
    routing = _routing(models)
    lines = ["routing:", "  tiers:  # best first"]
    lines += [f"    {tier}: [{', '.join(names)}]" for tier, names in routing.tiers.items()]
    lines.append("  tasks:")
    lines += [f"    {task}: {name}" for task, name in routing.tasks.items()]
    return "".join(f"{line}\n" for line in lines)
