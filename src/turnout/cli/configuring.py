"""`turnout init` and `turnout check`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from turnout.cli import advice
from turnout.cli.setup import catalog_of, today
from turnout.cli.terminal import CommandError, counted, note, out, print_json
from turnout.config.defaults import init_text, with_known_keys
from turnout.config.load import ConfigError, Problem, read_file
from turnout.routing.weighing import retired_of
from turnout.upstream.catalog import Catalog
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
        raise CommandError(f"{path} is there already; `--force` overwrites it", "file_exists") from None
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}", "cannot_write") from None
    if as_json:
        print_json({"path": str(path), "providers": found})
        return 0
    keys = f"keys found for {', '.join(found)}" if found else "no provider keys found in the environment"
    out(f"Wrote {path} ({keys}).\nNext: turnout check {path} && turnout serve --config {path}")
    return 0


def check(path: Path, strict: bool, as_json: bool) -> int:
    """Status 0: fine, perhaps with warnings; 1: problems, or warnings where they count; 2: the file cannot be read."""
    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    catalog = Catalog({}, {}, {})
    try:
        catalog, problems, warnings = _checked(path)
    except ConfigError as error:
        problems = error.problems
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", "no_file") from None
    if strict:
        problems, warnings = (*problems, *warnings), ()
    retired = [notice.message for card in catalog.cards.values() for notice in retired_of(card)]
    unpriced = sorted(name for name, card in catalog.cards.items() if card.price is None)
    if as_json:
        print_json(
            {"ok": False, "problems": problems, "warnings": warnings}
            if problems
            else {
                "ok": True,
                "models": len(catalog.cards),
                "unpriced": unpriced,
                "retired": retired,
                "warnings": warnings,
            }
        )
    else:
        _show(path, problems, warnings, catalog, retired, unpriced)
    return 1 if problems else 0


def _checked(path: Path) -> tuple[Catalog, Sequence[Problem], Sequence[Problem]]:
    """As `serve` takes it: keys and addresses from the environment, the catalog, the store. Raises `ConfigError`, `OSError`."""
    known = load_known()
    found = read_file(path, dict(os.environ), tuple(known.providers))
    config = with_known_keys(found.config, known, os.environ)
    problems = advice.unusable_store(found)
    try:
        catalog, _ = catalog_of(config)
    except CommandError as error:
        return Catalog({}, {}, {}), (*advice.refused(found, str(error)), *problems), ()
    return catalog, problems, advice.advice(found, config, catalog, known)


def _show(
    path: Path,
    problems: Sequence[Problem],
    warnings: Sequence[Problem],
    catalog: Catalog,
    retired: Sequence[str],
    unpriced: Sequence[str],
) -> None:
    for problem in problems:
        note(str(problem))
    for warning in warnings:
        note(f"warning: {warning}")
    if problems:
        return
    providers = {card.provider for card in catalog.cards.values()}
    found = f"{counted(len(catalog.cards), 'model')} of {counted(len(providers), 'provider')}"
    but = f", with {counted(len(warnings), 'warning')}" if warnings else ""
    out(f"{path} is fine{but}: {found}.")
    for text in retired:
        out(f"{text}.")
    if unpriced:
        whose = "its" if len(unpriced) == 1 else "their"
        out(f"No price is known for {', '.join(unpriced)}: {whose} cost will be recorded as unknown.")
