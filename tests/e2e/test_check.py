"""`turnout check` says now what would fail later, and takes what `serve` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import Process, turnout

HOUSE = 'providers:\n  house: {dialect: openai_chat, base_url: "http://127.0.0.1:9/v1"}\n'
MODEL = "models:\n  m: {provider: house, price: {input: 0, output: 0}}\n"


def check(folder: Path, text: str, *options: str, **environment: str) -> tuple[int, Any]:
    (folder / "turnout.yaml").write_text(text)
    done = turnout("check", "--json", *options, cwd=folder, **environment)
    assert not done.stderr
    return done.returncode, json.loads(done.stdout)


# text, environment, line, key, words
ODD = [
    ("{}\n", {}, 1, "models", "there are none"),
    ("models:\n  gpt-4o: {provider: openai}\n", {}, 2, "models.gpt-4o.provider", "set OPENAI_API_KEY"),
    (
        "providers:\n  openai: {}\nmodels:\n  gpt-4o: {provider: openai}\n",
        {"OPENAI_API_KEY": ""},
        2,
        "providers.openai",
        "has no key",
    ),
    (
        "providers:\n  azure: {base_url: 'https://x.openai.azure.com/openai/v1'}\nmodels:\n  m: {provider: azure}\n",
        {"AZURE_OPENAI_API_KEY": "k"},
        2,
        "providers.azure",
        "add `api_key: ${AZURE_OPENAI_API_KEY}`",
    ),
    (
        "models:\n  m: {provider: bedrock}\n",
        {"AWS_REGION": "eu-west-1"},
        2,
        "models.m.provider",
        "has no `api_key`",
    ),
    (
        "providers:\n  openai: {api_key: $OPENAI_API_KEY}\nmodels:\n  gpt-4o: {provider: openai}\n",
        {},
        2,
        "providers.openai.api_key",
        "a variable is `${NAME}`",
    ),
    (
        "providers:\n  openai:\n    api_key: os.environ/OPENAI_API_KEY\nmodels:\n  gpt-4o: {provider: openai}\n",
        {},
        3,
        "providers.openai.api_key",
        "looks like an environment variable",
    ),
    (
        "providers:\n  house: {dialect: openai_chat, base_url: 'http://127.0.0.1:9'}\n" + MODEL,
        {},
        2,
        "providers.house.base_url",
        "below `/v1`",
    ),
    (
        "providers:\n  house: {dialect: ollama, base_url: 'http://127.0.0.1:9/v1'}\n" + MODEL,
        {},
        2,
        "providers.house.base_url",
        "`openai_chat`",
    ),
    (
        HOUSE + MODEL + "policies:\n  p: {require_tags: [soc2]}\n",
        {},
        6,
        "policies.p.require_tags[0]",
        "no model",
    ),
    (
        HOUSE + MODEL + "policies:\n  p: {require_any_tags: [soc2]}\n",
        {},
        6,
        "policies.p.require_any_tags[0]",
        "no model",
    ),
    (
        HOUSE
        + "models:\n  m: {provider: house, tags: [region:us]}\npolicies:\n  p: {forbid_tags: [regoin:us]}\n",
        {},
        6,
        "policies.p.forbid_tags[0]",
        "did you mean region:us?",
    ),
    (
        HOUSE
        + "models:\n  m: {provider: house, tags: [a]}\n  n: {provider: house, tags: [b]}\npolicies:\n  p: {require_tags: [a, b]}\n",
        {},
        7,
        "policies.p",
        "no model has all",
    ),
    (
        HOUSE + "models:\n  m: {provider: house, fallbacks: [n, n]}\n  n: {provider: house}\n",
        {},
        4,
        "models.m.fallbacks[1]",
        "already",
    ),
]


@pytest.mark.parametrize(
    ("text", "environment", "line", "key", "words"), ODD, ids=[row[3] + row[4][:12] for row in ODD]
)
def test_what_will_surprise_is_a_warning(
    tmp_path: Path, text: str, environment: dict[str, str], line: int, key: str, words: str
) -> None:
    status, report = check(tmp_path, text, **environment)
    assert (status, report["ok"]) == (0, True), report
    found = [warning for warning in report["warnings"] if warning["key"] == key]
    assert found, report["warnings"]
    assert any((warning["line"], words in warning["message"]) == (line, True) for warning in found), found
    status, report = check(tmp_path, text, "--strict", **environment)
    assert (status, report["ok"]) == (1, False)
    assert key in {problem["key"] for problem in report["problems"]}


FINE = [
    (HOUSE + MODEL, {}),
    # models may stand in for each other: fallbacks of fallbacks are not followed
    (HOUSE + "models:\n  a: {provider: house, fallbacks: [b]}\n  b: {provider: house, fallbacks: [a]}\n", {}),
    ("models:\n  gpt-4o: {provider: openai}\n", {"OPENAI_API_KEY": "sk-1"}),
    ("models:\n  m: {provider: azure}\n", {"AZURE_OPENAI_API_KEY": "k", "AZURE_RESOURCE_NAME": "mine"}),
    (
        "providers:\n  vertex: {api_key: token}\nmodels:\n  m: {provider: vertex}\n",
        {"GOOGLE_CLOUD_LOCATION": "europe-west1", "GOOGLE_CLOUD_PROJECT": "p"},
    ),
    (
        "providers:\n  bedrock: {api_key: 'AKID:secret'}\nmodels:\n  m: {provider: bedrock}\n",
        {"AWS_REGION": "eu-west-1"},
    ),
    (
        "models:\n  m: {provider: bedrock_api_key}\n",
        {"AWS_BEARER_TOKEN_BEDROCK": "k", "AWS_REGION": "eu-west-1"},
    ),
    ("models:\n  m: {provider: ollama}\n", {}),
    (
        "models:\n  m: {provider: ollama}\npolicies:\n  p: {require_tags: [local], forbid_tags: ['training:yes']}\n",
        {},
    ),
]


@pytest.mark.parametrize(("text", "environment"), FINE)
def test_what_serve_takes_is_fine(tmp_path: Path, text: str, environment: dict[str, str]) -> None:
    status, report = check(tmp_path, text, "--strict", **environment)
    assert (status, report["ok"]) == (0, True), report


REFUSED: list[tuple[str, dict[str, str], int, str, str]] = [
    (
        "models:\n  m: {provider: azure}\n",
        {},
        2,
        "models.m.provider",
        "`AZURE_RESOURCE_NAME` in the environment",
    ),
    (
        HOUSE + "models:\n  m: {provider: house, quirks: [no_such]}\n",
        {},
        4,
        "models.m.quirks",
        "'no_such' means nothing",
    ),
    (
        "store: sqlite:///no/such/folder/log.db\n" + HOUSE + MODEL,
        {},
        1,
        "store",
        "no/such/folder does not exist",
    ),
    ("store: sqlite:///.\n" + HOUSE + MODEL, {}, 1, "store", "is a folder"),
    (
        HOUSE + "models:\n  m: {provider: house, fallbacks: [m]}\n",
        {},
        4,
        "models.m.fallbacks[0]",
        "the model itself",
    ),
    (
        HOUSE + "models:\n  m: {provider: house, aliases: [x], fallbacks: [x]}\n",
        {},
        4,
        "models.m.fallbacks[0]",
        "the model itself",
    ),
]


@pytest.mark.parametrize(("text", "environment", "line", "key", "words"), REFUSED)
def test_what_serve_refuses_is_an_error(
    tmp_path: Path, text: str, environment: dict[str, str], line: int, key: str, words: str
) -> None:
    status, report = check(tmp_path, text, **environment)
    assert status == 1
    (problem,) = report["problems"]
    assert (problem["line"], problem["key"]) == (line, key)
    assert words in problem["message"]
    refused = turnout("serve", "--port", "0", cwd=tmp_path, **environment)
    assert refused.returncode == 2
    assert not (tmp_path / "turnout.db").exists()


def test_check_makes_no_store(tmp_path: Path) -> None:
    assert check(tmp_path, HOUSE + MODEL)[0] == 0
    assert [file.name for file in tmp_path.iterdir()] == ["turnout.yaml"]


def test_people_read_warnings_on_standard_error(tmp_path: Path) -> None:
    (tmp_path / "turnout.yaml").write_text("models:\n  gpt-4o: {provider: openai}\n")
    done = turnout("check", cwd=tmp_path)
    assert done.returncode == 0
    assert "is fine, with 1 warning: 1 model of 1 provider." in done.stdout
    assert "warning: turnout.yaml:2:22: models.gpt-4o.provider: has no key" in done.stderr


def test_serve_says_the_warnings_too(tmp_path: Path) -> None:
    (tmp_path / "turnout.yaml").write_text("models:\n  gpt-4o: {provider: openai}\n")
    with Process("serve", "--port", "0", cwd=tmp_path) as gateway:
        assert "with 1 model of 1 provider" in gateway.ready().wait_for("ready on")
        assert "models.gpt-4o.provider" in gateway.wait_for("warning:")
        assert gateway.stop() == 0
