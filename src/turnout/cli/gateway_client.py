"""A small client of a running gateway, for commands: our own transport and codec, nothing else to install."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec import Struct

from turnout.cli.terminal import CommandError
from turnout.core.events import Event, Failed
from turnout.upstream.transport import Origin, Response, Timeouts, Transport, TransportError
from turnout.wire.registry import CODECS

PATIENT = Timeouts(connect_s=5, tls_s=5, first_byte_s=600, stall_s=120, total_s=3600)


class _Said(Struct):
    message: str
    code: str | None = None
    type: str | None = None


class _Refusal(Struct):
    error: _Said


def _refusal(status: int | None, body: bytes, otherwise: str) -> CommandError:
    """What the gateway itself said, with its code: the codec's reading speaks of a provider, which this is not."""
    answered = "the gateway answered" + (f" {status}" if status is not None else "")
    try:
        said = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return CommandError(f"{answered}: {otherwise}", "no_gateway", status=status)
    code = said.code or said.type or "failed"  # a provider's own error, relayed, may have no code
    advice = "; give its key with --key or TURNOUT_KEY" if status == 401 else ""
    return CommandError(f"{answered} ({code}): {said.message}{advice}", code, status=status)


class GatewayClient:
    """Asks one gateway, in the OpenAI dialect. Raises `CommandError`."""

    def __init__(self, url: str, key: str) -> None:
        try:
            self._origin, base = Origin.of(url)
        except ValueError as error:
            raise CommandError(f"--url: {error}", "bad_argument") from None
        host = self._origin.host if ":" not in self._origin.host else f"[{self._origin.host}]"
        authorization = f"authorization: Bearer {key}\r\n" if key else ""
        if not (key.isascii() and key.isprintable()):
            raise CommandError("the key holds characters that no header can", "bad_argument")
        self._head = (
            f"POST {base}/v1/chat/completions HTTP/1.1\r\nhost: {host}:{self._origin.port}\r\n"
            f"content-type: application/json\r\n{authorization}"
        ).encode()
        self._url = url
        self._transport = Transport()

    async def post(self, body: dict[str, Any]) -> Response:
        """A response with status 200."""
        try:
            response = await self._transport.request(
                self._origin, self._head, msgspec.json.encode(body), PATIENT
            )
            if response.status != 200:
                said = await response.read_all()
                raise _refusal(response.status, said, "not as Turnout does; is --url right?")
        except TransportError as error:
            raise CommandError(
                f"no gateway at {self._url} ({error.reason}); start one with `turnout run`, or give --url",
                "no_gateway",
            ) from None
        return response

    async def events(self, body: dict[str, Any]) -> AsyncIterator[Event]:
        """The events of a streamed answer."""
        response = await self.post({**body, "stream": True, "stream_options": {"include_usage": True}})
        decoder = CODECS["openai_chat"].stream_decoder()
        while True:
            try:
                data = await response.read()
            except TransportError as error:
                raise CommandError(f"the answer was cut: {error.reason}", "cut") from None
            frames = decoder.feed(data) if data else decoder.eof(None)
            for frame in frames:
                for event in frame.events:
                    if isinstance(event, Failed):
                        raise _refusal(None, frame.raw.strip().removeprefix(b"data:"), event.failure.message)
                    yield event
            if not data:
                return

    async def close(self) -> None:
        await self._transport.close()


@asynccontextmanager
async def connected(url: str, key: str) -> AsyncIterator[GatewayClient]:
    client = GatewayClient(url, key)
    try:
        yield client
    finally:
        await client.close()
