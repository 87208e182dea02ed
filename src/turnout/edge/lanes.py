"""`/v1/responses` over a WebSocket: many requests on one connection, each answered by the events of its stream.

A message `response.create` is what `POST /v1/responses` takes, and is served by the very same code: it is made a request, and the
server-sent events of its answer are sent as messages. So there is no second path on which a key, a budget, a deadline or a log row
could be forgotten: they hold for each turn inside the session, not for its handshake only.

Requests with the same `stream_id` (a lane) are answered one after another, lanes side by side. Lanes, waiting requests and the bytes of all are
bounded; a client that leaves cancels what is under way. It must not know what a response is.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from msgspec import Raw

from turnout.core.errors import CallFailed, Failure, Kind
from turnout.edge.conversations import Conversations
from turnout.wire import body as bodies
from turnout.wire.codec import LINE_BYTES_MAX
from turnout.wire.sse import SseParser

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LANES_MAX = 16
WAITING_MAX = 32  # requests in all lanes that are not begun
BODIES_BYTES_MAX = 64 * 1024 * 1024  # of requests that wait or are under way
REMEMBERED_MAX = 64
REMEMBERED_BYTES_MAX = 16 * 1024 * 1024
_LANE = re.compile(r"[A-Za-z0-9_.-]{1,256}\Z")
_ENVELOPE = ("type", "stream_id", "stream", "background")
_OF_THE_HANDSHAKE = re.compile(rb"upgrade|connection|sec-websocket-.*|content-.*|transfer-encoding|expect")
_encode = msgspec.json.Encoder().encode
_text = msgspec.json.Decoder(str)
_object = msgspec.json.Decoder(dict[str, Raw])


class Lanes:
    """One client's session. `app` is asked as over HTTP; `encode_error` gives an error body of the dialect."""

    def __init__(self, app: App, scope: Scope, send: Send, encode_error: Callable[[Failure], bytes]) -> None:
        self._app = app
        self._send = send
        self._encode_error = encode_error
        self._waiting: dict[str | None, deque[bytes]] = {}
        self._tasks: dict[str | None, asyncio.Task[None]] = {}
        self._bodies_bytes = 0
        self._notes: dict[str, Any] = {}
        self._memory = Conversations(
            entries_max=REMEMBERED_MAX, bytes_max=REMEMBERED_BYTES_MAX
        )  # of this connection alone: also what was not to be stored
        self._scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": scope["path"],
            "raw_path": scope["raw_path"],
            "query_string": scope["query_string"],
            "headers": [pair for pair in scope["headers"] if not _OF_THE_HANDSHAKE.fullmatch(pair[0])],
            "client": scope["client"],
        }

    async def run(self, receive: Receive) -> None:
        """Until the client leaves; then nothing of it goes on."""
        try:
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                await self._begin(message["bytes"] if text is None else text.encode())
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin(self, data: bytes) -> None:
        lane: str | None = None
        try:
            members = bodies.open_members(data)
            lane = _lane_of(members)
            body = _request_of(members)
            if sum(map(len, self._waiting.values())) >= WAITING_MAX:
                raise bodies.bad(f"There are {WAITING_MAX} requests waiting on this connection already.")
            if lane not in self._tasks and len(self._tasks) >= LANES_MAX:
                raise bodies.bad(f"This connection has {LANES_MAX} streams already.", "stream_id")
            if self._bodies_bytes + len(body) > BODIES_BYTES_MAX:
                raise bodies.bad(
                    f"The requests that are open on this connection have more than {BODIES_BYTES_MAX} bytes."
                )
        except CallFailed as error:
            await self._refuse(lane, error.failure)
            return
        self._bodies_bytes += len(body)
        self._waiting.setdefault(lane, deque()).append(body)
        if lane not in self._tasks:
            self._tasks[lane] = asyncio.create_task(self._work(lane))

    async def _work(self, lane: str | None) -> None:
        """One lane's requests, in order."""
        waiting = self._waiting[lane]
        try:
            while waiting:
                body = waiting.popleft()
                await self._turn(lane, body)
                self._bodies_bytes -= len(body)
        finally:
            del self._tasks[lane], self._waiting[lane]

    async def _turn(self, lane: str | None, body: bytes) -> None:
        answer = _Answer(self._send, lane)
        scope = {
            **self._scope,
            "extensions": {
                "turnout.body": lambda: body,
                "turnout.notes": self._notes,
                "turnout.memory": self._memory,
            },
        }
        try:
            await self._app(scope, _nothing, answer.send)
        except Exception:
            failure = Failure(Kind.INTERNAL, "Internal error.")
            await self._refuse(lane, failure)
            raise

    async def _refuse(self, lane: str | None, failure: Failure) -> None:
        body = self._encode_error(failure)
        await self._send({"type": "websocket.send", "text": error_event(lane, failure.row.status, body)})


class _Answer:
    """Turns an HTTP answer into messages: a stream's events one by one, anything else into an `error` event."""

    def __init__(self, send: Send, lane: str | None) -> None:
        self._send = send
        self._lane = lane
        self._status = 200
        self._streamed = False
        self._parser = SseParser(LINE_BYTES_MAX)
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            kind = next((value for name, value in message["headers"] if name == b"content-type"), b"")
            self._streamed = kind.startswith(b"text/event-stream")
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if not self._streamed:
            self._body += body
            if not more:
                text = error_event(self._lane, self._status, self._body)
                await self._send({"type": "websocket.send", "text": text})
            return
        for text in self._events(body, more=more):
            await self._send({"type": "websocket.send", "text": text})

    def _events(self, body: bytes, *, more: bool) -> Iterable[str]:
        events = self._parser.feed(body)
        if not more and (rest := self._parser.rest()) is not None:
            events.append(rest)
        for event in events:
            if event.data and event.data != b"[DONE]":
                yield _with_lane(event.data, self._lane).decode("utf-8", "replace")


def error_event(lane: str | None, status: int, body: bytes) -> str:
    """An error body of the dialect as an event on the socket."""
    try:
        error = _object.decode(body).get("error", Raw(b"null"))
    except msgspec.MsgspecError:
        error = Raw(_encode({"message": "Internal error.", "type": "server_error"}))
    event = b'{"type":"error","status":%d,"error":%b}' % (status, bytes(error))
    return _with_lane(event, lane).decode("utf-8", "replace")


def _with_lane(event: bytes, lane: str | None) -> bytes:
    return event if lane is None else bodies.annotate(event, _encode(lane), b"stream_id")


def _lane_of(members: dict[str, Raw]) -> str | None:
    """Raises `CallFailed(BAD_REQUEST)`."""
    if "stream_id" not in members:
        return None
    lane = bodies.read(members, "stream_id", _text, "")
    if not _LANE.match(lane):
        raise bodies.bad("stream_id: must be 1 to 256 letters, digits, '_', '.' or '-'", "stream_id")
    return lane


def _request_of(members: dict[str, Raw]) -> bytes:
    """The body of `POST /v1/responses`. Raises `CallFailed(BAD_REQUEST)`."""
    kind = bodies.read(members, "type", _text, "")
    if kind != "response.create":
        raise bodies.bad(f"type: must be 'response.create', not {kind[:64]!r}", "type")
    body = {name: raw for name, raw in members.items() if name not in _ENVELOPE}
    body["stream"] = Raw(b"true")
    return bodies.join_members(body)


async def _nothing() -> Message:
    """Nothing comes after the body; a client that leaves cancels the turn."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("unreachable")
