"""Rules about models, from the configuration file's words to what an SDK, the log and the metrics say: real sockets, real SDKs."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from msgspec.structs import replace

from tests.e2e.harness import Running
from turnout.config import schema
from turnout.core.errors import Violation

KEY = "secret-key-1"


def ruled(config: schema.Config, base_urls: dict[str, str]) -> schema.Config:
    tags = {"openai": ("region:us",), "anthropic": ("region:eu", "training:no")}
    return replace(
        config,
        providers={
            name: replace(provider, tags=tags.get(name, ("region:us",)))
            for name, provider in config.providers.items()
        },
        policies={
            "eu": schema.Policy(require_tags=("region:eu",)),
            "moon": schema.Policy(require_tags=("region:moon",)),
        },
        teams={"research": schema.Rules(policies=("eu",))},
        cost_centers={"thrift": schema.Rules(price_ceiling=schema.PriceCeiling(input=0))},
        keys=(
            schema.Key(name="app", key=KEY),
            schema.Key(name="lab", key="secret-key-2", team="research"),
        ),
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("policies"), ruled) as running:
        yield running


def client_of(gateway: Running, key: str = KEY, **headers: str) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{gateway.url}/v1",
        api_key=key,
        max_retries=0,
        default_headers={f"x-turnout-{name.replace('_', '-')}": value for name, value in headers.items()},
    )


def ask(client: openai.OpenAI, model: str) -> Any:
    return client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "Hi"}]
    )


def counted(gateway: Running, policy: str, key: str) -> float:
    request = urllib.request.Request(f"{gateway.url}/metrics", headers={"authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    wanted = f'turnout_policy_violations_total{{key="{key}",policy="{policy}"}} '
    return next((float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted)), 0.0)


def test_a_forbidden_model_is_refused_logged_and_counted(gateway: Running) -> None:
    before = counted(gateway, "moon", "app")
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client_of(gateway, compliance="moon"), "gpt-4o")
    assert caught.value.status_code == 422
    body: Any = caught.value.body
    assert body["code"] == "no_candidate"
    assert body["message"].startswith("no model is left: policy:moon removed ")
    (detail,) = body["details"]
    assert detail["filter"] == "policy:moon"
    assert detail["models"] >= 1
    row = gateway.row(caught.value.response.headers["x-turnout-request-id"])
    assert (row.key, row.status, row.error, row.requested_model) == ("app", 422, "no_candidate", "gpt-4o")
    assert row.violations == (Violation("policy:moon", "gpt-4o"),)
    assert "policy:moon" in (row.error_message or "")
    assert counted(gateway, "moon", "app") == before + 1


def test_a_fallback_may_answer_and_the_attempt_is_counted_all_the_same(gateway: Running) -> None:
    before = counted(gateway, "eu", "lab")
    reply = ask(client_of(gateway, "secret-key-2", prefer="claude-haiku-4-5"), "gpt-4o")
    assert reply.headers["x-turnout-model"].startswith("anthropic/")
    assert "rerouted" in reply.headers["x-turnout-notice"]
    row = gateway.row(reply.headers["x-turnout-request-id"])
    assert row.violations == (Violation("policy:eu", "gpt-4o"),)
    assert (row.team, row.status) == ("research", 200)
    assert counted(gateway, "eu", "lab") == before + 1
    allowed = ask(client_of(gateway, "secret-key-2"), "auto")
    assert gateway.row(allowed.headers["x-turnout-request-id"]).violations == ()


def test_a_policy_cannot_be_lifted(gateway: Running) -> None:
    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask(client_of(gateway, "secret-key-2", compliance="-eu"), "auto")
    row = gateway.row(caught.value.response.headers["x-turnout-request-id"])
    assert (row.status, row.violations) == (403, (Violation("policy:eu", "-eu"),))


def test_the_list_of_models_has_only_what_the_caller_may_use(gateway: Running) -> None:
    served = {model.id for model in client_of(gateway, "secret-key-2").models.list()}
    assert "claude-haiku-4-5" in served
    assert "gpt-4o" not in served
    assert "gpt-4o" in {model.id for model in client_of(gateway).models.list()}


def test_a_request_that_names_a_cost_centre_comes_under_its_rules(gateway: Running) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client_of(gateway, cost_center="thrift"), "gpt-4o")
    assert caught.value.status_code == 402
    assert ask(client_of(gateway), "gpt-4o").headers["x-turnout-model"] == "openai/gpt-4o"


def test_a_price_ceiling_of_the_request(gateway: Running) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client_of(gateway, price_ceiling="input=0.0001"), "auto")
    assert caught.value.status_code == 402
    body: Any = caught.value.body
    assert {one["filter"] for one in body["details"]} == {"price_ceiling"}


def test_anthropics_sdk_gets_the_details(gateway: Running) -> None:
    client = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0)
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(
            model="auto",
            max_tokens=50,
            messages=[{"role": "user", "content": "Hi"}],
            extra_headers={"x-turnout-compliance": "moon"},
        )
    body: Any = caught.value.body
    assert [one["filter"] for one in body["error"]["details"]] == ["policy:moon"]


def test_geminis_sdk_gets_the_details(gateway: Running) -> None:
    options = types.HttpOptions(base_url=gateway.url, headers={"x-turnout-compliance": "moon"})
    client = genai.Client(api_key=KEY, http_options=options)
    with pytest.raises(genai_errors.ClientError) as caught:
        client.models.generate_content(model="auto", contents="Hi")
    info = next(one for one in caught.value.details["error"]["details"] if one["@type"].endswith("ErrorInfo"))
    assert int(info["metadata"]["policy:moon"]) > 1


def test_the_responses_dialect_gets_the_details(gateway: Running) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client_of(gateway, compliance="moon").responses.create(model="auto", input="Hi")
    body: Any = caught.value.body
    assert body["details"][0]["filter"] == "policy:moon"


def test_an_explanation_breaks_no_rule_and_counts_nothing(gateway: Running) -> None:
    before = counted(gateway, "eu", "app")
    asked = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}
    request = urllib.request.Request(
        f"{gateway.url}/v1/route",
        data=json.dumps(asked).encode(),
        headers={"authorization": f"Bearer {KEY}", "x-turnout-compliance": "eu"},
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        found = json.loads(reply.read())
    kept = [one for one in found["candidates"] if one["kept"]]
    assert kept
    assert all(one["model"].startswith("anthropic/") for one in kept)
    assert counted(gateway, "eu", "app") == before
