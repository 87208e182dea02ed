"""What commands say when they cannot: the right reason, in words for people and in JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.contract.test_log_store import row
from tests.e2e.harness import Running
from tests.e2e.processes import Process, turnout
from turnout.config import schema
from turnout.store.sqlite import SqliteStore

KEY = "the-right-key-1"
HOSTILE = "evil\x1b[2J\x9b\u202e\nreq_0000000000000099 forged"


def with_a_key(config: schema.Config, urls: dict[str, str]) -> schema.Config:
    return replace(config, keys=(schema.Key(name="app", key=KEY),))


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("locked"), with_a_key) as gateway:
        yield gateway


@pytest.mark.parametrize("command", [["chat", "Hi"], ["bench", "-n", "2"]], ids=["chat", "bench"])
@pytest.mark.parametrize("key", ["", "the-wrong-key-1"], ids=["no key", "a wrong key"])
def test_a_wrong_key_is_the_gateways_own_error(
    tmp_path: Path, locked: Running, command: list[str], key: str
) -> None:
    refused = turnout(*command, "--url", locked.url, cwd=tmp_path, TURNOUT_KEY=key)
    assert refused.returncode == 2
    assert "the gateway answered 401 (unauthenticated):" in refused.stderr
    assert "TURNOUT_KEY" in refused.stderr
    assert "provider" not in refused.stderr
    program = turnout(*command, "--url", locked.url, "--json", cwd=tmp_path, TURNOUT_KEY=key)
    error = json.loads(program.stdout)["error"]
    assert (error["code"], error["status"], program.returncode) == ("unauthenticated", 401, 2)
    assert not program.stderr
    assert turnout(*command, "--url", locked.url, cwd=tmp_path, TURNOUT_KEY=KEY).returncode == 0


def test_an_error_inside_a_stream_is_said_with_its_code(tmp_path: Path, healthy: Running) -> None:
    for provider in healthy.provider_urls:
        healthy.fault(provider, {"kind": "error_event", "chunks": 2})
    done = turnout("chat", "Hi", "--model", "gpt-4o", "--url", healthy.url, "--json", cwd=tmp_path)
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "server_error"  # as the provider said it, and as the gateway relayed it
    assert error["message"].startswith("the gateway answered (server_error): The server had an error")


def test_an_unknown_model_is_said(tmp_path: Path, running: Running) -> None:
    done = turnout("chat", "Hi", "--model", "nope", "--url", running.url, cwd=tmp_path)
    assert "the gateway answered 404 (unknown_model):" in done.stderr


ERRORS = [
    ["init", "turnout.yaml"],
    ["init", "no/such/folder/x.yaml"],
    ["check", "none.yaml"],
    ["route", "Hi", "--model", "nope"],
    ["route", "Hi", "--priority", "urgent"],
    ["route", "Hi", "-c", "none.yaml"],
    ["chat", "Hi", "--url", "http://127.0.0.1:9"],
    ["chat", "Hi", "--url", "nonsense"],
    ["bench", "--url", "http://127.0.0.1:9"],
    ["bench", "-n", "0"],
    ["models", "-c", "none.yaml"],
    ["models", "-c", "bad.yaml"],
    ["models", "--bogus"],
    ["providers", "-c", "none.yaml"],
    ["logs"],
    ["logs", "--tier", "huge"],
    ["logs", "--since", "soon"],
    ["logs", "--status", "x"],
    ["logs", "--sum", "--follow"],
    ["logs", "--store", "mysql://x"],
    ["nonsense"],
]


@pytest.mark.parametrize("command", ERRORS, ids=" ".join)
def test_every_error_is_json_where_json_is_asked_for(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "turnout.yaml").write_text("{}\n")
    (tmp_path / "bad.yaml").write_text("server: {prot: 1}\n")
    program = turnout(*command, "--json", cwd=tmp_path)
    assert program.returncode == 2, program.stdout
    assert not program.stderr
    error = json.loads(program.stdout)["error"]
    assert error["code"]
    assert error["message"]
    person = turnout(*command, cwd=tmp_path)
    assert person.returncode == 2
    assert person.stderr
    assert not person.stdout


def test_problems_of_a_configuration_are_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "turnout.yaml").write_text("server: {prot: 1}\n")
    error = json.loads(turnout("models", "--json", cwd=tmp_path).stdout)["error"]
    assert (error["code"], error["problems"][0]["line"]) == ("bad_configuration", 1)


def test_alone_it_shows_the_help(tmp_path: Path) -> None:
    done = turnout(cwd=tmp_path)
    assert done.returncode == 0
    assert "serve" in done.stdout
    assert not done.stderr


def test_completion_for_shells(tmp_path: Path) -> None:
    done = turnout("--show-completion", "bash", cwd=tmp_path)
    assert "_TURNOUT_COMPLETE" in done.stdout
    words = turnout(cwd=tmp_path, _TURNOUT_COMPLETE="complete_bash", COMP_WORDS="turnout ch", COMP_CWORD="1")
    assert words.stdout.split() == ["check", "chat"]


# -- who only looks
SECRETS = """
store: sqlite:///log.db
providers:
  openai: {api_key: "${NOT_THERE}"}
  house: {dialect: openai_chat, base_url: "${HOUSE}", headers: {x: "${X}"}}
  azure: {}
models:
  gpt-4o: {provider: openai, aliases: [best, main]}
  mine: {provider: house}
  deployed: {provider: azure}
keys: [{name: a, key: "${KEY_A}"}]
"""


def test_commands_that_call_nobody_need_no_secret(tmp_path: Path) -> None:
    (tmp_path / "turnout.yaml").write_text(SECRETS)
    models = json.loads(turnout("models", "--json", cwd=tmp_path).stdout)
    assert [model["name"] for model in models] == ["gpt-4o", "mine", "deployed"]
    assert models[0]["aliases"] == ["best", "main"]
    assert "best, main" in turnout("models", cwd=tmp_path).stdout
    providers = json.loads(turnout("providers", "--json", cwd=tmp_path).stdout)
    assert providers[0]["key"] == "NOT_THERE is not set"
    assert "house-is-not-set" in providers[1]["base_url"]
    assert turnout("route", "Hi", cwd=tmp_path).returncode == 0
    SqliteStore(f"sqlite:///{tmp_path}/log.db").close()
    assert "No requests." in turnout("logs", cwd=tmp_path).stdout
    assert turnout("check", cwd=tmp_path).returncode == 1


def test_a_log_whose_place_is_not_known_is_not_another_log(tmp_path: Path) -> None:
    (tmp_path / "turnout.yaml").write_text("store: sqlite:///${WHERE}\n")
    SqliteStore(f"sqlite:///{tmp_path}/turnout.db").close()
    done = turnout("logs", cwd=tmp_path)
    assert done.returncode == 2
    assert "WHERE" in done.stderr


# -- the log
@pytest.fixture
def log(tmp_path: Path) -> str:
    store = SqliteStore(url := f"sqlite:///{tmp_path}/log.db")
    store.append(
        [
            row(1, team="search", cost_center="R+D", tags=(("env", "prod"),)),
            row(2, team="search", error="stalled", status=504, cost_nano=None, tags=(("env", "test"),)),
            row(3, served_model=HOSTILE, requested_model=HOSTILE, key=HOSTILE, error=HOSTILE, team=HOSTILE),
        ]
    )
    store.close()
    return url


def found(folder: Path, log: str, *options: str) -> list[int]:
    done = turnout("logs", "--store", log, "--json", *options, cwd=folder)
    assert done.returncode == 0, done.stdout
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


def test_conditions(tmp_path: Path, log: str) -> None:
    assert found(tmp_path, log, "--team", "search") == [1, 2]
    assert found(tmp_path, log, "--cost-center", "R+D") == [1]
    assert found(tmp_path, log, "--tag", "env=test") == [2]
    assert found(tmp_path, log, "--tag", "env", "--status", "200") == [1]
    assert found(tmp_path, log, "--since", "2023-11-01", "--until", "2023-12-01") == [1, 2, 3]
    assert found(tmp_path, log, "--since", "yesterday") == []


def test_totals(tmp_path: Path, log: str) -> None:
    shown = turnout("logs", "--store", log, "--team", "search", "--sum", cwd=tmp_path).stdout
    assert "requests  2" in shown
    assert "errors    1 (50.0%)" in shown
    assert "20 in, 10 out" in shown
    assert "cost      $0.000075" in shown
    assert "unknown, and not in the sum, for 1 request\n" in shown
    totals = json.loads(turnout("logs", "--store", log, "--sum", "--json", cwd=tmp_path).stdout)
    assert (totals["requests"], totals["unpriced"], totals["cost_usd"]) == (3, 1, "0.00015")


def assert_harmless(text: str) -> None:
    assert not set(text) & set("\x1b\x9b\u202e")
    assert not any(line.strip().startswith("req_0000000000000099") for line in text.splitlines())


@pytest.mark.parametrize("options", [[], ["--json"], ["--request", "req_0000000000000003"]], ids=" ".join)
def test_what_is_logged_is_shown_and_not_obeyed(tmp_path: Path, log: str, options: list[str]) -> None:
    done = turnout("logs", "--store", log, *options, cwd=tmp_path)
    assert "evil" in done.stdout
    assert_harmless(done.stdout)


def test_what_is_followed_is_shown_and_not_obeyed(tmp_path: Path, log: str) -> None:
    with Process("logs", "--follow", "--store", log, cwd=tmp_path, piped=True) as following:
        following.wait_for("evil")
        store = SqliteStore(log)
        store.append([row(4, served_model=f"later {HOSTILE}")])
        store.close()
        following.wait_for("later")
        assert_harmless("\n".join(following.lines))


def test_what_a_gateway_says_is_shown_and_not_obeyed(tmp_path: Path, running: Running) -> None:
    asked: list[Any] = ["chat", "Hi", "--model", "x\x1b[2J\u202e", "--url", running.url]
    for options in ([], ["--json"]):
        done = turnout(*asked, *options, cwd=tmp_path)
        assert done.returncode == 2
        assert_harmless(done.stdout + done.stderr)
