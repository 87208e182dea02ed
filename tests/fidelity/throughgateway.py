"""Every recording through a real gateway process, real sockets on both sides.

A replay server plays the providers: the recording to answer with is named by the request's model. Each recording is asked for twice: by
a client of its own dialect, who must receive the recorded bytes, and by one of the other, whose SDK must read the same.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.e2e.processes import Process
from tests.fidelity.codecs import other
from tests.fidelity.compare import differences
from tests.fidelity.inprocess import first_difference
from tests.fidelity.recordings import Dialect, Recording, all_recordings
from tests.fidelity.report import Outcome
from tests.fidelity.views import view
from turnout.core.errors import TABLE, Kind
from turnout.upstream.transport import Origin, Timeouts, Transport
from turnout.wire.registry import CODECS

PATHS: dict[Dialect, str] = {"openai_chat": "/v1/chat/completions", "anthropic": "/v1/messages"}
AT_ONCE = 16
TIMEOUTS = Timeouts(first_byte_s=30, stall_s=30, total_s=60)


class Replay:
    """Answers a request for the model `rec-N` with recording N, exactly as recorded."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._recordings = recordings
        self.bodies: dict[tuple[int, str], bytes] = {}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(h.split(b":")[1])
                    for h in head.lower().split(b"\r\n")
                    if h.startswith(b"content-length")
                )
                body = await reader.readexactly(length)
                number = int(json.loads(body)["model"].removeprefix("rec-"))
                path = head.split(b" ", 2)[1].decode()
                self.bodies[number, path] = body
                writer.write(_wire(self._recordings[number]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _wire(recording: Recording) -> bytes:
    headers = dict(recording.headers)
    headers["content-type"] = (
        "text/event-stream" if recording.streamed else headers.get("content-type", "application/json")
    )
    if not recording.streamed and "json" not in headers["content-type"]:
        headers["content-type"] = "application/json" if recording.body[:1] in b"{[" else "text/plain"
    lines = [f"HTTP/1.1 {recording.status} Recorded"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name.isascii() and value.isprintable()]
    if not recording.streamed:
        lines.append(f"content-length: {len(recording.body)}")
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + recording.body
    lines.append("transfer-encoding: chunked")
    chunks = [recording.body[i : i + 4096] for i in range(0, len(recording.body), 4096)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def config(recordings: Sequence[Recording], port: int) -> str:
    lines = [
        "server: {port: 0, annotate_body: false}",
        "store: sqlite:///fidelity.db",
        "resilience: {retries_same: 0}",
        "providers:",
        f"  replay_openai: {{dialect: openai_chat, base_url: 'http://127.0.0.1:{port}/v1', api_key: none}}",
        f"  replay_anthropic: {{dialect: anthropic, base_url: 'http://127.0.0.1:{port}', api_key: none}}",
        "models:",
    ]
    for number, recording in enumerate(recordings):
        provider = "replay_openai" if recording.dialect == "openai_chat" else "replay_anthropic"
        quirks = ", quirks: [no_done]" if recording.no_done else ""
        lines.append(f"  rec-{number}: {{provider: {provider}, tier: standard{quirks}}}")
    return "\n".join(lines) + "\n"


def request_of(recording: Recording, number: int, dialect: Dialect) -> dict[str, Any]:
    """The recorded request for its own dialect, a plain one for the other; always with usage, so that nothing is taken out."""
    plain: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
    if dialect == "anthropic":
        plain["max_tokens"] = 1000
    own = dialect == recording.dialect and isinstance(recording.request, dict)
    body = dict(recording.request) if own else plain
    body["model"] = f"rec-{number}"
    body.pop("stream", None)
    if recording.streamed:
        body["stream"] = True
        if dialect == "openai_chat":
            options = body.get("stream_options")
            body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return body


async def _ask(transport: Transport, origin: Origin, dialect: Dialect, body: bytes) -> tuple[int, bytes]:
    head = f"POST {PATHS[dialect]} HTTP/1.1\r\nhost: x\r\nanthropic-version: 2023-06-01\r\n".encode()
    response = await transport.request(origin, head, body, TIMEOUTS)
    return response.status, await response.read_all()


def outcomes(limit: int = 0) -> list[Outcome]:
    """`limit` > 0: about so many recordings, evenly chosen."""
    recordings = all_recordings()
    if limit:
        recordings = recordings[:: max(1, len(recordings) // limit)]
    return asyncio.run(_outcomes(recordings))


async def _outcomes(recordings: Sequence[Recording]) -> list[Outcome]:
    replay = Replay(recordings)
    server = await asyncio.start_server(replay, "127.0.0.1", 0, backlog=256)
    port = server.sockets[0].getsockname()[1]
    transport = Transport()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "turnout.yaml").write_text(config(recordings, port))
        with Process("serve", cwd=Path(folder)) as process:
            await asyncio.to_thread(process.ready)
            origin, _ = Origin.of(process.url)
            gate = asyncio.Semaphore(AT_ONCE)

            async def one(number: int) -> list[Outcome]:
                async with gate:
                    return await _both(replay, transport, origin, recordings[number], number)

            found = await asyncio.gather(*[one(number) for number in range(len(recordings))])
            await transport.close()
            await asyncio.to_thread(process.stop)
    server.close()
    return [outcome for pair in found for outcome in pair]


async def _both(
    replay: Replay, transport: Transport, origin: Origin, recording: Recording, number: int
) -> list[Outcome]:
    out = []
    for way, dialect in (("same", recording.dialect), ("across", other(recording.dialect))):
        body = json.dumps(request_of(recording, number, dialect), ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        )
        status, received = await _ask(transport, origin, dialect, body)
        if way == "same":
            sent = replay.bodies.get((number, PATHS[dialect]))
            found = _same(recording, status, received) + _request(body, sent)
        else:
            found = _across(recording, dialect, status, received)
        out.append(Outcome(recording.id, recording.dialect, way, recording.streamed, tuple(found)))
    return out


def _same(recording: Recording, status: int, received: bytes) -> list[str]:
    if recording.status in (401, 403):  # our credentials are not the client's affair
        return [] if status == 502 else [f"status {recording.status} → {status}"]
    if recording.status == 200 or received == recording.body:
        out = [] if status == recording.status else [f"status {recording.status} → {status}"]
        return out + ([] if received == recording.body else [first_difference(recording.body, received)])
    failure = CODECS[recording.dialect].decode_failure(recording.status, [], recording.body)
    if failure.row.health == "credential" and status == failure.row.status:
        return []
    return [f"status {recording.status} → {status}", first_difference(recording.body, received)]


def _request(body: bytes, sent: bytes | None) -> list[str]:
    """What reached the provider is what the client sent: Turnout had nothing to set."""
    if sent is None:
        return ["the request did not reach the provider"]
    return [] if sent == body else [f"request: {first_difference(body, sent)}"]


def _across(recording: Recording, client: Dialect, status: int, received: bytes) -> list[str]:
    if recording.status != 200:
        failure = CODECS[recording.dialect].decode_failure(
            recording.status, list(_raw(recording)), recording.body
        )
        wanted = TABLE[failure.kind].status
        body = json.loads(received)
        shaped = body.get("type") == "error" if client == "anthropic" else isinstance(body.get("error"), dict)
        out = [] if status == wanted else [f"status {recording.status} ({failure.kind.value}) → {status}"]
        return out if shaped else [*out, "the error is not in the client's dialect"]
    try:
        expected = view(recording.dialect, recording.streamed, recording.body)
    except ValueError as error:
        return [] if status == TABLE[Kind.MALFORMED].status else [f"the SDK cannot read it: {error}"]
    if expected.failed and status != 200:
        return []
    if status != 200:
        return [f"status 200 → {status}: {received[:100]!r}"]
    return differences(expected, view(client, recording.streamed, received), client)


def _raw(recording: Recording) -> Sequence[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in recording.headers]
