"""Facts that pages state in prose, asked of a running gateway or of the code."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Running

DOCS = Path(__file__).parents[2] / "docs"
LONG = [{"role": "user", "content": "word " * 200_000}]


def asked(url: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of a reply, whatever the status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, dict(reply.headers), json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), json.load(error)


def page(name: str) -> str:
    return (DOCS / name).read_text()


# -- errors.md
def test_the_header_has_our_code_and_an_openai_body_the_word_that_sdks_look_for(running: Running) -> None:
    status, headers, body = asked(f"{running.url}/v1/chat/completions", {"model": "auto", "messages": LONG * 6})
    assert (status, headers["x-turnout-error"]) == (400, "context_too_long")
    assert body["error"]["code"] == "context_length_exceeded"
    assert running.row(headers["x-turnout-request-id"]).error == "context_too_long"


def test_an_anthropic_body_has_our_code(running: Running) -> None:
    body = {"model": "auto", "max_tokens": 9, "messages": LONG * 6}
    status, headers, reply = asked(f"{running.url}/v1/messages", body)
    assert (status, headers["x-turnout-error"]) == (400, "context_too_long")
    assert reply["error"]["code"] == "context_too_long"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/models/no-such-model", 404, "unknown_model"),
        ("/v1/nowhere", 404, "unknown_route"),
        ("/v1/chat/completions", 405, "unknown_route"),
    ],
)
def test_what_is_no_call_has_the_header_too(running: Running, path: str, status: int, code: str) -> None:
    found, headers, body = asked(running.url + path)
    assert (found, headers["x-turnout-error"], body["error"]["code"]) == (status, code, code)


def test_http_errors_are_named_as_the_page_says(running: Running) -> None:
    status, _, body = asked(f"{running.url}/healthz", None, **{"x-long": "a" * 70_000})
    assert (status, body["error"]["code"]) == (431, "http_431")
    source = (DOCS.parent / "src/turnout/edge/http.py").read_text()
    statuses = {int(each) for each in re.findall(r"_refuse\((\d{3}),", source)} - {500}
    assert {int(each) for each in re.findall(r"`http_(\d{3})`", page("errors.md"))} == statuses
