"""The configuration's types: what a user may write, with units and defaults. The reference is generated from them.

Promise: a name here is public surface. Every field has a default or is plainly required; a field that is not known is
refused, with the names that are allowed. Nothing here reads files or the environment: that is `load`. What a
configuration *means* (which models exist, at which price) is worked out once by `upstream.catalog`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from turnout.core.card import Capability, Task, Tier
from turnout.core.card import Deadlines as BuiltIn
from turnout.core.model import DialectName

Milliseconds = Annotated[int, Meta(ge=1, le=86_400_000)]
Bytes = Annotated[int, Meta(ge=1024)]
Port = Annotated[int, Meta(ge=0, le=65_535)]
Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:@/+-]+$")]
Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
HostName = Annotated[
    str, Meta(min_length=1, max_length=260, pattern=r"^([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$")
]
Tag = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")]
Usd = Annotated[float, Meta(ge=0, le=1_000_000)]
UsdPerMTok = Annotated[float, Meta(ge=0, le=1_000_000)]


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """A section in which an unknown name is an error."""


class Server(Strict, frozen=True):
    """Where the gateway listens, and what it takes in."""

    host: Annotated[str, Meta(description="Address to listen on. Any other than loopback needs `keys`.")] = (
        "127.0.0.1"
    )
    port: Annotated[Port, Meta(description="Port to listen on; 0 lets the system choose.")] = 8080
    annotate_body: Annotated[
        bool,
        Meta(description="Add a `turnout` object to JSON bodies and to a stream's first and last chunk."),
    ] = True
    body_bytes_max: Annotated[Bytes, Meta(description="Largest request body, bytes.")] = 32 * 1024 * 1024
    head_bytes_max: Annotated[Bytes, Meta(description="Largest request head (all headers), bytes.")] = (
        64 * 1024
    )
    depth_max: Annotated[int, Meta(ge=8, le=512, description="Deepest nesting of a JSON body.")] = 128
    head_ms: Annotated[Milliseconds, Meta(description="Time for a client to send its headers.")] = 10_000
    body_ms: Annotated[Milliseconds, Meta(description="Time for a client to send its body.")] = 60_000
    drain_ms: Annotated[Milliseconds, Meta(description="Time for requests in flight to end at shutdown.")] = (
        30_000
    )
    linger_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=86_400_000,
            description="At shutdown, how long `/readyz` says 503 before the socket may close, so that balancers see it.",
        ),
    ] = 0
    cors_origins: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^(\*|https?://[A-Za-z0-9.:\[\]-]+)$")], ...],
        Meta(
            description="Origins whose pages may call the gateway from a browser; `*`: every. None by default."
        ),
    ] = ()
    connections_max: Annotated[
        int,
        Meta(
            ge=1, description="Client connections open in one worker; above it, 503 and closed. Set at start."
        ),
    ] = 20_000
    early_head_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=86_400_000,
            description="After how long without content a stream's head is sent, and then signs of life, so that nobody between hangs up; the headers that name the model are then missing. 0: never.",
        ),
    ] = 10_000
    calls_max: Annotated[int, Meta(ge=1, description="Calls in flight in one worker; above it, 503.")] = (
        20_000
    )


_BUILT_IN = BuiltIn()


class Deadlines(Strict, frozen=True):
    """Milliseconds. Absent: the next wider scope's value (model, provider, `resilience`, built in)."""

    connect_ms: Annotated[
        Milliseconds | None, Meta(description=f"TCP connection. Built in: {_BUILT_IN.connect_ms:,}.")
    ] = None
    tls_ms: Annotated[
        Milliseconds | None, Meta(description=f"TLS handshake. Built in: {_BUILT_IN.tls_ms:,}.")
    ] = None
    first_token_ms: Annotated[
        Milliseconds | None,
        Meta(
            description=f"Request sent to first content of a stream that is silent until then; five times as long where reasoning is asked for, or the provider is `local`, and a second more for every 10,000 tokens. Other replies have `total_ms`. Built in: {_BUILT_IN.first_token_ms:,}."
        ),
    ] = None
    stall_ms: Annotated[
        Milliseconds | None,
        Meta(
            description=f"Silence within a stream; any byte ends it, a ping too. Built in: {_BUILT_IN.stall_ms:,}."
        ),
    ] = None
    content_ms: Annotated[
        Milliseconds | None,
        Meta(
            description=f"Time without content within a stream, whatever pings come meanwhile. Built in: {_BUILT_IN.content_ms:,}."
        ),
    ] = None
    total_ms: Annotated[
        Milliseconds | None, Meta(description=f"The whole attempt. Built in: {_BUILT_IN.total_ms:,}.")
    ] = None


class Provider(Strict, frozen=True):
    """A known provider needs nothing but its name; every field overrides what is shipped."""

    dialect: Annotated[DialectName | None, Meta(description="Wire format that it speaks.")] = None
    base_url: Annotated[str | None, Meta(description="What the provider's own SDK takes as base URL.")] = None
    api_key: Annotated[str | None, Meta(description="Credential, usually `${VARIABLE}`.")] = None
    tags: Annotated[
        tuple[Tag, ...] | None,
        Meta(description="Facts for policies, such as `region:eu` or `soc2`; see `compliance.md`."),
    ] = None
    quirks: Annotated[
        tuple[Word, ...] | None,
        Meta(description="Deviations from the dialect that its codec knows; see `providers.md`."),
    ] = None
    signer: Annotated[
        Word | None, Meta(description="How requests are authenticated; by default as the dialect does.")
    ] = None
    headers: Annotated[dict[str, str], Meta(description="Further request headers.")] = {}
    deadlines: Annotated[Deadlines, Meta(description="Deadlines for this provider.")] = Deadlines()
    prices_from: Annotated[
        Word | None, Meta(description="Provider id in the price data, where it differs.")
    ] = None
    simulated: Annotated[
        bool,
        Meta(
            description="Not the provider but a simulation, which invents its answers: replies, logs and lists say so. Without `base_url`, `turnout serve` starts its own."
        ),
    ] = False
    shared_objects: Annotated[
        bool,
        Meta(
            description="Every key may refer to files, caches, stores and responses that the provider keeps; see `apis.md`."
        ),
    ] = False


class Price(Strict, frozen=True):
    """USD per million tokens."""

    input: Annotated[UsdPerMTok, Meta(description="Prompt tokens.")]
    output: Annotated[UsdPerMTok, Meta(description="Generated tokens, reasoning included.")]
    cached_input: Annotated[
        UsdPerMTok | None, Meta(description="Read from a prompt cache; absent: as `input`.")
    ] = None
    cache_write: Annotated[
        UsdPerMTok | None, Meta(description="Written to a prompt cache; absent: as `input`.")
    ] = None
    cache_write_1h: Annotated[
        UsdPerMTok | None, Meta(description="Written to keep for an hour; absent: as `cache_write`.")
    ] = None
    input_audio: Annotated[
        UsdPerMTok | None, Meta(description="Audio in the prompt; absent: as `input`.")
    ] = None
    output_audio: Annotated[UsdPerMTok | None, Meta(description="Generated audio; absent: as `output`.")] = (
        None
    )
    input_image: Annotated[
        UsdPerMTok | None, Meta(description="Images in the prompt; absent: as `input`.")
    ] = None
    output_image: Annotated[UsdPerMTok | None, Meta(description="Generated images; absent: as `output`.")] = (
        None
    )
    input_characters: Annotated[
        UsdPerMTok | None, Meta(description="Text to speak, USD per million characters.")
    ] = None
    audio_hour: Annotated[UsdPerMTok | None, Meta(description="Sound to transcribe, USD per hour.")] = None


class Model(Strict, frozen=True):
    """What is absent comes from the shipped data about known models, then from the price data."""

    provider: Annotated[Word, Meta(description="Name of a provider.")]
    id: Annotated[str | None, Meta(description="The provider's name for the model, if not the same.")] = None
    tier: Annotated[Tier | None, Meta(description="What it is good for; absent: by its price.")] = None
    fallbacks: Annotated[tuple[Name, ...], Meta(description="Models to try next, in order.")] = ()
    price: Annotated[Price | None, Meta(description="Overrides the price data.")] = None
    context_window: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Most tokens of prompt and answer together.")
    ] = None
    max_output: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Most tokens that it can generate.")
    ] = None
    capabilities: Annotated[
        tuple[Capability, ...] | None, Meta(description="What it can do; replaces what is shipped.")
    ] = None
    tags: Annotated[tuple[Tag, ...], Meta(description="Added to the provider's tags.")] = ()
    quirks: Annotated[tuple[Word, ...], Meta(description="Added to the provider's quirks.")] = ()
    deadlines: Annotated[Deadlines, Meta(description="Deadlines for this model.")] = Deadlines()
    aliases: Annotated[tuple[Name, ...], Meta(description="Other names that callers may use.")] = ()


class Routing(Strict, frozen=True):
    """Which model answers when the caller leaves the choice to the gateway."""

    tiers: Annotated[dict[Tier, tuple[Name, ...]], Meta(description="Models of each tier, best first.")] = {}
    tasks: Annotated[dict[Task, Name], Meta(description="The model for each task.")] = {}
    long_context_tokens: Annotated[
        int, Meta(ge=1, description="Above this many prompt tokens, the large tier.")
    ] = 50_000


class Policy(Strict, frozen=True):
    """Which models may be used under a named compliance policy. All that is given must hold; see `compliance.md`."""

    require_tags: Annotated[tuple[Tag, ...], Meta(description="Every one of these tags.")] = ()
    require_any_tags: Annotated[tuple[Tag, ...], Meta(description="At least one of these tags.")] = ()
    forbid_tags: Annotated[
        tuple[Tag, ...], Meta(description="None of these tags. A model without any tags passes.")
    ] = ()
    allow_models: Annotated[tuple[Name, ...] | None, Meta(description="If given, only these models.")] = None
    deny_models: Annotated[tuple[Name, ...], Meta(description="Never these models.")] = ()
    allow_providers: Annotated[
        tuple[Word, ...] | None, Meta(description="If given, only these providers.")
    ] = None
    deny_providers: Annotated[tuple[Word, ...], Meta(description="Never these providers.")] = ()


class Resilience(Strict, frozen=True):
    """How hard the gateway tries when a provider fails."""

    deadlines: Annotated[Deadlines, Meta(description="Deadlines for all attempts.")] = Deadlines()
    attempts_max: Annotated[
        int, Meta(ge=1, le=16, description="Attempts for one call, over all candidates.")
    ] = 6
    retries_same: Annotated[
        int, Meta(ge=0, le=4, description="Further tries of one candidate, where the failure allows.")
    ] = 1
    backoff_ms: Annotated[
        int, Meta(ge=0, le=60_000, description="First pause before the same candidate is tried again.")
    ] = 100


class Media(Strict, frozen=True):
    """Images, PDFs and audio that a caller gives by URL, for models that take them by value only. See `media.md`."""

    fetch: Annotated[
        bool, Meta(description="Fetch them. Callers then decide which public hosts the gateway connects to.")
    ] = False
    bytes_max: Annotated[Bytes, Meta(description="Most that is fetched for one request, bytes.")] = (
        20 * 1024 * 1024
    )
    timeout_ms: Annotated[Milliseconds, Meta(description="Time for one fetch in total, names included.")] = (
        10_000
    )
    concurrent_max: Annotated[int, Meta(ge=1, le=1024, description="Fetches at a time, in one worker.")] = 16
    cache_bytes_max: Annotated[
        int,
        Meta(ge=0, description="What was fetched in the last minute is kept up to this size; 0 keeps none."),
    ] = 64 * 1024 * 1024
    hosts: Annotated[
        tuple[HostName, ...],
        Meta(
            description="If given, only these (`name`, or `name:port` for a port other than 443); else all public ones."
        ),
    ] = ()
    allow_http_hosts: Annotated[
        tuple[HostName, ...],
        Meta(
            description="Hosts of your own network (`name` or `name:port`): plain http and private addresses are allowed."
        ),
    ] = ()


class PriceCeiling(Strict, frozen=True):
    """The highest prices that a model may have, USD per million tokens. A model whose price is unknown is then left out."""

    input: Annotated[UsdPerMTok | None, Meta(description="Of prompt tokens.")] = None
    output: Annotated[UsdPerMTok | None, Meta(description="Of generated tokens.")] = None


class Rules(Strict, frozen=True):
    """What a key, a team, a user or a cost centre permits. All that concern a call hold together: the most restrictive combination."""

    models: Annotated[tuple[Name, ...] | None, Meta(description="If given, only these models.")] = None
    denied_models: Annotated[tuple[Name, ...], Meta(description="Never these models.")] = ()
    providers: Annotated[tuple[Word, ...] | None, Meta(description="If given, only these providers.")] = None
    denied_providers: Annotated[tuple[Word, ...], Meta(description="Never these providers.")] = ()
    policies: Annotated[tuple[Word, ...], Meta(description="Policies that every call is under.")] = ()
    price_ceiling: Annotated[PriceCeiling, Meta(description="Only models that cost no more.")] = (
        PriceCeiling()
    )
    budget_usd: Annotated[Usd | None, Meta(description="Most that one request may cost, USD.")] = None
    prefer: Annotated[
        tuple[Name, ...],
        Meta(description="Models to try first where the choice is left to the gateway, best first."),
    ] = ()


class Key(Rules, frozen=True, kw_only=True):
    """A static key of the data plane, with rules of its own beside those of its team, user and cost centre."""

    name: Annotated[Word, Meta(description="How logs and reports name it.")]
    key: Annotated[
        str,
        Meta(
            min_length=8,
            max_length=512,
            description="The secret, 8 to 512 characters, usually `${VARIABLE}`.",
        ),
    ]
    user: Annotated[str | None, Meta(description="Whose key it is; see `users`.")] = None
    team: Annotated[str | None, Meta(description="Which team's; see `teams`.")] = None
    cost_center: Annotated[
        str | None, Meta(description="Who pays, unless a request says otherwise; see `cost_centers`.")
    ] = None


class Log(Strict, frozen=True):
    """The request log."""

    queue_rows_max: Annotated[int, Meta(ge=1000, description="Rows that may wait for the store.")] = 100_000
    keep_days: Annotated[
        Annotated[int, Meta(ge=1, le=36_500)] | None,
        Meta(description="Rows older than this are deleted; `null` keeps all."),
    ] = 90
    bytes_max: Annotated[
        Annotated[int, Meta(ge=1024 * 1024)] | None,
        Meta(
            description="Above this size, bytes, the oldest rows are deleted (a row takes about 400); `null` has no bound."
        ),
    ] = 2 * 1024 * 1024 * 1024


class Config(Strict, frozen=True):
    """The whole file. Every section may be left out."""

    server: Annotated[Server, Meta(description="Where the gateway listens.")] = Server()
    store: Annotated[
        str, Meta(description="The request log: `sqlite:///relative.db` or `sqlite:////absolute.db`.")
    ] = "sqlite:///turnout.db"
    providers: Annotated[dict[Word, Provider], Meta(description="Providers, by name.")] = {}
    models: Annotated[dict[Name, Model], Meta(description="Models, by the name that callers type.")] = {}
    routing: Annotated[Routing, Meta(description="The choice of models.")] = Routing()
    policies: Annotated[dict[Word, Policy], Meta(description="Compliance policies, by name.")] = {}
    resilience: Annotated[Resilience, Meta(description="Deadlines and retries.")] = Resilience()
    keys: Annotated[
        tuple[Key, ...], Meta(description="Keys that clients must show; without any, none is asked for.")
    ] = ()
    teams: Annotated[dict[Name, Rules], Meta(description="Rules for the keys of a team, by its name.")] = {}
    users: Annotated[dict[Name, Rules], Meta(description="Rules for the keys of a user, by its name.")] = {}
    cost_centers: Annotated[
        dict[Name, Rules],
        Meta(description="Rules for calls that a cost centre pays, by its name."),
    ] = {}
    media: Annotated[Media, Meta(description="Media that callers give by URL.")] = Media()
    log: Annotated[Log, Meta(description="The request log's bounds.")] = Log()


__all__ = [
    "Config",
    "Deadlines",
    "Key",
    "Log",
    "Media",
    "Model",
    "Policy",
    "Price",
    "PriceCeiling",
    "Provider",
    "Resilience",
    "Routing",
    "Rules",
    "Server",
]
