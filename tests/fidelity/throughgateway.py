"""Every recording through a real gateway process, real sockets on both sides.

A replay server plays the providers: the recording to answer with is named by the request's model. Each recording is asked for twice: by
a client of its own dialect, who must receive the recorded bytes and whose request must arrive as it was sent (but for the model's name and the
wish for usage, which are Turnout's to set), and by one of the other dialect, whose SDK must read the same.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.processes import Process
from tests.fidelity.codecs import other
from tests.fidelity.compare import differences
from tests.fidelity.exact import request_differences, wants_usage, without_usage_chunk
from tests.fidelity.inprocess import first_difference
from tests.fidelity.recordings import Dialect, Recording, all_recordings
from tests.fidelity.report import Outcome
from tests.fidelity.strict import complaints
from tests.fidelity.views import view
from turnout.core.errors import TABLE, Kind
from turnout.upstream.transport import Origin, Timeouts, Transport
from turnout.wire.registry import CODECS

PATHS: dict[Dialect, str] = {"openai_chat": "/v1/chat/completions", "anthropic": "/v1/messages"}
UPSTREAM_ID = (
    "recorded-"  # the provider's name for a model is not the client's, so that every request is rewritten
)
AT_ONCE = 16
TIMEOUTS = Timeouts(first_byte_s=30, stall_s=30, total_s=60)


class Received(NamedTuple):
    status: int
    kind: bytes
    body: bytes


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
                number = int(json.loads(body)["model"].removeprefix(UPSTREAM_ID))
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
        lines.append(
            f"  rec-{number}: {{provider: {provider}, id: {UPSTREAM_ID}{number}, tier: standard{quirks}}}"
        )
    return "\n".join(lines) + "\n"


def request_of(recording: Recording, number: int, dialect: Dialect) -> dict[str, Any]:
    """The recorded request for its own dialect; a plain one for the other, or where only a response was recorded."""
    plain: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
    if dialect == "anthropic":
        plain["max_tokens"] = 1000
    recorded = recording.request if isinstance(recording.request, dict) else None
    own = recorded is not None and dialect == recording.dialect
    body = dict(recorded) if recorded is not None and own else plain
    body["model"] = f"rec-{number}"
    if recording.streamed or (recording.status != 200 and recorded is not None and recorded.get("stream")):
        body["stream"] = True
        if dialect == "openai_chat" and not own:
            body["stream_options"] = {"include_usage": True}
    else:
        body.pop("stream", None)
    return body


async def _ask(transport: Transport, origin: Origin, dialect: Dialect, body: bytes) -> Received:
    head = f"POST {PATHS[dialect]} HTTP/1.1\r\nhost: x\r\nanthropic-version: 2023-06-01\r\n".encode()
    response = await transport.request(origin, head, body, TIMEOUTS)
    kind = next((value for name, value in response.headers if name.lower() == b"content-type"), b"")
    return Received(response.status, kind, await response.read_all())


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
        asked = request_of(recording, number, dialect)
        body = json.dumps(asked, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
        reply = await _ask(transport, origin, dialect, body)
        if way == "same":
            sent = replay.bodies.get((number, PATHS[dialect]))
            openai_stream = dialect == "openai_chat" and asked.get("stream") is True
            usage_chunk = wants_usage(asked) or not openai_stream
            found = same(recording, reply, usage_chunk=usage_chunk)
            found += request_differences(body, sent, model=f"{UPSTREAM_ID}{number}", metered=openai_stream)
        else:
            found = _across(recording, dialect, reply)
        out.append(Outcome(recording.id, recording.dialect, way, recording.streamed, tuple(found)))
    return out


def same(recording: Recording, reply: Received, *, usage_chunk: bool) -> list[str]:
    """What the client of the provider's own dialect got, against what was recorded. `usage_chunk`: it asked for it."""
    if recording.status in (401, 403):  # our credentials are not the client's affair
        out = [] if reply.status == 502 else [f"status {recording.status} → {reply.status}"]
        if reply.body == recording.body or not in_dialect(recording.dialect, reply.body):
            out.append(f"not an error of ours: {reply.body[:80]!r}")
        return out
    wanted = recording.body if usage_chunk else without_usage_chunk(recording.body)
    if recording.status == 200 or reply.body == wanted:
        out = [] if reply.status == recording.status else [f"status {recording.status} → {reply.status}"]
        if recording.streamed != reply.kind.startswith(b"text/event-stream"):
            out.append(f"content type: {reply.kind!r}")
        return out + ([] if reply.body == wanted else [first_difference(wanted, reply.body)])
    failure = CODECS[recording.dialect].decode_failure(recording.status, [], recording.body)
    if failure.row.health == "credential" and reply.status == failure.row.status:
        return (
            [] if in_dialect(recording.dialect, reply.body) else ["the error is not in the client's dialect"]
        )
    return [f"status {recording.status} → {reply.status}", first_difference(wanted, reply.body)]


def in_dialect(client: Dialect, body: bytes) -> bool:
    """Is it an error that the client's SDK can read?"""
    try:
        found = json.loads(body)
    except ValueError:
        return False
    error = found.get("error")
    shaped = isinstance(error, dict) and isinstance(error.get("message"), str) and bool(error.get("type"))
    return shaped and (client == "openai_chat" or found.get("type") == "error")


def _across(recording: Recording, client: Dialect, reply: Received) -> list[str]:
    if recording.status != 200:
        failure = CODECS[recording.dialect].decode_failure(
            recording.status, list(_raw(recording)), recording.body
        )
        wanted = TABLE[failure.kind].status
        out = (
            []
            if reply.status == wanted
            else [f"status {recording.status} ({failure.kind.value}) → {reply.status}"]
        )
        return out if in_dialect(client, reply.body) else [*out, "the error is not in the client's dialect"]
    try:
        expected = view(recording.dialect, recording.streamed, recording.body)
    except ValueError as error:
        return [] if reply.status == TABLE[Kind.MALFORMED].status else [f"the SDK cannot read it: {error}"]
    if expected.failed and reply.status != 200:
        return []
    if reply.status != 200:
        return [f"status 200 → {reply.status}: {reply.body[:100]!r}"]
    read = view(client, recording.streamed, reply.body)
    return differences(expected, read, client) + complaints(client, recording.streamed, reply.body, read)


def _raw(recording: Recording) -> Sequence[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in recording.headers]
