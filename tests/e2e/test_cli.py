"""Every command, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.harness import Running
from tests.e2e.processes import turnout

COMMANDS = ["run", "serve", "init", "check", "route", "chat", "models", "providers", "logs", "bench"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(tmp_path: Path, command: str) -> None:
    done = turnout(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Example" in done.stdout
    assert f"turnout {command}" in done.stdout
    assert "--json" in done.stdout or command in ("run", "serve")


def test_the_list_of_commands(tmp_path: Path) -> None:
    done = turnout("--help", cwd=tmp_path)
    assert all(command in done.stdout for command in COMMANDS)
    assert turnout("--version", cwd=tmp_path).stdout.startswith("turnout ")


def test_init_then_check(tmp_path: Path) -> None:
    made = turnout("init", cwd=tmp_path, OPENAI_API_KEY="sk-1")
    assert made.returncode == 0
    assert "openai" in made.stdout
    assert "sk-1" not in (tmp_path / "turnout.yaml").read_text()
    again = turnout("init", cwd=tmp_path)
    assert again.returncode == 2
    assert "--force" in again.stderr
    checked = turnout("check", cwd=tmp_path, OPENAI_API_KEY="sk-1")
    assert checked.returncode == 0, checked.stderr
    assert "is fine" in checked.stdout


def test_check_names_file_line_key_and_allowed_values(tmp_path: Path) -> None:
    (tmp_path / "turnout.yaml").write_text(
        "providers:\n  openai: {api_key: x}\nmodels:\n  gpt-4o:\n    provider: openai\n    tier: huge\n    fallback: [a]\n"
    )
    done = turnout("check", cwd=tmp_path)
    assert done.returncode == 1
    assert "turnout.yaml:6" in done.stderr
    assert "models.gpt-4o.tier" in done.stderr
    assert "light" in done.stderr
    assert "fallbacks" in done.stderr
    report = json.loads(turnout("check", "--json", cwd=tmp_path).stdout)
    assert report["ok"] is False
    assert {problem["line"] for problem in report["problems"]} == {6, 7}


def test_models_and_providers(tmp_path: Path) -> None:
    models = json.loads(turnout("models", "--json", cwd=tmp_path).stdout)
    assert len(models) >= 17
    assert all(model["input_usd_per_mtok"] is not None for model in models)
    assert len({model["provider"] for model in models}) == 6
    assert "claude-sonnet-4-6" in turnout("models", cwd=tmp_path).stdout
    assert len(json.loads(turnout("providers", "--known", "--json", cwd=tmp_path).stdout)) >= 12


def test_route_explains(tmp_path: Path) -> None:
    shown = turnout("route", "Translate to French: good morning", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "translation" in shown.stdout
    found = json.loads(turnout("route", "-", "--json", "--priority", "high", cwd=tmp_path, stdin="Hi").stdout)
    assert set(found) == {"tier", "task", "tokens", "plan", "candidates", "notices", "decided_in_us"}
    assert found["plan"]["fallbacks"]
    wrong = turnout("route", "Hi", "--model", "nope", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "nope" in wrong.stderr


def test_chat_and_bench_and_logs(tmp_path: Path, running: Running) -> None:
    said = turnout("chat", "What is the capital of France?", "--url", running.url, cwd=tmp_path)
    assert "Paris" in said.stdout
    assert "tokens" in said.stderr
    found = json.loads(
        turnout("chat", "Hi", "--url", running.url, "--json", "--model", "gpt-4o", cwd=tmp_path).stdout
    )
    assert found["output_tokens"] > 0
    talked = turnout(
        "chat", "--url", running.url, cwd=tmp_path, stdin="Hello\nWhat is the capital of Italy?\n\n"
    )
    assert "Rome" in talked.stdout
    load = turnout("bench", "--url", running.url, "-n", "30", "-c", "4", "--stream", "--json", cwd=tmp_path)
    report = json.loads(load.stdout)
    assert (report["requests"], report["failed"]) == (30, 0)
    assert report["first_token_p50_ms"] > 0
    running.rows()
    url = running.gateway.config.store
    table = turnout("logs", "--store", url, "-n", "5", cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    assert "req_" in table.stdout
    lines = turnout("logs", "--store", url, "--json", "-n", "3", cwd=tmp_path).stdout.splitlines()
    assert len(lines) == 3
    one = json.loads(lines[0])
    assert (
        json.loads(turnout("logs", "--store", url, "--request", one["request_id"], cwd=tmp_path).stdout)["id"]
        == one["id"]
    )


def test_no_gateway_and_no_log_are_said(tmp_path: Path) -> None:
    done = turnout("chat", "Hi", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 2
    assert "turnout run" in done.stderr
    assert "no log" in turnout("logs", cwd=tmp_path).stderr
    assert turnout("logs", "--since", "yesterday", cwd=tmp_path).returncode == 2
    assert turnout("chat", "Hi", "--url", "nonsense", cwd=tmp_path).returncode == 2


OLD = "models: {old: {provider: deepseek, id: deepseek-chat}, new: {provider: deepseek, id: deepseek-v4-flash}}\n"


def test_a_retired_model_is_marked(tmp_path: Path) -> None:
    (tmp_path / "turnout.yaml").write_text(OLD)
    assert "old (retired 2026-07-24)" in turnout("models", cwd=tmp_path).stdout
    listed = {row["name"]: row for row in json.loads(turnout("models", "--json", cwd=tmp_path).stdout)}
    assert (listed["old"]["retires"], listed["new"]["retires"]) == ("2026-07-24", None)
    checked = turnout("check", cwd=tmp_path)
    assert checked.returncode == 0
    assert "deepseek/deepseek-chat was retired by its provider on 2026-07-24" in checked.stdout
    assert len(json.loads(turnout("check", "--json", cwd=tmp_path).stdout)["retired"]) == 1
    for model, codes in (("old", ["model-retired"]), ("new", [])):
        found = json.loads(turnout("route", "Hi", "--model", model, "--json", cwd=tmp_path).stdout)
        assert [notice["code"] for notice in found["notices"]] == codes
    assert "deepseek-v4-flash" in turnout("route", "Hi", "--model", "old", cwd=tmp_path).stdout


def test_nothing_leads_to_a_retired_model(tmp_path: Path) -> None:
    keys = {"OPENAI_API_KEY": "sk-1", "DEEPSEEK_API_KEY": "sk-2", "GROQ_API_KEY": "sk-3"}
    listed = json.loads(turnout("models", "--json", cwd=tmp_path, **keys).stdout)
    names = {row["name"] for row in listed}
    assert "o4-mini" in names, "it can be named, and the notice says what became of it"
    assert not {"o4-mini", "deepseek-chat"} & {name for row in listed for name in row["fallbacks"]}
    turnout("init", cwd=tmp_path, **keys)
    assert "o4-mini" not in (tmp_path / "turnout.yaml").read_text()
