"""What a configuration means: which models there are, where each lives, what it costs.

Promise: everything that can be worked out before a request comes is worked out here, once for a configuration: facts from the
configuration, from the shipped data and from the price data are joined into cards (for policies) and routes (for the
client): origin, codec, target and the bytes of the request head. The catalog is immutable; a reload makes a new one. It
knows nothing of routing or of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from turnout.config import schema
from turnout.config.addresses import blanks, corrected
from turnout.core.call import PASSED, Envelope, Op
from turnout.core.card import Capability, Card, Deadlines, Retirement, Tier
from turnout.core.model import DialectName
from turnout.core.money import PICO_PER_USD, MediaRates, Price, Rates, usd_per_mtok
from turnout.upstream.identity import Site, at_home, find, nearest_claude
from turnout.upstream.known import Known, KnownModel, KnownProvider
from turnout.upstream.masking import Mask, secrets_of
from turnout.upstream.prices import PriceBook, PriceFact
from turnout.upstream.signers import (
    BY_DIALECT,
    REQUIRED_HEADERS,
    SIGNERS,
    RequestSigner,
    request_signer,
)
from turnout.upstream.transport import Origin, Timeouts
from turnout.wire import quirks
from turnout.wire.codec import Codec, PassingCodec, ProviderCodec, Target
from turnout.wire.quirks import WEBSOCKET

USER_AGENT = "turnout"
UNSTARTED = "http://simulated.invalid"
"""Where a simulated provider is that nobody has started: nowhere, so that nothing meant for it reaches the real one."""


class CatalogError(Exception):
    """A configuration that is well-formed but cannot be served; the message says which entry and why."""


class Route(Struct, frozen=True):
    """How to reach one model. `heads` holds the request head up to, not including, the content length.

    `rewrite` is `None` for a dialect that no client speaks, whose bodies are always encoded; `sign` is there where each
    request needs a signature of its own; `passing` where the dialect has operations that are passed as they are.
    """

    card: Card
    codec: ProviderCodec
    rewrite: Callable[[Envelope, Target], bytes] | None
    target: Target
    origin: Origin
    heads: Mapping[tuple[Op, bool], bytes]
    required: tuple[tuple[bytes, bytes], ...]
    timeouts: Timeouts
    unary_timeouts: Timeouts
    content_s: float
    sign: RequestSigner | None = None
    socket: bool = False  # asked over a WebSocket
    passing: PassingCodec | None = None
    mask: Mask = Mask()  # of the configuration's secrets
    shared: bool = False  # every key may refer to what the provider keeps


class Catalog(Struct, frozen=True):
    """`cards` by model name; `names` maps every further name that callers may type to a card's name.

    `prices_until` is when a price or a retirement that depends on date or hour of the day has to be looked up again.
    `shares`: is any provider's keep for every key?
    """

    cards: Mapping[str, Card]
    names: Mapping[str, str]
    routes: Mapping[str, Route]
    prices_until: datetime | None = None
    shares: bool = False


class _Site(Struct, frozen=True):
    """A provider, resolved."""

    name: str
    dialect: DialectName
    origin: Origin
    base_path: str
    headers: tuple[tuple[str, str], ...]
    sign: RequestSigner | None
    tags: frozenset[str]
    quirks: frozenset[str]
    prices_from: str
    deadlines: Deadlines
    simulated: bool
    shared: bool
    configured: bool  # the quirks are the configuration's own
    genuine: bool  # the provider itself, or a simulation of it, and not somebody else at another address


def build(
    config: schema.Config,
    known: Known,
    prices: PriceBook,
    codecs: Mapping[DialectName, ProviderCodec],
    at: datetime,
) -> Catalog:
    """Raises `CatalogError`."""
    mask = Mask(secrets_of(config))
    sites = {name: _site(name, provider, known, config) for name, provider in config.providers.items()}
    cards: dict[str, Card] = {}
    routes: dict[str, Route] = {}
    until: datetime | None = None
    for name, model in config.models.items():
        site = sites.get(model.provider) or _site(model.provider, schema.Provider(), known, config)
        sites[model.provider] = site
        id = model.id or _known_id(known, name, site)
        fact = prices.lookup(site.prices_from, id, at)
        if fact is not None and fact.until is not None and model.price is None:
            until = fact.until if until is None else min(until, fact.until)
        _check_quirks(f"models.{name}.quirks", model.quirks, site.dialect)
        shipped, nearest = _recognised(id, site, known)
        card = _card(name, id, model, site, shipped or nearest, fact, sure=shipped is not None)
        end = known.retirements.get((site.name, card.id)) if site.genuine else None
        if end is not None:
            day = datetime.combine(end.on, time(), UTC)
            if day > at:
                until = day if until is None else min(until, day)
            card = replace(card, retirement=Retirement(end.on.isoformat(), day <= at, end.successor))
        cards[name] = card
        if site.dialect not in codecs:
            raise CatalogError(f"providers.{site.name}.dialect: {site.dialect} is not served by this version")
        guess = None if nearest is None else _guess(nearest, card)
        routes[name] = _route(card, site, codecs[site.dialect], mask, guess)
    shares = any(route.shared for route in routes.values())
    return Catalog(cards, _names(config, cards), routes, until, shares)


def _known_id(known: Known, name: str, site: _Site) -> str:
    """What a model is called by its provider, of which the configuration says its name only."""
    fact = known.models.get(name)
    if fact is None:
        return name
    home = known.providers[fact.provider].prices_from or fact.provider
    return fact.id if site.name == fact.provider or site.prices_from == home else name


def _recognised(id: str, site: _Site, known: Known) -> tuple[KnownModel | None, KnownModel | None]:
    """The shipped model that this is, else the shipped Claude to which it is nearest."""
    where = Site(site.name, site.dialect, site.prices_from, known.providers.get(site.name))
    shipped = find(id, where, known)
    if shipped is not None:
        return shipped, None
    nearest = nearest_claude(id, known)
    return None, None if nearest is None else at_home(nearest, where, known)


def _guess(nearest: KnownModel, card: Card) -> int | None:
    """How much an unknown Claude may be asked for where its caller does not say and the API wants to know."""
    if card.max_output is not None or nearest.max_output is None:
        return None
    return min(nearest.max_output, card.context_window or nearest.max_output)


def _names(config: schema.Config, cards: Mapping[str, Card]) -> dict[str, str]:
    names: dict[str, str] = {}
    for name, card in cards.items():
        for alias in (*config.models[name].aliases, card.label, f"{card.provider}/{name}"):
            if alias not in cards:
                names.setdefault(alias, name)
    return names


def _site(name: str, provider: schema.Provider, known: Known, config: schema.Config) -> _Site:
    fact = known.providers.get(name) or KnownProvider()
    dialect = provider.dialect or fact.dialect
    base_url = provider.base_url or fact.base_url
    if provider.simulated:
        _check_simulated(name, provider, known)
        dialect = provider.dialect or fact.simulated_dialect or fact.dialect
        base_url = provider.base_url or UNSTARTED
    if dialect is None or (base_url is None and name not in known.providers):
        raise CatalogError(f"providers.{name}: not a known provider, so it needs `dialect` and `base_url`")
    if base_url is None:
        raise CatalogError(f"providers.{name}: its address is nobody's but yours, so it needs `base_url`")
    if wanting := blanks(base_url):
        variables = " and ".join(f"`{variable}`" for variable in wanting)
        raise CatalogError(
            f"providers.{name}: its address is {base_url}, so it needs `base_url`, or {variables} in the environment"
        )
    origin, base_path = Origin.of(corrected(base_url, dialect, fact.base_url))
    _check_quirks(f"providers.{name}.quirks", provider.quirks or (), dialect)
    signer = provider.signer or fact.signer or BY_DIALECT.get(dialect, "bearer")
    if signer not in SIGNERS:
        raise CatalogError(f"providers.{name}.signer: {signer!r} is not one of {', '.join(sorted(SIGNERS))}")
    headers = (*SIGNERS[signer](provider.api_key), *provider.headers.items())
    try:
        sign = request_signer(signer, provider.api_key, _host(origin))
    except ValueError as error:
        raise CatalogError(f"providers.{name}.api_key: {error}") from None
    return _Site(
        name=name,
        dialect=dialect,
        origin=origin,
        base_path=base_path,
        headers=headers,
        sign=sign,
        tags=frozenset(provider.tags if provider.tags is not None else fact.tags),
        quirks=frozenset(_understood(fact.quirks, dialect) if provider.quirks is None else provider.quirks),
        prices_from=provider.prices_from or fact.prices_from or name,
        deadlines=_deadlines(Deadlines(), config.resilience.deadlines, provider.deadlines),
        simulated=provider.simulated,
        shared=provider.shared_objects,
        configured=provider.quirks is not None,
        genuine=provider.simulated or provider.base_url in (None, fact.base_url),
    )


def _check_simulated(name: str, provider: schema.Provider, known: Known) -> None:
    """Turnout simulates the providers of the demo's models; another's simulation needs to be somewhere."""
    simulated = known.simulated
    if provider.base_url is None and name not in simulated:
        raise CatalogError(
            f"providers.{name}.simulated: Turnout has no simulation of it, so it needs `base_url`; there are {', '.join(simulated)}"
        )


def _understood(words: tuple[str, ...], dialect: DialectName) -> tuple[str, ...]:
    """Shipped words, for a provider that a configuration may have given another dialect."""
    return tuple(word for word in words if quirks.meaning(dialect, word) is not None)


def _check_quirks(where: str, words: tuple[str, ...], dialect: DialectName) -> None:
    for word in words:
        if quirks.meaning(dialect, word) is None:
            allowed = ", ".join(quirks.spelled(dialect))
            raise CatalogError(f"{where}: {word!r} means nothing to {dialect}; the words are {allowed}")


def _deadlines(base: Deadlines, *scopes: schema.Deadlines) -> Deadlines:
    """The narrowest scope that says something wins, field by field."""
    values = {field: getattr(base, field) for field in Deadlines.__struct_fields__}
    for scope in scopes:
        for field in values:
            given = getattr(scope, field)
            if given is not None:
                values[field] = given
    return Deadlines(**values)


def _card(
    name: str,
    id: str,
    model: schema.Model,
    site: _Site,
    known: KnownModel | None,
    fact: PriceFact | None,
    *,
    sure: bool,
) -> Card:
    """`known`: the shipped model that this is; where that is not `sure`, one that is like it: its limits are its own."""
    price = _price(model.price) if model.price is not None else (fact.price if fact is not None else None)
    capabilities: tuple[Capability, ...] = (
        model.capabilities or (known.capabilities if known else ()) or _sold_for(price)
    )
    limits = known if sure else None
    return Card(
        name=name,
        provider=site.name,
        id=id,
        dialect=site.dialect,
        tier=model.tier or (known.tier if known else None) or _tier_of(price),
        tags=site.tags | frozenset(model.tags),
        capabilities=frozenset(capabilities),
        context_window=model.context_window or _window(limits, fact, site),
        max_output=model.max_output or (limits.max_output if limits else None),
        price=price,
        fallbacks=model.fallbacks,
        quirks=_words(model, site, known),
        deadlines=_deadlines(site.deadlines, model.deadlines),
        simulated=site.simulated,
    )


def _window(shipped: KnownModel | None, fact: PriceFact | None, site: _Site) -> int | None:
    """Who serves another's model may give less of it, which the price data know."""
    ours, theirs = (None if source is None else source.context_window for source in (shipped, fact))
    if ours is None or theirs is None or shipped is None or shipped.provider == site.name:
        return ours or theirs
    return min(ours, theirs)


def _words(model: schema.Model, site: _Site, known: KnownModel | None) -> frozenset[str]:
    """All words of configuration, provider and shipped model; of those with a value the nearest one's."""
    shipped = _understood(known.quirks, site.dialect) if known is not None else ()
    found: set[str] = set()
    for words in (
        (model.quirks, site.quirks, shipped) if site.configured else (model.quirks, shipped, site.quirks)
    ):
        said = {word.partition(".")[0] for word in found if "." in word}
        found.update([word for word in words if word.partition(".")[0] not in said or "." not in word])
    return frozenset(found)


def _sold_for(price: Price | None) -> tuple[Capability, ...]:
    """Of a model of which nobody said what it can: sold by the character it speaks, by the hour it hears, else unknown."""
    if price is None or price.rates.media is None or price.rates.input or price.rates.output:
        return ()
    if price.rates.media.character:
        return ("speech",)
    return ("transcriptions",) if price.rates.media.audio_hour else ()


def _tier_of(price: Price | None) -> Tier:
    """A model of which nobody said the tier: by its output price, in pico-dollars a token."""
    if price is None:
        return "standard"
    if price.rates.output < usd_per_mtok(2):
        return "light"
    return "standard" if price.rates.output <= usd_per_mtok(20) else "large"


def _price(price: schema.Price) -> Price:
    def rate(value: float) -> int:
        return usd_per_mtok(Decimal(str(value)))

    def maybe(value: float | None) -> int | None:
        return None if value is None else rate(value)

    rates = Rates(
        input=rate(price.input),
        output=rate(price.output),
        cache_read=maybe(price.cached_input),
        cache_write_5m=maybe(price.cache_write),
        cache_write_1h=maybe(price.cache_write_1h),
        input_audio=maybe(price.input_audio),
        output_audio=maybe(price.output_audio),
        media=_media(price, maybe),
    )
    return Price(rates=rates, source="config")


def _media(price: schema.Price, maybe: Callable[[float | None], int | None]) -> MediaRates | None:
    media = MediaRates(
        input_image=maybe(price.input_image),
        output_image=maybe(price.output_image),
        character=maybe(price.input_characters) or 0,
        audio_hour=int(Decimal(str(price.audio_hour or 0)) * PICO_PER_USD),
    )
    return None if media == MediaRates() else media


def _route(card: Card, site: _Site, codec: ProviderCodec, mask: Mask, guess: int | None) -> Route:
    target = Target(
        model=card.id,
        capabilities=card.capabilities,
        quirks=card.quirks,
        max_output=card.max_output,
        output_guess=guess,
    )
    d = card.deadlines
    heads: dict[tuple[Op, bool], bytes] = {}
    operations: tuple[Op, ...] = ("chat", "embeddings", "count_tokens")
    for op in operations:
        for stream in (False, True):
            heads[op, stream] = _head(
                site,
                codec.path(op, target, stream),
                codec.stream_content_type if stream else b"application/json",
            )
    for op, dialect in PASSED.items():
        if dialect == codec.name:
            head = _head(site, codec.path(op, target, False), b"*/*")
            heads[op, False] = heads[op, True] = head
    connect_s, tls_s, total_s = d.connect_ms / 1000, d.tls_ms / 1000, d.total_ms / 1000
    return Route(
        card=card,
        codec=codec,
        rewrite=codec.rewrite if isinstance(codec, Codec) else None,
        target=target,
        origin=site.origin,
        heads=heads,
        required=REQUIRED_HEADERS.get(card.dialect, ()),
        timeouts=Timeouts(connect_s, tls_s, d.first_token_ms / 1000, d.stall_ms / 1000, total_s),
        unary_timeouts=Timeouts(connect_s, tls_s, total_s, d.stall_ms / 1000, total_s),
        content_s=d.content_ms / 1000,
        sign=site.sign,
        socket=WEBSOCKET in card.quirks,
        passing=codec if isinstance(codec, PassingCodec) else None,
        mask=mask,
        shared=site.shared,
    )


def _host(origin: Origin) -> str:
    """The `host` header."""
    default_port = 443 if origin.scheme == "https" else 80
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if origin.port == default_port else f"{host}:{origin.port}"


def _head(site: _Site, path: str, accept: bytes) -> bytes:
    lines = [
        f"POST {site.base_path}{path} HTTP/1.1",
        f"host: {_host(site.origin)}",
        "content-type: application/json",
        f"accept: {accept.decode()}",
        "accept-encoding: identity",
        f"user-agent: {USER_AGENT}",
    ]
    for name, value in site.headers:
        if any(character in name + value for character in "\r\n\0"):
            raise CatalogError(f"providers.{site.name}: a line break in the header {name!r}")
        lines.append(f"{name}: {value}")
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")
