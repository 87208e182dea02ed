"""`turnout chat`: one question, or a conversation."""

from __future__ import annotations

import asyncio
import sys
import time

from msgspec import Struct

from turnout.cli.gateway_client import GatewayClient
from turnout.cli.terminal import ask, interruptible, note, plain, print_json, prose
from turnout.core.events import ReasoningDelta, Started, TextDelta, Usage

TURNS_MAX = 1000


class Said(Struct, frozen=True):
    """What came back. Times in ms."""

    model: str
    text: str
    input_tokens: int | None
    output_tokens: int | None
    first_token_ms: float | None
    total_ms: float


def chat(prompt: str | None, model: str, system: str | None, url: str, key: str, as_json: bool) -> int:
    """Lines are read outside the event loop, in the main thread, so that Ctrl-C ends a prompt as well as an answer."""
    messages = [{"role": "system", "content": system}] if system else []
    with asyncio.Runner() as runner:
        client = GatewayClient(url, key)
        try:
            if prompt is None:
                _converse(runner, client, model, messages)
            else:
                text = sys.stdin.read() if prompt == "-" else prompt
                _once(runner, client, model, [*messages, {"role": "user", "content": text}], as_json)
        finally:
            runner.run(client.close())
    return 0


def _once(
    runner: asyncio.Runner, client: GatewayClient, model: str, messages: list[dict[str, str]], as_json: bool
) -> None:
    said = interruptible(runner, _ask(client, model, messages, not as_json))
    if as_json:
        print_json(said)
    else:
        _footer(said)


def _converse(
    runner: asyncio.Runner, client: GatewayClient, model: str, messages: list[dict[str, str]]
) -> None:
    note("An empty line or Ctrl-D ends the conversation.")
    for _ in range(TURNS_MAX):
        line = ask("> ")
        if line is None:
            sys.stdout.write("\n")
        if line is None or not (line := line.strip()):
            return
        messages.append({"role": "user", "content": line})
        said = interruptible(runner, _ask(client, model, messages, True))
        messages.append({"role": "assistant", "content": said.text})
        _footer(said)


async def _ask(client: GatewayClient, model: str, messages: list[dict[str, str]], show: bool) -> Said:
    begun = time.perf_counter()
    first: float | None = None
    served, parts, usage = model, [], None
    async for event in client.events({"model": model, "messages": messages}):
        if isinstance(event, Started):
            served = event.model or served
        elif isinstance(event, TextDelta | ReasoningDelta):
            first = first or (time.perf_counter() - begun) * 1000
            if isinstance(event, TextDelta):
                parts.append(event.text)
                if show:
                    sys.stdout.write(prose(event.text))
                    sys.stdout.flush()
        elif isinstance(event, Usage):
            usage = event
    if show:
        sys.stdout.write("\n")
    total = (time.perf_counter() - begun) * 1000
    tokens = (None, None) if usage is None else (usage.prompt, usage.output)
    return Said(served, "".join(parts), tokens[0], tokens[1], first, total)


def _footer(said: Said) -> None:
    tokens = (
        "" if said.input_tokens is None else f", {said.input_tokens} in + {said.output_tokens} out tokens"
    )
    first = "" if said.first_token_ms is None else f", first token {said.first_token_ms:.0f} ms"
    note(f"[{plain(said.model)}{tokens}{first}, {said.total_ms:.0f} ms]")
