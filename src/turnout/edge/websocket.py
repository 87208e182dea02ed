"""A WebSocket on an inbound connection, spoken to the application as ASGI's `websocket` scope.

The protocol itself (handshake, masks, fragments, control frames, close codes) is the `websockets` package's, used without its
I/O; this file moves bytes between it and the connection. Promises: a message is handed over whole, and none is larger than the
limit; what the application does not read stops the reading of the socket; what the client does not read stops the application;
pings are answered; a socket that has lived too long is closed with a reason.

It must not know what is said over the socket. It is imported when the first client asks for one: most processes never do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

if TYPE_CHECKING:
    from turnout.edge.http import Connection

Message = dict[str, Any]
Scope = dict[str, Any]

INTERNAL_ERROR = 1011
NORMAL = 1000


class Socket:
    """Made by a `Connection` when a client asks to upgrade; from then on every byte is this socket's."""

    def __init__(self, connection: Connection, scope: Scope, message_bytes_max: int) -> None:
        self.scope: Scope = {
            **scope,
            "type": "websocket",
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self._connection = connection
        self._protocol = ServerProtocol(
            max_size=message_bytes_max,
            extensions=[ServerPerMessageDeflateFactory(compress_settings={"memLevel": 5})],
        )
        self._accepted = False
        self._early = b""  # what came before the application accepted
        self._refused = b""
        self._status = 403
        self._received: deque[Message] = deque([{"type": "websocket.connect"}])
        self._unread_bytes = 0
        self._parts: list[bytes] = []
        self._text = False
        self._waiter: asyncio.Future[None] | None = None
        self._over = False

    async def run(self) -> None:
        """Serve the socket until either side ends it."""
        connection = self._connection
        try:
            await connection.app(self.scope, self.receive, self.send)
        except Exception as error:  # noqa: BLE001 - the last line of defence: log it, tell the client
            connection.loop.call_exception_handler({"message": "the application raised", "exception": error})
            self.close(INTERNAL_ERROR, "Internal error.")
        else:
            self.close(NORMAL, "")

    @property
    def ended(self) -> bool:
        return self._over

    # -- from the connection
    def feed(self, data: bytes) -> None:
        if not self._accepted:
            self._early += data
            if len(self._early) > self._connection.limits.unread_body_bytes_max:
                self._connection.pause_reading()
            return
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._frame(event)
        self._flush()
        if protocol.state is not State.OPEN and self._accepted:
            self._end(protocol.close_rcvd.code if protocol.close_rcvd is not None else 1006)

    def lost(self) -> None:
        """The connection is gone."""
        self._end(1006)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, unless that was said. A socket that was never accepted is refused."""
        if not self._accepted:
            if not self._over:
                self._over = True
                self._connection.refuse_upgrade(403, b"")
            return
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
        self._flush()
        self._end(code)

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._text = frame.opcode is Opcode.TEXT
            self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
        else:
            return  # pings and closes were answered by the protocol
        if not frame.fin:
            return
        data, self._parts = b"".join(self._parts), []
        kind = "text" if self._text else "bytes"
        self._received.append(
            {"type": "websocket.receive", kind: data.decode("utf-8", "replace") if self._text else data}
        )
        self._unread_bytes += len(data)
        if self._unread_bytes > self._connection.limits.unread_body_bytes_max:
            self._connection.pause_reading()
        self._wake()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._connection.write(data)
            else:  # both sides have said goodbye, and it is the server that hangs up
                self._connection.hang_up()
        if self._protocol.close_expected():
            self._connection.end_soon()

    def _end(self, code: int) -> None:
        if not self._over:
            self._over = True
            self._received.append({"type": "websocket.disconnect", "code": code})
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- to the application
    async def receive(self) -> Message:
        """`websocket.connect`, then messages as they come, then `websocket.disconnect`."""
        while not self._received:
            self._waiter = self._connection.loop.create_future()
            await self._waiter
        message = self._received.popleft()
        self._unread_bytes -= len(message.get("text") or message.get("bytes") or b"")
        if self._unread_bytes <= self._connection.limits.unread_body_bytes_max:
            self._connection.resume_reading()
        return message

    async def send(self, message: Message) -> None:
        """Accept, refuse with an HTTP response, send text or bytes, or close. Waits while the client does not read."""
        kind = message["type"]
        if self._over and kind != "websocket.http.response.body":
            return
        if kind == "websocket.accept":
            self._accept()
        elif kind == "websocket.send":
            text = message.get("text")
            if text is not None:
                self._protocol.send_text(text.encode() if isinstance(text, str) else text)
            else:
                self._protocol.send_binary(message["bytes"])
            self._flush()
            if self._connection.drained is not None:
                await self._connection.drained
        elif kind == "websocket.close":
            self.close(message.get("code", NORMAL), message.get("reason") or "")
        elif kind == "websocket.http.response.start":
            self._over = True
            lines = [b"%b: %b\r\n" % pair for pair in message["headers"]]
            self._refused = b"".join(lines)
            self._status = message["status"]
        elif kind == "websocket.http.response.body":
            self._connection.refuse_upgrade(self._status, message["body"], self._refused)

    def _accept(self) -> None:
        """The protocol reads the head itself, from its own text again: its parser has to begin there."""
        scope = self.scope
        raw = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        lines = b"".join([b"%b: %b\r\n" % pair for pair in scope["headers"]])
        self._protocol.receive_data(b"GET %b HTTP/1.1\r\n%b\r\n" % (raw, lines))
        requests = [event for event in self._protocol.events_received() if isinstance(event, Request)]
        if requests:
            response = self._protocol.accept(requests[0])
            self._protocol.send_response(response)
            self._accepted = response.status_code == 101
        self._flush()
        if not self._accepted:
            self._end(1006)
            self._connection.hang_up()
        elif self._early:
            early, self._early = self._early, b""
            self.feed(early)
