"""`previous_response_id`, with any provider: what a request refers to is spelt out, what answers it is remembered.

Promise: the provider that made and stored the earlier response gets the request as the client wrote it; every other provider, of
whatever dialect, gets the conversation in full, as the JSON texts that were sent and received. A reply can be referred to from the
moment its end leaves, and from no earlier one, by an id that nobody else's reply has: the provider's own where the provider keeps
the reply under it and has given it to nobody before, else one of Turnout's. What is kept, for whom and how long, is `conversations`' affair: a process remembers
by itself, so with several workers or after a restart an id may be unknown, and the caller is told so in the API's own words.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from turnout.core.call import Call, Native
from turnout.core.card import Card
from turnout.core.errors import CallFailed, Failure, Kind, Told
from turnout.core.model import Request
from turnout.edge.conversations import Conversations, Stored
from turnout.wire.body import open_members
from turnout.wire.openai_responses import history

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_ENDS = re.compile(rb"response\.(?:completed|incomplete)")


class Turn(Struct, frozen=True):
    """A request on its way, as far as it will be remembered: where to (`None`: nowhere), and all its items, earlier ones first."""

    memory: Conversations | None
    items: tuple[Raw, ...]
    stored: bool = True


def begin_turn(call: Call, memory: Conversations, session: Conversations | None, *, guarded: bool) -> Turn:
    """Resolve `previous_response_id` on the call, and say what is to be remembered. Raises `CallFailed(BAD_REQUEST)`.

    `session` is what one connection remembers for itself, stored or not. The provider that made and stored the earlier response
    gets the request as it is; everybody else gets the conversation spelt out. An id that Turnout does not know is left to
    providers of the dialect, and is an error for others; `guarded`, where callers are told apart by keys, it is left to those
    only whose objects are for everybody. An id that is known to be another key's is never left to anybody.
    """
    fields: Mapping[str, Raw] = call.envelope.fields
    now_s = time.monotonic()
    stored = history.is_stored(fields)
    keep = memory if stored else session
    items = history.input_items(fields)
    wanted = history.previous_id(fields)
    if wanted is None:
        return Turn(keep, items, stored)
    owner = call.principal.key
    found = session.get(owner, wanted, now_s) if session is not None else None
    found = found or memory.get(owner, wanted, now_s)
    if found is None:
        unknown = not_found(wanted, "previous_response_id")
        if guarded:
            if wanted in memory:
                raise unknown
            call.refers = unknown.failure
        call.decode = _unknown(wanted)
        return Turn(None, items, stored)
    if found.provider is not None:
        call.native = Native(found.provider, call.envelope)
    earlier = (*history.items_of(found.input), *history.items_of(found.output))
    body = history.with_history(call.envelope.body, [raw for raw in earlier if not _is_bare(raw)])
    call.envelope = replace(call.envelope, fields=open_members(body), body=body)
    return Turn(keep, (*earlier, *items), stored)


def watched(call: Call, turn: Turn, scope: Scope, send: Send) -> tuple[Scope, Send]:
    """Scope and `send` that remember the response in the moment before its end leaves: the client may refer to it at once.

    The response's id is settled here as well (`call.name`), remembered or not.
    """
    watch = _Watch(call, turn, send)
    call.name, call.kept = watch.name, turn.memory is not None
    if turn.memory is None:
        return scope, send
    extensions = dict(scope.get("extensions", {}))
    respond, push = extensions.get("turnout.respond"), extensions.get("turnout.push")
    if respond is not None:
        extensions["turnout.respond"] = lambda status, head, lines, body: respond(
            status, head, lines, watch.whole(status, body)
        )
    if push is not None:
        extensions["turnout.push"] = lambda data: push(watch.piece(data))
    return {**scope, "extensions": extensions}, watch.send


class _Watch:
    def __init__(self, call: Call, turn: Turn, send: Send) -> None:
        self._call = call
        self._turn = turn
        self._send = send
        self._status = 200
        self._id: str | None = None
        self._keeper: str | None = None  # the provider that keeps the response under this id

    def name(self, card: Card, provider_id: str) -> str:
        """The id that the client is told, from the provider's."""
        if self._id is None:
            self._id = f"resp_{self._call.number:016x}{secrets.token_hex(16)}"
            if card.dialect == self._call.dialect and provider_id and self._is_kept(provider_id):
                self._id, self._keeper = provider_id, card.provider
        return self._id

    def _is_kept(self, provider_id: str) -> bool:
        """May the provider's id stand? Where nobody here remembers the response, it is the provider's affair."""
        memory = self._turn.memory
        return memory is None or (self._turn.stored and memory.claim(provider_id))

    def whole(self, status: int, body: bytes) -> bytes:
        if status == 200:
            self._ended(history.finished(body))
        return body

    def piece(self, data: bytes) -> bytes:
        if _ENDS.search(data) is not None:
            self._ended(history.finished_stream(data))
        return data

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif body := message.get("body"):
            if message.get("more_body"):
                self.piece(body)
            elif not self._call.envelope.stream:
                self.whole(self._status, body)
        await self._send(message)

    def _ended(self, ended: history.Ended | None) -> None:
        turn = self._turn
        if ended is None or turn.memory is None or ended.id != self._id:
            return
        stored = Stored(
            ended.id,
            bytes(ended.body),
            history.items_text(turn.items),
            history.items_text(ended.output),
            self._keeper,
        )
        turn.memory.put(self._call.principal.key, stored, time.monotonic())


class _Item(Struct):
    type: str = ""
    encrypted_content: str | None = None


_item = msgspec.json.Decoder(_Item)


def _is_bare(raw: Raw) -> bool:
    """Reasoning without its proof: whoever did not make it cannot take it."""
    if b'"reasoning"' not in bytes(raw):
        return False
    try:
        item = _item.decode(raw)
    except msgspec.MsgspecError:
        return False
    return item.type == "reasoning" and not item.encrypted_content


def _unknown(response_id: str) -> Callable[[bytes], Request]:
    def decode(_: bytes) -> Request:
        raise not_found(response_id, "previous_response_id")

    return decode


def not_found(response_id: str, param: str | None = None) -> CallFailed:
    """In the API's own words, which agents look for."""
    text = f"Previous response with id '{response_id[:128]}' not found."
    error = {
        "message": text,
        "type": "invalid_request_error",
        "param": param,
        "code": "previous_response_not_found",
    }
    told = Told("openai_responses", 400, msgspec.json.encode({"error": error}))
    return CallFailed(Failure(Kind.BAD_REQUEST, text, param=param, told=told))
