"""The lock files install with the oldest pip that comes with a supported Python, whatever has been released since."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLDEST_PIP = "22.3"  # ensurepip's in Python 3.11.0; newer Pythons bring newer ones


def _run(*words: str) -> str:
    # Without the variables of the make that runs these tests, and without an environment's own options of pip.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_locks_install_with_the_oldest_pip(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    python = str(venv / "bin" / "python")
    _run(sys.executable, "-m", "venv", str(venv))
    if sys.version_info < (3, 12):  # older pips do not run on newer Pythons
        _run(python, "-m", "pip", "install", "-q", f"pip=={OLDEST_PIP}")
    # An empty setuptools-less environment is what Python 3.12 starts with.
    _run(python, "-m", "pip", "uninstall", "-q", "-y", "setuptools")
    for lock in ("build", "base", "dev"):
        install = f"-m pip install -q --dry-run --no-deps --require-hashes -r requirements/{lock}.lock"
        _run(python, *install.split())


def test_no_install_step_resolves() -> None:
    """A resolver may ask for a release that the lock does not know; a build environment of its own resolves too."""
    steps = re.findall(r"^.*\$\((?:PIP|LOCKED)\).*$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(steps) >= 6
    for step in steps:
        assert "--no-deps" in step or "$(LOCKED)" in step or "$(PIP) check" in step, step
        assert "-e ." not in step or "--no-build-isolation" in step, step


@pytest.mark.parametrize("name", ["build", "base", "dev"])
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text().replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert requirements
    assert [line for line in requirements if "==" not in line or "--hash=sha256:" not in line] == []
