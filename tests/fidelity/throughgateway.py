"""Every recording through a real gateway process, real sockets on both sides.

A replay server plays the providers: the recording to answer with is named by the request's model, in the body or in the path. Each
recording is asked for by a client of every dialect: one of its own must receive the recorded bytes, and its request must arrive
as it was sent (but for the model's name and the wish for usage, which are Turnout's to set); the SDKs of the others must read the same.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.processes import Process
from tests.fidelity.codecs import clients_of, spoken
from tests.fidelity.compare import differences
from tests.fidelity.exact import request_differences, wants_usage, without_usage_chunk
from tests.fidelity.inprocess import expected_view, first_difference
from tests.fidelity.recordings import Dialect, Recording
from tests.fidelity.report import Outcome, features
from tests.fidelity.strict import complaints
from tests.fidelity.views import view
from turnout.core.errors import TABLE
from turnout.upstream.transport import Origin, Timeouts, Transport
from turnout.wire.registry import CODECS, PROVIDERS

_BASE_PATHS: dict[Dialect, str] = {"openai_chat": "/v1", "openai_responses": "/v1", "mistral": "/v1"}
_PATHS: dict[Dialect, str] = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic": "/v1/messages",
}
_HELLO: dict[Dialect, dict[str, Any]] = {
    "openai_chat": {"messages": [{"role": "user", "content": "Hello"}]},
    "openai_responses": {"input": "Hello"},
    "anthropic": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1000},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
}
UPSTREAM_ID = (
    "recorded-"  # the provider's name for a model is not the client's, so that every request is rewritten
)
_NUMBER = re.compile(rb"recorded-(\d+)")
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
        self.bodies: dict[int, bytes] = {}  # the latest request's, by recording

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
                named = _NUMBER.search(head.split(b" ", 2)[1]) or _NUMBER.match(_model_in(body))
                assert named is not None, "a request without a model"
                number = int(named[1])
                self.bodies[number] = body
                writer.write(_wire(self._recordings[number]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _model_in(body: bytes) -> bytes:
    return str(json.loads(body).get("model", "")).encode()


def _wire(recording: Recording) -> bytes:
    headers = dict(recording.headers)
    if recording.streamed:
        headers["content-type"] = recording.stream_type
    elif "json" not in headers.get("content-type", "application/json"):
        headers["content-type"] = "application/json" if recording.body[:1] in b"{[" else "text/plain"
    else:
        headers.setdefault("content-type", "application/json")
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
    ]
    for dialect in sorted({recording.dialect for recording in recordings}):
        url = f"http://127.0.0.1:{port}{_BASE_PATHS.get(dialect, '')}"
        lines.append(
            f"  replay_{dialect}: {{dialect: {dialect}, base_url: '{url}', signer: none, api_key: none}}"
        )
    lines.append("models:")
    for number, recording in enumerate(recordings):
        quirks = ", quirks: [no_done]" if recording.no_done else ""
        name = f"provider: replay_{recording.dialect}, id: {UPSTREAM_ID}{number}"
        lines.append(f"  rec-{number}: {{{name}, tier: standard{quirks}}}")
    return "\n".join(lines) + "\n"


def request_of(recording: Recording, number: int, client: Dialect) -> dict[str, Any]:
    """The recorded request for its own dialect; a plain one for others, or where only a response was recorded."""
    recorded = recording.request if isinstance(recording.request, dict) else None
    own = recorded is not None and client == recording.dialect
    body = dict(recorded) if recorded is not None and own else dict(_HELLO[client])
    if client == "gemini":  # model and stream are in the path
        return body
    body["model"] = f"rec-{number}"
    if client == "openai_responses":
        body["store"] = (
            False  # many recordings bear one id, and of two that may be referred to later one would be renamed
        )
    if recording.streamed or (recording.status != 200 and recorded is not None and recorded.get("stream")):
        body["stream"] = True
        if client == "openai_chat" and not own:
            body["stream_options"] = {"include_usage": True}
    else:
        body.pop("stream", None)
    return body


def path_of(recording: Recording, number: int, client: Dialect, *, array: bool = False) -> str:
    if client != "gemini":
        return _PATHS[client]
    method = "streamGenerateContent" if recording.streamed else "generateContent"
    query = "?alt=sse" if recording.streamed and not array else ""
    return f"/v1beta/models/rec-{number}:{method}{query}"


async def _ask(transport: Transport, origin: Origin, path: str, body: bytes) -> Received:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nanthropic-version: 2023-06-01\r\n".encode()
    response = await transport.request(origin, head, body, TIMEOUTS)
    kind = next((value for name, value in response.headers if name.lower() == b"content-type"), b"")
    return Received(response.status, kind, await response.read_all())


def outcomes(limit: int = 0) -> list[Outcome]:
    """`limit` > 0: about so many recordings, evenly chosen."""
    recordings: Sequence[Recording] = spoken()
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
                    return await _asked(replay, transport, origin, recordings[number], number)

            found = await asyncio.gather(*[one(number) for number in range(len(recordings))])
            await transport.close()
            await asyncio.to_thread(process.stop)
    server.close()
    return [outcome for several in found for outcome in several]


async def _asked(
    replay: Replay, transport: Transport, origin: Origin, recording: Recording, number: int
) -> list[Outcome]:
    """By its own dialect's client first, where there is one, then by every other."""
    out = []
    own = (recording.dialect,) if recording.dialect in CODECS else ()
    for client in (*own, *clients_of(recording.dialect)):
        asked = request_of(recording, number, client)
        body = json.dumps(asked, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
        reply = await _ask(transport, origin, path_of(recording, number, client), body)
        has: tuple[str, ...] = ()
        if client == recording.dialect:
            openai_stream = client == "openai_chat" and asked.get("stream") is True
            found = same(recording, reply, usage_chunk=wants_usage(asked) or not openai_stream)
            model = None if client == "gemini" else f"{UPSTREAM_ID}{number}"
            found += request_differences(body, replay.bodies.get(number), model=model, metered=openai_stream)
            if recording.array is not None:
                path = path_of(recording, number, client, array=True)
                found += same_array(recording.array, await _ask(transport, origin, path, body))
        else:
            found = _across(recording, client, reply)
            has = features(expected_view(recording)) if recording.status == 200 else ()
        way = "same" if client == recording.dialect else "across"
        out.append(
            Outcome(recording.id, recording.dialect, way, recording.streamed, tuple(found), client, has)
        )
    return out


def same_array(recorded: bytes, reply: Received) -> list[str]:
    """A Gemini client without `alt=sse` gets the chunks as one JSON array; white space between them is nobody's."""
    if reply.status != 200 or not reply.kind.startswith(b"application/json"):
        return [f"array: status {reply.status}, {reply.kind!r}"]
    return [] if json.loads(reply.body) == json.loads(recorded) else ["array: other chunks"]


def same(recording: Recording, reply: Received, *, usage_chunk: bool) -> list[str]:
    """What the client of the provider's own dialect got, against what was recorded. `usage_chunk`: it asked for it."""
    if recording.status in (401, 403):  # our credentials are not the client's affair
        out = [] if reply.status == 502 else [f"status {recording.status} → {reply.status}"]
        if reply.body == recording.body or not in_dialect(recording.dialect, reply.body):
            out.append(f"not an error of ours: {reply.body[:80]!r}")
        return out
    if recording.streamed and reply.status != 200 and _failed_at_once(recording):
        return [] if in_dialect(recording.dialect, reply.body) else [f"not an error: {reply.body[:80]!r}"]
    wanted = recording.body if usage_chunk else without_usage_chunk(recording.body)
    if recording.status == 200 or reply.body == wanted:
        out = [] if reply.status == recording.status else [f"status {recording.status} → {reply.status}"]
        if recording.streamed != reply.kind.startswith(b"text/event-stream"):
            out.append(f"content type: {reply.kind!r}")
        return out + ([] if reply.body == wanted else [first_difference(wanted, reply.body)])
    failure = PROVIDERS[recording.dialect].decode_failure(recording.status, [], recording.body)
    if failure.row.health == "credential" and reply.status == failure.row.status:
        return (
            [] if in_dialect(recording.dialect, reply.body) else ["the error is not in the client's dialect"]
        )
    return [f"status {recording.status} → {reply.status}", first_difference(wanted, reply.body)]


def _failed_at_once(recording: Recording) -> bool:
    """Did the stream fail before it said anything? Then another provider may be asked, and the client gets a status."""
    seen = expected_view(recording)
    return seen.failed and not any(said.text or said.reasoning or said.tools for said in seen.choices)


def in_dialect(client: Dialect, body: bytes) -> bool:
    """Is it an error that the client's SDK can read?"""
    try:
        found = json.loads(body)
    except ValueError:
        return False
    error = found.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return False
    if client == "gemini":
        return isinstance(error.get("code"), int) and bool(error.get("status"))
    return bool(error.get("type")) and (client != "anthropic" or found.get("type") == "error")


def _across(recording: Recording, client: Dialect, reply: Received) -> list[str]:
    if recording.status != 200:
        failure = PROVIDERS[recording.dialect].decode_failure(
            recording.status, list(_raw(recording)), recording.body
        )
        wanted = TABLE[failure.kind].status
        out = (
            []
            if reply.status == wanted
            else [f"status {recording.status} ({failure.kind.value}) → {reply.status}"]
        )
        return out if in_dialect(client, reply.body) else [*out, "the error is not in the client's dialect"]
    expected = expected_view(recording)
    if expected.failed and reply.status != 200:
        return [] if in_dialect(client, reply.body) else ["the error is not in the client's dialect"]
    if reply.status != 200:
        return [f"status 200 → {reply.status}: {reply.body[:100]!r}"]
    read = view(client, recording.streamed, reply.body)
    return differences(expected, read, client) + complaints(client, recording.streamed, reply.body, read)


def _raw(recording: Recording) -> Sequence[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in recording.headers]
