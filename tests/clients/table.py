"""The outcome as a table for a terminal, and the reasons below it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.clients.catalog import FEATURES, Client
from tests.clients.run import Outcome

MARKS = {True: "yes", False: "FAILED"}


def version(client: Client) -> str:
    return client.packages[0].partition("==")[2]


def _rows(client: Client, outcome: Outcome) -> list[list[str]]:
    found = {(cell.api, cell.feature): MARKS[cell.why is None] for cell in outcome.cells}
    absent = "?" if outcome.trouble else "-"
    return [
        [
            client.name,
            version(client),
            spoken.api,
            *(found.get((spoken.api, feature), absent) for feature in FEATURES),
        ]
        for spoken in client.spoken
    ]


def table(pairs: Sequence[tuple[Client, Outcome]]) -> str:
    rows = [["client", "version", "api", *FEATURES]]
    for client, outcome in pairs:
        rows += _rows(client, outcome)
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def reasons(outcomes: Sequence[Outcome]) -> str:
    """Every failure in full, and every host outside that a client looked for."""
    lines: list[str] = []
    for outcome in outcomes:
        if outcome.trouble:
            lines += ["", f"{outcome.client}: {outcome.trouble}"]
        lines += [
            f"\n{outcome.client} {cell.api} {cell.feature}: {cell.why}" for cell in outcome.cells if cell.why
        ]
        if outcome.expected:
            verdict = "works now: take its mark off the catalog" if outcome.works else "failed as expected"
            lines.append(f"{outcome.client} {verdict}: {outcome.expected}")
        if outcome.asked:
            lines.append(f"{outcome.client} looked outside, and was refused: {', '.join(outcome.asked)}")
    return "\n".join(lines)
