"""What was said as OpenAI chat JSON and streams, with the habits of each provider that speaks this format.

| provider | calls in a stream          | usage in a stream                                   | its own                        |
|----------|----------------------------|-----------------------------------------------------|--------------------------------|
| openai   | name, then fragments       | a last chunk without choices, if asked for          | `obfuscation`, `usage: null`   |
| groq     | one whole call a chunk     | finish chunk, `x_groq`, and the last chunk if asked | `x_groq`, times in usage       |
| deepseek | name, then fragments       | finish chunk                                        | `reasoning_content`            |
| mistral  | all whole, in finish chunk | finish chunk                                        | `p`, no `logprobs`, short ids  |
| google   | one whole call a chunk     | a last chunk without choices, if asked for          | no `logprobs`                  |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from turnout.sim import tokens
from turnout.sim.ask import Said
from turnout.sim.delivery import Stream
from turnout.sim.models import SimModel

_FINISH = {"stop": "stop", "length": "length", "tools": "tool_calls", "sequence": "stop"}
_WITH_LOGPROBS = frozenset({"openai", "groq", "deepseek"})
_USAGE_AT_FINISH = frozenset({"groq", "deepseek", "mistral"})
_WHOLE_CALLS = frozenset({"groq", "google"})
_PADDING = "abcdefghijklmnopqrstuvwxyz0123456789"
ARGUMENT_FRAGMENT_CHARS = 7

_Chunk = Callable[..., bytes]


class Wants(Struct):
    """What concerns the form of the reply."""

    stream: bool
    usage: bool
    n: int


class Reply(Struct):
    id: str
    created: int
    model: str
    provider: str
    said: list[Said]
    prompt_tokens: int
    cached_tokens: int


def usage(reply: Reply) -> dict[str, Any]:
    output = sum(said.output_tokens for said in reply.said)
    thought = sum(said.thought_tokens for said in reply.said)
    counts: dict[str, Any] = {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": output,
        "total_tokens": reply.prompt_tokens + output,
    }
    if reply.provider == "deepseek":
        counts["prompt_cache_hit_tokens"] = reply.cached_tokens
        counts["prompt_cache_miss_tokens"] = reply.prompt_tokens - reply.cached_tokens
    if reply.provider in ("openai", "deepseek", "google"):
        counts["prompt_tokens_details"] = {"cached_tokens": reply.cached_tokens}
    if reply.provider == "openai":
        counts["prompt_tokens_details"]["audio_tokens"] = 0
        counts["completion_tokens_details"] = {
            "reasoning_tokens": thought, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        }  # fmt: skip
    elif thought:
        counts["completion_tokens_details"] = {"reasoning_tokens": thought}
    if reply.provider == "groq":
        counts.update(
            {
                "queue_time": 0.01,
                "prompt_time": 0.002,
                "completion_time": output / 300,
                "total_time": output / 300 + 0.012,
            }
        )
    return counts


def _calls(said: Said, with_index: bool) -> list[dict[str, Any]]:
    return [
        {
            **({"index": number} if with_index else {}),
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for number, call in enumerate(said.calls)
    ]


def _content(reply: Reply, said: Said) -> str | None:
    if not said.calls:
        return said.text
    return "" if reply.provider in ("mistral", "deepseek") else None


def whole(reply: Reply) -> bytes:
    choices = []
    for index, said in enumerate(reply.said):
        message: dict[str, Any] = {"role": "assistant", "content": _content(reply, said)}
        if reply.provider == "openai":
            message.update({"refusal": None, "annotations": []})
        if said.thought:
            message["reasoning_content"] = said.thought
        if said.calls:
            message["tool_calls"] = _calls(said, False)
        choice = {"index": index, "message": message, "finish_reason": _FINISH[said.finish]}
        choices.append(choice | ({"logprobs": None} if reply.provider in _WITH_LOGPROBS else {}))
    body: dict[str, Any] = {**_frame(reply, "chat.completion"), "choices": choices, "usage": usage(reply)}
    return msgspec.json.encode(body)


def _frame(reply: Reply, kind: str) -> dict[str, Any]:
    frame: dict[str, Any] = {"id": reply.id, "object": kind, "created": reply.created, "model": reply.model}
    if reply.provider == "openai":
        frame.update({"service_tier": "default", "system_fingerprint": "fp_5ca1ab1e00"})
    elif reply.provider == "groq":
        frame.update({"system_fingerprint": "fp_9a1b2c3d4e", "x_groq": {"id": f"req_{reply.id[-20:]}"}})
    return frame


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def stream(reply: Reply, wants: Wants) -> Stream:
    chunk = _chunks(reply, wants)
    head: list[bytes] = []
    content: list[bytes] = []
    for index, said in enumerate(reply.said):
        head.append(chunk(index, _opening(reply, said), **_groq(reply, None)))
        content += [
            chunk(index, {"content": None, "reasoning_content": piece})
            for piece in tokens.pieces(said.thought)
        ]
        content += [chunk(index, {"content": piece}) for piece in tokens.pieces(said.text)]
        content += _call_chunks(reply, said, index, chunk)
    tail = _tail(reply, wants, chunk)
    error = {
        "message": "The server had an error while processing your request.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    return Stream(head, content, tail, b": keep-alive\n\n", _event({"error": error}))


def _chunks(reply: Reply, wants: Wants) -> _Chunk:
    frame = _frame(reply, "chat.completion.chunk")
    frame.pop("x_groq", None)
    if (reply.provider == "openai" and wants.usage) or reply.provider == "deepseek":
        frame["usage"] = None
    padded = {"openai": "obfuscation", "mistral": "p"}.get(reply.provider)

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice: dict[str, Any] = {"index": index, "delta": delta, "finish_reason": finish}
        if reply.provider in _WITH_LOGPROBS:
            choice["logprobs"] = None
        data = {**frame, "choices": [choice], **more}
        if padded:
            data[padded] = _PADDING[: 8 + (len(str(delta)) * 7) % 24]
        return _event(data)

    return chunk


def _opening(reply: Reply, said: Said) -> dict[str, Any]:
    delta: dict[str, Any] = {"role": "assistant", "content": ""}
    if reply.provider == "openai":
        delta["refusal"] = None
    if said.calls and reply.provider in ("openai", "groq"):
        delta["content"] = None
    if said.thought:
        delta.update({"content": None, "reasoning_content": ""})
    return delta


def _groq(reply: Reply, counts: dict[str, Any] | None) -> dict[str, Any]:
    if reply.provider != "groq":
        return {}
    return {"x_groq": {"id": f"req_{reply.id[-20:]}", **({"usage": counts} if counts else {})}}


def _tail(reply: Reply, wants: Wants, chunk: _Chunk) -> list[bytes]:
    counts = usage(reply)
    out = []
    for index, said in enumerate(reply.said):
        delta: dict[str, Any] = {} if reply.provider in ("openai", "groq") else {"content": ""}
        if reply.provider == "mistral" and said.calls:
            delta = {"tool_calls": _calls(said, True)}
        more: dict[str, Any] = {}
        if index == len(reply.said) - 1 and reply.provider in _USAGE_AT_FINISH:
            more = {"usage": counts, **_groq(reply, counts)}
        out.append(chunk(index, delta, _FINISH[said.finish], **more))
    if wants.usage and reply.provider in ("openai", "groq", "google"):
        frame = _frame(reply, "chat.completion.chunk")
        frame.pop("x_groq", None)
        out.append(_event({**frame, "choices": [], "usage": counts}))
    return [*out, b"data: [DONE]\n\n"]


def _call_chunks(reply: Reply, said: Said, index: int, chunk: _Chunk) -> list[bytes]:
    if reply.provider == "mistral":
        return []
    if reply.provider in _WHOLE_CALLS:
        return [chunk(index, {"tool_calls": [call]}) for call in _calls(said, True)]
    out = []
    for number, call in enumerate(said.calls):
        opened = {
            "index": number,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        out.append(chunk(index, {"tool_calls": [opened]}))
        for begin in range(0, len(call.arguments), ARGUMENT_FRAGMENT_CHARS):
            fragment = call.arguments[begin : begin + ARGUMENT_FRAGMENT_CHARS]
            out.append(chunk(index, {"tool_calls": [{"index": number, "function": {"arguments": fragment}}]}))
    return out


def listing(provider: str, models: list[SimModel]) -> bytes:
    rows = [
        {"id": model.id, "object": "model", "created": 1_735_689_600, "owned_by": provider}
        for model in models
    ]
    return msgspec.json.encode({"object": "list", "data": rows})
