"""The data plane: raw ASGI from a socket's bytes to an engine's reply and back, in the dialect of the endpoint.

Promise: every request gets exactly one answer in the dialect that it was asked in, and one row in the log, whatever is wrong
with it. The order is argued: is there room, who is it, is the body acceptable, what does it want; each is cheaper than the
next. Same dialect in and out is relayed; all else goes through events: a whole reply can be streamed and a stream folded, so
what the client asked for and what the provider did need not agree. A client that leaves cancels the provider at once.

It must not decide anything: routing, retries and money are behind `service`.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from turnout.core.call import (
    ANONYMOUS,
    PASSED,
    Call,
    Controls,
    Envelope,
    Principal,
    Reply,
    Service,
    next_frames,
)
from turnout.core.card import Card
from turnout.core.clock import Clock
from turnout.core.errors import CallFailed, Failure, Kind, fail
from turnout.core.events import Event, Failed, Frame, Usage, fold
from turnout.core.model import DialectName
from turnout.edge.controls import read_controls
from turnout.edge.conversations import Conversations
from turnout.edge.cors import allowed, preflight, with_headers
from turnout.edge.counting import counted, early_usage
from turnout.edge.early import EarlyHead
from turnout.edge.endpoints import ENDPOINTS, SOCKETS, Endpoint, dialect_of, find_endpoint
from turnout.edge.front import front_page
from turnout.edge.inside import OPERATOR, Inside
from turnout.edge.owning import note_references
from turnout.edge.passing import send_passed, understand_passed
from turnout.edge.paths import hint, meant_by
from turnout.edge.reading import (
    ACCEPTED_CODINGS,
    ClientLeft,
    Facts,
    check_depth,
    query_credential,
    read_body,
    read_headers,
)
from turnout.edge.remembering import begin_turn, watched
from turnout.edge.replying import (
    JSON_TYPE,
    Head,
    annotation,
    card_label,
    cost_usd,
    error_head,
    reply_head,
)
from turnout.layers.admit import Gate, Keyring
from turnout.layers.tap import Tap
from turnout.routing.explanation import explain
from turnout.routing.plan import Planner
from turnout.routing.tokens import estimate_tokens
from turnout.upstream.catalog import Catalog
from turnout.wire.body import annotate, json_text, open_members
from turnout.wire.codec import Codec, Framing, Meta, ModelEntry
from turnout.wire.openai_responses import history
from turnout.wire.openai_responses.naming import named_body

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answered = tuple[int, list[tuple[bytes, bytes]], bytes]  # status, headers, body

_NOTHING = Envelope("", False, False, {}, b"")
_NO_CONTROLS = Controls()
_NO_NAMES: frozenset[bytes] = frozenset()
_MODELS = re.compile(r"/v1(?:beta)?/models(?:/[^:].*)?\Z")
_NO_EXTENSIONS: dict[str, Any] = {}


_FOLDED_BYTES_MAX = 64 * 1024 * 1024  # of a stream that is made one reply
_LEFT = Failure(Kind.CLIENT_DISCONNECT, "The client closed the connection.")
_INTERNAL = Failure(Kind.INTERNAL, "Internal error.")
_AUTO_MODELS = ("auto", "auto:light", "auto:standard", "auto:large")


class Engine(Struct, frozen=True):
    """All that a configuration determines; swapped as a whole on reload. A call keeps the one it began with."""

    catalog: Catalog
    planner: Planner
    keyring: Keyring
    service: Service
    labels: Mapping[str, bytes]
    annotate: bool
    body_bytes_max: int
    depth_max: int
    early_head_s: float
    cors_origins: frozenset[str] = frozenset()


def labels_of(cards: Mapping[str, Card]) -> dict[str, bytes]:
    """Header values by card name, made once."""
    return {name: card_label(card) for name, card in cards.items()}


class Ingress:
    """The ASGI application. `engine` is replaced by whoever reloads the configuration."""

    def __init__(
        self,
        engine: Engine,
        codecs: Mapping[DialectName, Codec],
        tap: Tap,
        gate: Gate,
        next_id: Callable[[], int],
        metrics_text: Callable[[], bytes],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self.engine = engine
        self._codecs = codecs
        self._tap = tap
        self._gate = gate
        self._next_id = next_id
        self._metrics_text = metrics_text
        self._memory = Conversations()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if self.engine.cors_origins and scope["type"] == "http" and scope["method"] != "OPTIONS":
            headers = allowed(scope, self.engine.cors_origins)
            if headers:
                scope, send = with_headers(scope, send, headers)
        endpoint = find_endpoint(scope["path"], scope.get("query_string", b""))
        if endpoint is None and (meant := meant_by(scope["path"])) is not None:
            scope = {**scope, "path": meant.path}
            endpoint = find_endpoint(meant.path, scope.get("query_string", b""))
            if endpoint is not None and meant.deployment is not None:
                endpoint = replace(endpoint, deployment=meant.deployment)
        if endpoint is not None and scope["method"] == "POST" and endpoint.dialect in self._codecs:
            return self._serve(endpoint, scope, receive, send)
        if scope["type"] == "websocket":
            return self._session(scope, receive, send)
        return self._other(scope, receive, send)

    # -- calls
    async def _serve(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        engine, codec = self.engine, self._codecs[endpoint.dialect]
        call = Call(
            number=self._next_id(),
            op=endpoint.op,
            dialect=endpoint.dialect,
            envelope=_NOTHING,
            controls=_NO_CONTROLS,
            principal=ANONYMOUS,
            decode=lambda body: endpoint.decode(codec, body),
            arrived_ns=self._clock.now_ns(),
            arrived_unix_s=self._clock.unix_s(),
        )
        gate = self._gate
        gate.in_flight += 1
        try:
            try:
                known = self._recognise(call, engine, codec, scope)
                take = scope.get("extensions", _NO_EXTENSIONS).get("turnout.body")
                body = take() if take is not None else None
                if body is None or len(body) > engine.body_bytes_max or known.facts.coding:
                    facts = read_headers(
                        scope["headers"], codec.forward_headers
                    )  # with this body's own length
                    try:
                        body = await read_body(receive, facts, engine.body_bytes_max, body)
                    finally:
                        call.waited_ns = self._clock.now_ns() - call.arrived_ns
                _understand(call, endpoint, known, codec, body, scope)
                guarded = not engine.keyring.open and call.principal is not OPERATOR
                if guarded:
                    note_references(call)
                if endpoint.dialect == "openai_responses":
                    session = scope.get("extensions", _NO_EXTENSIONS).get("turnout.memory")
                    turn = begin_turn(call, self._memory, session, guarded=guarded)
                if call.refers is not None and not engine.catalog.shares:
                    raise CallFailed(call.refers)
                if endpoint.remembered:
                    scope, send = watched(call, turn, scope, send)
            except CallFailed as error:
                self._tap.refuse(call, error.failure)
                raise
            if endpoint.op == "count_tokens" and await self._counted(call, engine, codec, scope, send):
                return
            await self._answer(call, engine, codec, scope, send, endpoint.framing)
        except CallFailed as error:
            await _send_error(call, error.failure, codec, scope, send)
        except ClientLeft:
            self._tap.refuse(call, _LEFT)
        except asyncio.CancelledError:
            self._tap.refuse(call, _LEFT)
            raise
        except Exception:
            self._tap.refuse(call, _INTERNAL)
            raise
        finally:
            gate.leave()

    async def _answer(
        self, call: Call, engine: Engine, codec: Codec, scope: Scope, send: Send, framing: Framing
    ) -> None:
        """Serve, and answer. Raises `CallFailed` where nothing has been said yet."""
        waits = call.envelope.stream and call.op == "chat" and framing == "sse" and _inside(scope) is None
        if not waits or not engine.early_head_s:
            reply = await engine.service(call)
            await _respond(call, reply, engine, codec, scope, send, framing)
            return
        early = EarlyHead(call, send, codec.stream_content_type, engine.early_head_s)
        try:
            reply = await engine.service(call)
        except CallFailed as error:
            if not await early.stop():
                raise
            body = codec.encode_stream_error(error.failure, call.id)
            await send({"type": "http.response.body", "body": body, "more_body": False})
            return
        except BaseException:
            await early.stop()
            raise
        await early.stop()
        await _respond(call, reply, engine, codec, scope, send, framing)

    def _recognise(self, call: Call, engine: Engine, codec: Codec, scope: Scope) -> _KnownHead:
        """Is there room, and who is it? What a head means is noted beside it, for the next request that has the same.

        Keys change with the engine only, so what was understood under the same engine still holds. Raises `CallFailed`, and
        a refusal is never noted.
        """
        self._gate.check()
        notes = scope.get("extensions", _NO_EXTENSIONS).get("turnout.notes")
        known: _KnownHead | None = None if notes is None else notes.get("head")
        if known is None or known.engine is not engine:
            facts = read_headers(scope["headers"], codec.forward_headers)
            known = _KnownHead(engine, facts, _admit(engine, facts.credentials, scope))
            if notes is not None:
                notes["head"] = known
        call.principal = known.principal
        call.forward = known.facts.forward
        return known

    async def _counted(self, call: Call, engine: Engine, codec: Codec, scope: Scope, send: Send) -> bool:
        """Count tokens here when no provider of the dialect would serve the model; False: ask the provider."""
        try:
            plan = engine.planner.decide(
                call.envelope.model,
                call.controls,
                call.principal,
                lambda: call.request,
                "chat",
                envelope=call.envelope,
            )
            if plan.candidates[0].dialect == call.dialect:
                return False
            tokens = estimate_tokens(call.request)
        except CallFailed as error:
            self._tap.refuse(call, error.failure)
            raise
        call.plan = plan
        body = codec.encode_count(tokens)
        self._tap.counted(call, plan.candidates[0], tokens)
        head = error_head(call, None)
        head.add(b"x-turnout-notice", b"tokens-estimated")
        await _send_whole(scope, send, 200, head, body)
        return True

    async def _session(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket: each message on it is a call (see `edge.lanes`)."""
        dialect = SOCKETS.get(scope["path"])
        codec = self._codecs[dialect or "openai_chat"]
        request_id = f"req_{self._next_id():016x}"
        try:
            self._gate.check()
            facts = read_headers(scope["headers"], _NO_NAMES)
            _admit(self.engine, facts.credentials, scope)
            if dialect is None:
                raise fail(Kind.UNKNOWN_ROUTE, "There is no WebSocket at this path.")
        except CallFailed as error:
            code = error.failure.code.encode()
            headers = [
                JSON_TYPE,
                (b"x-turnout-request-id", request_id.encode()),
                (b"x-turnout-error", code),
            ]
            status = error.failure.row.status
            await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
            body = codec.encode_error(error.failure, request_id)
            await send({"type": "websocket.http.response.body", "body": body})
            return
        from turnout.edge.lanes import Lanes  # few clients ask for one

        await receive()
        await send({"type": "websocket.accept"})
        await Lanes(self, scope, send, lambda failure: codec.encode_error(failure, request_id)).run(receive)

    # -- everything else
    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if method == "OPTIONS":
            methods = b"POST, OPTIONS" if path in ENDPOINTS or path == "/v1/route" else b"GET, POST, OPTIONS"
            headers = preflight(scope, self.engine.cors_origins, methods)
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif path == "/" and method in ("GET", "HEAD"):
            content_type, body = front_page(scope["headers"])
            await _send(send, 200, [(b"content-type", content_type), (b"vary", b"Accept")], body)
        elif path == "/healthz":
            await _send(send, 200, [JSON_TYPE], b'{"status":"ok"}')
        elif path == "/readyz":
            draining = self._gate.draining
            body = b'{"status":"draining"}' if draining else b'{"status":"ready"}'
            await _send(send, 503 if draining else 200, [JSON_TYPE], body)
        elif path == "/metrics" and method == "GET":
            await self._guarded(scope, send, self._metrics)
        elif path == "/v1/route" and method == "POST":
            await self._guarded(scope, send, lambda p, d, s: self._route(p, d, s, receive))
        elif path.startswith("/v1/responses/") and (
            method in ("GET", "DELETE") or (method == "POST" and path.endswith("/cancel"))
        ):
            await self._guarded(scope, send, self._remembered)
        elif _MODELS.match(path) and method == "GET":
            await self._guarded(scope, send, self._models)
        else:
            await self._guarded(scope, send, _unknown)

    async def _guarded(
        self,
        scope: Scope,
        send: Send,
        handler: Callable[[Principal, Codec, Scope], Awaitable[Answered]],
    ) -> None:
        """Authenticate, run, and answer errors in the dialect that the request seems to speak."""
        dialect = dialect_of(scope["path"], scope["query_string"], scope["headers"])
        codec = self._codecs.get(dialect) or self._codecs["openai_chat"]
        request_id = f"req_{self._next_id():016x}"
        try:
            facts = read_headers(scope["headers"], frozenset())
            principal = _admit(self.engine, facts.credentials, scope)
            status, headers, body = await handler(principal, codec, scope)
        except CallFailed as error:
            failure = error.failure
            status, headers = failure.row.status, [JSON_TYPE, (b"x-turnout-error", failure.code.encode())]
            if scope["path"] in ENDPOINTS:
                status = 405
                headers.append((b"allow", b"POST"))
            if failure.kind is Kind.UNSUPPORTED_CODING:
                headers.append((b"accept-encoding", ACCEPTED_CODINGS))
            if (inside := _inside(scope)) is not None:
                inside.failed(request_id, failure, status)
            body = codec.encode_error(failure, request_id)
        except ClientLeft:
            return
        await _send(send, status, [*headers, (b"x-turnout-request-id", request_id.encode())], body)

    async def _metrics(self, principal: Principal, codec: Codec, scope: Scope) -> Answered:
        content_type = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
        return 200, [content_type], self._metrics_text()

    async def _models(self, principal: Principal, codec: Codec, scope: Scope) -> Answered:
        entries = [ModelEntry(name, "turnout") for name in _AUTO_MODELS]
        admission = self.engine.planner.admission(principal, _NO_CONTROLS, "chat")
        for name, card in self.engine.catalog.cards.items():
            if not admission.permits(card):
                continue
            entries.append(
                ModelEntry(
                    name, card.provider, context_window=card.context_window, max_output=card.max_output
                )
            )
        wanted = scope["path"].split("/models", 1)[1].removeprefix("/")
        if not wanted:
            return 200, [JSON_TYPE], codec.encode_models(entries)
        wanted = self.engine.catalog.names.get(wanted, wanted)
        found = [entry for entry in entries if entry.id == wanted]
        if not found:
            raise fail(Kind.UNKNOWN_MODEL, f"The model {wanted[:128]!r} does not exist.", param="model")
        listed = _model_list.decode(codec.encode_models(found))
        return 200, [JSON_TYPE], bytes((listed.data or listed.models)[0])

    async def _remembered(self, principal: Principal, codec: Codec, scope: Scope) -> Answered:
        """What `previous_response_id` can refer to: a response, its input items, and an end to it."""
        response_id, _, part = scope["path"].removeprefix("/v1/responses/").partition("/")
        found = self._memory.get(principal.key, response_id, time.monotonic())
        if found is None or part not in (("cancel",) if scope["method"] == "POST" else ("", "input_items")):
            raise fail(Kind.UNKNOWN_ROUTE, f"There is no response {response_id[:128]!r} here.")
        if part == "cancel":
            raise fail(Kind.BAD_REQUEST, "Cannot cancel a response that has been answered.")
        if scope["method"] == "DELETE":
            if part:
                raise fail(Kind.UNKNOWN_ROUTE, "Input items cannot be deleted.")
            self._memory.delete(principal.key, response_id)
            return 200, [JSON_TYPE], history.deleted_json(response_id)
        if not part:
            return 200, [JSON_TYPE], found.body
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=100))
        limit = asked.get("limit", "20")
        if not limit.isdigit() or not 1 <= int(limit) <= 100:
            raise fail(Kind.BAD_REQUEST, "limit: must be a number from 1 to 100", param="limit")
        body = history.input_list_json(
            response_id,
            history.items_of(found.input),
            after=asked.get("after"),
            limit=int(limit),
            descending=asked.get("order") != "asc",
        )
        return 200, [JSON_TYPE], body

    async def _route(self, principal: Principal, codec: Codec, scope: Scope, receive: Receive) -> Answered:
        """`POST /v1/route`: explain, call nobody."""
        facts = read_headers(scope["headers"], frozenset())
        body = await read_body(receive, facts, self.engine.body_bytes_max)
        envelope = codec.peek(body)
        check_depth(body, self.engine.depth_max, envelope.fields)
        extra = envelope.fields.get("turnout")
        controls = read_controls(facts.controls, None if extra is None else bytes(extra))
        begun = time.perf_counter_ns()
        request = codec.decode_request(body)
        plan = self.engine.planner.explain_decide(
            envelope.model, controls, principal, lambda: request, "chat"
        )
        decided_in_us = (time.perf_counter_ns() - begun) // 1000
        return 200, [JSON_TYPE], msgspec.json.encode(explain(plan, decided_in_us))


class _ModelList(Struct):
    data: list[Raw] = []
    models: list[Raw] = []


_model_list = msgspec.json.Decoder(_ModelList)


class _KnownHead(Struct):
    """What a request head means to one engine. `controls` is filled in when they are first read."""

    engine: Engine
    facts: Facts
    principal: Principal
    controls: Controls | None = None


def _understand(
    call: Call, endpoint: Endpoint, known: _KnownHead, codec: Codec, body: bytes, scope: Scope
) -> None:
    """From bytes to a call that can be served: envelope and controls. Raises `CallFailed`."""
    if call.op in PASSED:
        understand_passed(call, codec, body, scope["headers"], known.engine.depth_max)
        envelope = call.envelope
    else:
        if endpoint.deployment is not None and "model" not in open_members(body):
            body = annotate(body, json_text(endpoint.deployment), b"model")
        call.envelope = envelope = endpoint.complete(codec.peek(body))
        check_depth(body, known.engine.depth_max, envelope.fields)
    extra = envelope.fields.get("turnout")
    asked = known.facts.controls
    if extra is not None:
        call.controls = read_controls(asked, bytes(extra))
    elif asked:
        if known.controls is None:
            known.controls = read_controls(asked, None)
        call.controls = known.controls


def _inside(scope: Scope) -> Inside | None:
    found: Inside | None = scope.get("extensions", _NO_EXTENSIONS).get("turnout.inside")
    return found


def _admit(engine: Engine, credentials: tuple[bytes, ...], scope: Scope) -> Principal:
    if (inside := _inside(scope)) is not None:
        return inside.principal
    if scope["query_string"] and (asked := query_credential(scope["query_string"])) is not None:
        credentials = (*credentials, asked)
    return engine.keyring.admit(*credentials)


async def _unknown(principal: Principal, codec: Codec, scope: Scope) -> Answered:
    path = re.sub(r"[^\x20-\x7e]", "?", scope["path"])[:128]
    if scope["path"] in ENDPOINTS:
        raise fail(Kind.UNKNOWN_ROUTE, f"{path} takes POST.")
    dialect = dialect_of(scope["path"], scope["query_string"], scope["headers"])
    raise fail(Kind.UNKNOWN_ROUTE, f"There is no {scope['method']} {path} here. {hint(dialect)}")


# -- answers
async def _respond(
    call: Call, reply: Reply, engine: Engine, codec: Codec, scope: Scope, send: Send, framing: Framing
) -> None:
    """Answer from the reply, and let go of it whatever happens."""
    inside = _inside(scope)
    try:
        if inside is not None:
            inside.answered(call, reply.card)
        if inside is not None and inside.take is not None:
            await inside.take(reply)
        elif call.op in PASSED and reply.streamed:
            head = reply_head(call, reply.card, reply.content_type, engine.labels[reply.card.name])
            await send_passed(reply, head, codec.relay(_meta(call, reply.card)), scope, send)
        elif call.envelope.stream and call.op not in PASSED:
            await _stream(call, reply, engine, codec, scope, send, framing)
        else:
            await _whole(call, reply, engine, codec, scope, send)
    except CallFailed as error:
        reply.abort(error.failure)
        raise
    except Exception as error:
        sys.stderr.write(f"turnout: {call.id}: {''.join(traceback.format_exception(error))}")
        reply.abort(_INTERNAL)
        raise
    finally:
        reply.abort()


async def _whole(call: Call, reply: Reply, engine: Engine, codec: Codec, scope: Scope, send: Send) -> None:
    frames = reply.ready() or await next_frames(reply)
    if not reply.streamed and reply.dialect == call.dialect:
        body = frames[0].raw
        if call.name is not None:
            body = named_body(body, frames[0].events, partial(call.name, reply.card))
    else:
        body = await _folded(call, reply, frames, codec)
    card = reply.card
    if engine.annotate and call.op == "chat":
        body = codec.annotate(body, annotation(call, card, whole=True))
    head = reply_head(call, card, reply.content_type or b"application/json", engine.labels[card.name])
    cost = cost_usd(call)
    if cost is not None:
        head.add(b"x-turnout-cost-usd", cost)
    if not _respond_at_once(scope, 200, head, body):
        await _send_whole(scope, send, 200, head, body)


async def _folded(call: Call, reply: Reply, frames: Sequence[Frame], codec: Codec) -> bytes:
    """One body from a reply of another dialect, or from a stream. Raises `CallFailed` when it did not end well."""
    events: list[Event] = [event for frame in frames for event in frame.events]
    size = 0
    while reply.streamed and (more := await next_frames(reply)):
        for frame in more:
            size += len(frame.raw)
            events.extend(frame.events)
        if size > _FOLDED_BYTES_MAX:
            raise fail(Kind.MALFORMED, f"The reply is larger than {_FOLDED_BYTES_MAX} bytes.")
    last = events[-1] if events else None
    if isinstance(last, Failed):
        raise CallFailed(last.failure)
    answer = fold(events)
    if call.outcome is not None and call.outcome.usage is not None:
        answer = replace(answer, usage=call.outcome.usage)
    return codec.encode_answer(answer, _meta(call, reply.card))


def _meta(
    call: Call, card: Card, first: bytes | None = None, last: Callable[[], bytes | None] | None = None
) -> Meta:
    created = int(call.arrived_unix_s)
    meta = Meta(call.id, created, card.id, call.envelope.include_usage, first, last or _no_annotation)
    return meta if call.name is None else replace(meta, name=partial(call.name, card))


def _no_annotation() -> None:
    return None


async def _stream(
    call: Call, reply: Reply, engine: Engine, codec: Codec, scope: Scope, send: Send, framing: Framing
) -> None:
    card = reply.card
    first = reply.ready()
    early = early_usage(call, reply, first)
    if engine.annotate:
        begun = annotation(call, card, whole=False, estimated=early is not None and early.estimated)
        meta = _meta(call, card, begun, lambda: annotation(call, card, whole=True))
    else:
        meta = _meta(call, card)
    content_type = codec.stream_content_type
    if framing != "sse":
        meta, content_type = replace(meta, framing=framing), b"application/json"
    if not call.answering:
        head = reply_head(call, card, content_type, engine.labels[card.name])
        head.add(b"cache-control", b"no-cache")
        head.add(b"x-accel-buffering", b"no")
        await send({"type": "http.response.start", "status": 200, "headers": head.pairs()})
    write = _writer(call, reply, codec, meta, early)
    push = scope.get("extensions", _NO_EXTENSIONS).get("turnout.push")
    ready, arrival = reply.ready, reply.arrival
    while (frames := first or ready()) or not reply.over:
        first = ()
        if frames and (data := write(frames)):
            if push is None:
                await send({"type": "http.response.body", "body": data, "more_body": True})
            elif (drained := push(data)) is not None:
                await drained
        waiting = arrival()
        if waiting is not None:
            await waiting
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _writer(
    call: Call, reply: Reply, codec: Codec, meta: Meta, early: Usage | None
) -> Callable[[Sequence[Frame]], bytes]:
    if reply.streamed and reply.dialect == call.dialect:
        # What nobody can refer to later keeps its provider's bytes, even where these tell one reply by several ids.
        return codec.relay(meta if call.kept else replace(meta, name=None)).relay
    write = counted(call, early, codec.stream_encoder(meta).encode)

    def encode(frames: Sequence[Frame]) -> bytes:
        if len(frames) == 1:
            return write(frames[0].events)
        return write([event for frame in frames for event in frame.events])

    return encode


async def _send_error(call: Call, failure: Failure, codec: Codec, scope: Scope, send: Send) -> None:
    told = failure.told
    if told is not None and told.dialect == call.dialect:
        status, body = told.status, told.body
    else:
        status = failure.row.status
        if status == 502:  # a provider's trouble: whose, is not plain from the provider's words
            asked = call.envelope.model[:128]
            failure = replace(failure, message=f"{failure.message} (The model asked for was {asked!r}.)")
        body = codec.encode_error(failure, call.id)
    if (inside := _inside(scope)) is not None:
        inside.failed(call.id, failure, status)
    head = error_head(call, failure)
    if failure.kind is Kind.UNSUPPORTED_CODING:
        head.add(b"accept-encoding", ACCEPTED_CODINGS)
    await _send_whole(scope, send, status, head, body)


def _respond_at_once(scope: Scope, status: int, head: Head, body: bytes) -> bool:
    """A whole response in one call, where the server can (see `edge.exchange`)."""
    respond = scope.get("extensions", _NO_EXTENSIONS).get("turnout.respond")
    if respond is None:
        return False
    head.add(b"content-length", b"%d" % len(body))
    respond(status, head.data, head.lines, body)
    return True


async def _send_whole(scope: Scope, send: Send, status: int, head: Head, body: bytes) -> None:
    """In one call where the server can, in two messages where it is any ASGI server."""
    if _respond_at_once(scope, status, head, body):
        return
    head.add(b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": head.pairs()})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
