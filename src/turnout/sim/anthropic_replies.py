"""What was said as Anthropic message JSON and named events.

The counts of `message_start` are provisional; those of `message_delta` are cumulative and repeat the input. A ping follows the start of the
first block. A thinking block ends with its signature.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from turnout.sim import tokens
from turnout.sim.ask import Said
from turnout.sim.delivery import Stream
from turnout.sim.models import SimModel

_FINISH = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use", "sequence": "stop_sequence"}
ARGUMENT_FRAGMENT_CHARS = 7


class Reply(Struct):
    id: str
    model: str
    said: Said
    input_tokens: int
    read_tokens: int
    written_5m: int
    written_1h: int
    signature: str
    redacted: str | None


def usage(reply: Reply, output: int | None = None) -> dict[str, Any]:
    return {
        "input_tokens": reply.input_tokens,
        "cache_creation_input_tokens": reply.written_5m + reply.written_1h,
        "cache_read_input_tokens": reply.read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": reply.written_5m,
            "ephemeral_1h_input_tokens": reply.written_1h,
        },
        "output_tokens": reply.said.output_tokens if output is None else output,
        "service_tier": "standard",
    }


def _last_usage(reply: Reply) -> dict[str, Any]:
    counts = usage(reply)
    kept = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    last: dict[str, Any] = {name: counts[name] for name in kept}
    if reply.said.thought_tokens:
        last["output_tokens_details"] = {"thinking_tokens": reply.said.thought_tokens}
    return last


def _thought_block(reply: Reply) -> list[dict[str, Any]]:
    if reply.redacted is not None:
        return [{"type": "redacted_thinking", "data": reply.redacted}]
    if not reply.said.thought:
        return []
    return [{"type": "thinking", "thinking": reply.said.thought, "signature": reply.signature}]


def _content(reply: Reply) -> list[dict[str, Any]]:
    said = reply.said
    blocks = _thought_block(reply)
    if said.text:
        blocks.append({"type": "text", "text": said.text})
    for call in said.calls:
        blocks.append(
            {
                "type": "tool_use",
                "id": call.id,
                "name": call.name,
                "input": msgspec.json.decode(call.arguments),
            }
        )
    return blocks


def _message_json(
    reply: Reply, content: list[dict[str, Any]], finish: str | None, counts: dict[str, Any]
) -> dict[str, Any]:
    return {
        "model": reply.model,
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": finish,
        "stop_sequence": reply.said.sequence if finish == "stop_sequence" else None,
        "usage": counts,
    }


def whole(reply: Reply) -> bytes:
    body = _message_json(reply, _content(reply), _FINISH[reply.said.finish], usage(reply))
    return msgspec.json.encode(body)


def _event(kind: str, **data: Any) -> bytes:
    text = msgspec.json.encode({"type": kind, **data}).decode()
    return f"event: {kind}\ndata: {text}\n\n".encode()


def stream(reply: Reply) -> Stream:
    head = [_event("message_start", message=_message_json(reply, [], None, usage(reply, 1)))]
    content: list[bytes] = []
    for index, block in enumerate(_content(reply)):
        content += _block_events(index, block)
    # The first block opens, and a ping comes, before there is anything to read.
    head += [*content[:1], _event("ping")]
    content = content[1:]
    said = reply.said
    delta = {
        "stop_reason": _FINISH[said.finish],
        "stop_sequence": said.sequence if said.finish == "sequence" else None,
    }
    tail = [
        _event("message_delta", delta=delta, usage=_last_usage(reply)),
        _event("message_stop"),
    ]
    error = _event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    return Stream(head, content, tail, _event("ping"), error)


def _block_events(index: int, block: dict[str, Any]) -> list[bytes]:
    def delta(**data: Any) -> bytes:
        return _event("content_block_delta", index=index, delta=data)

    out = []
    if block["type"] == "text":
        out.append(_event("content_block_start", index=index, content_block={"type": "text", "text": ""}))
        out += [delta(type="text_delta", text=piece) for piece in tokens.pieces(block["text"])]
    elif block["type"] == "thinking":
        opened = {"type": "thinking", "thinking": "", "signature": ""}
        out.append(_event("content_block_start", index=index, content_block=opened))
        out += [delta(type="thinking_delta", thinking=piece) for piece in tokens.pieces(block["thinking"])]
        out.append(delta(type="signature_delta", signature=block["signature"]))
    elif block["type"] == "tool_use":
        out.append(_event("content_block_start", index=index, content_block={**block, "input": {}}))
        text = msgspec.json.encode(block["input"]).decode()
        out.append(delta(type="input_json_delta", partial_json=""))
        out += [
            delta(type="input_json_delta", partial_json=text[i : i + ARGUMENT_FRAGMENT_CHARS])
            for i in range(0, len(text), ARGUMENT_FRAGMENT_CHARS)
        ]
    else:
        out.append(_event("content_block_start", index=index, content_block=block))
    out.append(_event("content_block_stop", index=index))
    return out


def listing(models: list[SimModel]) -> bytes:
    rows = [
        {"type": "model", "id": model.id, "display_name": model.id, "created_at": "2025-01-01T00:00:00Z"}
        for model in models
    ]
    page = {"data": rows, "has_more": False, "first_id": rows[0]["id"], "last_id": rows[-1]["id"]}
    return msgspec.json.encode(page)
