"""Replies that are read while they come.

Promise: a stream is read once, from whichever loop asks first; whoever leaves the loop early, closes the stream or is cancelled cancels the
provider; a reply that breaks raises after everything that had arrived. It must not know how a request is made or served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec

from turnout.core.call import Reply as Frames
from turnout.core.call import next_frames
from turnout.core.errors import Failure
from turnout.core.events import Answer, Event, Failed, Folder, TextDelta
from turnout.edge.inside import Inside
from turnout.library.asking import Flow, Message, Put, Send
from turnout.library.errors import error_of
from turnout.library.replies import Reply, reply_of
from turnout.wire.codec import LINE_BYTES_MAX
from turnout.wire.sse import SseEvent, SseParser

T = TypeVar("T")
P = TypeVar("P")
Serve = Callable[[Put[P]], Awaitable[None]]
Begin = Callable[[Serve[P]], Flow[P]]
Run = Callable[[Inside, Send], Awaitable[None]]
Encode = Callable[[Answer, Inside], bytes]

_EVENTS = b"text/event-stream"
_decode = msgspec.json.Decoder().decode


class Reading(Generic[T]):
    """An iteration. The loop alone holds it, so that leaving the loop is noticed."""

    def __init__(self, source: _Source[T, Any]) -> None:
        self._source = source

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        found = await self._source.next()
        if found is None:
            raise StopAsyncIteration
        return found

    def __del__(self) -> None:
        self._source.drop()


class _Texts:
    """The text of the first choice alone."""

    def __init__(self, events: Reading[Event]) -> None:
        self._events = events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        async for event in self._events:
            if isinstance(event, TextDelta) and event.choice == 0:
                return event.text
        raise StopAsyncIteration


class _Source(Generic[T, P]):
    """What all streams share. Nothing is asked before the first item is."""

    def __init__(self, begin: Begin[P], run: Run, inside: Inside) -> None:
        """`begin` starts the task that serves; `run` is the call itself."""
        self._begin = begin
        self._run = run
        self._inside = inside
        self._flow: Flow[P] | None = None
        self._ready: deque[T] = deque()

    @property
    def request_id(self) -> str:
        """Empty until the first item is there."""
        return self._inside.request_id

    def __aiter__(self) -> Reading[T]:
        return Reading(self)

    async def next(self) -> T | None:
        """The next item; `None` at the end. Raises `TurnoutError`."""
        if self._flow is None:
            self._flow = self._begin(self._serve)
        while not self._ready:
            piece = await self._flow.next()
            if piece is None:
                self._end()
                if not self._ready:
                    return None
            else:
                self._take(piece)
        return self._ready.popleft()

    async def _serve(self, put: Put[P]) -> None:
        raise NotImplementedError

    def _take(self, piece: P) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        """Nothing more comes."""

    def drop(self) -> None:
        if self._flow is not None:
            self._flow.drop()

    async def aclose(self) -> None:
        """End the reply, wherever it is; harmless after its end."""
        if self._flow is not None:
            await self._flow.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class Stream(_Source[Event, list[Event]]):
    """The events of a reply (`turnout.TextDelta`, `ToolDelta`, `Usage`, `Finished`, …), whoever gives it.

    Raises `TurnoutError`: at the first event where nothing was answered, after the last one that arrived where the reply broke.
    """

    def __init__(self, begin: Begin[list[Event]], run: Run, inside: Inside, encode: Encode) -> None:
        super().__init__(begin, run, inside)
        self._encode = encode
        self._folder = Folder()
        self._failure: Failure | None = None

    @property
    def text(self) -> AsyncIterator[str]:
        """The same, but the pieces of text alone (of the first choice, where there are several)."""
        return _Texts(aiter(self))

    async def reply(self) -> Reply:
        """The whole reply, after its end; what was not read yet is read first. Raises `TurnoutError`."""
        while await self.next() is not None:
            pass
        return reply_of(self._inside, self._encode(self._folder.answer(), self._inside))

    async def _serve(self, put: Put[list[Event]]) -> None:
        async def take(reply: Frames) -> None:
            while frames := await next_frames(reply):
                if events := [event for frame in frames for event in frame.events]:
                    await put(events)

        self._inside.take = take
        await self._run(self._inside, _nobody)

    def _take(self, piece: list[Event]) -> None:
        for event in piece:
            self._folder.add(event)
            if isinstance(event, Failed):
                self._failure = event.failure
            else:
                self._ready.append(event)

    def _end(self) -> None:
        if self._failure is not None:
            raise error_of(self._failure, self.request_id)


async def _nobody(message: Message) -> None:
    """An error's body: the exception says the same."""


class RawStream(_Source[Any, bytes]):
    """A stream in its dialect's own form: the JSON of each server-sent event, or `bytes` where the answer is no such stream.

    Raises `TurnoutError` as `Stream` does; before it comes what the dialect has for an error, if anything.
    """

    def __init__(self, begin: Begin[bytes], run: Run, inside: Inside) -> None:
        super().__init__(begin, run, inside)
        self._parser: SseParser | None = None

    async def _serve(self, put: Put[bytes]) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                kind = next((value for name, value in message["headers"] if name == b"content-type"), b"")
                self._parser = SseParser(LINE_BYTES_MAX) if kind.startswith(_EVENTS) else None
            elif body := message.get("body"):
                await put(body)

        await self._run(self._inside, send)

    def _take(self, piece: bytes) -> None:
        if self._parser is None:
            self._ready.append(piece)
        else:
            self._add(self._parser.feed(piece))

    def _end(self) -> None:
        if self._parser is not None and (rest := self._parser.rest()) is not None:
            self._add([rest])
        call = self._inside.call
        outcome = None if call is None else call.outcome
        if not self._ready and outcome is not None and outcome.failure is not None:
            raise error_of(outcome.failure, self.request_id)

    def _add(self, events: Iterable[SseEvent]) -> None:
        self._ready.extend(_decode(event.data) for event in events if event.data and event.data != b"[DONE]")
