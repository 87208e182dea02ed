"""Operations that are passed as they are (`core.call.PASSED`): how such a request is opened and its streamed reply sent.

Promise: the client gets the provider's bytes as they come, under the provider's content type, and a reply that broke never looks whole:
a stream of events gets an error event in the client's dialect; sound, which has no place for one, has its connection broken off.
Whole replies take the way of every other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from turnout.core.call import Call, Reply
from turnout.core.events import Failed, Frame
from turnout.edge.reading import check_depth
from turnout.edge.replying import Head
from turnout.wire.codec import Codec, PassingCodec, Relay

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Push = Callable[[bytes], Awaitable[None] | None]

_NO_EXTENSIONS: dict[str, Any] = {}
_EVENTS = b"text/event-stream"


def understand_passed(
    call: Call, codec: Codec, body: bytes, headers: Iterable[tuple[bytes, bytes]], depth_max: int
) -> None:
    """Write the envelope on the call, and how it is described to routing. Raises `CallFailed`."""
    assert isinstance(codec, PassingCodec)
    content_type = next((value for name, value in headers if name == b"content-type"), b"")
    call.envelope = envelope = codec.peek_passed(call.op, content_type, body)
    if envelope.form is None:
        check_depth(body, depth_max, envelope.fields)
    op, passing = call.op, codec
    call.decode = lambda _: passing.describe_passed(op, envelope)


async def send_passed(reply: Reply, head: Head, relay: Relay, scope: Scope, send: Send) -> None:
    """Start the response and pass the reply on to its end, or to where it broke."""
    extensions = scope.get("extensions", _NO_EXTENSIONS)
    write = relay.relay if reply.content_type[: len(_EVENTS)].lower() == _EVENTS else _bytes_of
    head.add(b"cache-control", b"no-cache")
    head.add(b"x-accel-buffering", b"no")
    await send({"type": "http.response.start", "status": 200, "headers": head.pairs()})
    push: Push | None = extensions.get("turnout.push")
    while (frames := reply.ready()) or not reply.over:
        if frames and (data := write(frames)):
            if push is None:
                await send({"type": "http.response.body", "body": data, "more_body": True})
            elif (drained := push(data)) is not None:
                await drained
        if write is _bytes_of and _broke(frames):
            _break_off(extensions)
            return
        waiting = reply.arrival()
        if waiting is not None:
            await waiting
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _bytes_of(frames: Sequence[Frame]) -> bytes:
    return b"".join([frame.raw for frame in frames])


def _broke(frames: Sequence[Frame]) -> bool:
    return any(type(event) is Failed for frame in frames for event in frame.events)


def _break_off(extensions: dict[str, Any]) -> None:
    """Where the server has no such extension, a response that is never completed says the same."""
    abort: Callable[[], None] | None = extensions.get("turnout.abort")
    if abort is not None:
        abort()
