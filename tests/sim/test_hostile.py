"""Requests that no client should send, and HTTP as it can be: whatever comes, there is an answer and it is not a crash."""

from __future__ import annotations

import base64
import copy
import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from tests.e2e.material import png
from tests.sim.conftest import KEY, Providers

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 2},
        "unit": {"enum": ["c", "f"]},
        "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/day"}]},
        "days": {"type": "array", "items": {"allOf": [{"type": "number"}]}, "minItems": 2},
    },
    "required": ["city"],
    "$defs": {"day": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}},
}
PICTURE = {"url": "data:image/png;base64," + png(2, 2)}
FUNCTION = {"name": "get_weather", "description": "Weather in a city", "parameters": SCHEMA}
OPENAI = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Weather?"}, {"type": "image_url", "image_url": PICTURE}],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
        {"role": "user", "content": "And the weather in Rome?"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": "auto",
    "stop": ["x"],
    "n": 1,
    "max_tokens": 50,
    "response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": SCHEMA}},
}
ANTHROPIC = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 2000,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "get_weather", "input": {}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "sunny"}]}
            ],
        },
    ],
    "tools": [{"name": "get_weather", "description": "Weather in a city", "input_schema": SCHEMA}],
    "tool_choice": {"type": "auto"},
    "thinking": {"type": "disabled"},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "stop_sequences": ["x"],
}
EMBEDDINGS = {"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 8}
JUNK: list[Any] = [None, True, -1, 10**30, "x", [None], ["a"], {"a": {}}]
HEADERS = {"authorization": f"Bearer {KEY}", "x-api-key": KEY, "anthropic-version": "2023-06-01"}

Path = tuple[str | int, ...]


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value."""
    yield at
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, member in members:
        yield from paths(member, (*at, key))


def put(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    changed = copy.deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return changed


def connect(providers: Providers, provider: str) -> http.client.HTTPConnection:
    parts = urlsplit(providers.urls[provider])
    assert parts.hostname is not None
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)


@pytest.mark.parametrize(
    ("provider", "path", "body"),
    [
        ("openai", "/v1/chat/completions", OPENAI),
        ("anthropic", "/v1/messages", ANTHROPIC),
        ("openai", "/v1/embeddings", EMBEDDINGS),
    ],
)
def test_nonsense_anywhere_in_a_request_is_answered(
    providers: Providers, provider: str, path: str, body: dict[str, Any]
) -> None:
    connection = connect(providers, provider)
    seen: dict[int, int] = {}
    for place in paths(body):
        for junk in JUNK:
            connection.request("POST", path, json.dumps(put(body, place, junk)), HEADERS)
            reply = connection.getresponse()
            reply.read()
            assert reply.status < 500, (place, junk)
            seen[reply.status] = seen.get(reply.status, 0) + 1
    connection.close()
    assert seen[200] > 10
    assert seen[400] > 10


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 50_000, b'{"model":"\\ud800"}', b'{"model":NaN}']
)
def test_bodies_that_are_no_request(providers: Providers, body: bytes) -> None:
    for provider, path in (("openai", "/v1/chat/completions"), ("anthropic", "/v1/messages")):
        connection = connect(providers, provider)
        connection.request("POST", path, body, HEADERS)
        reply = connection.getresponse()
        assert reply.status == 400
        assert json.loads(reply.read())["error"]["type"] == "invalid_request_error"
        connection.close()


def test_a_signature_that_is_no_ascii_is_refused(providers: Providers) -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "é"}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "Yes."}]}
    asked = {"role": "user", "content": "Are you sure?"}
    connection = connect(providers, "anthropic")
    body = {"model": "claude-sonnet-4-6", "max_tokens": 10, "messages": [asked, said, asked]}
    connection.request("POST", "/v1/messages", json.dumps(body), HEADERS)
    reply = connection.getresponse()
    assert reply.status == 400
    assert "Invalid `signature` in `thinking` block" in json.loads(reply.read())["error"]["message"]
    connection.close()


def exchange(providers: Providers, *writes: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    parts = urlsplit(providers.urls["openai"])
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10) as wire:
        for data in writes:
            wire.sendall(data)
        return b"".join(iter(lambda: wire.recv(65536), b""))


def get(*headers: bytes) -> bytes:
    lines = [b"GET /v1/models HTTP/1.1", b"host: x", b"authorization: Bearer k", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def test_a_connection_closes_when_asked_to(providers: Providers) -> None:
    assert exchange(providers, get(b"connection: close")).count(b"HTTP/1.1 200") == 1


def test_pipelined_requests_are_answered_in_order(providers: Providers) -> None:
    unknown = get().replace(b"/v1/models", b"/v1/nowhere")
    answers = exchange(providers, get() + unknown + get(b"connection: close"))
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"404", b"200"]


def test_a_request_may_come_a_byte_at_a_time_and_chunked(providers: Providers) -> None:
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}).encode()
    head = get(b"connection: close", b"transfer-encoding: chunked").replace(
        b"GET /v1/models", b"POST /v1/chat/completions"
    )
    whole = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert b"Hello!" in exchange(providers, *(whole[i : i + 1] for i in range(len(whole))))


def test_what_is_no_http_ends_with_400(providers: Providers) -> None:
    assert exchange(providers, b"\x16\x03\x01nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("provider", "model", "status"),
    [("openai", "text-embedding-3-small", 404), ("mistral", "mistral-embed", 400)],
)
def test_embedding_models_do_not_chat(providers: Providers, provider: str, model: str, status: int) -> None:
    with providers.openai(provider) as client, pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi"}])
    assert refused.value.status_code == status


def test_chat_models_give_no_embeddings(providers: Providers) -> None:
    with (
        providers.openai() as client,
        pytest.raises(openai.PermissionDeniedError, match="not allowed to generate"),
    ):
        client.embeddings.create(model="gpt-4o", input="Hi")


def test_an_unknown_fault_in_the_header_is_refused(providers: Providers) -> None:
    with providers.openai() as client, pytest.raises(openai.BadRequestError, match="no such fault: explode"):
        client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "Hi"}],
            extra_headers={"x-sim-fault": "explode"},
        )


def test_hidden_reasoning_counts_towards_the_limit(providers: Providers) -> None:
    with providers.openai() as client:
        reply = client.chat.completions.create(
            model="gpt-5.4", messages=[{"role": "user", "content": "Hi"}], max_completion_tokens=16
        )
    assert reply.choices[0].finish_reason == "length"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 16


def test_the_size_of_a_jpeg_is_seen(providers: Providers) -> None:

    jfif = b"\xff\xe0" + (16).to_bytes(2) + b"JFIF\0" + bytes(9)
    frame = b"\xff\xc2" + (11).to_bytes(2) + b"\x08" + (48).to_bytes(2) + (64).to_bytes(2) + bytes(4)
    url = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8" + jfif + frame).decode()
    with providers.openai() as client:
        reply = client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}],
        )
    assert "an image (jpeg, 64x48)" in (reply.choices[0].message.content or "")
