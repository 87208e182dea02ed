"""Turnout's own weight: how long its import takes and how many distributions it installs."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from statistics import median

# The package and its composition root, which imports all that serving needs.
IMPORT_CODE = (
    "import time; t = time.perf_counter(); import turnout, turnout.edge.app; print(time.perf_counter() - t)"
)
IMPORTS = 5
IMPORT_S_MAX = 60


def import_s(python: str = sys.executable) -> float:
    """Median of a few fresh interpreters, seconds.

    Raises: subprocess.CalledProcessError, when the import fails.
    """
    times = [
        float(
            subprocess.run(
                [python, "-c", IMPORT_CODE], capture_output=True, text=True, timeout=IMPORT_S_MAX, check=True
            ).stdout
        )
        for _ in range(IMPORTS)
    ]
    return median(times)


def _requirements(name: str) -> list[str]:
    """Names that a distribution requires without extras; [] for one that is not installed (a marker excludes it)."""
    try:
        requires = distribution(name).requires or []
    except PackageNotFoundError:
        return []
    plain = [line for line in requires if "extra ==" not in line]
    return [match[0].lower() for line in plain if (match := re.match(r"[A-Za-z0-9._-]+", line))]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def base_install(root: str = "turnout") -> list[str]:
    """The distributions that installing `root` without extras brings, itself included."""
    found = [root]
    for name in found:
        found += [one for one in _requirements(name) if one not in found and _is_installed(one)]
    return sorted({re.sub(r"[-_.]+", "-", name) for name in found})


__all__ = ["base_install", "import_s"]
