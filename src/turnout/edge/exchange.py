"""One request and its response on an inbound connection: the `receive` and `send` of ASGI, and four extensions to it.

An application that only knows ASGI is served by messages. One that knows the extensions (`turnout.respond`, `turnout.body`,
`turnout.push`, `turnout.abort` in the scope) hands over finished bytes and is spared a dictionary and a coroutine for each. Whatever way it is answered:
a response is started once, ends once, and no header line holds a break. It must not know sockets: `edge.http` has them.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnout.edge.http import Connection

Message = dict[str, Any]
Scope = dict[str, Any]

STATUS_LINES: dict[int, bytes] = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """Made by a `Connection` when a request's head is whole."""

    __slots__ = (
        "body",
        "body_done",
        "chunked",
        "connection",
        "expect_continue",
        "finished",
        "head",
        "keep_alive",
        "late",
        "left",
        "no_body",
        "scope",
        "served",
        "size",
        "started",
        "waiter",
    )

    def __init__(self, connection: Connection, scope: Scope, keep_alive: bool, expect_continue: bool) -> None:
        self.connection = connection
        self.scope = scope
        self.keep_alive = keep_alive
        self.expect_continue = expect_continue
        self.body: list[bytes] = []
        self.size = 0
        self.body_done = False
        self.late = False
        self.left = False
        self.started = False
        self.finished = False
        self.chunked = False
        self.no_body = scope["method"] == "HEAD"
        self.head = b""
        self.waiter: asyncio.Future[None] | None = None
        self.served = False

    # -- from the connection
    def feed(self, data: bytes) -> None:
        self.body.append(data)
        self.size += len(data)
        if self.size > self.connection.limits.unread_body_bytes_max:
            self.connection.pause_reading()
        self.wake()

    def end_of_body(self) -> None:
        self.body_done = True
        self.wake()

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    # -- to the application
    async def receive(self) -> Message:
        """`http.request` messages; then, or when the client left or was too slow (`late`), `http.disconnect`."""
        while True:
            if self.left or self.late:
                return {"type": "http.disconnect", "late": self.late}
            if self.body or self.body_done:
                break
            if self.expect_continue:
                self.expect_continue = False
                self.connection.write(_CONTINUE)
            self.waiter = self.connection.loop.create_future()
            await self.waiter
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        self.body.clear()
        self.size = 0
        self.connection.resume_reading()
        return {"type": "http.request", "body": body, "more_body": not self.body_done}

    def take(self) -> bytes | None:
        """The whole body, if all of it is here: the ASGI extension `turnout.body`. `None`: use `receive`."""
        if not self.body_done or self.left or self.late:
            return None
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        self.body.clear()
        self.size = 0
        self.connection.resume_reading()
        return body

    async def send(self, message: Message) -> None:
        """A head is held until the first piece of body, so that both leave in one write."""
        if self.left:
            return
        if message["type"] == "http.response.body":
            self._send_body(message.get("body", b""), message.get("more_body", False))
            if self.connection.drained is not None:
                await self.connection.drained
        else:
            self._send_head(message["status"], message["headers"])

    def respond(self, status: int, head: bytes, lines: int, body: bytes) -> None:
        """A whole response in one call: the ASGI extension `turnout.respond`.

        `head` is finished header lines, `lines` of them, the content length among them: two messages and a loop over headers
        less for every reply (measured: 5 µs). Raises `ValueError` when a line holds a break.
        """
        if self.left or self.finished:
            return
        if head.count(b"\n") != lines or head.count(b"\r") != lines:
            raise ValueError("a line break in a response header")
        self.started = self.finished = True
        if self.expect_continue or not self.body_done:
            self.keep_alive = False
        close = b"" if self.keep_alive else b"connection: close\r\n"
        line = STATUS_LINES.get(status) or b"HTTP/1.1 %d -\r\n" % status
        self.connection.write(b"%b%b%b\r\n%b" % (line, head, close, b"" if self.no_body else body))
        self.connection.exchange_finished(self)

    def push(self, body: bytes) -> asyncio.Future[None] | None:
        """A piece of a streamed body: the ASGI extension `turnout.push`. The future, if any, is to be awaited before the next."""
        if not self.left:
            self._send_body(body, True)
        return self.connection.drained

    def abort(self) -> None:
        """Break the connection off: the ASGI extension `turnout.abort`, for a body that must not look whole."""
        self.connection.abort()

    def _send_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        if self.started:
            raise RuntimeError("the response was started twice")
        if status == 204 or status == 304:
            self.no_body = True
        lines = [STATUS_LINES.get(status) or b"HTTP/1.1 %d -\r\n" % status]
        has_length = False
        for name, value in headers:
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length":
                has_length = True
        self.chunked = not has_length and not self.no_body
        if self.chunked:
            if self.scope["http_version"] == "1.0":
                self.chunked, self.keep_alive = False, False
            else:
                lines.append(b"transfer-encoding: chunked\r\n")
        if self.expect_continue or not self.body_done:
            self.keep_alive = False
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines):
            raise ValueError("a line break in a response header")
        self.started = True
        self.head = head + b"\r\n"

    def _send_body(self, body: bytes, more: bool) -> None:
        if not self.started:
            raise RuntimeError("a response body without a head")
        if self.finished:
            return
        if self.no_body:
            body = b""
        elif self.chunked:
            if body:
                body = (
                    b"%x\r\n%b\r\n" % (len(body), body)
                    if more
                    else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                )
            elif not more:
                body = b"0\r\n\r\n"
        if self.head:
            body = self.head + body
            self.head = b""
        if body:
            self.connection.write(body)
        if not more:
            self.finished = True
            self.connection.exchange_finished(self)
