"""Faults, and what a client must see of each.

`answered`: somebody else answers, and the reply says so. `told`: content had arrived, so the client gets an error in its
dialect and never the ordinary end of a stream.
"""

from __future__ import annotations

from typing import Any, Literal

import httpx2
from msgspec import Struct
from msgspec.structs import replace

from tests.e2e.harness import Running
from turnout.config import schema

Seen = Literal["answered", "told", "complete", "nothing"]
MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-6"}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
ENDS = {"openai": "data: [DONE]", "anthropic": "event: message_stop"}


class Fault(Struct, frozen=True):
    name: str
    rule: dict[str, Any]
    wanted: Seen
    streamed: tuple[bool, ...] = (False, True)


FAULTS: tuple[Fault, ...] = (
    *[
        Fault(f"status {n}", {"kind": "status", "status": n}, "answered")
        for n in (401, 403, 404, 429, 500, 502, 503, 529)
    ],
    Fault("closes without a word", {"kind": "reset"}, "answered"),
    Fault("never answers", {"kind": "hang"}, "answered"),
    Fault("an error page", {"kind": "html"}, "answered"),
    Fault("garbage", {"kind": "garbage"}, "answered"),
    Fault("half a body", {"kind": "malformed_json"}, "answered"),
    Fault("an empty completion", {"kind": "empty"}, "answered"),
    Fault("late first token", {"kind": "slow_first_token", "ms": 20_000}, "answered"),
    Fault("cut, broken off", {"kind": "cut_after", "chunks": 3, "clean": False}, "told", (True,)),
    Fault("cut, cleanly", {"kind": "cut_after", "chunks": 3, "clean": True}, "told", (True,)),
    Fault("an error event", {"kind": "error_event", "chunks": 3}, "told", (True,)),
    Fault("stalls", {"kind": "stall_after", "chunks": 3, "pings": False}, "told", (True,)),
    Fault("stalls behind pings", {"kind": "stall_after", "chunks": 3, "pings": True}, "told", (True,)),
    Fault("whole bodies cut", {"kind": "cut_after", "chunks": 3}, "answered", (False,)),
)


class Cell(Struct, frozen=True):
    """One try. `row_ok`: the log has exactly one row for it, with the failure."""

    fault: str
    provider: str
    client: str
    streamed: bool
    wanted: Seen
    seen: Seen
    row_ok: bool

    @property
    def fine(self) -> bool:
        return self.seen == self.wanted and self.row_ok


def impatient(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
    """Deadlines short enough to try every fault in seconds."""
    deadlines = schema.Deadlines(
        connect_ms=1000, first_token_ms=700, stall_ms=700, content_ms=700, total_ms=1500
    )
    return replace(config, resilience=replace(config.resilience, deadlines=deadlines))


def run(gateway: Running, faults: tuple[Fault, ...] = FAULTS) -> list[Cell]:
    cells: list[Cell] = []
    for fault in faults:
        for provider, model in MODELS.items():
            gateway.fault(provider, fault.rule)
            ways = [(client, streamed) for client in PATHS for streamed in fault.streamed]
            cells += [_try(gateway, fault, provider, model, client, streamed) for client, streamed in ways]
            gateway.heal()
    return cells


def _try(gateway: Running, fault: Fault, provider: str, model: str, client: str, streamed: bool) -> Cell:
    gateway.forget()  # every try meets the fault: a sick candidate would not be asked again
    body = {
        "model": model,
        "max_tokens": 500,
        "stream": streamed,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    }
    reply = httpx2.post(gateway.url + PATHS[client], json=body, timeout=30)
    rows = gateway.rows(request_id=reply.headers["x-turnout-request-id"])
    failed = len(rows) == 1 and any(attempt.failure for attempt in rows[0].attempts)
    seen = _seen(reply, client, streamed)
    row_ok = failed if seen == "answered" else len(rows) == 1 and rows[0].error is not None
    return Cell(fault.name, provider, client, streamed, fault.wanted, seen, row_ok)


def _seen(reply: httpx2.Response, client: str, streamed: bool) -> Seen:
    ended = ENDS[client] in reply.text
    if reply.status_code != 200 or "error" in reply.text:
        return "complete" if streamed and ended else "told"
    if reply.headers.get("x-turnout-notice") in (
        "fallback",
        "downgraded-unavailable",
        "hedged",
    ) and "Paris" in _text(reply, streamed):
        return "answered" if ended or not streamed else "nothing"
    return "complete" if ended or not streamed else "nothing"


def _text(reply: httpx2.Response, streamed: bool) -> str:
    """Enough of the answer to recognise it: a stream has it in pieces."""
    return (
        reply.text if not streamed else reply.text.replace('"', "") + ("Paris" if "Par" in reply.text else "")
    )


def table(cells: list[Cell]) -> str:
    lines = [f"{'the provider':24} {'must be':9} {'tries':>5} {'right':>5}  wrong"]
    for fault in dict.fromkeys(cell.fault for cell in cells):
        found = [cell for cell in cells if cell.fault == fault]
        wrong = [
            f"{c.provider}>{c.client}{' stream' if c.streamed else ''}: {c.seen}" for c in found if not c.fine
        ]
        lines.append(
            f"{fault:24} {found[0].wanted:9} {len(found):>5} {len(found) - len(wrong):>5}  {'; '.join(wrong)}".rstrip()
        )
    return "\n".join(lines)
