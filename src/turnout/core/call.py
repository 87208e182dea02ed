"""One request on its way through the program, and the shapes of the parts it passes.

A `Service` is one async function from `Call` to `Reply`; a `Layer` wraps a service; `compose` folds layers into one.
Everything that a call learns on its way (who asked, the plan, the attempts, the notices) is written on the
call by exactly one owner, named beside each field; nothing is handed on in dictionaries.

A `Reply` is returned at its *commit point*: after the first event that carries content. Before that, a
failure is raised as `CallFailed` and failover can act on it unseen; after it, a failure comes in-band as `Failed`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Raw, Struct

from turnout.core.attempt import Attempt
from turnout.core.card import Card, Task, Tier
from turnout.core.errors import Failure, Violation
from turnout.core.events import Frame, Usage
from turnout.core.model import DialectName, Request

Op = Literal[
    "chat",
    "embeddings",
    "count_tokens",
    "completions",
    "moderations",
    "images",
    "image_edits",
    "image_variations",
    "speech",
    "transcriptions",
    "translations",
]
PASSED: Mapping[Op, DialectName] = {
    "completions": "openai_chat",
    "moderations": "openai_chat",
    "images": "openai_chat",
    "image_edits": "openai_chat",
    "image_variations": "openai_chat",
    "speech": "openai_chat",
    "transcriptions": "openai_chat",
    "translations": "openai_chat",
}
"""Operations that one dialect has and others have not: relayed to its providers as they are, metered, never translated."""

Priority = Literal["high", "normal", "low"]
CacheMode = Literal["on", "off", "refresh"]
CacheStatus = Literal["miss", "exact", "semantic", "off"]
Degrade = Literal["allow", "forbid"]
Scope = Literal["principal", "team", "user", "cost_center"]
"""Where limits come from; `principal` is the key itself."""


class Form(Struct, frozen=True):
    """Where things are in a `multipart/form-data` body.

    `content_type` is the client's own header value, whose boundary the provider needs; `model` the byte range of that field's
    value; `ours` the byte ranges of whole parts that are Turnout's own; `file_bytes` the size of all files together.
    """

    content_type: bytes
    model: tuple[int, int]
    ours: tuple[tuple[int, int], ...] = ()
    file_bytes: int = 0


class Envelope(Struct, frozen=True):
    """A request body, opened just far enough to route it: nothing but the outermost keys is parsed.

    `fields` maps each top-level key to its exact JSON text; a body is rebuilt from them without touching the
    values that are not ours. `model` and `stream` are the two that every route needs. Of a body that is a `form`, `fields` has
    the text fields that a decision may need, as JSON text.
    """

    model: str
    stream: bool
    include_usage: bool
    fields: Mapping[str, Raw]
    body: bytes
    form: Form | None = None


class Ceiling(Struct, frozen=True, gc=False):
    """The highest rates that a model may have, pico-dollars a token; `None`: any."""

    input: int | None = None
    output: int | None = None


class Controls(Struct, frozen=True):
    """What the caller asks of Turnout, from `x-turnout-*` headers or the `turnout` object of the body.

    `degrade` says whether another model may answer where the first choice is over the budget or cannot be reached.
    """

    priority: Priority = "normal"
    budget_nano: int | None = None
    task: Task | None = None
    prefer: tuple[str, ...] = ()
    compliance: tuple[str, ...] = ()
    cost_center: str | None = None
    deadline_ms: int | None = None
    cache: CacheMode = "on"
    can_wait_s: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    degrade: Degrade = "allow"
    ceiling: Ceiling | None = None


class Limits(Struct, frozen=True, eq=False):
    """What one scope (a key, its team, its user, a cost centre) permits. Those of all scopes hold together.

    `models` and `providers` are allow lists (`None`: all); a denial wins over them. `budget_nano` is the most that one request may
    cost, `prefer` what is tried first where a caller leaves the choice. Compared by identity, so that a tuple of them is a
    quick key to what was worked out for it.
    """

    scope: Scope = "principal"
    models: frozenset[str] | None = None
    denied: frozenset[str] = frozenset()
    providers: frozenset[str] | None = None
    denied_providers: frozenset[str] = frozenset()
    policies: tuple[str, ...] = ()
    ceiling: Ceiling | None = None
    budget_nano: int | None = None
    prefer: tuple[str, ...] = ()


class Principal(Struct, frozen=True):
    """Who is calling, and the limits of its key, team, user and cost centre."""

    key: str = "anonymous"
    user: str | None = None
    team: str | None = None
    cost_center: str | None = None
    limits: tuple[Limits, ...] = ()


ANONYMOUS = Principal()


class Native(Struct, frozen=True):
    """A request as one provider takes it and no other: it refers to something that only `provider` keeps."""

    provider: str
    envelope: Envelope


class Notice(Struct, frozen=True):
    """A degradation that the caller must know of: a stable code and a sentence for people."""

    code: str
    message: str


class TierGuess(Struct, frozen=True):
    name: Tier
    probability: float = 1.0
    abstained: bool = False


class TaskGuess(Struct, frozen=True):
    name: Task
    probability: float = 1.0
    abstained: bool = False
    source: Literal["caller", "model_name", "classifier", "request"] = "classifier"


class TokenGuess(Struct, frozen=True, omit_defaults=True):
    input: int
    output_expected: int
    characters: int = 0  # of text to be spoken


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What the router thought of one candidate: the filter that removed it, or its score and the score's terms."""

    model: str
    kept: bool
    filter: str | None = None
    reason: str | None = None
    score: float | None = None
    terms: Mapping[str, float] | None = None


class Plan(Struct, frozen=True):
    """The router's decision: whom to ask, in order, and why.

    `candidates` is never empty and every one passed every filter. `tier` and `task` are `None` where the caller
    named a model and nothing had to be guessed. `verdicts` are there where the decision is to be explained. `violations` are
    attempts to use what the rules forbid; the plan holds nothing forbidden.
    """

    candidates: tuple[Card, ...]
    tier: TierGuess | None = None
    task: TaskGuess | None = None
    tokens: TokenGuess | None = None
    verdicts: tuple[Verdict, ...] = ()
    notices: tuple[Notice, ...] = ()
    hedge_after_ms: int | None = None
    estimated_cost_nano: int | None = None
    violations: tuple[Violation, ...] = ()


class Outcome(Struct, frozen=True):
    """How a call ended, known when its last event was seen. Costs in nano-dollars, times in ms."""

    usage: Usage | None
    cost_nano: int | None
    price_source: str
    stop: str | None
    failure: Failure | None
    first_token_ms: float | None
    total_ms: float


_ID_PREFIX = "req_"


def request_id_text(number: int) -> str:
    """63-bit id → `req_` and 16 hexadecimal digits; text order is time order."""
    return f"{_ID_PREFIX}{number:016x}"


def request_id_number(text: str) -> int:
    """The inverse of `request_id_text`. Raises `ValueError` for anything else."""
    digits = text.removeprefix(_ID_PREFIX)
    if len(digits) != 16:
        raise ValueError(f"not a request id: {text[:40]!r}")
    return int(digits, 16)


class Call:
    """A request in flight. Mutable on purpose: it is the record of one request, owned by one task."""

    __slots__ = (
        "answering",
        "arrived_ns",
        "arrived_unix_s",
        "attempts",
        "cache",
        "client",
        "committed_ns",
        "controls",
        "decode",
        "dialect",
        "envelope",
        "forward",
        "id",
        "kept",
        "name",
        "native",
        "notices",
        "number",
        "op",
        "outcome",
        "plan",
        "principal",
        "refers",
        "request_",
        "serving",
        "waited_ns",
    )

    def __init__(
        self,
        *,
        number: int,
        op: Op,
        dialect: DialectName,
        envelope: Envelope,
        controls: Controls,
        principal: Principal,
        decode: Callable[[bytes], Request],
        arrived_ns: int,
        arrived_unix_s: float,
        forward: bytes = b"",
        client: str = "",
    ) -> None:
        # set by the edge, then constant
        self.number = number  # 63 bits, growing with time; `id` is its public spelling
        self.id = request_id_text(number)
        self.op = op
        self.dialect = dialect
        self.envelope = envelope
        self.controls = controls
        self.principal = principal
        self.decode = decode
        self.arrived_ns = arrived_ns
        self.arrived_unix_s = arrived_unix_s
        self.forward = forward  # encoded header lines of the client that its own dialect's provider must see
        self.client = client
        self.native: Native | None = None  # set by the edge where it spelt a reference out
        self.refers: Failure | None = (
            None  # how a provider ends it that keeps what it refers to, and not for all
        )
        self.kept = False  # may the client refer to the reply later, by what `name` says?
        self.name: Callable[[Card, str], str] | None = (
            None  # the id of a reply that can be referred to later, from its provider's
        )
        self.request_: Request | None = None
        # set by the route layer
        self.plan: Plan | None = None
        # written by failover
        self.attempts: list[Attempt] = []  # in the order in which they began
        self.serving: Attempt | None = None  # the one whose reply was taken
        self.notices: list[Notice] = []
        # added to by whoever waits for somebody else: a client's body, a provider, a pause before a retry
        self.waited_ns = 0
        # set by the cache layer and the tap
        self.cache: CacheStatus = "off"
        self.answering = (
            False  # set by the edge: the head of a stream has left, so the status is 200 whatever comes
        )
        self.committed_ns = 0  # when the reply was there, 0 before
        self.outcome: Outcome | None = None

    @property
    def dropped(self) -> tuple[str, ...]:
        """What the serving provider's dialect could not say."""
        return () if self.serving is None else self.serving.dropped

    @property
    def tries(self) -> int:
        """How often a provider was asked."""
        attempts = self.attempts
        if len(attempts) == 1 and not attempts[0].resent_ns:
            return 1
        return sum([2 if attempt.resent_ns else 1 for attempt in self.attempts])

    def overhead_ns(self, now_ns: int) -> int:
        """Turnout's own time, ns: from arrival to the commit point (`now_ns` before it), less all waiting for others."""
        return max(0, (self.committed_ns or now_ns) - self.arrived_ns - self.waited_ns)

    @property
    def request(self) -> Request:
        """The canonical request, decoded on first use: traffic that is merely relayed never pays for it.

        Raises `CallFailed(BAD_REQUEST)` when the body is not a valid request of its dialect.
        """
        if self.request_ is None:
            self.request_ = self.decode(self.envelope.body)
        return self.request_


class Reply(Protocol):
    """A provider's reply past its commit point.

    `dialect` and `streamed` say what the frames' `raw` is: SSE of that dialect, or one whole JSON body. For an operation that is
    passed as it is (`PASSED`), `content_type` says it: the provider's own; it is empty for all others.
    """

    card: Card
    dialect: DialectName
    streamed: bool

    @property
    def content_type(self) -> bytes: ...

    @property
    def over(self) -> bool:
        """Everything was delivered, the terminal event included."""
        ...

    def ready(self) -> Sequence[Frame]:
        """The next frames, if they are here already. Never raises for provider trouble."""
        ...

    def arrival(self) -> Awaitable[None] | None:
        """What to await before `ready` is asked again; `None` if it has something to say already, or nothing any more."""
        ...

    def abort(self, failure: Failure | None = None) -> None:
        """Stop reading and close the upstream at once, because of `failure`; without one the client left.

        Idempotent; harmless after the end.
        """
        ...


async def next_frames(reply: Reply) -> Sequence[Frame]:
    """The next frames as they arrive; empty only when the reply is over."""
    while not (frames := reply.ready()) and not reply.over:
        waiting = reply.arrival()
        if waiting is not None:
            await waiting
    return frames


Service = Callable[[Call], Awaitable[Reply]]
Layer = Callable[[Service], Service]
Connect = Callable[[Call, Attempt], Awaitable[Reply]]
"""Make one try, and note on the attempt what became of it. Raises `CallFailed`."""


def compose(layers: Sequence[Layer], service: Service) -> Service:
    """Fold layers around a service; the first layer is the outermost."""
    for layer in reversed(layers):
        service = layer(service)
    return service
