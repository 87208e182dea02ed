"""`python -m tests.chaos`: the fault matrix as a table; status 1 when a client saw anything but what it must."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.chaos.matrix import impatient, run, table
from tests.e2e.harness import Running


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, Running(Path(folder), impatient) as gateway:
        cells = run(gateway)
    sys.stdout.write(table(cells) + "\n")
    wrong = sum(not cell.fine for cell in cells)
    sys.stdout.write(f"{len(cells) - wrong} of {len(cells)} as they must be\n")
    return 1 if wrong else 0


sys.exit(main())
