"""What the codec writes, read by Anthropic's own SDK over a real connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

import anthropic
import pytest

from tests.unit.wire.anthropic.wire import encode, frames_of
from turnout.core.errors import Failure, Kind
from turnout.core.events import (
    Event,
    Failed,
    Finished,
    OpaqueBlock,
    ReasoningDelta,
    ReasoningRedacted,
    ReasoningSignature,
    Started,
    Stop,
    TextDelta,
    ToolDelta,
    ToolStart,
    Usage,
    fold,
)
from turnout.wire.anthropic import CODEC
from turnout.wire.body import json_text
from turnout.wire.codec import Meta, ModelEntry

META = Meta("req_1", 0, "m", True, b'{"model":"p/m"}', lambda: b'{"cost_usd":"0.1"}')
CITATION = json_text(
    {
        "type": "char_location",
        "cited_text": "x",
        "document_index": 0,
        "document_title": None,
        "start_char_index": 0,
        "end_char_index": 1,
        "file_id": None,
    }
)
EVENTS: Sequence[Event] = (
    Started("chatcmpl-1", "gpt-test"),
    ReasoningDelta("thinking", 0),
    ReasoningSignature("c2ln", "anthropic", 0),
    ReasoningRedacted("ZA", "anthropic", 1),
    TextDelta("Hel", 2),
    TextDelta("lo", 2),
    OpaqueBlock("anthropic", "citation", CITATION, 2),
    ToolStart(3, "call_1", "f"),
    ToolStart(4, "call_2", "g"),
    ToolDelta(3, '{"a": [1, '),
    ToolDelta(4, "{}"),
    ToolDelta(3, '"é"]}'),
    Stop("stop", "stop"),
    Usage(input=11, cache_read=5, cache_write_1h=2, output=9, reasoning=3, web_searches=1),
    Finished(),
)


class Server:
    """Answers every request with the bytes it was given."""

    def __init__(self) -> None:
        self.reply: tuple[int, str, bytes] = (200, "application/json", b"{}")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.do_GET()

            def do_GET(self) -> None:
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
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    url = f"http://127.0.0.1:{server.http.server_address[1]}"
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0, timeout=10) as made:
        yield made


def stream(client: anthropic.Anthropic) -> anthropic.types.Message:
    with client.messages.stream(
        model="m", max_tokens=10, messages=[{"role": "user", "content": "Hi"}]
    ) as running:
        for _ in running:
            pass
        return running.get_final_message()


def check(message: anthropic.types.Message) -> None:
    assert [block.type for block in message.content] == [
        "thinking",
        "redacted_thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    thinking, _, text, first, second = message.content
    assert isinstance(thinking, anthropic.types.ThinkingBlock) and thinking.signature == "c2ln"
    assert isinstance(text, anthropic.types.TextBlock) and text.text == "Hello"
    assert text.citations is not None and text.citations[0].cited_text == "x"
    assert isinstance(first, anthropic.types.ToolUseBlock) and first.input == {"a": [1, "é"]}
    assert isinstance(second, anthropic.types.ToolUseBlock) and second.input == {}
    assert message.id == "msg_1" and message.stop_reason == "tool_use"
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (11, 9, 5)
    assert usage.cache_creation_input_tokens == 2


def test_a_streamed_message(server: Server, client: anthropic.Anthropic) -> None:
    server.reply = (200, "text/event-stream", encode(EVENTS, meta=META))
    check(stream(client))


def test_a_relayed_and_annotated_stream(server: Server, client: anthropic.Anthropic) -> None:
    relay = CODEC.relay(META)
    server.reply = (200, "text/event-stream", relay.relay(frames_of(encode(EVENTS))))
    check(stream(client))


def test_a_whole_message(server: Server, client: anthropic.Anthropic) -> None:
    body = CODEC.annotate(CODEC.encode_answer(fold(EVENTS), META), b'{"model":"p/m"}')
    server.reply = (200, "application/json", body)
    message = client.messages.create(model="m", max_tokens=10, messages=[{"role": "user", "content": "Hi"}])
    check(message)
    assert message.model_extra == {"turnout": {"model": "p/m"}}


def test_an_error_inside_a_stream_is_raised(server: Server, client: anthropic.Anthropic) -> None:
    cut = [*EVENTS[:5], Failed(Failure(Kind.OVERLOADED, "The provider is overloaded."))]
    server.reply = (200, "text/event-stream", encode(cut))
    with pytest.raises(anthropic.APIStatusError, match="overloaded"):
        stream(client)


def test_a_stream_that_was_cut_is_raised(server: Server, client: anthropic.Anthropic) -> None:
    whole = encode(EVENTS)
    for cut in (len(whole) // 2, whole.index(b"event: message_stop")):
        server.reply = (200, "text/event-stream", CODEC.relay(META).relay(frames_of(whole[:cut])))
        with pytest.raises(anthropic.APIStatusError, match="before the reply was complete"):
            stream(client)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Kind.BAD_REQUEST, anthropic.BadRequestError),
        (Kind.UNAUTHENTICATED, anthropic.AuthenticationError),
        (Kind.UNKNOWN_MODEL, anthropic.NotFoundError),
        (Kind.RATE_LIMITED, anthropic.RateLimitError),
        (Kind.UPSTREAM_ERROR, anthropic.InternalServerError),
    ],
)
def test_errors(server: Server, client: anthropic.Anthropic, kind: Kind, error: type[Exception]) -> None:
    failure = Failure(kind, "What happened.")
    server.reply = (failure.row.status, "application/json", CODEC.encode_error(failure, "req_1"))
    with pytest.raises(error, match="What happened"):
        stream(client)


def test_models_and_counted_tokens(server: Server, client: anthropic.Anthropic) -> None:
    server.reply = (200, "application/json", CODEC.encode_count(14))
    counted = client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "Hi"}])
    assert counted.input_tokens == 14
    models = [ModelEntry("a", "p", 1_700_000_000), ModelEntry("b", "p", 0, 200_000, 8_192)]
    server.reply = (200, "application/json", CODEC.encode_models(models))
    page = client.models.list()
    assert [(model.id, model.created_at.year) for model in page.data] == [("a", 2023), ("b", 1970)]
    assert (page.first_id, page.last_id, page.has_more) == ("a", "b", False)
    server.reply = (200, "application/json", CODEC.encode_models([]))
    assert client.models.list().data == []
