"""`python -m tests.clients [--only NAME]`: every client of the catalog against one Turnout on simulated providers."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from tests.clients.catalog import CLIENTS, Client
from tests.clients.install import InstallError, ensure
from tests.clients.run import MODELS, Models, Outcome, run
from tests.clients.table import reasons, table
from tests.clients.trap import Trap
from tests.e2e.processes import Process

HOME = Path(__file__).resolve().parents[2] / ".clients"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    top.add_argument(
        "--only", metavar="NAME", action="append", choices=[client.name for client in CLIENTS],
        help="may be repeated; of: " + ", ".join(client.name for client in CLIENTS),
    )  # fmt: skip
    top.add_argument(
        "--models", choices=MODELS, default="named",
        help="those that the scripts name, models of the other dialect's providers, or auto",
    )  # fmt: skip
    return top


def _one(client: Client, url: str, trap: Trap, models: Models) -> Outcome:
    say(f"{client.name}: {' '.join(client.packages)}")
    try:
        folder = ensure(client, HOME)
    except InstallError as error:
        return Outcome(client.name, trouble=f"could not be installed: {error}")
    outcome = run(client, folder, url, trap.url, models)
    expected = client.fails_with_auto if models == "auto" else ""
    return replace(outcome, asked=trap.take(), expected=expected)


def main(arguments: Sequence[str] | None = None) -> int:
    args = parser().parse_args(arguments)
    chosen = [client for client in CLIENTS if args.only is None or client.name in args.only]
    with (
        tempfile.TemporaryDirectory(prefix="turnout-clients-") as folder,
        Trap() as trap,
        Process("run", "--port", "0", "--speed", "0", cwd=Path(folder)) as turnout,
    ):
        url = turnout.ready().url
        outcomes = [_one(client, url, trap, args.models) for client in chosen]
    print(table(list(zip(chosen, outcomes, strict=True))))
    print(reasons(outcomes))
    passed = sum(outcome.as_expected for outcome in outcomes)
    print(f"{passed} passed, {len(outcomes) - passed} failed")
    return 0 if passed == len(outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
