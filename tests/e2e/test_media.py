"""Media given by URL to a model that takes them by value: fetched where that is allowed, refused with the way out where not."""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from msgspec.structs import replace

from tests.e2e.harness import Change, Running
from tests.e2e.test_bedrock import CLAUDE, KEYS, Server
from turnout.config import schema

PDF = b"%PDF-1.7\n% one page\n"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
FILES = {
    "/report.pdf": ("application/pdf", PDF),
    "/x.png": ("image/png", PNG),
    "/page": ("text/html", b"<p>"),
}


class Files:
    """A web server of the own network. `asked` holds the paths that were asked for."""

    def __init__(self) -> None:
        asked = self.asked = list[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                kind, body = FILES[self.path.partition("?")[0]]
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    served = Files()
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join(10)


def fetching(files: Files, **more: Any) -> Change:
    def change(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
        inside = (files.url.removeprefix("http://"),)
        models = dict(config.models)
        by_value = {"quirks": (*models["claude-sonnet-4-6"].quirks, "media_by_value")}
        models["claude-sonnet-4-6"] = replace(models["claude-sonnet-4-6"], **by_value)
        media = schema.Media(fetch=True, allow_http_hosts=inside, **more)
        return replace(config, models=models, media=media)

    return change


@pytest.fixture(scope="module")
def gateway(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("media"), fetching(files)) as running:
        yield running


def alone(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
    """Nothing about media is said, and nobody stands in for the model."""
    models = {name: replace(model, fallbacks=()) for name, model in config.models.items()}
    return replace(config, models=models)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("strict"), alone) as running:
        yield running


def document(url: str) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "url", "url": url}, "title": "Report"}


def ask_claude_s_way(gateway: Running, model: str, *blocks: dict[str, Any], **more: Any) -> Any:
    content: Any = [*blocks, {"type": "text", "text": "What is the capital of France?"}]
    with anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=0) as client:
        return client.messages.create(
            model=model, max_tokens=100, messages=[{"role": "user", "content": content}], **more
        )


def ask_openai_s_way(gateway: Running, model: str, url: str) -> Any:
    content: Any = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": url}}]
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client:
        return client.chat.completions.create(
            model=model, max_tokens=100, messages=[{"role": "user", "content": content}]
        )


def last_body(gateway: Running, provider: str) -> str:
    """The body of the last request that a provider saw."""
    (seen,) = gateway.control(provider, "GET", "requests?last=1")["requests"]
    return str(seen["body"])


def test_a_document_reaches_a_model_that_takes_files_by_value(gateway: Running, files: Files) -> None:
    files.asked.clear()
    message = ask_claude_s_way(
        gateway,
        "gpt-4o",
        document(f"{files.url}/report.pdf?a=1"),
        document(f"{files.url}/report.pdf?a=1"),
    )
    assert "Paris" in message.content[0].text
    assert files.asked == ["/report.pdf?a=1"]  # named twice, fetched once
    body = last_body(gateway, "openai")
    assert body.count(base64.b64encode(PDF).decode()) == 2
    assert files.url not in body


def test_an_image_reaches_a_provider_that_fetches_nothing(gateway: Running, files: Files) -> None:
    ask_openai_s_way(gateway, "claude-sonnet-4-6", f"{files.url}/x.png")
    body = last_body(gateway, "anthropic")
    assert base64.b64encode(PNG).decode() in body and files.url not in body


def test_a_provider_whose_api_has_no_urls_gets_bytes(files: Files, tmp_path: Path) -> None:
    def change(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
        url = f"http://127.0.0.1:{bedrock.server_address[1]}"
        amazon = schema.Provider("bedrock", url, f"{KEYS.access_key}:{KEYS.secret}:{KEYS.session_token}")
        model = schema.Model("amazon", CLAUDE, capabilities=("vision", "documents"))
        config = fetching(files)(config, base_urls)
        return replace(config, providers={"amazon": amazon}, models={"b": model}, routing=schema.Routing())

    with Server() as bedrock:
        thread = threading.Thread(target=bedrock.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        with Running(tmp_path, change) as running:
            ask_openai_s_way(running, "b", f"{files.url}/x.png?1")
            ask_claude_s_way(running, "b", document(f"{files.url}/report.pdf?1"))
        bedrock.shutdown()
        thread.join(10)
    blocks = [block for _, body in bedrock.seen for block in body["messages"][0]["content"]]
    assert {"format": "png", "source": {"bytes": base64.b64encode(PNG).decode()}} in [
        block.get("image") for block in blocks
    ]
    assert base64.b64encode(PDF).decode() in [
        block["document"]["source"]["bytes"] for block in blocks if "document" in block
    ]


def test_a_streamed_answer_is_no_different(gateway: Running, files: Files) -> None:
    events = ask_claude_s_way(gateway, "gpt-4o", document(f"{files.url}/report.pdf?s"), stream=True)
    assert [event.type for event in events][-1] == "message_stop"


@pytest.mark.parametrize("path", ["/page", "/x.png"])
def test_what_is_no_document_is_refused_by_name(gateway: Running, files: Files, path: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask_claude_s_way(gateway, "gpt-4o", document(files.url + path + "?token=secret"))
    assert "messages.0.content.0" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x.png",
        "https://localhost/x.png",
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/x.png",
        "file:///etc/passwd",
        "https://user:secret@127.0.0.1/x.png",
    ],
)
def test_urls_that_lead_inside_are_refused(gateway: Running, url: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask_openai_s_way(gateway, "claude-sonnet-4-6", url)
    assert caught.value.param == "messages.0.content.1"
    assert "secret" not in str(caught.value)


def test_more_than_allowed_for_one_request_is_refused(
    files: Files, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        contextlib.ExitStack() as stack,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        change = fetching(files, bytes_max=1024)
        small = stack.enter_context(Running(tmp_path_factory.mktemp("small"), change))
        urls = [f"{files.url}/report.pdf?{number}" for number in range(60)]
        ask_claude_s_way(small, "gpt-4o", *map(document, urls))
    assert caught.value.status_code == 413


# -- where nothing is fetched
def test_without_fetching_the_caller_learns_what_to_do(strict: Running, files: Files) -> None:
    files.asked.clear()
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask_claude_s_way(strict, "gpt-4o", document(f"{files.url}/report.pdf"))
    text = str(caught.value)
    assert "messages.0.content.0" in text and "media.fetch" in text and "base64" in text
    assert files.asked == []


def test_a_provider_that_takes_urls_gets_them(strict: Running) -> None:
    url = "https://example.com/x.png"
    ask_openai_s_way(strict, "claude-sonnet-4-6", url)
    assert url in last_body(strict, "anthropic")


def test_a_stand_in_that_takes_the_url_answers(tmp_path: Path) -> None:
    """The model that was asked for cannot take it, its fallback can."""

    def change(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
        models = dict(config.models)
        models["gpt-4o"] = replace(models["gpt-4o"], fallbacks=("claude-sonnet-4-6",))
        return replace(config, models=models)

    with Running(tmp_path, change) as running:
        message = ask_claude_s_way(running, "gpt-4o", document("https://example.com/report.pdf"))
        assert "Paris" in message.content[0].text
        assert "https://example.com/report.pdf" in last_body(running, "anthropic")
