"""The Anthropic wire format: requests to an `Ask`, what was said to messages and event streams, thinking with its signatures."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from hashlib import sha256
from typing import Any

from msgspec import Struct

from turnout.sim import tokens
from turnout.sim.ask import Ask, Offered, Result, Said, SimError
from turnout.sim.delivery import Stream
from turnout.sim.models import SimModel
from turnout.sim.reading import picture, want

_FINISH = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use", "sequence": "stop_sequence"}
THINKING_TOKENS_MIN = 1024
REDACTED_TRIGGER = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING_46C9A13E193C177646C7398A98432ECCCE4C1253D5E2D82641AC0E52CC2876CB"


class Breakpoint(Struct):
    """A prompt-cache mark: everything before it in the prompt, and for how long."""

    prefix: str
    ttl: str


class Wants(Struct):
    stream: bool
    breakpoints: list[Breakpoint]
    redact: bool


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


def bad(message: str) -> SimError:
    return SimError(400, "invalid_request_error", message)


def signature(seed: int, thought: str) -> str:
    """The proof that a thought is this simulation's own."""
    return b64encode(hmac.new(f"sim-{seed}".encode(), thought.encode(), sha256).digest() * 3).decode()


# -- requests
class _Reader:
    """Walks a request in order, so that cache marks know what came before them."""

    def __init__(self, ask: Ask, seed: int) -> None:
        self.ask = ask
        self.seed = seed
        self.parts: list[str] = []
        self.breakpoints: list[Breakpoint] = []

    def add(self, text: str, block: Any = None) -> None:
        self.parts.append(text)
        mark = block.get("cache_control") if isinstance(block, dict) else None
        if isinstance(mark, dict):
            if mark.get("ttl", "5m") not in ("5m", "1h"):
                raise bad("cache_control.ttl: Input should be '5m' or '1h'")
            self.breakpoints.append(Breakpoint("\n".join(self.parts), str(mark.get("ttl", "5m"))))
            if len(self.breakpoints) > 4:
                raise bad("A maximum of 4 blocks with cache_control may be provided.")


def read(data: dict[str, Any], model: SimModel, seed: int, *, counting: bool = False) -> tuple[Ask, Wants]:
    """Raises `SimError`."""
    messages = _field(data, "messages", (list,))
    if not messages:
        raise bad(
            "messages: at least one message is required" if messages == [] else "messages: Field required"
        )
    longest = _field(data, "max_tokens", (int,), 1, model.max_output)
    if longest is None and not counting:
        raise bad("max_tokens: Field required")
    _field(data, "temperature", (int, float), 0, 1)
    _field(data, "top_p", (int, float), 0, 1)
    ask = Ask(model.id, "", "", max_tokens=longest)
    reader = _Reader(ask, seed)
    _tools(reader, data)
    _system(reader, data.get("system"))
    for number, message in enumerate(messages):
        _message(reader, message, number)
    ask.stop = [text for text in _field(data, "stop_sequences", (list,)) or [] if isinstance(text, str)]
    _thinking(ask, data)
    config = _field(data, "output_config", (dict,)) or {}
    wanted = config.get("format") or data.get("output_format")
    if wanted is not None:
        if not isinstance(wanted, dict) or wanted.get("type") != "json_schema" or "schema" not in wanted:
            raise bad("output_config.format: Input should be a json_schema with a schema")
        ask.schema = wanted["schema"]
    if isinstance(data.get("cache_control"), dict):
        reader.add("", {"cache_control": data["cache_control"]})
    ask.transcript = "\n".join(reader.parts)
    ask.prompt_tokens = tokens.count(ask.transcript) + 4 * len(messages)
    redact = REDACTED_TRIGGER in ask.question
    return ask, Wants(bool(_field(data, "stream", (bool,))), reader.breakpoints, redact)


def _field(
    data: dict[str, Any],
    name: str,
    kinds: tuple[type, ...],
    low: float | None = None,
    high: float | None = None,
) -> Any:
    try:
        return want(data, name, kinds, low, high)
    except SimError as problem:
        raise bad(f"{name}: {problem.message}") from None


def _system(reader: _Reader, system: Any) -> None:
    if system is None:
        return
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
    if not isinstance(blocks, list):
        raise bad("system: Input should be a valid string or list")
    for number, block in enumerate(blocks):
        if not isinstance(block, dict) or not isinstance(block.get("text"), str):
            raise bad(f"system.{number}.text: Field required")
        if not block["text"]:
            raise bad(f"system.{number}: text content blocks must be non-empty")
        reader.ask.system += block["text"]
        reader.add(block["text"], block)


def _message(reader: _Reader, message: Any, number: int) -> None:
    where = f"messages.{number}"
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ("user", "assistant", "system"):
        raise bad(f"{where}.role: Input should be 'user' or 'assistant'")
    content = message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list):
        raise bad(f"{where}.content: Input should be a valid string or list")
    if not blocks or blocks == [{"type": "text", "text": ""}]:
        raise bad(f"{where}: all messages must have non-empty content")
    if role == "user":
        reader.ask.question, reader.ask.results, reader.ask.pictures = "", [], []
    for position, block in enumerate(blocks):
        _block(reader, block, role, f"{where}.content.{position}")


def _block(reader: _Reader, block: Any, role: str, where: str) -> None:
    ask = reader.ask
    kind = block.get("type") if isinstance(block, dict) else None
    text = ""
    if kind == "text":
        if not isinstance(block.get("text"), str):
            raise bad(f"{where}.text: Field required")
        if not block["text"].strip():
            raise bad(f"{where}: text content blocks must contain non-whitespace text")
        text = block["text"]
        if role == "user":
            ask.question += text
    elif kind == "image":
        ask.pictures.append(_image(block.get("source"), where))
    elif kind == "document":
        text = str((block.get("source") or {}).get("data") or "")[:100_000]
    elif kind == "tool_use":
        if not isinstance(block.get("input"), dict):
            raise bad(f"{where}.tool_use.input: Input should be a valid dictionary")
        text = json.dumps(block["input"])
    elif kind == "tool_result":
        text = _result_text(block.get("content"))
        ask.results.append(Result(str(block.get("tool_use_id")), text))
    elif kind == "thinking":
        if not hmac.compare_digest(
            str(block.get("signature")), signature(reader.seed, str(block.get("thinking")))
        ):
            raise bad(f"{where}: Invalid `signature` in `thinking` block")
    elif kind != "redacted_thinking":
        raise bad(f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    reader.add(f"{role}: {text}", block)


def _image(source: Any, where: str) -> str:
    if not isinstance(source, dict):
        raise bad(f"{where}.source: Field required")
    if source.get("type") == "base64":
        return picture(str(source.get("data")), str(source.get("media_type")))
    if source.get("type") == "url":
        return "from a URL"
    raise bad(f"{where}.source.type: Input should be 'base64' or 'url'")


def _result_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(block.get("text") or "") for block in content or [] if isinstance(block, dict))


def _tools(reader: _Reader, data: dict[str, Any]) -> None:
    ask = reader.ask
    for number, tool in enumerate(_field(data, "tools", (list,)) or []):
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            raise bad(f"tools.{number}.name: Field required")
        if tool.get("type") in (None, "custom") and (tool.get("input_schema") or {}).get("type") != "object":
            raise bad(f"tools.{number}.custom.input_schema.type: Input should be 'object'")
        ask.tools.append(
            Offered(tool["name"], str(tool.get("description") or ""), tool.get("input_schema") or {})
        )
        reader.add(json.dumps(tool.get("input_schema")) + str(tool.get("description")), tool)
    choice = _field(data, "tool_choice", (dict,))
    if choice is None:
        return
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise bad("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    ask.choice = {"auto": "auto", "any": "required", "tool": "named", "none": "none"}[kind]  # type: ignore[assignment]
    ask.named = str(choice.get("name"))
    ask.parallel = choice.get("disable_parallel_tool_use") is not True
    if kind == "tool" and ask.named not in {tool.name for tool in ask.tools}:
        raise bad(f"Tool '{ask.named}' not found in provided tools")


def _thinking(ask: Ask, data: dict[str, Any]) -> None:
    thinking = _field(data, "thinking", (dict,))
    if thinking is None or thinking.get("type") == "disabled":
        return
    if thinking.get("type") not in ("enabled", "adaptive"):
        raise bad("thinking.type: Input should be 'enabled', 'disabled' or 'adaptive'")
    if thinking["type"] == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < THINKING_TOKENS_MIN:
            raise bad(
                f"thinking.enabled.budget_tokens: Input should be greater than or equal to {THINKING_TOKENS_MIN}"
            )
        if ask.max_tokens is not None and budget >= ask.max_tokens:
            raise bad("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if data.get("temperature") not in (None, 1, 1.0):
        raise bad("`temperature` may only be set to 1 when thinking is enabled.")
    if ask.choice in ("required", "named"):
        raise bad("Thinking may not be enabled when tool_choice forces tool use.")
    ask.think = True


# -- replies
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
            {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
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
    return json.dumps(body, ensure_ascii=False).encode()


def _event(kind: str, **data: Any) -> bytes:
    text = json.dumps({"type": kind, **data}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {text}\n\n".encode()


def stream(reply: Reply) -> Stream:
    head = [_event("message_start", message=_message_json(reply, [], None, usage(reply, 1))), _event("ping")]
    content: list[bytes] = []
    for index, block in enumerate(_content(reply)):
        content += _block_events(index, block)
    said = reply.said
    delta = {
        "stop_reason": _FINISH[said.finish],
        "stop_sequence": said.sequence if said.finish == "sequence" else None,
    }
    tail = [
        _event("message_delta", delta=delta, usage={"output_tokens": said.output_tokens}),
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
        text = json.dumps(block["input"], ensure_ascii=False)
        out.append(delta(type="input_json_delta", partial_json=""))
        out += [delta(type="input_json_delta", partial_json=text[i : i + 7]) for i in range(0, len(text), 7)]
    else:
        out.append(_event("content_block_start", index=index, content_block=block))
    out.append(_event("content_block_stop", index=index))
    return out


def error(problem: SimError, request_id: str) -> bytes:
    body = {
        "type": "error",
        "error": {"type": problem.kind, "message": problem.message},
        "request_id": request_id,
    }
    return json.dumps(body).encode()


def listing(models: list[SimModel]) -> bytes:
    rows = [
        {"type": "model", "id": model.id, "display_name": model.id, "created_at": "2025-01-01T00:00:00Z"}
        for model in models
    ]
    page = {"data": rows, "has_more": False, "first_id": rows[0]["id"], "last_id": rows[-1]["id"]}
    return json.dumps(page).encode()
