"""What the codec writes, read by OpenAI's own SDK over a real connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from tests.unit.wire.openai_responses.wire import META, data_of, encode
from tests.unit.wire.recorded import decode
from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    Event,
    Failed,
    Finished,
    OpaqueBlock,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    RefusalDelta,
    Started,
    Stop,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
    fold,
)
from turnout.wire.body import json_text
from turnout.wire.codec import Meta
from turnout.wire.openai_responses import CODEC

SEARCH = json_text(
    {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}
)
CITED = json_text(
    [{"type": "url_citation", "url": "https://x", "title": "t", "start_index": 0, "end_index": 1}]
)
EVENTS: Sequence[Event] = (
    Started("msg_1", "claude", 1_700_000_001),
    ReasoningDelta("thin", 0),
    ReasoningDelta("king", 0),
    ReasoningSignature("c2ln", "anthropic", 0),
    ReasoningRedacted("ZA", "anthropic", 1),
    TextDelta("Hel", 2),
    TextDelta('lo "é"', 2),
    OpaqueBlock("openai_responses", "annotations", CITED, 2),
    TextDelta("second", 3),
    RefusalDelta("but no"),
    ToolStart(4, "call_1", "f", 0, False, "proof", "gemini"),
    ToolStart(5, "call_2", "g"),
    ToolDelta(4, '{"a": [1, '),
    ToolStart(6, "call_3", "free", custom=True),
    ToolDelta(6, "text"),
    ToolDelta(4, '"é"]}'),
    OpaqueBlock("openai_responses", "web_search_call", SEARCH, 7),
    OpaqueBlock("anthropic", "server_tool_use", json_text({}), 8),
    TextDelta("last", 9),
    Usage(input=11, cache_read=5, cache_write_1h=2, output=9, reasoning=3),
    Stop("tool_use", "tool_use"),
    Finished(),
)
KINDS = [
    "reasoning",
    "reasoning",
    "message",
    "reasoning",
    "function_call",
    "function_call",
    "custom_tool_call",
    "web_search_call",
    "message",
]


class Server:
    """Answers every request with the bytes it was given."""

    def __init__(self) -> None:
        self.reply: tuple[int, str, bytes] = (200, "application/json", b"{}")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                status, kind, body = outer.reply
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    url = f"http://127.0.0.1:{server.http.server_address[1]}/v1"
    with openai.OpenAI(base_url=url, api_key="k", max_retries=0, timeout=10) as made:
        yield made


def check(response: Response) -> None:
    assert [item.type for item in response.output] == KINDS
    assert response.output_text == 'Hello "é"secondlast' and response.status == "completed"
    calls = [(i.call_id, i.name, i.arguments) for i in response.output if i.type == "function_call"]
    assert calls == [("call_1", "f", '{"a": [1, "é"]}'), ("call_2", "g", "{}")]
    free = next(item for item in response.output if item.type == "custom_tool_call")
    assert (free.call_id, free.name, free.input) == ("call_3", "free", "text")
    thought = next(item for item in response.output if item.type == "reasoning")
    assert [part.text for part in thought.summary] == ["thinking"] and thought.content is None
    message = next(item for item in response.output if item.type == "message")
    assert [part.type for part in message.content] == ["output_text", "output_text", "refusal"]
    cited = message.content[0]
    assert cited.type == "output_text" and [a.type for a in cited.annotations] == ["url_citation"]
    usage = response.usage
    assert usage is not None and (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (18, 9, 27)
    assert usage.input_tokens_details.cached_tokens == 5 and usage.output_tokens_details.reasoning_tokens == 3
    assert response.id == "resp_1" and response.model == "claude"


def accumulate(client: openai.OpenAI, **options: Any) -> Any:
    with client.responses.stream(model="m", input="Hi", **options) as running:
        for _ in running:
            pass
        return running.get_final_response()


@pytest.mark.parametrize("annotated", [False, True])
def test_a_stream_accumulates_to_its_final_response(
    server: Server, client: openai.OpenAI, annotated: bool
) -> None:
    note = b'{"model":"p/m"}'
    meta = Meta("req_1", 0, "m", True, note, lambda: note) if annotated else META
    server.reply = (200, "text/event-stream", encode(EVENTS, meta))
    check(accumulate(client))
    seen = list(client.responses.create(model="m", input="Hi", stream=True))
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert seen[0].type == "response.created" and seen[-1].type == "response.completed"
    assert (seen[-1].to_dict().get("turnout") == {"model": "p/m"}) is annotated
    check(seen[-1].response)


def test_deltas_add_up_and_places_agree() -> None:
    items: dict[int, dict[str, Any]] = {}
    told: dict[tuple[int, int], str] = {}
    events = data_of(encode(EVENTS))
    for event in events:
        place = event.get("output_index", -1)
        if event["type"] == "response.output_item.done":
            items[place] = event["item"]
        elif event["type"].endswith(".delta"):
            key = (place, event.get("content_index", 0))
            told[key] = told.get(key, "") + event["delta"]
        if "item_id" in event:
            assert any(
                e["type"] == "response.output_item.added"
                and (e["output_index"], e["item"]["id"]) == (place, event["item_id"])
                for e in events
            )
    assert [items[place] for place in sorted(items)] == events[-1]["response"]["output"]
    assert told[(2, 0)] == 'Hello "é"' and told[(2, 1)] == "second" and told[(2, 2)] == "but no"
    assert told[(4, 0)] == '{"a": [1, "é"]}' and told[(5, 0)] == "{}"


def test_a_whole_reply(server: Server, client: openai.OpenAI) -> None:
    body = CODEC.annotate(CODEC.encode_answer(fold(EVENTS), META), b'{"model":"p/m"}')
    server.reply = (200, "application/json", body)
    response = client.responses.create(model="m", input="Hi")
    check(response)
    assert response.to_dict()["turnout"] == {"model": "p/m"}
    Response.model_validate_json(body)


class Point(BaseModel):
    x: int


def test_structured_output_is_parsed(server: Server, client: openai.OpenAI) -> None:
    events = (Started("c"), TextDelta('{"x": 5}'), Stop("stop"), Finished())
    server.reply = (200, "application/json", CODEC.encode_answer(fold(events), META))
    assert client.responses.parse(model="m", input="Hi", text_format=Point).output_parsed == Point(x=5)
    server.reply = (200, "text/event-stream", encode(events))
    assert accumulate(client, text_format=Point).output_parsed == Point(x=5)


def test_what_a_reply_proves_survives_the_client() -> None:
    for again in (
        fold(decode(CODEC, encode(EVENTS))),
        fold(CODEC.decode_answer(CODEC.encode_answer(fold(EVENTS), META))),
    ):
        kept = [b for b in fold(EVENTS).choices[0].blocks if not isinstance(b, OpaqueBlock)]
        found = [b for b in again.choices[0].blocks if not isinstance(b, OpaqueBlock)]
        told = [msg if getattr(msg, "arguments", None) != "" else "empty" for msg in kept]
        assert [b if getattr(b, "arguments", None) != "{}" else "empty" for b in found] == told
        assert again.usage is not None and again.usage.prompt == 18


@pytest.mark.parametrize("reason", ["length", "content_filter", "refusal"])
def test_incomplete_replies_say_so(server: Server, client: openai.OpenAI, reason: Any) -> None:
    events = (
        Started("c"),
        TextDelta("x"),
        ToolStart(1, "c", "f"),
        ToolDelta(1, '{"a'),
        Stop(reason),
        Finished(),
    )
    server.reply = (200, "text/event-stream", encode(events))
    last = list(client.responses.create(model="m", input="Hi", stream=True))[-1]
    assert last.type == "response.incomplete"
    whole = Response.model_validate_json(CODEC.encode_answer(fold(events), META))
    for response in (last.response, whole):
        assert response.status == "incomplete" and response.incomplete_details is not None
        wanted = "max_output_tokens" if reason == "length" else "content_filter"
        assert response.incomplete_details.reason == wanted
        call = response.output[-1]
        assert call.type == "function_call" and call.status == "incomplete"


def test_a_cut_reply_raises_and_never_completes(server: Server, client: openai.OpenAI) -> None:
    body = encode((*EVENTS[:7], Failed(Failure(Kind.TRUNCATED, "cut"))))
    server.reply = (200, "text/event-stream", body)
    with pytest.raises(openai.APIError, match="cut"):
        accumulate(client)
    kinds = [event["type"] for event in data_of(body)]
    assert kinds[-2:] == ["error", "response.failed"] and "response.completed" not in kinds
    assert [event["sequence_number"] for event in data_of(body)] == list(range(len(kinds)))
    only = data_of(CODEC.encode_stream_error(Failure(Kind.RATE_LIMITED, "slow"), "req_1"))
    assert only[1]["response"]["error"] == {"code": "rate_limit_exceeded", "message": "slow"}


def test_errors_have_the_sdk_s_classes(server: Server, client: openai.OpenAI) -> None:
    for kind, status, error in (
        (Kind.RATE_LIMITED, 429, openai.RateLimitError),
        (Kind.CONTEXT_TOO_LONG, 400, openai.BadRequestError),
    ):
        server.reply = (status, "application/json", CODEC.encode_error(Failure(kind, "m"), "req_1"))
        with pytest.raises(error) as caught:
            client.responses.create(model="m", input="Hi")
        assert caught.value.code in ("rate_limited", "rate_limit_exceeded", "context_length_exceeded")
