"""From figures to text: the table of gateways, Turnout's ratios to its peers, and the bars. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from bench.bars import OURS, Judged
from bench.samples import Figures, Metric, Run, Scenario

ABSENT = "-"


class Column(Struct, frozen=True):
    title: str
    metrics: tuple[Metric, ...]
    digits: int = 0


COLUMNS: tuple[Column, ...] = (
    Column("req/s 1/32/256", (Metric.RPS_1, Metric.RPS_32, Metric.RPS_256)),
    Column("p50 ms at 1", (Metric.P50_MS_1,), 3),
    Column("CPU us/req", (Metric.CPU_US_REQUEST,), 1),
    Column("chunks/s 1/16", (Metric.CHUNKS_S_1, Metric.CHUNKS_S_16)),
    Column("CPU us/chunk", (Metric.CPU_US_CHUNK,), 1),
    Column("stalls/unfinished", (Metric.STALLS, Metric.UNFINISHED)),
    Column("first p99 ms", (Metric.FIRST_P99_MS,), 1),
    Column("load late ms", (Metric.GENERATOR_LATE_MS,), 1),
    Column("others %", (Metric.OTHERS_PCT,), 0),
    Column("MB idle/peak", (Metric.IDLE_MB, Metric.PEAK_MB)),
    Column("ready s", (Metric.READY_S,), 2),
)

# What a ratio is taken of, and whether more is better.
RATIOS: tuple[tuple[str, Metric], ...] = (
    ("req/s 32", Metric.RPS_32),
    ("p50 at 1", Metric.P50_MS_1),
    ("CPU/req", Metric.CPU_US_REQUEST),
    ("chunks/s 16", Metric.CHUNKS_S_16),
    ("CPU/chunk", Metric.CPU_US_CHUNK),
    ("MB peak", Metric.PEAK_MB),
)


def number(value: float | None, digits: int = 0) -> str:
    return ABSENT if value is None else f"{value:,.{digits}f}"


def _cell(figures: Figures, gateway: str, scenario: Scenario, column: Column) -> str:
    values = [figures.get(gateway, metric, scenario) for metric in column.metrics]
    while len(values) > 1 and values[-1] is None:
        values.pop()
    return " / ".join(number(value, column.digits) for value in values)


def aligned(rows: list[list[str]]) -> str:
    """Columns padded to their widest cell; the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def label(gateway: str, scenario: Scenario) -> str:
    suffix = {Scenario.SAME: "", Scenario.AUTO: ", model: auto", Scenario.CROSS: ", across dialects"}
    return gateway + suffix[scenario]


def main_table(figures: Figures) -> str:
    rows = [["", *(column.title for column in COLUMNS)]]
    for gateway, scenario in figures.rows():
        rows.append(
            [label(gateway, scenario), *(_cell(figures, gateway, scenario, column) for column in COLUMNS)]
        )
    return aligned(rows)


def _ratio(ours: float | None, theirs: float | None) -> str:
    return ABSENT if ours is None or not theirs else f"{ours / theirs:.2f}"


def ratio_table(figures: Figures) -> str:
    """Turnout's figure divided by the peer's, scenario by scenario; `auto` is set against peers' named model."""
    rows = [["Turnout / peer", *(title for title, _ in RATIOS)]]
    measured = figures.rows()
    for ours, scenario in measured:
        if ours != OURS:
            continue
        against = Scenario.SAME if scenario is Scenario.AUTO else scenario
        for peer, peer_scenario in measured:
            if peer == OURS or peer == "direct" or peer_scenario is not against:
                continue
            cells = [_ratio(figures.get(OURS, m, scenario), figures.get(peer, m, against)) for _, m in RATIOS]
            rows.append([f"{label(OURS, scenario)} / {peer}", *cells])
    return aligned(rows) if len(rows) > 1 else ""


def bars_table(judged: list[Judged]) -> str:
    rows = [["bar", "measured", "bound", "verdict", "scaled bound", "scaled verdict"]]
    for one in judged:
        digits = 2 if one.bound is not None and one.bound < 100 else 0
        sign = "<= " if one.bar.at_most else ">= "
        bound = ABSENT if one.bound is None else sign + number(one.bound, digits)
        scaled = ABSENT if one.scaled_bound is None else sign + number(one.scaled_bound)
        rows.append(
            [
                one.bar.name,
                number(one.value, digits),
                bound,
                one.verdict,
                scaled,
                one.scaled_verdict or ABSENT,
            ]
        )
    return aligned(rows)


def report(run: Run, judged: list[Judged]) -> str:
    figures = Figures(run.samples)
    facts = msgspec.structs.asdict(run.conditions)
    parts = [
        "\n".join(f"{key.replace('_', ' ')}: {value}" for key, value in facts.items()),
        main_table(figures),
    ]
    if run.troubles:
        parts.append("\n".join(f"not measured: {one.gateway}: {one.reason}" for one in run.troubles))
    measured_ours = any(one.value is not None for one in judged)
    parts += [ratio_table(figures), bars_table(judged) if measured_ours else ""]
    return "\n\n".join(part for part in parts if part)


__all__ = ["aligned", "bars_table", "label", "main_table", "number", "ratio_table", "report"]
