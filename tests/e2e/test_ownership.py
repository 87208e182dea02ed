"""What a provider keeps for the gateway belongs to the key that made it: on every endpoint, over HTTP and over the WebSocket."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.e2e.processes import Process
from tests.e2e.repeating import Repeating, repeating

KEYS = ("ann", "bob")
FILE = {"type": "input_file", "file_id": "file-1"}
URI = "https://generativelanguage.googleapis.com/v1beta/files/abc"


@pytest.fixture(scope="module")
def provider() -> Iterator[Repeating]:
    with repeating() as made:
        yield made


@contextmanager
def gateway(folder: Path, configuration: str) -> Iterator[str]:
    (folder / "turnout.yaml").write_text(configuration)
    with Process("serve", cwd=folder) as process:
        yield process.ready().url
        process.stop()


@pytest.fixture(scope="module")
def url(provider: Repeating, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gateway(tmp_path_factory.mktemp("owners"), provider.configuration(KEYS)) as at:
        yield at


def call(url: str, path: str, body: Any, key: str, method: str = "POST") -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer sk-key-{key}"}
    request = urllib.request.Request(url + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def responses(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "input": "Hi", **more}


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/input_tokens"])
@pytest.mark.parametrize("model", ["by-openai_responses", "by-anthropic", "auto"])
def test_a_response_is_its_keys_own(url: str, provider: Repeating, model: str, path: str) -> None:
    status, made = call(url, "/v1/responses", responses(model), "ann")
    assert status == 200
    for key, wanted in (("bob", made["id"]), ("ann", "resp_of_somebody"), ("bob", "resp_of_somebody")):
        asked = len(provider.asked)
        for stream in (False, True):
            body = responses(model, previous_response_id=wanted, stream=stream)
            status, refused = call(url, path, body, key)
            assert status == 400, refused
            assert refused["error"]["code"] == "previous_response_not_found"
            assert refused["error"]["message"] == f"Previous response with id '{wanted}' not found."
        assert len(provider.asked) == asked
    if path == "/v1/responses":
        assert call(url, path, responses(model, previous_response_id=made["id"]), "ann")[0] == 200


def test_looking_at_deleting_and_cancelling(url: str) -> None:
    made = call(url, "/v1/responses", responses("by-anthropic"), "ann")[1]["id"]
    own = f"/v1/responses/{made}"
    for path in (own, f"{own}/input_items", "/v1/responses/resp_none", "/v1/responses/resp_none/input_items"):
        assert call(url, path, None, "bob", "GET")[0] == 404
    assert call(url, own, None, "bob", "DELETE")[0] == 404
    assert call(url, f"{own}/cancel", {}, "bob")[0] == 404
    assert call(url, f"{own}/cancel", {}, "ann")[0] == 400
    assert call(url, f"{own}/input_items", None, "ann", "GET")[0] == 200
    assert call(url, own, None, "ann", "DELETE")[0] == 200
    assert call(url, own, None, "ann", "GET")[0] == 404


CHAT = {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}
CLAUDE = {"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}]}
GOOGLE = {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": URI, "mimeType": "text/plain"}}]}]}
HI = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
OBJECTS: list[tuple[str, str, dict[str, Any]]] = [
    ("openai_chat", "/v1/chat/completions", {"messages": [CHAT]}),
    ("openai_responses", "/v1/responses", {"input": [{"role": "user", "content": [FILE]}]}),
    ("openai_responses", "/v1/responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}),
    ("openai_responses", "/v1/responses", {"input": [{"id": "msg_1"}]}),
    ("openai_responses", "/v1/responses", {"input": "Hi", "conversation": "conv_1"}),
    ("openai_responses", "/v1/responses/input_tokens", {"input": "Hi", "conversation": "conv_1"}),
    (
        "openai_responses",
        "/v1/responses",
        {"input": "Hi", "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]},
    ),
    ("anthropic", "/v1/messages", {"max_tokens": 9, "messages": [CLAUDE]}),
    ("anthropic", "/v1/messages/count_tokens", {"messages": [CLAUDE]}),
    ("gemini", "/v1beta/models/by-gemini:generateContent", GOOGLE),
    ("gemini", "/v1beta/models/by-gemini:streamGenerateContent", {**HI, "cachedContent": "cachedContents/1"}),
    ("gemini", "/v1beta/models/by-gemini:countTokens", GOOGLE),
]


def test_objects_of_a_provider_are_refused_in_the_dialects_words(url: str, provider: Repeating) -> None:
    for dialect, path, body in OBJECTS:
        asked = len(provider.asked)
        model = {} if dialect == "gemini" else {"model": f"by-{dialect}"}
        status, refused = call(url, path, {**model, **body}, "ann")
        assert status == 400, (path, body, refused)
        error = refused["error"]
        assert "shared_objects" in error["message"]
        if dialect == "gemini":
            assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
        else:
            assert error["type"] == "invalid_request_error"
        assert dialect == "gemini" or dialect == "anthropic" or error["param"]
        assert len(provider.asked) == asked


def test_the_operator_may_say_that_they_are_everybodys(provider: Repeating, tmp_path: Path) -> None:
    shared = ("openai_chat", "openai_responses", "anthropic", "gemini")
    with gateway(tmp_path, provider.configuration(KEYS, shared)) as url:
        for dialect, path, body in OBJECTS:
            asked = len(provider.asked)
            model = {} if dialect == "gemini" else {"model": f"by-{dialect}"}
            call(url, path, {**model, **body}, "bob")
            sent = provider.asked[asked]
            assert {name: sent[name] for name in body} == body, path
        body = responses("by-openai_responses", previous_response_id="resp_elsewhere")
        assert call(url, "/v1/responses", body, "bob")[0] == 200
        made = call(url, "/v1/responses", responses("by-openai_responses"), "ann")[1]["id"]
        body = responses("by-openai_responses", previous_response_id=made)
        assert call(url, "/v1/responses", body, "bob")[0] == 400  # this one is known to be somebody else's
        asked = len(provider.asked)
        body = {"model": "by-mistral", "messages": [CHAT]}  # a provider that is not shared
        assert call(url, "/v1/chat/completions", body, "bob")[0] == 400
        assert len(provider.asked) == asked


def test_without_keys_references_pass(provider: Repeating, tmp_path: Path) -> None:
    with gateway(tmp_path, provider.configuration()) as url:
        for dialect, path, body in OBJECTS:
            asked = len(provider.asked)
            model = {} if dialect == "gemini" else {"model": f"by-{dialect}"}
            call(url, path, {**model, **body}, "any")
            assert {name: provider.asked[asked][name] for name in body} == body, path


def test_after_a_restart_nobody_is_known(provider: Repeating, tmp_path: Path) -> None:
    with gateway(tmp_path, provider.configuration(KEYS)) as url:
        made = call(url, "/v1/responses", responses("by-openai_responses"), "ann")[1]["id"]
    with gateway(tmp_path, provider.configuration(KEYS)) as url:
        for key in KEYS:
            body = responses("by-openai_responses", previous_response_id=made)
            status, refused = call(url, "/v1/responses", body, key)
            assert (status, refused["error"]["code"]) == (400, "previous_response_not_found")


@pytest.mark.parametrize("store", [True, False])
async def test_over_a_websocket(url: str, provider: Repeating, store: bool) -> None:
    at = f"{url.replace('http', 'ws')}/v1/responses"

    async def turn(socket: Any, **more: Any) -> Any:
        body = responses("by-openai_responses", store=store, **more)
        await socket.send(json.dumps({"type": "response.create", **body}))
        while True:
            event = json.loads(await asyncio.wait_for(socket.recv(), 20))
            if event["type"] in ("error", "response.completed"):
                return event

    async with (
        connect(at, proxy=None, additional_headers={"authorization": "Bearer sk-key-ann"}) as ann,
        connect(at, proxy=None, additional_headers={"authorization": "Bearer sk-key-bob"}) as bob,
    ):
        made = (await turn(ann))["response"]["id"]
        asked = len(provider.asked)
        for wanted in (made, "resp_of_somebody"):
            refused = await turn(bob, previous_response_id=wanted)
            assert refused["error"]["code"] == "previous_response_not_found"
        assert "shared_objects" in (await turn(bob, conversation="conv_1"))["error"]["message"]
        assert len(provider.asked) == asked
        assert (await turn(ann, previous_response_id=made))["type"] == "response.completed"
