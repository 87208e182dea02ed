"""The command line. `main` is what the `turnout` script calls; commands live one idea a module and are imported when used."""

from __future__ import annotations


def main() -> None:
    from turnout.cli.app import app

    app(prog_name="turnout")
