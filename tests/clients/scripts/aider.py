"""aider: one-shot edits of a file in a git repository of its own."""
# mypy: ignore-errors

import subprocess
from pathlib import Path

from checks import check, run_checks, says
from commands import attempt, shell

# -- snippet: chat (sh)
EDIT = """
export OPENAI_API_BASE={TURNOUT}/v1
export OPENAI_API_KEY=any
aider --model openai/gpt-4o --weak-model openai/gpt-4o-mini --edit-format whole \
  --yes-always --message "Write a Python function that reverses a string." text.py
"""
# -- end
Path(".aider.conf.yml").write_text(
    "analytics-disable: true\ncheck-update: false\nshow-release-notes: false\nshow-model-warnings: false\n"
    "pretty: false\ngitignore: false\n"
)
Path("text.py").write_text("# to be written\n")
for arguments in ("init -q", "config user.name Tester", "config user.email tester@localhost", "add text.py"):
    subprocess.run(["git", *arguments.split()], check=True)
subprocess.run(["git", "commit", "-qm", "start"], check=True)


def edited():
    written = Path("text.py").read_text()
    says(written, "def reverse_string(text: str) -> str:\n    return text[::-1]")
    assert "to be written" not in written, written


@check("chat", "streaming")
def streaming():
    says(shell(EDIT), "Applied edit to text.py")
    edited()
    says(shell("git log --oneline | wc -l"), "2")


@check("chat", "text")
def text():
    Path("text.py").write_text("# to be written\n")
    says(shell(EDIT.replace("--yes-always", "--yes-always --no-stream")), "Applied edit to text.py")
    edited()


@check("chat", "error")
def error():
    done = attempt(EDIT.replace("openai/gpt-4o ", "openai/no-such-model "))
    says(done.stdout + done.stderr, "no model is called 'no-such-model'")


run_checks()
