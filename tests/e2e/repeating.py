"""A provider that gives every reply the same id, in whichever dialect it is asked. It notes what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ONE_ID = "resp_245"
DIALECTS = ("openai_responses", "openai_chat", "anthropic", "gemini", "ollama", "mistral", "cohere")
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


class Repeating:
    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                asked.append(body)
                dialect = self.path.split("/")[1]
                kind, answer = answered(dialect, body, self.path)
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def configuration(self, keys: tuple[str, ...] = (), shared: tuple[str, ...] = ()) -> str:
        providers = "".join(
            f"  {dialect}: {{dialect: {dialect}, base_url: '{self.url}/{dialect}', api_key: sk-of-{dialect}, "
            f"shared_objects: {str(dialect in shared).lower()}}}\n"
            for dialect in DIALECTS
        )
        models = "".join(
            f"  by-{dialect}: {{provider: {dialect}, tier: standard, context_window: 100000}}\n"
            for dialect in DIALECTS
        )
        held = "".join(f"  - {{name: {key}, key: sk-key-{key}}}\n" for key in keys)
        head = "server: {port: 0}\nstore: sqlite:///log.db\n"
        return f"{head}providers:\n{providers}models:\n{models}" + (f"keys:\n{held}" if keys else "")


@contextmanager
def repeating() -> Iterator[Repeating]:
    provider = Repeating()
    thread = threading.Thread(target=provider.server.serve_forever, daemon=True)
    thread.start()
    yield provider
    provider.server.shutdown()
    thread.join(10)
    provider.server.server_close()


def answered(dialect: str, body: dict[str, Any], path: str) -> tuple[str, bytes]:
    stream = bool(body.get("stream")) or "streamGenerateContent" in path
    whole, events = _MAKERS[dialect]()
    if not stream:
        return "application/json", json.dumps(whole).encode()
    if dialect == "ollama":
        return "application/x-ndjson", "".join(f"{json.dumps(event)}\n" for event in events).encode()
    text = "".join(
        (f"event: {event['type']}\n" if isinstance(event.get("type"), str) else "")
        + f"data: {json.dumps(event)}\n\n"
        for event in events
    )
    if dialect in ("openai_chat", "mistral"):
        text += "data: [DONE]\n\n"
    return "text/event-stream", text.encode()


Made = tuple[dict[str, Any], list[dict[str, Any]]]


def _responses() -> Made:
    part = {"type": "output_text", "text": "Noted.", "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    begun = {
        "id": ONE_ID,
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "in_progress",
        "output": [],
    }
    whole = {**begun, "status": "completed", "output": [item], "usage": USAGE}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Noted."},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return whole, events


def _chat() -> Made:
    message = {"role": "assistant", "content": "Noted."}
    frame = {"id": ONE_ID, "object": "chat.completion", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    whole: dict[str, Any] = {
        **frame,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }
    chunks: list[dict[str, Any]] = [
        {**frame, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**frame, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage},
    ]
    return whole, chunks


def _anthropic() -> Made:
    usage = {"input_tokens": 1, "output_tokens": 2}
    empty = {
        "id": ONE_ID,
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": usage,
    }
    whole: dict[str, Any] = {
        **empty,
        "content": [{"type": "text", "text": "Noted."}],
        "stop_reason": "end_turn",
    }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**empty, "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Noted."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    return whole, events


def _gemini() -> Made:
    content = {"role": "model", "parts": [{"text": "Noted."}]}
    whole = {
        "candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3},
        "responseId": ONE_ID,
    }
    return whole, [whole]


def _ollama() -> Made:
    """Ollama gives none at all; its OpenAI side draws from 999 numbers."""
    frame = {
        "model": "m",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": "Noted."},
    }
    whole = {**frame, "done": True, "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 2}
    return whole, [{**frame, "done": False}, {**whole, "message": {"role": "assistant", "content": ""}}]


def _cohere() -> Made:
    usage = {"tokens": {"input_tokens": 1, "output_tokens": 2}}
    text = {"type": "text", "text": "Noted."}
    whole = {
        "id": ONE_ID,
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [text]},
        "usage": usage,
    }
    events: list[dict[str, Any]] = [
        {"type": "message-start", "id": ONE_ID, "delta": {"message": {"role": "assistant"}}},
        {
            "type": "content-start",
            "index": 0,
            "delta": {"message": {"content": {"type": "text", "text": ""}}},
        },
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Noted."}}}},
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    ]
    return whole, events


_MAKERS = {
    "openai_responses": _responses,
    "openai_chat": _chat,
    "mistral": _chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "ollama": _ollama,
    "cohere": _cohere,
}
