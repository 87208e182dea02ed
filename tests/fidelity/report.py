"""From single outcomes to a table, a page and a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tests.fidelity.explained import EXPLAINED

BAR = 0.99


class Outcome(Struct, frozen=True):
    """One recording, tried one way. `differences` is empty when nothing was lost."""

    recording: str
    dialect: str
    way: str  # "same", "across", "asked" or "echoed"
    streamed: bool
    differences: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        return (self.recording, self.way)


def table(outcomes: Sequence[Outcome]) -> str:
    lines = [
        f"{'provider speaks':16} {'way':8} {'form':7} {'recordings':>10} {'equal':>7} {'explained':>9} {'open':>5} {'equal %':>8}"
    ]
    groups = sorted({(o.dialect, o.way, o.streamed) for o in outcomes})
    for dialect, way, streamed in groups:
        found = [o for o in outcomes if (o.dialect, o.way, o.streamed) == (dialect, way, streamed)]
        equal = sum(not o.differences for o in found)
        explained = sum(bool(o.differences) and o.key in EXPLAINED for o in found)
        left = len(found) - equal - explained
        form = "stream" if streamed else "JSON"
        lines.append(
            f"{dialect:16} {way:8} {form:7} {len(found):>10} {equal:>7} {explained:>9} {left:>5} {100 * equal / len(found):>7.2f}%"
        )
    return "\n".join(lines)


def problems(outcomes: Sequence[Outcome]) -> list[str]:
    """What keeps the run from passing: an explanation that is not needed any more, too."""
    out = [
        f"{o.recording} ({o.way}): {'; '.join(o.differences[:3])}"
        for o in outcomes
        if o.differences and o.key not in EXPLAINED
    ]
    if not outcomes:
        out.append("nothing was tried")
    tried = {o.key for o in outcomes}
    different = {o.key for o in outcomes if o.differences}
    unneeded = [key for key in EXPLAINED if key in tried - different]
    out += [
        f"{recording} ({way}): explained, but equal: take the explanation away" for recording, way in unneeded
    ]
    for way in sorted({o.way for o in outcomes}):
        found = [o for o in outcomes if o.way == way]
        equal = sum(not o.differences for o in found)
        if equal < BAR * len(found):
            out.append(f"{way}: {equal} of {len(found)} equal is below the bar of {BAR:.0%}")
    return out


def page() -> str:
    """`docs/fidelity.md`'s list of what is not equal."""
    lines = ["| recording | way | why |", "|---|---|---|"]
    lines += [f"| `{recording}` | {way} | {why} |" for (recording, way), why in sorted(EXPLAINED.items())]
    return "\n".join(lines)
