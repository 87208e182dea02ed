"""The command line. `main` is what the `turnout` script calls; commands live one idea a module and are imported when used."""

from __future__ import annotations

import sys


def main() -> None:
    from turnout.cli.app import app

    if "--json" not in sys.argv:
        app(prog_name="turnout")
    else:
        sys.exit(_for_a_program())


def _for_a_program() -> int:
    """As `app`, but a command line that is wrong is said as JSON, like every other error."""
    from turnout.cli.app import app
    from turnout.cli.terminal import CommandError, complain

    try:
        status = app(prog_name="turnout", standalone_mode=False)
    except Exception as error:
        said = getattr(error, "format_message", None)  # what the parser of the command line raises
        if said is None:
            raise
        return complain(CommandError(said(), "bad_argument"), as_json=True)
    return status if isinstance(status, int) else 0
