"""What the benchmark prints and how it judges, from made-up figures."""

from __future__ import annotations

import msgspec
import pytest
from bench.__main__ import chosen, parser, plan_of
from bench.bars import BARS, ENVOY_REFERENCE_CHUNKS_S, OURS, Bar, Verdict, all_clear, judge, judge_all
from bench.footprint import base_install
from bench.samples import Conditions, Figures, Metric, Run, Sample, Scenario, Trouble
from bench.soak import GROWTH_MB_MAX, Point, flatness
from bench.table import aligned, main_table, number, ratio_table, report

CONDITIONS = Conditions("2026-01-01 00:00", "2 cores", "wrk", "3 of 3 s, medians", 0.1)


def sample(
    gateway: str, metric: Metric, value: float, scenario: Scenario = Scenario.SAME, round_number: int = 0
) -> Sample:
    return Sample(gateway, scenario, metric, round_number, value)


def figures(*samples: Sample) -> Figures:
    return Figures(samples)


def good_run() -> tuple[Sample, ...]:
    """Figures that clear every bar by a little."""
    return (
        sample(OURS, Metric.RPS_32, 20_000),
        sample(OURS, Metric.RPS_32, 12_000, Scenario.AUTO),
        sample(OURS, Metric.RPS_32, 11_000, Scenario.CROSS),
        sample(OURS, Metric.P50_MS_1, 0.2),
        sample(OURS, Metric.CHUNKS_S_16, 61_000),
        sample(OURS, Metric.CHUNKS_S_16, 41_000, Scenario.CROSS),
        sample(OURS, Metric.STALLS, 0),
        sample(OURS, Metric.UNFINISHED, 0),
        sample(OURS, Metric.FIRST_P99_MS, 50),
        sample(OURS, Metric.IMPORT_S, 0.3),
        sample(OURS, Metric.READY_S, 1.0),
        sample(OURS, Metric.IDLE_MB, 90),
        sample(OURS, Metric.DISTRIBUTIONS, 40),
        sample("smg", Metric.RPS_32, 11_570),
        sample("envoy", Metric.RPS_32, 31_900),
        sample("envoy", Metric.P50_MS_1, 0.16),
        sample("envoy", Metric.CHUNKS_S_16, ENVOY_REFERENCE_CHUNKS_S / 2),
        sample("ferrogw", Metric.RPS_32, 9_690, Scenario.CROSS),
    )


def with_value(run: tuple[Sample, ...], changed: Sample) -> Figures:
    key = (changed.gateway, changed.scenario, changed.metric)
    kept = (one for one in run if (one.gateway, one.scenario, one.metric) != key)
    return Figures((*kept, changed))


def test_rounds_give_the_median_and_for_stalls_the_worst() -> None:
    rates = [sample(OURS, Metric.RPS_32, value, round_number=i) for i, value in enumerate((5, 100, 7))]
    stalls = [sample(OURS, Metric.STALLS, value, round_number=i) for i, value in enumerate((0, 3, 0))]
    found = figures(*rates, *stalls)
    assert found.get(OURS, Metric.RPS_32) == 7
    assert found.get(OURS, Metric.STALLS) == 3
    assert found.get("smg", Metric.RPS_32) is None


def test_figures_that_reach_every_bar_exactly_or_better_pass() -> None:
    judged = judge_all(Figures(good_run()))
    assert [one.bar.name for one in judged if one.verdict is not Verdict.PASS] == []
    assert len(judged) == len(BARS)
    assert all_clear(judged)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (sample("smg", Metric.RPS_32, 15_400), "requests/s at 32, explicit model, vs smg"),
        (sample("envoy", Metric.RPS_32, 36_400), "requests/s at 32, explicit model, vs Envoy"),
        (sample(OURS, Metric.RPS_32, 11_500, Scenario.AUTO), "requests/s at 32, model: auto, vs smg"),
        (sample(OURS, Metric.RPS_32, 9_600, Scenario.CROSS), "requests/s at 32, across dialects, vs ferrogw"),
        (sample(OURS, Metric.P50_MS_1, 0.241), "median latency at 1, ms, vs Envoy"),
        (sample(OURS, Metric.CHUNKS_S_16, 59_999), "chunks/s, 16 streams, same dialect"),
        (sample(OURS, Metric.CHUNKS_S_16, 39_999, Scenario.CROSS), "chunks/s, 16 streams, across dialects"),
        (sample(OURS, Metric.STALLS, 1), "paced streams: stalls over 250 ms"),
        (sample(OURS, Metric.FIRST_P99_MS, 50.1), "paced streams: first chunk p99, ms"),
        (sample(OURS, Metric.UNFINISHED, 1), "paced streams: unfinished"),
        (sample(OURS, Metric.IMPORT_S, 0.31), "import, s"),
        (sample(OURS, Metric.READY_S, 1.1), "ready, s"),
        (sample(OURS, Metric.IDLE_MB, 91), "idle memory, MB"),
        (sample(OURS, Metric.DISTRIBUTIONS, 41), "distributions in the base install"),
    ],
)
def test_each_bar_is_missed_by_a_little_too_little(changed: Sample, name: str) -> None:
    judged = judge_all(with_value(good_run(), changed))
    assert name in {one.bar.name for one in judged if one.verdict is Verdict.BELOW}
    assert not all_clear(judged)


def test_a_bar_without_its_peer_is_not_measured_and_not_missed() -> None:
    judged = judge_all(Figures(tuple(one for one in good_run() if one.gateway != "smg")))
    unmeasured = {one.bar.peer for one in judged if one.verdict is Verdict.UNMEASURED}
    assert unmeasured == {"smg"}
    assert all_clear(judged)


def test_trouble_with_turnout_fails_the_run_and_trouble_with_a_peer_does_not() -> None:
    judged = judge_all(Figures(good_run()))
    assert all_clear(judged, (Trouble("litellm", "not installed"),))
    assert not all_clear(judged, (Trouble(OURS, "requests: 3 of 100 failed"),))


def test_a_throughput_bar_is_also_judged_by_the_speed_of_this_machine() -> None:
    bar = Bar("chunks", Metric.CHUNKS_S_16, 60_000, scales=True)
    slow = with_value(good_run(), sample(OURS, Metric.CHUNKS_S_16, 31_000))
    judged = judge(bar, slow)
    assert judged.verdict is Verdict.BELOW
    assert judged.scaled_bound == 30_000
    assert judged.scaled_verdict is Verdict.PASS


def test_the_table_has_a_row_for_each_gateway_and_scenario_and_a_dash_for_what_is_absent() -> None:
    text = main_table(Figures(good_run()))
    lines = text.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "turnout",
        "smg",
        "envoy",
        "turnout, model: auto",
        "turnout, across dialects",
        "ferrogw, across dialects",
    ]
    assert "- / 20,000" in lines[1]
    assert len({len(line) for line in lines}) == 1


def test_ratios_compare_like_with_like_and_auto_with_named_models() -> None:
    text = ratio_table(Figures(good_run()))
    ratios = {line[:40].strip().split("  ")[0]: line for line in text.splitlines()[1:]}
    assert set(ratios) == {
        "turnout / smg",
        "turnout / envoy",
        "turnout, model: auto / smg",
        "turnout, model: auto / envoy",
        "turnout, across dialects / ferrogw",
    }
    assert f"{20_000 / 11_570:.2f}" in ratios["turnout / smg"]
    assert f"{11_000 / 9_690:.2f}" in ratios["turnout, across dialects / ferrogw"]


def test_without_our_row_there_are_no_ratios() -> None:
    assert ratio_table(figures(sample("smg", Metric.RPS_32, 1))) == ""


def test_the_report_names_what_could_not_be_measured_and_survives_json() -> None:
    run = Run(CONDITIONS, good_run(), (Trouble("litellm", "not installed: no compiler"),))
    again = msgspec.json.decode(msgspec.json.encode(run), type=Run)
    text = report(again, judge_all(Figures(again.samples)))
    assert "not measured: litellm: not installed: no compiler" in text
    assert "machine: 2 cores" in text
    assert "turnout / envoy" in text
    assert "first chunk p99" in text


def test_a_run_of_peers_alone_has_no_bars() -> None:
    run = Run(CONDITIONS, (sample("smg", Metric.RPS_32, 1),))
    assert "verdict" not in report(run, judge_all(Figures(run.samples)))


def test_columns_align() -> None:
    assert aligned([["a", "bb"], ["ccc", "d"]]) == "a    bb\nccc   d"
    assert number(None) == "-"
    assert number(12_345.6) == "12,346"


def test_flat_memory_is_flat_and_a_leak_is_not() -> None:
    noise = [0.5, -0.5, 0.25, -0.25, 0.0]
    flat = [Point(20_000 * i, 80 + noise[i % 5]) for i in range(45)]
    leaking = [Point(20_000 * i, 80 + noise[i % 5] + 0.5 * i) for i in range(45)]
    assert flatness(flat).flat
    leak = flatness(leaking)
    assert not leak.flat
    assert leak.growth_mb > GROWTH_MB_MAX
    assert leak.slope_mb_per_million == pytest.approx(25, rel=0.05)


def test_options_choose_rounds_and_gateways() -> None:
    quick = plan_of(parser().parse_args(["--quick", "--no-wrk"]))
    assert (quick.rounds, quick.seconds, quick.use_wrk) == (1, 2.0, False)
    full = plan_of(parser().parse_args(["--full", "--no-paced"]))
    assert full.connections == (1, 32, 256)
    assert full.paced is None
    assert chosen("turnout,smg") == ["turnout", "smg"]
    with pytest.raises(SystemExit, match="unknown: nginx"):
        chosen("smg,nginx")


def test_the_base_install_counts_what_turnout_requires() -> None:
    found = base_install()
    assert {"turnout", "msgspec", "uvicorn"} <= set(found)
    assert "pytest" not in found
    assert base_install("no-such-distribution") == ["no-such-distribution"]
