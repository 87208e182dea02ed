"""What others wrote is shown and never obeyed."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.cli.terminal import CommandError, complain, counted, json_text, plain, print_table, prose

HOSTILE = "a\x1b[31mb\x9b31mc\u202ed\u2066e\r\nf\x07g\u2028h\x7fi\U000e0041j\ud800k"


def obeyed(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - {
        "\u200c",
        "\u200d",
    }


def test_controls_are_shown() -> None:
    assert (
        plain(HOSTILE)
        == "a\\x1b[31mb\\x9b31mc\\u202ed\\u2066e\\x0d\\x0af\\x07g\\u2028h\\x7fi\\U000e0041j\\ud800k"
    )
    assert plain("naïve 日本 👩‍💻") == "naïve 日本 👩‍💻"


@given(st.text())
def test_no_text_controls_the_terminal(text: str) -> None:
    assert not obeyed(plain(text))
    assert obeyed(prose(text)) <= {"\n", "\t"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_is_escaped_and_means_the_same(text: str) -> None:
    said = json_text({"x": text})
    assert not obeyed(said)
    assert json.loads(said) == {"x": text}
    assert json.loads(json_text([text], indent=2)) == [text]


def test_cells_are_neither_obeyed_nor_marked_up(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("", ["model"], [["[bold]x[/bold] :smile: \x1b[2J\u202e"]])
    assert "[bold]x[/bold] :smile: \\x1b[2J\\u202e" in capsys.readouterr().out


def test_errors_for_programs_are_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert complain(CommandError("no\x1b", "nope", status=401), as_json=True) == 2
    said = capsys.readouterr()
    assert json.loads(said.out) == {"error": {"code": "nope", "message": "no\x1b", "status": 401}}
    assert not said.err
    assert complain(CommandError("no\x1b")) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "turnout: no\\x1b\n")


def test_plurals() -> None:
    assert [counted(number, "model") for number in (0, 1, 2, 1000)] == [
        "0 models",
        "1 model",
        "2 models",
        "1,000 models",
    ]
    assert counted(3, "retry") == "3 retries"
    assert counted(2, "key") == "2 keys"
