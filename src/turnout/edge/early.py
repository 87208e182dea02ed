"""A stream's head before its first content: what keeps balancers, proxies and SDKs from hanging up on a model that thinks.

Promise: a client that asked for a stream and has heard nothing for `head_s` is sent the head and then, every `PING_S`, a sign of life that its SDKs
pass over; falling back stays possible all the while, retries and pauses included. What is known of the answer only when it begins
(model, notices) is then in its first chunk, and a failure is told in-band, because the status has been sent. A call that
is answered in time costs one timer. It must not know why it takes so long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from turnout.core.call import Call
from turnout.core.model import DialectName
from turnout.edge.replying import waiting_head

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PING_S = 10.0
_PINGS: dict[DialectName, bytes] = {
    "anthropic": b'event: ping\ndata: {"type":"ping"}\n\n',
    "gemini": b"\r\n\r\n",  # its SDK reads no comments
}
_PING = b": waiting for the model\n\n"


class EarlyHead:
    """Made when the waiting begins; `stop` must be called when it is over, however it ended."""

    __slots__ = ("_call", "_content_type", "_send", "_task", "_timer", "begun")

    def __init__(self, call: Call, send: Send, content_type: bytes, head_s: float) -> None:
        self._call = call
        self._send = send
        self._content_type = content_type
        self._task: asyncio.Task[None] | None = None
        self.begun = False
        self._timer = asyncio.get_running_loop().call_later(head_s, self._begin)

    def _begin(self) -> None:
        self.begun = self._call.answering = True
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        head = waiting_head(self._call, self._content_type)
        await self._send({"type": "http.response.start", "status": 200, "headers": head.pairs()})
        ping = _PINGS.get(self._call.dialect, _PING)
        while True:
            await self._send({"type": "http.response.body", "body": ping, "more_body": True})
            await asyncio.sleep(PING_S)

    async def stop(self) -> bool:
        """No sign of life from now on. Was the head sent?"""
        self._timer.cancel()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))
        return self.begun
