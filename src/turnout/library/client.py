"""`turnout.Client`: the engine in an asyncio program.

Promise: each method is one call through the engine: routed, held to rules and money, retried and failed over, and written to the log as
one row. Errors are `TurnoutError`s; what is the program's own mistake is a `RuntimeError` or `TypeError`, before anything is sent. A task
that is cancelled cancels its provider. It must not know how a request is served: it makes bodies, and reads what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

import msgspec

from turnout.core.events import Answer
from turnout.edge.endpoints import find_endpoint
from turnout.edge.inside import Inside
from turnout.edge.replying import annotation
from turnout.library.asking import Asked, Send, ask, run
from turnout.library.options import ChatOptions, Controls, Messages, chat_body, embed_body
from turnout.library.replies import Embeddings, Reply, Response, embeddings_of, reply_of
from turnout.library.running import Running, Source
from turnout.library.streams import RawStream, Stream
from turnout.routing.explanation import Explanation
from turnout.wire.codec import Meta
from turnout.wire.registry import CODECS

CHAT_PATH = "/v1/chat/completions"
EMBEDDINGS_PATH = "/v1/embeddings"
ROUTE_PATH = "/v1/route"

_explanation = msgspec.json.Decoder(Explanation)
_encode = msgspec.json.Encoder().encode


class Client:
    """A gateway in this program, for one event loop.

        async with turnout.Client("turnout.yaml") as client:
            reply = await client.chat("What is the capital of France?")

    `config`: a file, a dictionary of the same form, a `turnout.config.schema.Config`, or nothing, which serves what `turnout run` does:
    the models of the providers whose keys the environment has, else simulated ones. `key`: the *name* of a configured key, whose rules
    then hold for every call; without one the calls are the operator's own, under no key's rules, and the log says `library`.
    `environ`: in place of the process's environment. Nothing listens; the log is written to the configuration's `store`.
    """

    def __init__(
        self, config: Source = None, *, key: str | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._running = Running(config, environ)
        self._key = key

    async def open(self) -> Self:
        """Start; `async with` does it. Raises `ConfigurationError`, or `RuntimeError` for a second time."""
        await self._running.open()
        try:
            self._running.principal(self._key)
        except BaseException:
            await self._running.close()
            raise
        return self

    async def close(self) -> bool:
        """End what is under way, and return when every log row is stored; False where rows were lost."""
        return await self._running.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def under(self, key: str | None) -> Client:
        """The same client, for calls under another configured key's rules (`None`: the operator's). Closing either closes both.

        Raises `ConfigurationError` for a name that no key has.
        """
        self._running.principal(key)
        other = Client(key=key)
        other._running = self._running
        return other

    # -- calls
    async def chat(self, messages: Messages, *, model: str = "auto", **options: Unpack[ChatOptions]) -> Reply:
        """One whole reply. `messages`: a prompt, or a conversation in OpenAI's form. Raises `TurnoutError`."""
        inside = self._inside()
        response = await self._ask(inside, Asked(CHAT_PATH, chat_body(messages, model, options)))
        return reply_of(inside, response.content)

    def stream(self, messages: Messages, *, model: str = "auto", **options: Unpack[ChatOptions]) -> Stream:
        """The same, event by event; nothing is asked before the first is. The events raise `TurnoutError`."""
        asked = Asked(CHAT_PATH, chat_body(messages, model, options, stream=True))
        return Stream(self._running.flow, self._runner(asked), self._inside(), _body_of)

    async def embed(
        self,
        texts: str | Sequence[str],
        *,
        model: str,
        dimensions: int | None = None,
        **controls: Unpack[Controls],
    ) -> Embeddings:
        """A vector for each text, in order; one text is a list of one. Raises `TurnoutError`."""
        given = [texts] if isinstance(texts, str) else texts
        inside = self._inside()
        asked = Asked(EMBEDDINGS_PATH, embed_body(given, model, dimensions, controls))
        return embeddings_of(inside, (await self._ask(inside, asked)).content)

    async def route(
        self, messages: Messages, *, model: str = "auto", **options: Unpack[ChatOptions]
    ) -> Explanation:
        """Where `chat` would go, and why; nobody is asked, nothing is logged. Raises `TurnoutError`."""
        asked = Asked(ROUTE_PATH, chat_body(messages, model, options))
        return _explanation.decode((await self._ask(self._inside(), asked)).content)

    # -- any dialect
    async def request(
        self,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Whatever the gateway has at a path, in the form of that API: `/v1/messages`, `/v1/responses`, `/v1/models`, `/metrics`, …

        A body that is a mapping is sent as JSON; `bytes` as they are, under the `content-type` in `headers`. `method`: by default POST with
        a body, GET without. What is asked of Turnout is the body's `turnout` object or an `x-turnout-…` header. Raises `TurnoutError`.
        """
        return await self._ask(self._inside(), _asked(path, body, method, headers))

    def request_stream(
        self, path: str, body: Mapping[str, Any] | bytes, *, headers: Mapping[str, str] | None = None
    ) -> RawStream:
        """The same for an answer that comes in pieces: the path or the body must ask for a stream as that API wants it."""
        asked = _asked(path, body, None, headers)
        return RawStream(self._running.flow, self._runner(asked), self._inside())

    # -- the engine
    def _inside(self) -> Inside:
        return Inside(self._running.principal(self._key))

    async def _ask(self, inside: Inside, asked: Asked) -> Response:
        return await ask(self._running.gateway.app, inside, asked)

    def _runner(self, asked: Asked) -> Any:
        async def runner(inside: Inside, send: Send) -> None:
            await run(self._running.gateway.app, inside, asked, send)

        return runner


def _asked(
    path: str, body: Mapping[str, Any] | bytes | None, method: str | None, headers: Mapping[str, str] | None
) -> Asked:
    given = {"content-type": "application/json"} | {
        name.lower(): value for name, value in (headers or {}).items()
    }
    content = body if isinstance(body, bytes) else b"" if body is None else _encode(body)
    pairs = tuple((name.encode("latin-1"), value.encode()) for name, value in given.items())
    return Asked(path, content, (method or ("GET" if body is None else "POST")).upper(), pairs)


def _body_of(answer: Answer, inside: Inside) -> bytes:
    """A stream's whole reply as the gateway would have sent it."""
    call, card = inside.call, inside.card
    assert call is not None and card is not None, "an answered call"
    endpoint = find_endpoint(CHAT_PATH, b"")
    assert endpoint is not None
    codec = CODECS[endpoint.dialect]
    body = codec.encode_answer(answer, Meta(call.id, int(call.arrived_unix_s), card.id, True))
    return codec.annotate(body, annotation(call, card, whole=True))
