"""What the scripts of command line programs share: running shell lines as the documentation has them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from checks import TURNOUT  # type: ignore[import-not-found]  # beside this file, on the path of the scripts

COMMAND_S_MAX = 90


def filled(text: str) -> str:
    """A snippet with the address of this run's gateway."""
    return text.replace("{TURNOUT}", TURNOUT).strip() + "\n"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(filled(text))


def shell(text: str) -> str:
    """What the lines print to standard output. Raises AssertionError, with all output, if the last one fails."""
    done = attempt(text)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def attempt(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", filled(text)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )
