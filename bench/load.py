"""The load: our C process (simulated provider and generator in one thread) and, where installed, wrk.

The C process is driven over its standard input, one command a line, one line of JSON a reply; it also answers as the
provider. wrk gives the figures of ordinary requests when it is there, because people know it; streams are always ours.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self, TypeVar

import msgspec
from msgspec import Struct

from bench.process import LOAD_CORE, pinned

REPLY_S_MAX = 20.0  # beyond the load's own duration
FOREVER = 10**9

Answer = TypeVar("Answer")

WRK_SCRIPT = """
local function slurp(path) local f = assert(io.open(path, "rb")); local s = f:read("*a"); f:close(); return s end
local raw = slurp(os.getenv("BENCH_REQUEST"))
local head, body = raw:match("^(.-)\\r\\n\\r\\n(.*)$")
wrk.method, wrk.body = "POST", body
for line in head:gmatch("[^\\r\\n]+") do
  local name, value = line:match("^([%w-]+): (.*)$")
  if name and name ~= "content-length" and name ~= "host" then wrk.headers[name] = value end
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\nBENCH {"seconds":%f,"completed":%d,"failed":%d,"p50_us":%d,"p99_us":%d}\\n',
    summary.duration / 1e6, summary.requests - e.status, e.status + e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


class LoadError(Exception):
    """The generator could not do its work."""


class Unary(Struct, frozen=True):
    seconds: float
    completed: int
    failed: int
    p50_us: int
    p99_us: int
    unfinished: int = 0


class Streams(Struct, frozen=True):
    seconds: float
    started: int
    completed: int
    failed: int
    broken: int
    unfinished: int
    chunks: int
    nudges: int
    stalls: int
    gap_us_max: int
    first_us_p50: int
    first_us_p99: int
    load_late_us_max: int


class Answered(Struct, frozen=True):
    """Requests that reached the provider since it started."""

    unary: int
    streams: int


class Paced(Struct, frozen=True):
    """Streams at a steady rate, opened evenly over a ramp."""

    streams: int
    chunks: int
    pace_ms: int
    ramp_ms: int

    @property
    def seconds(self) -> float:
        return (self.ramp_ms + self.chunks * self.pace_ms) / 1000


class Load:
    """The running C process; a context manager."""

    def __init__(self, binary: Path) -> None:
        self._process = subprocess.Popen(
            pinned((str(binary), "0"), LOAD_CORE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._pending = b""
        self.port = int(self._line(REPLY_S_MAX))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        if self._process.stdout:
            self._process.stdout.close()

    def _line(self, seconds_max: float) -> bytes:
        out = self._process.stdout
        assert out is not None
        deadline = time.monotonic() + seconds_max
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise LoadError(f"the load generator gave no answer in {seconds_max:.0f} s")
            data = out.read(65536)
            if not data:
                raise LoadError("the load generator ended")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _ask(self, command: str, answer: type[Answer], seconds: float) -> Answer:
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        line = self._line(seconds + REPLY_S_MAX)
        if b'"error"' in line:
            raise LoadError(f"the load generator refused: {command}")
        return msgspec.json.decode(line, type=answer)

    def unary(
        self, port: int, connections: int, seconds: float, request: Path, requests_max: int = FOREVER
    ) -> Unary:
        command = f"unary {port} {connections} {seconds} {requests_max} {request}"
        return self._ask(command, Unary, seconds)

    def streams(self, port: int, streams: int, chunks: int, seconds: float, request: Path) -> Streams:
        """Lockstep: the next chunk of a stream leaves when the last one has arrived."""
        return self._ask(f"streams {port} {streams} {chunks} {seconds} 0 0 {request}", Streams, seconds)

    def paced(self, port: int, plan: Paced, request: Path) -> Streams:
        command = f"streams {port} {plan.streams} {plan.chunks} 0 {plan.pace_ms} {plan.ramp_ms} {request}"
        return self._ask(command, Streams, plan.seconds)

    def answered(self) -> Answered:
        return self._ask("answered", Answered, 0)


def wrk_path() -> str | None:
    return shutil.which("wrk")


def wrk(port: int, connections: int, seconds: float, request: Path) -> Unary:
    """The same request over and over by wrk, one thread. wrk's durations are whole seconds."""
    script = request.with_suffix(".lua")
    script.write_text(WRK_SCRIPT)
    argv = (
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout=10s",
        f"-s{script}",
        f"http://127.0.0.1:{port}/v1/chat/completions",
    )
    try:
        done = subprocess.run(
            pinned(argv, LOAD_CORE),
            env={**os.environ, "BENCH_REQUEST": str(request)},
            capture_output=True,
            text=True,
            timeout=seconds + REPLY_S_MAX,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise LoadError(f"wrk: {error}") from error
    return msgspec.json.decode(done.stdout.rpartition("BENCH ")[2], type=Unary)


def write_request(path: Path, model: str, headers: tuple[tuple[str, str], ...], *, stream: bool) -> Path:
    """A whole HTTP request of about 1 KB of body in a file. `slot=0000` ties a stream to its client."""
    body = json.dumps(
        {
            "model": model,
            "messages": [
                {"role": "system", "content": "You are a railway engineer who answers in two sentences."},
                {"role": "user", "content": "slot=0000 " + QUESTION},
            ],
            "max_tokens": 256,
            "temperature": 0.2,
            "stream": stream,
        }
    )
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        *(f"{name}: {value}" for name, value in headers),
        f"content-length: {len(body)}",
    ]
    path.write_bytes("\r\n".join([*lines, "", body]).encode())
    return path


QUESTION = (
    "On our branch line the train from the harbour meets the train from the quarry at a loop of 420 metres. The "
    "eastern points were renewed last spring; since then drivers report a slight jolt when they leave the loop at "
    "25 km/h, though the track geometry car found gauge, cant and twist inside their limits. The western points are "
    "of the same drawing and thirty years older, and nobody complains about them. The maintenance crew has checked "
    "the detection rods, the stretcher bars and the fishplates, lifted and packed the sleepers under the frog, and "
    "ground the stock rail. Explain how a turnout guides a wheelset through the frog, what the check rails and wing "
    "rails are for, which three measurements you would take next at the eastern points and in what order, and what "
    "reading of each would make you suspect the frog itself and not the switch blades or their drive."
)

__all__ = [
    "Answered",
    "Load",
    "LoadError",
    "Paced",
    "Streams",
    "Unary",
    "wrk",
    "wrk_path",
    "write_request",
]
