"""Facts that pages state in prose, asked of a running gateway or of the code."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.e2e.harness import Running
from turnout.config import schema
from turnout.config.defaults import demo_config
from turnout.config.load import load_text
from turnout.config.problems import ConfigError
from turnout.config.render import reference_markdown
from turnout.core.card import NOT_CHAT, Deadlines
from turnout.core.model import DialectName
from turnout.routing import features
from turnout.upstream.known import load_known
from turnout.wire.registry import CODECS, PROVIDERS

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
    status, headers, body = asked(
        f"{running.url}/v1/chat/completions", {"model": "auto", "messages": LONG * 6}
    )
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


# -- getting-started.md
def test_the_demo_has_as_many_models_and_providers_as_the_page_says() -> None:
    known = load_known()
    demo = demo_config(known, dict.fromkeys(known.simulated, "http://127.0.0.1:1"), {})
    chat = [name for name in demo.models if set(known.models[name].capabilities) - NOT_CHAT]
    says = re.search(r"with (\d+) chat models of (\d+) simulated providers", page("getting-started.md"))
    assert says is not None
    assert (len(chat), len(demo.providers)) == (int(says[1]), int(says[2]))


def test_there_are_nine_dialects_and_four_apis() -> None:
    text = page("getting-started.md")
    assert "the nine [dialects]" in text
    assert "[four APIs]" in text
    assert (len(PROVIDERS), len(get_args(DialectName)), len(CODECS)) == (9, 9, 4)


@pytest.mark.parametrize(("length", "taken"), [(7, False), (8, True), (512, True), (513, False)])
def test_a_key_has_8_to_512_characters(length: int, taken: bool) -> None:
    text = f"keys: [{{name: app, key: {'k' * length}}}]"
    assert "A key has 8 to 512 characters" in page("getting-started.md")
    if taken:
        assert load_text(text, "turnout.yaml", {}, ()).keys[0].key == "k" * length
    else:
        with pytest.raises(ConfigError):
            load_text(text, "turnout.yaml", {}, ())


@pytest.mark.parametrize(
    ("header", "value", "wrong"),
    [("x-turnout-cache", "refresh", "perhaps"), ("x-turnout-can-wait", "1h", "perhaps")],
)
def test_reserved_headers_are_checked_and_do_nothing(
    running: Running, header: str, value: str, wrong: str
) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    url = f"{running.url}/v1/chat/completions"
    status, headers, _ = asked(url, body, **{header: value})
    assert (status, headers["x-turnout-cache"]) == (200, "off")
    assert asked(url, body, **{header: wrong})[0] == 400
    assert f"`{header}`" in page("getting-started.md").split("reserved")[0].splitlines()[-1]


# -- configuration.md
def test_the_reference_has_the_deadlines_that_are_built_in() -> None:
    section = reference_markdown().split("deadlines`\n", 1)[1].split("\n## ")[0]
    for name in schema.Deadlines.__struct_fields__:
        (row,) = re.findall(rf"^\| `{name}` .*$", section, re.MULTILINE)
        assert row.endswith(f"Built in: {getattr(Deadlines(), name):,}. |")


# -- routing.md
def test_the_classifier_reads_as_much_as_the_page_says() -> None:
    text = " ".join(page("routing.md").split())
    head = features.QUERY_CHARS_MAX - features.TAIL_CHARS
    assert f"its first {head} and its last {features.TAIL_CHARS} characters" in text
    assert f"the first {features.SYSTEM_CHARS_MAX} characters of the system prompt" in text
    assert f"up to {features.FOLLOW_UP_CHARS_MAX} characters is read together" in text
    assert f"up to {features.FOLLOW_UP_TURNS_MAX} user turns before it" in text
    shown = features.clip("".join(chr(0x4E00 + number) for number in range(5_000)), features.QUERY_CHARS_MAX)
    assert [len(part) for part in shown.split("\n")] == [head, features.TAIL_CHARS]


# -- costs.md
def test_the_cost_of_a_row_is_that_of_all_its_attempts(healthy: Running) -> None:
    healthy.fault("openai", {"kind": "empty"}, model="gpt-4o-mini", times=2)
    body = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    }
    status, headers, _ = asked(f"{healthy.url}/v1/chat/completions", body)
    assert status == 200
    row = healthy.row(headers["x-turnout-request-id"])
    costs = [attempt.cost_nano for attempt in row.attempts]
    assert len(costs) > 1
    assert all(costs)
    assert row.cost_nano == sum(cost or 0 for cost in costs)
    assert float(headers["x-turnout-cost-usd"]) == pytest.approx((row.cost_nano or 0) / 1e9)


# -- README.md
def test_the_readme_counts_providers_and_shows_what_a_decision_looks_like(running: Running) -> None:
    text = (DOCS.parent / "README.md").read_text()
    assert "more than\nfifty providers" in text
    assert len(load_known().providers) > 50
    asked_for = re.findall(r'turnout route "([^"]+)"', text)[0]
    body = {"model": "auto", "messages": [{"role": "user", "content": asked_for}]}
    status, _, decision = asked(f"{running.url}/v1/route", body)
    shown = re.findall(r"^(?:model|fallbacks) +(.*)$", text, re.MULTILINE)
    assert status == 200
    assert shown[0].split(",")[0] == decision["plan"]["model"]
    assert (
        f"tokens     {decision['tokens']['input']} in, about {decision['tokens']['output_expected']} out"
        in text
    )
    assert f"task       {decision['task']['name']} (" in text
    assert f"tier       {decision['tier']['name']} (" in text
