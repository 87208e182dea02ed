"""`python -m tests.fidelity`: recorded traffic through a running gateway (or, with `--in-process`, through the codecs)."""

from __future__ import annotations

import argparse
import sys

from tests.fidelity import echoed, inprocess, throughgateway, translated
from tests.fidelity.codecs import skipped
from tests.fidelity.recordings import available
from tests.fidelity.report import problems, tables, write_page


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fidelity", description=__doc__)
    parser.add_argument("--in-process", action="store_true", help="codecs only, no gateway")
    parser.add_argument(
        "--limit", type=int, default=0, help="try every n-th recording only, so that about LIMIT are tried"
    )
    arguments = parser.parse_args()
    if not available():
        sys.stderr.write("The recordings are not here: set TURNOUT_SHARED to the folder that holds them.\n")
        return 2
    outcomes = inprocess.outcomes() if arguments.in_process else throughgateway.outcomes(arguments.limit)
    outcomes += translated.outcomes() + echoed.outcomes()
    for line in skipped():
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(tables(outcomes) + "\n\n")
    found = problems(outcomes, sample=arguments.limit > 0)
    for line in found[:40]:
        sys.stdout.write(f"  {line}\n")
    sys.stdout.write(f"{len(found)} problems\n" if found else "Everything is equal or explained.\n")
    if not arguments.in_process and not arguments.limit:
        write_page(outcomes)
    return 1 if found else 0


sys.exit(main())
