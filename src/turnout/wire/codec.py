"""What a dialect is: one folder in `wire/` that satisfies `Codec`.

A codec is sans-IO: bytes go in, canonical requests and frames come out, and the other way round. It knows no
socket, clock, randomness or route. Each dialect has two sides: the client's (requests are decoded, replies are encoded) and
the provider's (requests are encoded, replies are decoded). A same-dialect call uses neither translation: `peek`
opens the body, `rewrite` sets what Turnout must set, and a `Relay` passes the provider's frames on.

Rules that every codec keeps, and that the contract suite checks on whatever is registered:

- any split of the bytes into reads gives the same events, and the frames' `raw` concatenates to the input;
- exactly one terminal event; clean end of input without the dialect's terminal marker is `Failed(TRUNCATED)`;
- a decoder never raises on provider bytes: what it cannot read becomes `Failed(MALFORMED)`;
- encoders are allow-lists; every canonical field they cannot carry is named in `Encoded.dropped`, and every such name
  has a row in `wire/losses.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Raw, Struct

from turnout.core.call import Envelope, Op
from turnout.core.errors import Failure
from turnout.core.events import Answer, Event, Frame, Usage
from turnout.core.model import DialectName, Request

Headers = Sequence[tuple[bytes, bytes]]
Framing = Literal["sse", "array"]
"""How a client wants its stream: as server-sent events, or as one JSON array that grows (Gemini without `alt=sse`)."""


class Target(Struct, frozen=True):
    """The model that a request is encoded for. `quirks` are the provider's words (see `upstream/known`).

    `max_output` is known; `output_guess` is a number for a provider that wants one where nothing is known, and bounds nobody.
    """

    model: str
    capabilities: frozenset[str] = frozenset()
    quirks: frozenset[str] = frozenset()
    max_output: int | None = None
    output_guess: int | None = None


class Encoded(Struct, frozen=True):
    """A request in the provider's dialect. `dropped` names canonical fields that it could not carry.

    `guessed_max`: the largest output that was asked for because the dialect demands a number and nobody had one.
    """

    body: bytes
    dropped: tuple[str, ...] = ()
    guessed_max: int | None = None


class Meta(Struct, frozen=True):
    """What a reply encoder must know beside the events.

    `id` and `created` are used when the provider sent none; `model` likewise. `first` and `last` give the `turnout`
    annotation (a JSON object) for the first and the last chunk, or `None` for a client that wants none; `last` is called when the
    last chunk is written, after the usage is known. `name` is there where a client may refer to the reply later: from the
    provider's id it gives the one that the client is told, the same however often it is asked.
    """

    id: str
    created: int
    model: str
    include_usage: bool
    first: bytes | None = None
    last: Callable[[], bytes | None] = lambda: None
    framing: Framing = "sse"
    name: Callable[[str], str] | None = None


class ModelEntry(Struct, frozen=True):
    """A row of `GET /v1/models`."""

    id: str
    owner: str
    created: int = 0
    context_window: int | None = None
    max_output: int | None = None


class StreamDecoder(Protocol):
    """Provider's stream → frames. Incremental; holds at most `LINE_BYTES_MAX` of an unfinished event."""

    def feed(self, data: bytes) -> list[Frame]:
        """Frames completed by `data`. After the terminal event, further bytes are frames without events."""
        ...

    def eof(self, failure: Failure | None) -> list[Frame]:
        """The input ended: cleanly (`None`) or by the given failure. Yields what is missing to a terminal event.

        An unfinished event at a clean end is parsed if it is whole but for its blank line (seen in the wild).
        """
        ...


class StreamEncoder(Protocol):
    """Events → the client's stream."""

    def encode(self, events: Sequence[Event]) -> bytes: ...


class Relay(Protocol):
    """Provider's frames → the same dialect's client, byte for byte except for what is ours to change:

    the annotation, a usage chunk that only Turnout asked for, and an in-band error where the provider's stream was cut.
    """

    def relay(self, frames: Sequence[Frame]) -> bytes: ...


class ProviderCodec(Protocol):
    """What a dialect must do to be spoken with providers. A dialect that no client speaks does only this."""

    name: DialectName
    stream_content_type: bytes
    """What a stream of this dialect calls itself: asked of providers, recognised in their answers, told to clients."""

    def encode_request(self, request: Request, target: Target) -> Encoded: ...

    def path(self, op: Op, target: Target, stream: bool) -> str:
        """Request path below the provider's base URL."""
        ...

    def stream_decoder(self, quirks: frozenset[str] = frozenset()) -> StreamDecoder: ...

    def decode_answer(self, body: bytes) -> tuple[Event, ...]:
        """Events of a whole body, terminal event included; an error object inside HTTP 200 gives `Failed`."""
        ...

    def decode_usage(self, op: Op, body: bytes) -> Usage | None:
        """Usage of a non-chat reply (embeddings)."""
        ...

    def decode_failure(self, status: int, headers: Headers, body: bytes) -> Failure:
        """Name the failure that a non-2xx reply describes. `Failure.message` is safe to show: bounded, no secret."""
        ...


class ClientCodec(Protocol):
    """What a dialect must do to be spoken with clients."""

    name: DialectName
    stream_content_type: bytes
    forward_headers: frozenset[bytes]
    """Client's request headers (lower case) that a provider of the same dialect must see unchanged."""

    def peek(self, body: bytes) -> Envelope:
        """Open a body. Raises `CallFailed(BAD_REQUEST)` on malformed JSON, wrong types or duplicate keys.

        A dialect that names model and stream in the path leaves them empty: the edge knows the path.
        """
        ...

    def annotate(self, body: bytes, annotation: bytes) -> bytes:
        """Add the `turnout` object to a non-streaming body."""
        ...

    def decode_request(self, body: bytes, op: Op = "chat") -> Request:
        """Raises `CallFailed(BAD_REQUEST)`, naming the field in `param`."""
        ...

    def stream_encoder(self, meta: Meta) -> StreamEncoder: ...

    def encode_answer(self, answer: Answer, meta: Meta) -> bytes: ...

    def encode_count(self, tokens: int) -> bytes:
        """The answer to a client who asked how many prompt tokens a request has."""
        ...

    def encode_error(self, failure: Failure, request_id: str) -> bytes:
        """The error body in this dialect; the HTTP status is the failure row's."""
        ...

    def encode_stream_error(self, failure: Failure, request_id: str) -> bytes:
        """An error inside a stream whose HTTP status was already sent."""
        ...

    def encode_models(self, models: Sequence[ModelEntry]) -> bytes: ...


@runtime_checkable
class Codec(ClientCodec, ProviderCodec, Protocol):
    """Both sides, and what passes between them untranslated."""

    def rewrite(self, envelope: Envelope, target: Target) -> bytes:
        """The body for a provider of the same dialect: model, usage request and the `turnout` key, nothing else."""
        ...

    def relay(self, meta: Meta) -> Relay: ...


@runtime_checkable
class EmbeddingCodec(Protocol):
    """A provider's dialect whose embeddings are translated from and to OpenAI's shape, in which clients ask for them."""

    def encode_embeddings(self, body: bytes, target: Target) -> Encoded:
        """Raises `CallFailed(BAD_REQUEST)`."""
        ...

    def decode_embeddings(self, reply: bytes, model: str, asked: bytes) -> bytes:
        """`asked` is the client's body: it may want the vectors as base64. Raises `CallFailed(MALFORMED)`."""
        ...


@runtime_checkable
class PassingCodec(Protocol):
    """A dialect with operations that others have not (`core.call.PASSED`): bodies pass as they are, and are metered.

    `Codec.rewrite`, `relay` and `path` serve these operations, too. A reply is whole (JSON, text), a stream of events, or bytes
    that only end (sound): its content type says which.
    """

    def peek_passed(self, op: Op, content_type: bytes, body: bytes) -> Envelope:
        """Open a JSON body or a form. Raises `CallFailed(BAD_REQUEST)`."""
        ...

    def describe_passed(self, op: Op, envelope: Envelope) -> Request:
        """The request as far as routing looks at it: its text, and in `params.max_tokens` how much may come of it."""
        ...

    def is_whole(self, content_type: bytes) -> bool:
        """Is a reply of this type read whole before it is passed on?"""
        ...

    def decode_passed(
        self, op: Op, envelope: Envelope, content_type: bytes, body: bytes
    ) -> tuple[Event, ...]:
        """Events of a whole body: usage, where there is any, and the terminal event."""
        ...

    def passed_decoder(
        self, op: Op, envelope: Envelope, content_type: bytes, quirks: frozenset[str]
    ) -> StreamDecoder: ...


LINE_BYTES_MAX = 16 * 1024 * 1024  # longest SSE event accepted; beyond it the stream is malformed

Fields = Mapping[str, Raw]
