"""Providers that count nothing, break off, or have nothing to add: what the caller is told, and what the log says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.processes import Process

ASK: Any = [{"role": "user", "content": "What is the capital of France? " * 20}]
PROMPT_MIN = 60
TOOL_TURNS: Any = [
    {"role": "user", "content": "Save it."},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "save", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "saved"},
]


def gemini(word: str, *texts: str) -> list[dict[str, Any]]:
    said = [{"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]} for text in texts]
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 11}
    return [*said, {"candidates": [{"finishReason": word}], "usageMetadata": usage}]


def chat(text: str, usage: dict[str, Any] | None) -> list[dict[str, Any]]:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunks = [{**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]}]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return [*chunks, {**head, "choices": [], "usage": usage}] if usage is not None else chunks


ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "silent": chat("Paris, of course.", None),
    "zeros": chat("Paris, of course.", ZEROS),
    "well": chat("Paris, of course.", {"prompt_tokens": 140, "completion_tokens": 4, "total_tokens": 144}),
    "nothing": chat("", {"prompt_tokens": 140, "completion_tokens": 0, "total_tokens": 140}),
    "breaks": gemini("MALFORMED_FUNCTION_CALL"),
    "breaks-late": gemini("MALFORMED_FUNCTION_CALL", "Paris", ", of"),
    "spare": gemini("STOP", "Paris"),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        google = "generateContent" in self.path or "streamGenerateContent" in self.path
        name = self.path.split("/models/")[1].split(":")[0] if google else body["model"]
        chunks = SCRIPTS[name]
        if "streamGenerateContent" in self.path or body.get("stream"):
            text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
            kind, answer = "text/event-stream", text + ("" if google else "data: [DONE]\n\n")
        else:
            kind, answer = "application/json", json.dumps(gathered(chunks, google=google))
        data = answer.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def gathered(chunks: list[dict[str, Any]], *, google: bool) -> dict[str, Any]:
    if google:
        parts = [part for chunk in chunks[:-1] for part in chunk["candidates"][0]["content"]["parts"]]
        candidate = {**chunks[-1]["candidates"][0], **({"content": {"parts": parts}} if parts else {})}
        return {"candidates": [candidate], "usageMetadata": chunks[-1]["usageMetadata"]}
    message = {"role": "assistant", "content": chunks[0]["choices"][0]["delta"]["content"]}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    whole["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {**whole, "usage": chunks[-1]["usage"]} if "usage" in chunks[-1] else whole


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    folder: Path = tmp_path_factory.mktemp("odd")
    models = "".join(
        f"  {name}: {{provider: {'google' if 'candidates' in script[0] else 'other'}, tier: standard, context_window: 100000"
        + (", fallbacks: [spare]" if name == "breaks" else "")
        + "}\n"
        for name, script in SCRIPTS.items()
    )
    (folder / "turnout.yaml").write_text(
        "server: {port: 0}\nstore: sqlite:///log.db\nproviders:\n"
        f"  other: {{dialect: openai_chat, base_url: '{base}/v1', api_key: sk-x}}\n"
        f"  google: {{dialect: gemini, base_url: '{base}/v1beta', api_key: sk-x}}\nmodels:\n{models}"
        "  alone: {provider: google, id: breaks, tier: standard, context_window: 100000}\n"
    )
    with Process("serve", cwd=folder) as process:
        yield process.ready().url
        process.stop()
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def claude(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url + "/v1", api_key="any", max_retries=0) as made:
        yield made


@pytest.mark.parametrize(("model", "estimated"), [("silent", True), ("zeros", True), ("well", False)])
def test_an_anthropic_client_has_counts_from_the_beginning(
    claude: anthropic.Anthropic, model: str, estimated: bool
) -> None:
    events: list[Any] = list(claude.messages.create(model=model, max_tokens=50, messages=ASK, stream=True))
    begun = next(event for event in events if event.type == "message_start")
    assert begun.message.usage.input_tokens > PROMPT_MIN
    marked = begun.turnout.get("usage_estimated", False)
    assert marked or (not estimated and begun.message.usage.input_tokens == 140)
    last = next(event for event in events if event.type == "message_delta")
    assert last.usage.input_tokens > PROMPT_MIN and last.usage.output_tokens >= 4
    assert last.turnout.get("usage_estimated", False) is estimated
    if not estimated:
        assert (last.usage.input_tokens, last.usage.output_tokens) == (140, 4)


@pytest.mark.parametrize(("model", "estimated"), [("silent", True), ("zeros", True), ("well", False)])
def test_a_whole_message_has_counts(claude: anthropic.Anthropic, model: str, estimated: bool) -> None:
    message: Any = claude.messages.create(model=model, max_tokens=50, messages=ASK)
    assert message.usage.input_tokens > PROMPT_MIN and message.usage.output_tokens >= 4
    assert message.turnout.get("usage_estimated", False) is estimated


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_breaks_off_before_content_is_replaced(client: openai.OpenAI, stream: bool) -> None:
    raw = client.chat.completions.with_raw_response.create(model="breaks", messages=ASK, stream=stream)
    parsed: Any = raw.parse()
    text = (
        "".join(chunk.choices[0].delta.content or "" for chunk in parsed if chunk.choices)
        if stream
        else parsed.choices[0].message.content
    )
    assert text == "Paris"
    assert raw.headers["x-turnout-model"] == "google/spare"


@pytest.mark.parametrize("stream", [False, True])
def test_where_nobody_else_is_left_it_is_an_error(client: openai.OpenAI, stream: bool) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="alone", messages=ASK, stream=stream)
    assert caught.value.code == "empty_completion"
    assert "MALFORMED_FUNCTION_CALL" in str(caught.value)


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_breaks_off_later_is_noticed(client: openai.OpenAI, stream: bool) -> None:
    reply: Any = client.chat.completions.create(model="breaks-late", messages=ASK, stream=stream)
    marks = [chunk.turnout for chunk in reply if hasattr(chunk, "turnout")] if stream else [reply.turnout]
    assert [notice["code"] for notice in marks[-1]["notices"]] == ["broken-off"]
    assert "MALFORMED_FUNCTION_CALL" in marks[-1]["notices"][0]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_silence_after_a_tools_result_is_an_answer(client: openai.OpenAI, stream: bool) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="nothing", messages=TOOL_TURNS, stream=stream
    )
    parsed: Any = raw.parse()
    if stream:
        assert any(chunk.choices and chunk.choices[0].finish_reason == "stop" for chunk in parsed)
    else:
        assert parsed.choices[0].finish_reason == "stop" and not parsed.choices[0].message.content
    assert raw.headers["x-turnout-attempts"] == "1"
    assert "x-turnout-notice" not in raw.headers
    other = client.chat.completions.with_raw_response.create(model="nothing", messages=ASK, stream=stream)
    assert other.headers["x-turnout-notice"] == "empty"
