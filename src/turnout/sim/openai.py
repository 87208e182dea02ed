"""The OpenAI wire format, with the differences of those who copy it: requests to an `Ask`, what was said to JSON and streams."""

from __future__ import annotations

import json
import math
import re
import struct
from base64 import b64encode
from hashlib import sha256
from typing import Any

from msgspec import Struct

from turnout.sim import tokens
from turnout.sim.ask import Ask, Offered, Result, Said, SimError
from turnout.sim.delivery import Stream
from turnout.sim.models import SimModel
from turnout.sim.reading import bad, picture, want

_DATA_URL = re.compile(r"data:(image/[\w.+-]+);base64,", re.IGNORECASE)
_FINISH = {"stop": "stop", "length": "length", "tools": "tool_calls", "sequence": "stop"}
N_MAX = 8


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


# -- requests
def read(data: dict[str, Any], model: SimModel) -> tuple[Ask, Wants]:
    """Raises `SimError`."""
    messages = want(data, "messages", (list,))
    if not messages:
        raise bad("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    want(data, "temperature", (int, float), 0, 2)
    want(data, "top_p", (int, float), 0, 1)
    want(data, "seed", (int,))
    ask = Ask(
        model.id,
        "",
        "",
        max_tokens=want(data, "max_completion_tokens", (int,), 1) or want(data, "max_tokens", (int,), 1),
    )
    if model.thinking == "hidden" and model.provider == "openai" and data.get("max_tokens") is not None:
        raise bad(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )
    transcript = [_message(ask, message, number) for number, message in enumerate(messages)]
    stop = want(data, "stop", (str, list))
    ask.stop = [stop] if isinstance(stop, str) else [text for text in stop or [] if isinstance(text, str)]
    _tools(ask, data)
    _format(ask, want(data, "response_format", (dict,)))
    ask.think = model.thinking != "none" and data.get("reasoning_effort") != "none"
    ask.transcript = "\n".join(transcript)
    ask.prompt_tokens = (
        tokens.count(ask.transcript) + 4 * len(messages) + tokens.count(json.dumps(data.get("tools") or ""))
    )
    options = want(data, "stream_options", (dict,)) or {}
    stream = bool(want(data, "stream", (bool,)))
    if options and not stream:
        raise bad(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options"
        )
    return ask, Wants(
        stream, bool(options.get("include_usage")), min(want(data, "n", (int,), 1, N_MAX) or 1, N_MAX)
    )


def _message(ask: Ask, message: Any, number: int) -> str:
    where = f"messages[{number}]"
    if not isinstance(message, dict) or message.get("role") not in (
        "system",
        "developer",
        "user",
        "assistant",
        "tool",
        "function",
    ):
        role = message.get("role") if isinstance(message, dict) else message
        raise bad(
            f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
            f"{where}.role",
            "invalid_value",
        )
    role, text = message["role"], _text(ask, message.get("content"), where, message["role"])
    if role == "user":
        ask.question, ask.results = text, []
    elif role in ("system", "developer"):
        ask.system += text
    elif role == "tool":
        if not isinstance(message.get("tool_call_id"), str):
            raise bad(
                "Missing required parameter: 'tool_call_id'.",
                f"{where}.tool_call_id",
                "missing_required_parameter",
            )
        ask.results.append(Result(message["tool_call_id"], text))
    elif message.get("content") is None and not message.get("tool_calls") and not message.get("refusal"):
        raise bad(
            "Invalid value for 'content': expected a string, got null.", f"{where}.content", "invalid_type"
        )
    return f"{role}: {text} {json.dumps(message.get('tool_calls') or '')}"


def _text(ask: Ask, content: Any, where: str, role: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise bad(
            "Invalid type for 'content': expected one of a string or array of objects.",
            f"{where}.content",
            "invalid_type",
        )
    out = []
    if role == "user":
        ask.pictures = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "refusal"):
            out.append(str(part.get("text") or part.get("refusal") or ""))
        elif kind == "image_url" and isinstance(part.get("image_url"), dict):
            url = str(part["image_url"].get("url"))
            match = _DATA_URL.match(url)
            ask.pictures.append(picture(url[match.end() :], match[1]) if match else "from a URL")
        elif kind == "file":
            out.append(f"[file {(part.get('file') or {}).get('filename') or ''}]")
        elif kind == "input_audio":
            out.append("[audio]")
        else:
            raise bad(
                f"Invalid value: '{kind}'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', and 'file'.",
                f"{where}.content",
                "invalid_value",
            )
    return "".join(out)


def _tools(ask: Ask, data: dict[str, Any]) -> None:
    for number, tool in enumerate(want(data, "tools", (list,)) or []):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise bad(
                f"Missing required parameter: 'tools[{number}].function'.",
                f"tools[{number}].function",
                "missing_required_parameter",
            )
        ask.tools.append(
            Offered(
                function["name"], str(function.get("description") or ""), function.get("parameters") or {}
            )
        )
    choice = want(data, "tool_choice", (str, dict))
    if choice is not None and not ask.tools:
        raise bad("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if isinstance(choice, dict):
        ask.choice, ask.named = "named", str((choice.get("function") or {}).get("name"))
        if ask.named not in {tool.name for tool in ask.tools}:
            raise bad(f"Tool choice '{ask.named}' not found in 'tools' parameter.", "tool_choice")
    elif choice is not None:
        if choice not in ("auto", "none", "required", "any"):
            raise bad(
                f"Invalid value: '{choice}'. Supported values are: 'none', 'auto', and 'required'.",
                "tool_choice",
                "invalid_value",
            )
        ask.choice = "required" if choice == "any" else choice
    parallel = want(data, "parallel_tool_calls", (bool,))
    ask.parallel = parallel is not False


def _format(ask: Ask, wanted: dict[str, Any] | None) -> None:
    if wanted is None:
        return
    kind = wanted.get("type")
    if kind == "json_schema":
        schema = wanted.get("json_schema")
        if not isinstance(schema, dict) or not schema.get("name"):
            raise bad(
                "Missing required parameter: 'response_format.json_schema.name'.",
                "response_format.json_schema.name",
                "missing_required_parameter",
            )
        ask.schema = schema.get("schema") or {}
    elif kind == "json_object":
        ask.any_json = True
    elif kind != "text":
        raise bad(
            f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', and 'text'.",
            "response_format.type",
            "invalid_value",
        )


# -- replies
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


def whole(reply: Reply) -> bytes:
    choices = []
    for index, said in enumerate(reply.said):
        message: dict[str, Any] = {"role": "assistant", "content": None if said.calls else said.text}
        if reply.provider == "openai":
            message.update({"refusal": None, "annotations": []})
        if said.thought:
            message["reasoning_content"] = said.thought
        if said.calls:
            message["tool_calls"] = _calls(said, False)
        choices.append(
            {"index": index, "message": message, "logprobs": None, "finish_reason": _FINISH[said.finish]}
        )
    body: dict[str, Any] = {**_frame(reply, "chat.completion"), "choices": choices, "usage": usage(reply)}
    return json.dumps(body, ensure_ascii=False).encode()


def _frame(reply: Reply, kind: str) -> dict[str, Any]:
    frame: dict[str, Any] = {"id": reply.id, "object": kind, "created": reply.created, "model": reply.model}
    if reply.provider == "openai":
        frame.update({"service_tier": "default", "system_fingerprint": "fp_5ca1ab1e00"})
    elif reply.provider == "groq":
        frame.update({"system_fingerprint": "fp_9a1b2c3d4e", "x_groq": {"id": f"req_{reply.id[-20:]}"}})
    return frame


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def stream(reply: Reply, wants: Wants) -> Stream:
    frame = _frame(reply, "chat.completion.chunk")
    frame.pop("x_groq", None)

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**frame, "choices": [choice], **more})

    head, content, tail = [], [], []
    for index, said in enumerate(reply.said):
        head.append(
            chunk(
                index,
                {
                    "role": "assistant",
                    "content": "" if reply.provider != "deepseek" or not said.thought else None,
                },
            )
        )
        content += [
            chunk(index, {"content": None, "reasoning_content": piece})
            for piece in tokens.pieces(said.thought)
        ]
        content += [chunk(index, {"content": piece}) for piece in tokens.pieces(said.text)]
        content += _call_chunks(reply, said, index, chunk)
    last = len(reply.said) - 1
    for index, said in enumerate(reply.said):
        more: dict[str, Any] = {}
        if index == last and reply.provider == "groq":
            more["x_groq"] = {"id": f"req_{reply.id[-20:]}", "usage": usage(reply)}
        elif index == last and reply.provider in ("mistral", "deepseek"):
            more["usage"] = usage(reply)
        tail.append(
            chunk(index, {} if reply.provider == "openai" else {"content": ""}, _FINISH[said.finish], **more)
        )
    if wants.usage and reply.provider not in ("mistral", "deepseek"):
        tail.append(_event({**frame, "choices": [], "usage": usage(reply)}))
    tail.append(b"data: [DONE]\n\n")
    error = {
        "error": {
            "message": "The server had an error while processing your request.",
            "type": "server_error",
            "param": None,
            "code": None,
        }
    }
    return Stream(head, content, tail, b": keep-alive\n\n", _event(error))


def _call_chunks(reply: Reply, said: Said, index: int, chunk: Any) -> list[bytes]:
    if reply.provider == "mistral":  # all calls whole, in one delta
        return [chunk(index, {"content": "", "tool_calls": _calls(said, True)})] if said.calls else []
    out = []
    for number, call in enumerate(said.calls):
        opened = {
            "index": number,
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        out.append(chunk(index, {"tool_calls": [opened]}))
        for begin in range(0, len(call.arguments), 7):
            piece = {"index": number, "function": {"arguments": call.arguments[begin : begin + 7]}}
            out.append(chunk(index, {"tool_calls": [piece]}))
    return out


def empty(reply: Reply) -> Reply:
    """The same reply with nothing in it."""
    return Reply(reply.id, reply.created, reply.model, reply.provider, [Said()], reply.prompt_tokens, 0)


def error(problem: SimError) -> bytes:
    body = {"message": problem.message, "type": problem.kind, "param": problem.param, "code": problem.code}
    return json.dumps({"error": body}).encode()


def embeddings(data: dict[str, Any], model: SimModel) -> bytes:
    """Unit vectors that depend on nothing but the text. Raises `SimError`."""
    given = want(data, "input", (str, list))
    if not given:
        raise bad("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    texts = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    size = min(want(data, "dimensions", (int,), 1) or model.embedding_size, model.embedding_size)
    coded = data.get("encoding_format") == "base64"
    rows = []
    for index, text in enumerate(texts):
        vector = _vector(json.dumps(text), size)
        value: Any = b64encode(struct.pack(f"<{size}f", *vector)).decode() if coded else vector
        rows.append({"object": "embedding", "index": index, "embedding": value})
    count = sum(len(text) if isinstance(text, list) else tokens.count(str(text)) for text in texts)
    counts = {"prompt_tokens": count, "total_tokens": count}
    return json.dumps({"object": "list", "data": rows, "model": model.id, "usage": counts}).encode()


def _vector(text: str, size: int) -> list[float]:
    seed, out = sha256(text.encode()).digest(), []
    for number in range(-(-size // 8)):
        out += [
            n / 2**31 - 1 for n in struct.unpack("<8I", sha256(seed + number.to_bytes(4, "little")).digest())
        ]
    norm = math.sqrt(sum(v * v for v in out[:size])) or 1.0
    return [round(v / norm, 7) for v in out[:size]]


def listing(provider: str, models: list[SimModel]) -> bytes:
    rows = [
        {"id": model.id, "object": "model", "created": 1_735_689_600, "owned_by": provider}
        for model in models
    ]
    return json.dumps({"object": "list", "data": rows}).encode()
