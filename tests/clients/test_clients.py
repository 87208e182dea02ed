"""What can be checked of the client runs without installing anything: scripts, catalog and page agree, and a bad report is not believed."""

from __future__ import annotations

import ast
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.clients.catalog import CLIENTS, FEATURES, SCRIPTS, Client, Spoken
from tests.clients.page import PAGE, page
from tests.clients.run import CROSSED, INHERITED, Cell, Outcome, asking_for, cells_of, environment
from tests.clients.snippets import SHOWN_URL, snippets
from tests.clients.table import reasons, table
from tests.clients.trap import Trap

each = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
ONE = Client("one", "One", ("one==1.2", "two==3"), (Spoken("chat", ("text", "error")),))


def _line(api: str, feature: str, why: str | None = None) -> str:
    return json.dumps({"api": api, "feature": feature, "why": why})


# -- catalog and scripts
def test_every_script_is_listed() -> None:
    there = {path.name for path in SCRIPTS.iterdir() if path.suffix in (".py", ".mjs")}
    assert there == {client.script.name for client in CLIENTS}
    assert len({client.name for client in CLIENTS}) == len(CLIENTS)


@each
def test_versions_are_pinned(client: Client) -> None:
    assert all(re.fullmatch(r"[@\w./\[\],-]+==\d[\w.]*", package) for package in client.packages)


@each
def test_every_script_parses(client: Client) -> None:
    if client.suffix == ".py":
        ast.parse(client.script.read_text(encoding="utf-8"))
        return
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    done = subprocess.run([node, "--check", str(client.script)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


@each
def test_every_script_has_a_check_of_each_feature_that_it_is_listed_with(client: Client) -> None:
    said = client.script.read_text(encoding="utf-8")
    checked = {feature for feature in FEATURES if re.search(rf'check\((?:api|"\w+"), "{feature}"[,)]', said)}
    assert checked == {feature for spoken in client.spoken for feature in spoken.features}


@each
def test_every_api_has_its_lines_of_configuration(client: Client) -> None:
    shown = snippets(client.script)
    missing = {spoken.api for spoken in client.spoken} - {snippet.api for snippet in shown}
    # One OpenAI client object serves chat completions and Responses alike.
    assert missing <= {"responses"}
    assert {snippet.api for snippet in shown} <= {spoken.api for spoken in client.spoken}
    for snippet in shown:
        assert snippet.text and "TURNOUT}" not in snippet.text and "-- end" not in snippet.text
    assert any(SHOWN_URL in snippet.text for snippet in shown)


# -- the page
def test_the_page_follows_from_catalog_and_scripts() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.clients.page > docs/clients.md"


@each
def test_the_page_shows_every_client(client: Client) -> None:
    section = page().partition(f"\n## {client.title}\n")[2].partition("\n## ")[0]
    for snippet in snippets(client.script):
        assert snippet.text in section
    for package in client.packages:
        assert package.replace("==", " ") in section


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            '# -- snippet: chat\nC(base_url=f"{TURNOUT}/v1", u=TURNOUT)\n# -- end\n',
            f'C(base_url="{SHOWN_URL}/v1", u="{SHOWN_URL}")',
        ),
        (
            '# -- snippet: chat (sh)\nX = """\nexport U={TURNOUT}/v1\nrun \\\\\n  on\n"""\n# -- end\n',
            f"export U={SHOWN_URL}/v1\nrun \\\n  on",
        ),
    ],
)
def test_a_snippet_reads_as_its_reader_would_write_it(tmp_path: Path, written: str, shown: str) -> None:
    script = tmp_path / "one.py"
    script.write_text(f"import os\n{written}rest = 1\n")
    (found,) = snippets(script)
    assert found.text == shown


def test_a_template_string_reads_as_a_string(tmp_path: Path) -> None:
    script = tmp_path / "one.mjs"
    script.write_text("// -- snippet: gemini\nconst c = f({ u: `${TURNOUT}/v1beta` });\n// -- end\n")
    (found,) = snippets(script)
    assert (found.api, found.language) == ("gemini", "javascript")
    assert found.text == f'const c = f({{ u: "{SHOWN_URL}/v1beta" }});'


# -- a report
def test_a_full_report_is_read_between_other_lines() -> None:
    output = "\n".join(["hello", _line("chat", "text"), "{}", _line("chat", "error", "no")])
    assert cells_of(ONE, output) == (Cell("chat", "text", None), Cell("chat", "error", "no"))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [_line("chat", "text")],
        [_line("chat", "text"), _line("chat", "error"), _line("chat", "tools")],
        [_line("chat", "text"), _line("chat", "error"), _line("chat", "error")],
        [_line("chat", "text"), _line("messages", "error")],
    ],
)
def test_a_report_with_other_cells_than_the_catalog_is_refused(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="cells of the catalog"):
        cells_of(ONE, "\n".join(lines))


def test_one_failed_cell_fails_the_client_and_is_shown() -> None:
    cells = (Cell("chat", "text", None), Cell("chat", "error", "it said nothing"))
    outcome = Outcome("one", cells, asked=("elsewhere:443",))
    assert not outcome.as_expected
    assert Outcome("one", cells[:1]).as_expected and not Outcome("one", trouble="gone").as_expected
    assert table([(ONE, outcome)]).splitlines()[1].split() == [
        "one",
        "1.2",
        "chat",
        "yes",
        "-",
        "-",
        "-",
        "FAILED",
    ]
    assert "it said nothing" in reasons([outcome]) and "elsewhere:443" in reasons([outcome])


def test_an_expected_failure_that_does_not_come_is_an_error() -> None:
    works, fails = Cell("chat", "text", None), Cell("chat", "text", "no")
    assert Outcome("one", (fails,), expected="a reason").as_expected
    assert "failed as expected: a reason" in reasons([Outcome("one", (fails,), expected="a reason")])
    assert not Outcome("one", (works,), expected="a reason").as_expected
    assert "works now" in reasons([Outcome("one", (works,), expected="a reason")])


# -- what a client is given
@each
def test_no_variable_of_the_users_reaches_a_client(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "the-users-own")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://elsewhere.example")
    given = environment(client, tmp_path, tmp_path / "home", "http://127.0.0.1:1", "http://127.0.0.1:2")
    assert "the-users-own" not in given.values() and "https://elsewhere.example" not in given.values()
    assert given["HOME"] == str(tmp_path / "home") and "HOME" not in INHERITED
    assert given["HTTPS_PROXY"] == "http://127.0.0.1:2" and "127.0.0.1" in given["NO_PROXY"]


def test_the_trap_refuses_and_remembers() -> None:
    with Trap() as trap:
        port = int(trap.url.rpartition(":")[2])
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(b"CONNECT elsewhere.example:443 HTTP/1.1\r\n\r\n")
                assert connection.recv(100).startswith(b"HTTP/1.1 403 ")
        assert trap.take() == ("elsewhere.example:443",)
        assert trap.take() == ()


# -- other models
def test_whole_model_names_are_replaced_and_nothing_else() -> None:
    written = (
        'f("gpt-4o", "openai/gpt-4o-mini", "gpt-4o2", "claude --model claude-sonnet-4-6", "gemini-3.8-flash")'
    )
    assert asking_for("named", written) == written
    assert asking_for("crossed", written) == (
        'f("claude-sonnet-4-6", "openai/claude-haiku-4-5", "gpt-4o2", "claude --model gpt-5.4", "claude-sonnet-4-6")'
    )
    assert asking_for("auto", written) == 'f("auto", "openai/auto", "gpt-4o2", "claude --model auto", "auto")'


@each
def test_no_model_of_a_script_is_left_as_it_was(client: Client) -> None:
    before = client.script.read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:gpt-[45](?:[\w-]|\.\d)*|claude-sonnet[\w-]*|gemini-[\d.]+[\w-]*)", before))
    assert named <= CROSSED.keys()
    assert asking_for("crossed", before) != before
