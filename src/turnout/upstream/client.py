"""One attempt at one candidate: from a call to a reply at its commit point.

Promise: `connect` returns a reply whose first content has arrived, or raises `CallFailed` with a kind from the failure
table; a failure after that comes in the reply's own events. Same dialect: the client's body with what Turnout must set, the
provider's bytes untouched. Other dialect: through the canonical request. The two meet again in frames.

Deadlines: connect, TLS, first token, stall and total. After the first byte, the transport's deadline is moved by *content*
only, so that a provider cannot hide a stall behind pings. A reply that is not streamed has its head at the end of the work, so
the first-token deadline cannot apply to it; its total does.

It must not know which candidates there are, or what happens after a failure.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from turnout.core.attempt import Attempt
from turnout.core.call import PASSED, Call, Reply
from turnout.core.card import Card
from turnout.core.errors import CallFailed, Failure, Kind, Told, fail
from turnout.core.events import CONTENT_TYPES, Event, Failed, Finished, Frame, Started, Stop, Usage
from turnout.core.model import DialectName, Request, ToolResult
from turnout.upstream.catalog import Route
from turnout.upstream.fetching import Fetcher
from turnout.upstream.media import with_media
from turnout.upstream.patience import first_token_s
from turnout.upstream.sockets import Sockets
from turnout.upstream.telling import limits_in, masked, owned, told_headers
from turnout.upstream.transport import Response, Timeouts, Transport, TransportError
from turnout.wire.codec import EmbeddingCodec, Encoded, StreamDecoder
from turnout.wire.fitting import fit
from turnout.wire.tool_forms import Called, Returning, ReturningDecoder

_TOLD_BYTES_MAX = 64 * 1024
_JSON_TYPE = b"content-type: application/json\r\n"
_TRAILING_S = 2.0  # how long to wait for the end of a body whose terminal event has been seen
_ENDS_EMPTY = frozenset({"length", "content_filter", "refusal", "pause", "tool_use"})
"""Reasons for which a reply without content is an answer and not a failure."""

Clock = Callable[[], float]


class EmptyCompletion(CallFailed):
    """A whole reply without content. It keeps the reply: when nobody else does better, the caller gets it as it is."""

    def __init__(self, failure: Failure, reply: Reply) -> None:
        super().__init__(failure)
        self.reply = reply


class Upstream:
    """Connects to the models of one catalog."""

    def __init__(
        self,
        transport: Transport,
        routes: Mapping[str, Route],
        clock: Clock,
        now_ns: Callable[[], int] = time.perf_counter_ns,
        fetcher: Fetcher | None = None,
        sockets: Sockets | None = None,
    ) -> None:
        """`clock` is the event loop's time, seconds, by which deadlines are kept; `now_ns` that of the calls' records."""
        self._now_ns = now_ns
        self._transport = transport
        self._sockets = sockets or Sockets(transport)
        self._routes = routes
        self._clock = clock
        self._fetcher = fetcher

    async def connect(self, call: Call, attempt: Attempt) -> Reply:
        """Raises `CallFailed`."""
        route = self._routes[attempt.card.name]
        if call.refers is not None and not route.shared:
            raise CallFailed(call.refers)
        translated: Request | None = None
        if call.dialect != route.card.dialect and call.op != "embeddings":
            translated = await self._translatable(call, route, attempt)
        head, body, calls = _encode(call, route, translated, attempt)
        stream = call.envelope.stream
        timeouts = self._timeouts(call, route, stream or route.socket)  # a socket always streams
        begun = self._now_ns()
        try:
            if route.socket and call.op == "chat":
                attempt.sent = True
                response = await self._sockets.request(route.origin, head, body, timeouts)
            else:
                response = await self._transport.request(route.origin, head, body, timeouts, attempt)
            if not 200 <= response.status < 300:
                raise await _refusal(response, route)
            if _is_page(response):
                response.abort()
                raise CallFailed(Failure(Kind.MALFORMED, _PAGE, provider=route.card.provider))
            attempt.limits = limits_in(response.headers)
            if call.op in PASSED:
                return await self._open_passed(response, call, route, timeouts, attempt)
            if _is_stream(response, route, stream):
                decoder = route.codec.stream_decoder(route.target.quirks)
                decoder = ReturningDecoder(decoder, calls) if calls else decoder
                return await self._open_stream(response, route, decoder, timeouts, attempt)
            body = response.take_all() or await response.read_all()
            return _whole(body, route, call, attempt, calls)
        except TransportError as error:
            raise CallFailed(self._or_late(_transport_failure(error, route, False), call)) from None
        except EmptyCompletion as empty:
            if _told_a_tool(call):
                return empty.reply
            raise
        except CallFailed as error:
            error.failure = self._or_late(error.failure, call)
            raise
        finally:
            attempt.waited_ns += self._now_ns() - begun

    async def _translatable(self, call: Call, route: Route, attempt: Attempt) -> Request:
        """The request with all its media as this target takes them."""
        begun = self._now_ns()
        try:
            return await with_media(
                call.request, route.card.dialect, route.target, self._fetcher, self._left_s(call)
            )
        finally:
            attempt.waited_ns += self._now_ns() - begun

    def _timeouts(self, call: Call, route: Route, stream: bool) -> Timeouts:
        timeouts = route.timeouts
        if stream:
            envelope = call.envelope
            patience_s = first_token_s(timeouts.first_byte_s, envelope.fields, len(envelope.body), route.card)
            if patience_s != timeouts.first_byte_s:
                timeouts = replace(timeouts, first_byte_s=patience_s)
        else:
            timeouts = route.unary_timeouts
        left_s = self._left_s(call)
        if left_s is None:
            return timeouts
        return Timeouts(  # a stall is the provider's whoever waits: the total ends the wait in time
            connect_s=min(timeouts.connect_s, left_s),
            tls_s=min(timeouts.tls_s, left_s),
            first_byte_s=min(timeouts.first_byte_s, left_s),
            stall_s=timeouts.stall_s,
            total_s=min(timeouts.total_s, left_s),
        )

    def _left_s(self, call: Call) -> float | None:
        """Until the request's own deadline. Raises `CallFailed(DEADLINE)` when it has passed."""
        if call.controls.deadline_ms is None:
            return None
        left_s = call.controls.deadline_ms / 1000 - (self._now_ns() - call.arrived_ns) / 1e9
        if left_s <= 0:
            raise CallFailed(Failure(Kind.DEADLINE, "The request's own deadline has passed."))
        return left_s

    def _or_late(self, failure: Failure, call: Call) -> Failure:
        """A wait that the caller's own deadline cut short says nothing of the provider."""
        deadline_ms = call.controls.deadline_ms
        if deadline_ms is None or failure.kind not in _TIMEOUTS:
            return failure
        if (self._now_ns() - call.arrived_ns) / 1e6 < deadline_ms:
            return failure
        return Failure(Kind.DEADLINE, "The request's own deadline has passed.", provider=failure.provider)

    async def _open_passed(
        self, response: Response, call: Call, route: Route, timeouts: Timeouts, attempt: Attempt
    ) -> Reply:
        """What came decides whether it is read whole; without a content type it is taken for sound where sound was asked for."""
        passing = route.passing
        assert passing is not None
        content_type = response.header(b"content-type")
        if content_type is None:
            content_type = b"application/octet-stream" if call.op == "speech" else b"application/json"
        if passing.is_whole(content_type):
            body = response.take_all() or await response.read_all()
            return _passed_whole(body, response.framed, content_type, route, call)
        decoder = passing.passed_decoder(call.op, call.envelope, content_type, route.target.quirks)
        return await self._open_stream(response, route, decoder, timeouts, attempt, content_type)

    async def _open_stream(
        self,
        response: Response,
        route: Route,
        decoder: StreamDecoder,
        timeouts: Timeouts,
        attempt: Attempt,
        content_type: bytes = b"",
    ) -> Reply:
        reply = StreamReply(response, route, decoder, self._clock, timeouts, content_type)
        response.automatic = False
        try:
            await reply.commit()
        except BaseException:
            response.abort()
            attempt.usage = _usage_in([event for frame in reply.seen for event in frame.events])
            raise
        return reply


_TIMEOUTS = frozenset({Kind.CONNECT_TIMEOUT, Kind.FIRST_TOKEN_TIMEOUT, Kind.STALLED, Kind.DEADLINE})


def _usage_in(events: Iterable[Event]) -> Usage | None:
    """What the provider has reported last."""
    usage: Usage | None = None
    for event in events:
        if type(event) is Usage:
            usage = event
    return usage


def _encode(
    call: Call, route: Route, translated: Request | None, attempt: Attempt
) -> tuple[bytes, bytes, Mapping[str, Called]]:
    """Request head and body, and what tools are called by their caller where the provider knows them by other names.

    `translated` is there unless the client's own body is sent on.
    """
    head = route.heads[call.op, call.envelope.stream]
    calls = _NO_CALLS
    if call.envelope.form is not None:
        head = head.replace(_JSON_TYPE, b"content-type: %b\r\n" % call.envelope.form.content_type, 1)
    if call.dialect == route.card.dialect and route.rewrite is not None:
        envelope, native = call.envelope, call.native
        if native is not None and native.provider == route.card.provider:
            envelope = native.envelope
        body = route.rewrite(envelope, route.target)
        forward = call.forward
    else:
        encoded, calls = _translate(call, route, translated)
        body, attempt.dropped, attempt.guessed_max = encoded.body, encoded.dropped, encoded.guessed_max
        forward = b""
    if forward or route.required:
        for name, value in route.required:
            if name not in forward:
                forward += b"%b: %b\r\n" % (name, value)
        head += forward
    if route.sign is not None:
        head += route.sign(head[5 : head.index(b" ", 5)].decode("latin-1"), body)  # `POST <path> HTTP/1.1`
    return head, body, calls


_NO_CALLS: Mapping[str, Called] = MappingProxyType({})


def _translate(call: Call, route: Route, translated: Request | None) -> tuple[Encoded, Mapping[str, Called]]:
    if call.op == "embeddings":
        return _embedder(route).encode_embeddings(call.envelope.body, route.target), _NO_CALLS
    fitted = fit(translated or call.request, route.card.dialect, route.target)
    encoded = route.codec.encode_request(fitted.request, route.target)
    if fitted.dropped:
        encoded = replace(encoded, dropped=tuple(dict.fromkeys((*fitted.dropped, *encoded.dropped))))
    return encoded, fitted.calls


def _embedder(route: Route) -> EmbeddingCodec:
    if not isinstance(route.codec, EmbeddingCodec):
        raise fail(Kind.UNSUPPORTED, f"Embeddings of {route.card.provider} are not supported.")
    return route.codec


_PAGE = "The provider answered with an HTML page; is its base_url right?"


def _is_page(response: Response) -> bool:
    """No API answers so: a web site, a login or a proxy does."""
    content_type = response.header(b"content-type") or b""
    return content_type[:9].lower() == b"text/html"


def _is_stream(response: Response, route: Route, asked: bool) -> bool:
    """Some providers answer a stream request with one JSON body, or the other way round: what came decides."""
    content_type = response.header(b"content-type")
    if content_type is None:
        return asked
    if content_type.startswith((b"text/event-stream", route.codec.stream_content_type)):
        return True
    return asked and not content_type.startswith(b"application/json")


async def _refusal(response: Response, route: Route) -> CallFailed:
    try:
        body = await response.read_all()
    except TransportError:
        body = b""
    body = route.mask.data(body)
    failure = owned(route.codec.decode_failure(response.status, response.headers, body), route)
    return CallFailed(replace(failure, told=_told(failure, response, body, route)))


def _told(failure: Failure, response: Response, body: bytes, route: Route) -> Told | None:
    """The refusal as sent, unless it is of our credentials, or no JSON."""
    if failure.row.health == "credential" or not 0 < len(body) <= _TOLD_BYTES_MAX:
        return None
    if body[:1] not in b"{[" or not 400 <= response.status < 600 or response.status in (401, 403):
        return None
    return Told(route.card.dialect, response.status, body, told_headers(response.headers))


def _whole(body: bytes, route: Route, call: Call, attempt: Attempt, calls: Mapping[str, Called]) -> Reply:
    if call.op != "chat":
        usage = route.codec.decode_usage(call.op, body)
        if usage is None:  # it may be an error under HTTP 200
            body = route.mask.data(body)
        events: tuple[Event, ...] = (Started(), *((usage,) if usage is not None else ()), Finished())
        if call.op == "embeddings" and call.dialect != route.card.dialect:
            body = _embedder(route).decode_embeddings(body, route.card.id, call.envelope.body)
        reply = WholeReply(route.card, (Frame(body, events),))
        reply.dialect = call.dialect  # translated, where it had to be
        return reply
    events = route.codec.decode_answer(body)
    if type(events[-1]) is Failed:
        attempt.usage = _usage_in(events)
        raise _failed_whole(route.codec.decode_answer(route.mask.data(body)), events[-1], route)
    if _is_empty(events):
        attempt.usage = _usage_in(events)
        raise EmptyCompletion(_empty(route), WholeReply(route.card, (Frame(route.mask.data(body), events),)))
    if calls:
        events = Returning(calls).returned(events)
    return WholeReply(route.card, (Frame(body, events),))


def _failed_whole(again: Sequence[Event], last: Failed, route: Route) -> CallFailed:
    """A failure under HTTP 200, as its masked bytes tell it."""
    said = again[-1]
    return CallFailed(owned(said.failure if type(said) is Failed else last.failure, route))


def _passed_whole(body: bytes, framed: bool, content_type: bytes, route: Route, call: Call) -> Reply:
    passing = route.passing
    assert passing is not None
    events = passing.decode_passed(call.op, call.envelope, content_type, body)
    last = events[-1]
    if type(last) is Failed:
        again = passing.decode_passed(call.op, call.envelope, content_type, route.mask.data(body))
        raise _failed_whole(again, last, route)
    if not framed and content_type.startswith(b"text/"):  # JSON shows by itself that it is whole
        raise CallFailed(
            Failure(Kind.TRUNCATED, "The provider's reply ended early.", provider=route.card.provider)
        )
    return WholeReply(route.card, (Frame(body, events),), content_type)


def _is_empty(events: Sequence[Event]) -> bool:
    for event in events:
        kind = type(event)
        if kind in CONTENT_TYPES or (kind is Stop and event.reason in _ENDS_EMPTY):  # type: ignore[union-attr]
            return False
    return True


def _told_a_tool(call: Call) -> bool:
    """Is the last word of the conversation a tool's result? Then a model may have nothing to add, and silence is its answer."""
    if call.op != "chat":
        return False
    try:
        messages = call.request.messages
    except CallFailed:
        return False
    return bool(messages) and any(type(part) is ToolResult for part in messages[-1].content)


def _empty(route: Route) -> Failure:
    return Failure(Kind.EMPTY, "The model returned an empty completion.", provider=route.card.provider)


class WholeReply:
    """A reply that came in one piece."""

    __slots__ = ("_frames", "card", "content_type", "dialect")

    streamed = False

    def __init__(self, card: Card, frames: tuple[Frame, ...], content_type: bytes = b"") -> None:
        self.card = card
        self.content_type = content_type
        self.dialect: DialectName = card.dialect
        self._frames = frames

    @property
    def over(self) -> bool:
        return not self._frames

    def ready(self) -> Sequence[Frame]:
        frames, self._frames = self._frames, ()
        return frames

    def arrival(self) -> None:
        return None

    def abort(self, failure: Failure | None = None) -> None:
        self._frames = ()


class StreamReply:
    """A reply that is still arriving."""

    __slots__ = (
        "_clock",
        "_content_at",
        "_decoder",
        "_ended",
        "_failed",
        "_over",
        "_pending",
        "_response",
        "_route",
        "_silent_until",
        "_stall_s",
        "card",
        "content_type",
        "dialect",
    )

    streamed = True

    def __init__(
        self,
        response: Response,
        route: Route,
        decoder: StreamDecoder,
        clock: Clock,
        timeouts: Timeouts,
        content_type: bytes = b"",
    ) -> None:
        self.card = route.card
        self.content_type = content_type
        self.dialect: DialectName = route.card.dialect
        self._response = response
        self._route = route
        self._decoder = decoder
        self._clock = clock
        self._stall_s = timeouts.stall_s
        self._content_at = now = clock()  # the last content, or the beginning
        self._silent_until = response.deadline = now + timeouts.first_byte_s
        self._pending: list[Frame] = []
        self._ended = False  # the terminal event was seen
        self._failed = False  # and was a failure: what the provider says of it, and after it, is masked
        self._over = False  # the body was read to its end

    async def commit(self) -> None:
        """Read until there is content or an end. Raises `CallFailed` for a failure before content."""
        empty_end = False
        stopped = False
        while True:
            try:
                data = await self._response.read()
            except TransportError as error:
                frames = self._broken(error, committed=False)
            else:
                frames = self._arrived(data)
            self._pending += frames
            for frame in frames:
                for event in frame.events:
                    kind = type(event)
                    if kind in CONTENT_TYPES:
                        return
                    if kind is Failed:
                        raise CallFailed(event.failure)  # type: ignore[union-attr]
                    if kind is Stop and event.reason in _ENDS_EMPTY:  # type: ignore[union-attr]
                        stopped = True
                    empty_end = empty_end or kind is Finished
            if empty_end:
                if stopped:
                    return
                self._over = True
                self._pending = [masked(frame, self._route) for frame in self._pending]
                raise EmptyCompletion(_empty(self._route), self)

    @property
    def seen(self) -> Sequence[Frame]:
        """What has arrived and was not taken."""
        return self._pending

    @property
    def over(self) -> bool:
        return self._over and not self._pending

    def ready(self) -> Sequence[Frame]:
        if self._pending:
            frames, self._pending = self._pending, []
            return frames
        while not self._over:
            try:
                data = self._response.take()
            except TransportError as error:
                frames = self._broken(error, committed=True)
            else:
                if data is None:
                    return ()
                frames = self._arrived(data)
            if frames:
                return frames
        return ()

    def arrival(self) -> Awaitable[None] | None:
        return None if self._pending or self._over else self._response.arrival()

    def _broken(self, error: TransportError, *, committed: bool) -> list[Frame]:
        """Frames for a body that cannot be read to its end."""
        self._over = True
        if self._ended:
            return []
        return self._end(_transport_failure(error, self._route, committed))

    def _arrived(self, data: bytes) -> list[Frame]:
        """Frames of a read; at the end of the body, what the decoder makes of that."""
        if not data:
            self._over = True
            return self._end(None)
        frames = self._decoder.feed(data)
        self._watch(frames)
        return self._fit(frames) if self._failed else frames

    def _end(self, failure: Failure | None) -> list[Frame]:
        if failure is None and not self._response.framed:
            failure = Failure(
                Kind.TRUNCATED, "The provider's stream ended early.", provider=self.card.provider
            )
        frames = self._decoder.eof(failure)
        if not self._failed:
            self._watch(frames)
        self._ended = True
        return self._fit(frames) if self._failed else frames

    def _fit(self, frames: list[Frame]) -> list[Frame]:
        """Frames of a stream that failed, fit to be passed on."""
        return [masked(frame, self._route) for frame in frames]

    def _watch(self, frames: list[Frame]) -> None:
        """What arrived moves the deadline: any byte shows life, but for so long only as content comes, too. The end of the stream
        replaces it by a short one for what may trail."""
        if self._ended:
            return
        now = self._clock()
        for frame in frames:
            for event in frame.events:
                kind = type(event)
                if kind in CONTENT_TYPES:
                    self._content_at = now
                    self._silent_until = 0.0
                elif kind is Finished or kind is Failed:
                    self._ended = True
                    self._failed = self._failed or kind is Failed
        if self._ended:
            self._response.deadline = now + _TRAILING_S
        else:  # until the first content, the time for it is there whole
            moved = min(now + self._stall_s, self._content_at + self._route.content_s)
            self._response.deadline = max(moved, self._silent_until)

    def abort(self, failure: Failure | None = None) -> None:
        self._over = True
        self._pending = []
        self._response.abort()


_PHASES: Mapping[str, tuple[Kind, str]] = {
    "connect": (Kind.CONNECT, "No connection to the provider."),
    "tls": (Kind.TLS, "The provider's TLS certificate or handshake was not accepted."),
    "connect_timeout": (Kind.CONNECT_TIMEOUT, "The provider did not accept a connection in time."),
    "tls_timeout": (Kind.CONNECT_TIMEOUT, "The provider did not finish the TLS handshake in time."),
    "first_byte_timeout": (Kind.FIRST_TOKEN_TIMEOUT, "The provider did not begin its answer in time."),
    "stall": (Kind.STALLED, "The provider stopped sending."),
    "total": (Kind.DEADLINE, "The answer took longer than allowed."),
    "malformed": (Kind.MALFORMED, "The provider's reply is not valid HTTP."),
    "too_large": (Kind.MALFORMED, "The provider's reply is larger than allowed."),
    "truncated": (Kind.TRUNCATED, "The provider's reply ended early."),
    "reset": (Kind.TRUNCATED, "The provider closed the connection."),
    "write": (Kind.CONNECT, "The connection to the provider was lost."),
    "closed": (Kind.SHUTTING_DOWN, "The gateway is shutting down."),
}


def _transport_failure(error: TransportError, route: Route, committed: bool) -> Failure:
    kind, message = _PHASES[error.phase]
    if kind is Kind.STALLED and not committed:
        kind, message = Kind.FIRST_TOKEN_TIMEOUT, "The provider sent no content in time."
    elif kind is Kind.DEADLINE and not committed and error.bytes_received == 0:
        kind = Kind.FIRST_TOKEN_TIMEOUT
    elif kind is Kind.TRUNCATED and not error.request_sent:
        kind = Kind.CONNECT
    return Failure(kind, message, provider=route.card.provider)
