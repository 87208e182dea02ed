"""Clients of other dialects, the gateway, and a server that plays Bedrock: signatures are checked by making them again."""

from __future__ import annotations

import base64
import calendar
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import openai
import pytest
from msgspec.structs import replace

from tests.e2e.harness import Running
from turnout.config import schema
from turnout.upstream.sigv4 import Credentials, sign
from turnout.wire.bedrock.eventstream import pack_message

KEYS = Credentials("AKIDEXAMPLE", "an/example+only", "SESSION")
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {}}}},
    }
]
ASK: Any = [{"role": "user", "content": "How is the weather in Oslo?"}]
ARGUMENTS = '{"city": "Oslo"}'


def frame(kind: str, payload: dict[str, Any]) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return pack_message(headers, json.dumps({**payload, "p": "abc"}).encode())


def converse_stream(called: bool) -> list[bytes]:
    usage = {"inputTokens": 7, "outputTokens": 5, "totalTokens": 22, "cacheReadInputTokens": 10}
    frames = [frame("messageStart", {"role": "assistant"})]
    frames += [
        frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}})
        for text in ("Cold", ", I g", "uess.")
    ]
    frames.append(frame("contentBlockStop", {"contentBlockIndex": 0}))
    if called:
        call = {"toolUse": {"toolUseId": "tooluse_1", "name": "weather"}}
        frames.append(frame("contentBlockStart", {"contentBlockIndex": 1, "start": call}))
        for piece in (ARGUMENTS[:5], ARGUMENTS[5:]):
            delta = {"toolUse": {"input": piece}}
            frames.append(frame("contentBlockDelta", {"contentBlockIndex": 1, "delta": delta}))
        frames.append(frame("contentBlockStop", {"contentBlockIndex": 1}))
    frames.append(frame("messageStop", {"stopReason": "tool_use" if called else "end_turn"}))
    frames.append(frame("metadata", {"metrics": {"latencyMs": 1}, "usage": usage}))
    return frames


def converse(called: bool) -> bytes:
    content: list[dict[str, Any]] = [{"text": "Cold, I guess."}]
    if called:
        call = {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Oslo"}}
        content.append({"toolUse": call})
    return json.dumps(
        {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": "tool_use" if called else "end_turn",
            "usage": {
                "inputTokens": 7,
                "outputTokens": 5,
                "totalTokens": 22,
                "cacheReadInputTokens": 10,
            },
            "metrics": {"latencyMs": 1},
        }
    ).encode()


def invoke_stream() -> list[bytes]:
    usage = {"input_tokens": 7, "output_tokens": 1}
    inner: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "msg_bdrk_1", "model": "claude", "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Cold."}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 7}},
    ]
    return [frame("chunk", {"bytes": base64.b64encode(json.dumps(e).encode()).decode()}) for e in inner]


class Bedrock(BaseHTTPRequestHandler):
    """Refuses what is not signed for exactly this request; answers with a tool call where tools are offered."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, json.loads(body)))
        if not self._signed(body):
            self._reply(
                403, b'{"message": "The request signature does not match."}', "InvalidSignatureException"
            )
            return
        if self.server.refuse:
            self._reply(429, b'{"message": "Too many requests"}', "ThrottlingException")
            return
        called = bool(json.loads(body).get("toolConfig"))
        operation = self.path.rpartition("/")[2]
        if operation == "converse":
            self._reply(200, converse(called))
        elif operation == "converse-stream":
            self._stream(converse_stream(called))
        else:
            assert operation == "invoke-with-response-stream"
            self._stream(invoke_stream())

    def _signed(self, body: bytes) -> bool:
        stamp = self.headers["x-amz-date"]
        unix_s = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        expected = sign(
            method="POST",
            host=self.headers["host"],
            path=self.path,
            query="",
            headers={"content-type": self.headers["content-type"]},
            body=body,
            credentials=KEYS,
            region="us-east-1",
            service="bedrock",
            unix_s=unix_s,
        ).decode()
        given = f"authorization: {self.headers['authorization']}\r\n"
        return given in expected and abs(time.time() - unix_s) < 300

    def _reply(self, status: int, body: bytes, error: str | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if error is not None:
            self.send_header("x-amzn-ErrorType", f"{error}:http://internal.amazon.com/")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, frames: list[bytes]) -> None:
        """Frames cut in the middle, as a network may; the last is left out where the server is told so."""
        data = b"".join(frames[:-1] if self.server.cut else frames)
        self.send_response(200)
        self.send_header("content-type", "application/vnd.amazon.eventstream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for begin in range(0, len(data), 97):
            piece = data[begin : begin + 97]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Bedrock)
        self.seen: list[tuple[str, Any]] = []
        self.cut = False
        self.refuse = False


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def gateway(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    key = f"{KEYS.access_key}:{KEYS.secret}:{KEYS.session_token}"

    def change(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
        providers = {
            "amazon": schema.Provider("bedrock", url, key),
            "amazon-invoke": schema.Provider("bedrock_anthropic", url, key),
            "amazon-wrong": schema.Provider("bedrock", url, f"{KEYS.access_key}:wrong"),
        }
        models = {
            "bedrock-claude": schema.Model("amazon", CLAUDE, capabilities=("tools",)),
            "bedrock-invoke": schema.Model("amazon-invoke", CLAUDE, capabilities=("tools",)),
            "bedrock-wrong": schema.Model("amazon-wrong", CLAUDE, capabilities=("tools",)),
        }
        return replace(config, providers=providers, models=models, routing=schema.Routing())

    with Running(tmp_path_factory.mktemp("bedrock"), change) as running:
        yield running


@pytest.fixture
def client(gateway: Running, server: Server) -> Iterator[openai.OpenAI]:
    server.seen.clear()
    server.cut = server.refuse = False
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="any", max_retries=0) as found:
        yield found


def test_a_whole_reply(client: openai.OpenAI, server: Server) -> None:
    reply = client.chat.completions.create(model="bedrock-claude", messages=ASK, max_tokens=50)
    assert reply.choices[0].message.content == "Cold, I guess."
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (17, 5)
    path, body = server.seen[0]
    assert path == "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    assert body["messages"] == [{"role": "user", "content": [{"text": ASK[0]["content"]}]}]


def test_a_streamed_reply(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="bedrock-claude", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Cold, I guess."
    usage = [c.usage for c in chunks if c.usage is not None][-1]
    assert (usage.prompt_tokens, usage.completion_tokens) == (17, 5)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_call_and_its_result(client: openai.OpenAI, server: Server, streamed: bool) -> None:
    if streamed:
        with client.chat.completions.stream(model="bedrock-claude", messages=ASK, tools=TOOLS) as stream:
            message: Any = stream.get_final_completion().choices[0].message
    else:
        whole = client.chat.completions.create(model="bedrock-claude", messages=ASK, tools=TOOLS)
        assert whole.choices[0].finish_reason == "tool_calls"
        message = whole.choices[0].message
    (call,) = message.tool_calls
    assert (call.id, call.function.name) == ("tooluse_1", "weather")
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    turn: Any = {
        "role": "assistant",
        "content": message.content,
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": "weather", "arguments": call.function.arguments},
            }
        ],
    }
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "-3 °C"}
    client.chat.completions.create(model="bedrock-claude", messages=[*ASK, turn, result], tools=TOOLS)
    sent = server.seen[-1][1]["messages"]
    assert sent[1]["content"][1] == {
        "toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Oslo"}}
    }
    assert sent[2]["content"] == [{"toolResult": {"toolUseId": "tooluse_1", "content": [{"text": "-3 °C"}]}}]


def test_a_stream_without_its_last_frame_fails(client: openai.OpenAI, server: Server) -> None:
    server.cut = True
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="bedrock-claude", messages=ASK, stream=True))


def test_a_refusal_and_a_wrong_secret(client: openai.OpenAI, server: Server) -> None:
    with pytest.raises(openai.APIStatusError) as wrong:
        client.chat.completions.create(model="bedrock-wrong", messages=ASK)
    assert wrong.value.status_code == 502 and "wrong" not in str(wrong.value).replace("bedrock-wrong", "")
    server.refuse = True
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="bedrock-claude", messages=ASK)


def test_anthropics_body_through_invoke(gateway: Running, server: Server, client: openai.OpenAI) -> None:
    del client  # resets the server
    with anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=0) as own:
        with own.messages.stream(model="bedrock-invoke", max_tokens=50, messages=ASK) as stream:
            message = stream.get_final_message()
        assert [getattr(block, "text", None) for block in message.content] == ["Cold."]
        assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 2)
        path, body = server.seen[0]
        assert path.endswith("-v1%3A0/invoke-with-response-stream")
        assert body == {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": ASK}
        with own.messages.stream(model="bedrock-claude", max_tokens=50, messages=ASK) as stream:
            assert stream.get_final_message().stop_reason == "end_turn"
