"""Each client in a throw-away environment of its own, put there by the package clients as the user set them up.

What cannot be installed is reported with its reason, and counts as a failure of the run: a table with a silent hole would claim too much.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.clients.catalog import Client

INSTALL_S_MAX = 600
REASON_CHARS_MAX = 400


class InstallError(Exception):
    """With what the package client said last."""


def _run(argv: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            argv, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(str(error)) from error
    if done.returncode != 0:
        words = " ".join((done.stderr or done.stdout).split())
        raise InstallError(f"{Path(argv[0]).name} failed: {words[-REASON_CHARS_MAX:]}")


def _program(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise InstallError(f"{name} was not found")
    return found


def _pip(client: Client, folder: Path) -> None:
    uv = _program("uv")
    _run([uv, "venv", "-q", "--allow-existing", "--python", sys.executable, str(folder)], folder)
    _run([uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), *client.packages], folder)


def _npm(client: Client, folder: Path) -> None:
    _program("node")
    (folder / "package.json").write_text('{"private": true}')
    packages = [package.replace("==", "@") for package in client.packages]
    _run(
        [
            _program("npm"),
            "install",
            "--save-exact",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            *packages,
        ],
        folder,
    )


def ensure(client: Client, home: Path) -> Path:
    """The client's folder, with the packages that the catalog names, installed now unless they were before.

    Raises: InstallError.
    """
    folder = home / client.name
    stamp = folder / "installed.json"
    wanted = msgspec.json.encode(client.packages)
    if stamp.exists() and stamp.read_bytes() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (_npm if client.installer == "npm" else _pip)(client, folder)
    if client.finish:
        _run(list(client.finish), folder)
    stamp.write_bytes(wanted)
    return folder


def programs(client: Client, folder: Path) -> Path:
    """Where the client's commands are."""
    return folder / "node_modules" / ".bin" if client.installer == "npm" else folder / "bin"
