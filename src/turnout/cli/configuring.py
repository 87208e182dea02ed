"""`turnout init` and `turnout check`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from turnout.cli.setup import CommandError, catalog_of, complain, print_json, today
from turnout.config.defaults import init_text
from turnout.config.load import ConfigError, load_file
from turnout.routing.weighing import retired_of
from turnout.upstream.known import load_known


def init(path: Path, force: bool, as_json: bool) -> int:
    known = load_known()
    found = [
        name
        for name, provider in known.providers.items()
        if provider.key_variable and os.environ.get(provider.key_variable)
    ]
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(init_text(known, found, today()))
    except FileExistsError:
        return complain(CommandError(f"{path} is there already; `--force` overwrites it"))
    except OSError as error:
        return complain(CommandError(f"cannot write {path}: {error.strerror}"))
    if as_json:
        print_json({"path": str(path), "providers": found})
        return 0
    keys = f"keys found for {', '.join(found)}" if found else "no provider keys found in the environment"
    sys.stdout.write(f"Wrote {path} ({keys}).\nNext: turnout check {path} && turnout serve --config {path}\n")
    return 0


def check(path: Path, as_json: bool) -> int:
    """Status 0: fine; 1: problems; 2: the file cannot be read."""
    try:
        config = load_file(path, dict(os.environ), tuple(load_known().providers))
        catalog, _ = catalog_of(config)
    except ConfigError as error:
        if as_json:
            print_json({"ok": False, "problems": error.problems})
        else:
            sys.stderr.write(f"{error}\n")
        return 1
    except CommandError as error:
        if as_json:
            print_json({"ok": False, "problems": [{"file": str(path), "message": str(error)}]})
        else:
            complain(error)
        return 1
    except OSError as error:
        return complain(CommandError(f"cannot read {path}: {error.strerror}"))
    notices = [notice for card in catalog.cards.values() for notice in retired_of(card)]
    retired = [notice.message for notice in notices]
    unpriced = sorted(name for name, card in catalog.cards.items() if card.price is None)
    if as_json:
        print_json({"ok": True, "models": len(catalog.cards), "unpriced": unpriced, "retired": retired})
        return 0
    providers = {card.provider for card in catalog.cards.values()}
    sys.stdout.write(f"{path} is fine: {len(catalog.cards)} models of {len(providers)} providers.\n")
    for text in retired:
        sys.stdout.write(f"{text}.\n")
    if unpriced:
        sys.stdout.write(
            f"No price is known for {', '.join(unpriced)}: their cost will be recorded as unknown.\n"
        )
    return 0
