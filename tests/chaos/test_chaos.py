"""The fault matrix as a test."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.matrix import FAULTS, impatient, run, table
from tests.e2e.harness import Running


def test_every_fault_is_answered_or_told(tmp_path: Path) -> None:
    quick = tuple(fault for fault in FAULTS if fault.rule["kind"] not in ("hang", "slow_first_token"))
    with Running(tmp_path, impatient) as gateway:
        cells = run(gateway, quick)
    assert all(cell.fine for cell in cells), table(cells)
