"""`turnout.SyncClient`: the same for programs without an event loop.

Promise: one loop in one thread of its own serves any number of threads; a method blocks its caller only. A caller who is interrupted, or
leaves a stream's loop, cancels the provider. After `close` the thread has ended and the log is stored. It decides nothing: each method is
that of `Client`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack

from turnout.core.errors import Failure, Kind
from turnout.core.events import Event
from turnout.library.client import Client
from turnout.library.errors import error_of
from turnout.library.options import ChatOptions, Controls, Messages
from turnout.library.replies import Embeddings, Reply, Response
from turnout.library.running import Source
from turnout.library.streams import RawStream, Stream
from turnout.routing.explanation import Explanation

T = TypeVar("T")


class _Thread:
    """An event loop in a thread, from `start` to `stop`."""

    def __init__(self) -> None:
        self._state = "not open yet: use `with`, or `client.open()`"
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Raises `RuntimeError` for a second time."""
        with self._lock:
            if self._thread is not None:
                raise RuntimeError(f"the client is {self._state if self._loop is None else 'open already'}")
            self._loop = loop = _new_loop()
            self._thread = threading.Thread(target=_serve, args=(loop,), name="turnout", daemon=True)
            self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Raises what the coroutine does, and `RuntimeError` where there is no loop."""
        with self._lock:
            if self._loop is None:
                coroutine.close()
                raise RuntimeError(f"the client is {self._state}")
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise error_of(Failure(Kind.SHUTTING_DOWN, "The client was closed.")) from None
        except BaseException:
            future.cancel()  # an interrupted caller waits no more
            raise

    def stop(self, last: Callable[[], Coroutine[Any, Any, T]], otherwise: T) -> T:
        """Run `last` and end; `otherwise` where it has ended already."""
        with self._lock:
            loop, self._loop = self._loop, None
            if loop is None:
                return otherwise
            self._state = "closed"
            future = asyncio.run_coroutine_threadsafe(last(), loop)
        try:
            return future.result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            assert self._thread is not None
            self._thread.join()


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, where there is one (not on Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()


class SyncClient:
    """As `turnout.Client`, for any number of threads.

    with turnout.SyncClient("turnout.yaml") as client:
        reply = client.chat("What is the capital of France?")
    """

    def __init__(
        self, config: Source = None, *, key: str | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._client = Client(config, key=key, environ=environ)
        self._thread = _Thread()

    def open(self) -> Self:
        """Start; `with` does it. Raises `ConfigurationError`, or `RuntimeError` for a second time."""
        self._thread.start()
        try:
            self._thread.run(self._client.open())
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> bool:
        """End what is under way, and return when every log row is stored; False where rows were lost."""
        return self._thread.stop(self._client.close, True)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def under(self, key: str | None) -> SyncClient:
        """See `Client.under`."""

        async def under() -> Client:
            return self._client.under(key)

        other = SyncClient()
        other._client, other._thread = self._thread.run(under()), self._thread
        return other

    def chat(self, messages: Messages, *, model: str = "auto", **options: Unpack[ChatOptions]) -> Reply:
        """See `Client.chat`."""
        return self._thread.run(self._client.chat(messages, model=model, **options))

    def stream(
        self, messages: Messages, *, model: str = "auto", **options: Unpack[ChatOptions]
    ) -> SyncStream:
        """See `Client.stream`."""

        async def begin() -> Stream:
            return self._client.stream(messages, model=model, **options)

        return SyncStream(self._thread, self._thread.run(begin()))

    def embed(
        self,
        texts: str | Sequence[str],
        *,
        model: str,
        dimensions: int | None = None,
        **controls: Unpack[Controls],
    ) -> Embeddings:
        """See `Client.embed`."""
        return self._thread.run(self._client.embed(texts, model=model, dimensions=dimensions, **controls))

    def route(
        self, messages: Messages, *, model: str = "auto", **options: Unpack[ChatOptions]
    ) -> Explanation:
        """See `Client.route`."""
        return self._thread.run(self._client.route(messages, model=model, **options))

    def request(
        self,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """See `Client.request`."""
        return self._thread.run(self._client.request(path, body, method=method, headers=headers))

    def request_stream(
        self, path: str, body: Mapping[str, Any] | bytes, *, headers: Mapping[str, str] | None = None
    ) -> SyncRawStream:
        """See `Client.request_stream`."""

        async def begin() -> RawStream:
            return self._client.request_stream(path, body, headers=headers)

        return SyncRawStream(self._thread, self._thread.run(begin()))


class _SyncReading(Generic[T]):
    def __init__(self, thread: _Thread, reading: AsyncIterator[T]) -> None:
        self._thread = thread
        self._reading = reading

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        for item in self._thread.run(self._next()):
            return item
        raise StopIteration

    async def _next(self) -> tuple[T, ...]:
        """One item, or none at the end."""
        async for item in self._reading:
            return (item,)
        return ()


class _SyncSource(Generic[T]):
    def __init__(self, thread: _Thread, source: Any) -> None:
        self._thread = thread
        self._source = source

    @property
    def request_id(self) -> str:
        """Empty until the first item is there."""
        found: str = self._source.request_id
        return found

    def __iter__(self) -> Iterator[T]:
        return _SyncReading(self._thread, aiter(self._source))

    def close(self) -> None:
        """End the reply, wherever it is; harmless after its end."""
        self._thread.run(self._source.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SyncStream(_SyncSource[Event]):
    """See `turnout.Stream`."""

    @property
    def text(self) -> Iterator[str]:
        """The pieces of text alone."""
        return _SyncReading(self._thread, self._source.text)

    def reply(self) -> Reply:
        """The whole reply, after its end; what was not read yet is read first. Raises `TurnoutError`."""
        reply: Coroutine[Any, Any, Reply] = self._source.reply()
        return self._thread.run(reply)


class SyncRawStream(_SyncSource[Any]):
    """See `turnout.RawStream`."""
