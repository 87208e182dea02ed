"""`python -m bench`: the comparison with peers; `python -m bench soak`: memory over many requests."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.bars import OURS, all_clear, judge_all
from bench.footprint import base_install, import_s
from bench.gateways import GATEWAYS, Gateway
from bench.install import PACKAGES, InstallError, ensure_load, ensure_peer
from bench.load import Load, Paced, wrk_path
from bench.measure import DIRECT, Plan, distinct, visit_direct, visit_gateway
from bench.process import LOAD_CORE
from bench.samples import Conditions, Figures, Metric, Run, Sample, Scenario, Trouble
from bench.soak import soak
from bench.table import report

HOME = Path(__file__).resolve().parent.parent / ".bench"
QUICK_PACED = Paced(streams=1000, chunks=80, pace_ms=50, ramp_ms=2000)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    names = ", ".join([DIRECT, *(gateway.name for gateway in GATEWAYS)])
    top = argparse.ArgumentParser(
        prog="python -m bench",
        description="Turnout beside peer gateways, each alone on one core; load and provider on the other.",
        epilog="example: python -m bench --quick --only turnout,envoy,smg",
    )
    top.add_argument("--quick", action="store_true", help="one round of 2 s, shorter paced streams")
    top.add_argument(
        "--full", action="store_true", help="256 connections too, and paced streams in every round"
    )
    top.add_argument("--only", metavar="NAMES", help=f"of: {names}")
    top.add_argument("--rounds", type=int, metavar="N", help="default 3")
    top.add_argument("--seconds", type=float, metavar="S", help="of each measurement; default 3")
    top.add_argument("--no-paced", action="store_true", help="leave out the 1,000 paced streams")
    top.add_argument(
        "--wrk", action=argparse.BooleanOptionalAction, help="wrk for ordinary requests (default: if found)"
    )
    top.add_argument("--json", type=Path, metavar="FILE", help="also write every sample there")
    top.add_argument("--turnout", type=Path, metavar="PATH", default=Path(sys.executable).parent / "turnout")
    commands = top.add_subparsers(dest="command")
    long = commands.add_parser("soak", help="memory over many requests")
    long.add_argument("--requests", type=int, default=1_000_000, metavar="N")
    return top


def plan_of(args: argparse.Namespace) -> Plan:
    paced = None if args.no_paced else QUICK_PACED if args.quick else Plan().paced
    return Plan(
        rounds=args.rounds or (1 if args.quick else 3),
        seconds=args.seconds or (2.0 if args.quick else 3.0),
        full=args.full,
        use_wrk=wrk_path() is not None if args.wrk is None else args.wrk,
        paced=paced,
        paced_every_round=args.full,
    )


def chosen(only: str | None) -> list[str]:
    known = [DIRECT, *(gateway.name for gateway in GATEWAYS)]
    if only is None:
        return known
    names = only.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known are {', '.join(known)}")
    return names


def installations(names: list[str], turnout: Path) -> tuple[dict[str, Path], list[Trouble]]:
    """Where each chosen gateway is, and why the others are not there."""
    found, troubles = {}, []
    if OURS in names and turnout.exists():
        found[OURS] = turnout
    elif OURS in names:
        troubles.append(Trouble(OURS, f"{turnout} does not exist; `make install` makes it"))
    for package in PACKAGES:
        if package.gateway in names:
            try:
                found[package.gateway] = ensure_peer(package, HOME, say)
            except InstallError as error:
                troubles.append(Trouble(package.gateway, f"not installed: {error}"))
    return found, troubles


def footprint() -> tuple[list[Sample], list[Trouble]]:
    try:
        seconds = import_s()
    except subprocess.CalledProcessError as error:
        return [], [Trouble(OURS, f"import: {error.stderr.strip().splitlines()[-1]}")]
    pairs = ((Metric.IMPORT_S, seconds), (Metric.DISTRIBUTIONS, float(len(base_install()))))
    return [Sample(OURS, Scenario.SAME, metric, 0, value) for metric, value in pairs], []


def conditions(plan: Plan) -> Conditions:
    busy = os.getloadavg()[0]
    if busy > 0.5:
        say(f"warning: the machine is busy (load average {busy:.1f}); figures will be too low")
    return Conditions(
        started=time.strftime("%Y-%m-%d %H:%M"),
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}",
        generator="wrk, and streams by bench/native" if plan.use_wrk else "bench/native",
        rounds=f"{plan.rounds} of {plan.seconds:g} s, medians",
        load_average_before=round(busy, 2),
    )


def compare(plan: Plan, names: list[str], turnout: Path) -> Run:
    found, troubles = installations(names, turnout)
    gateways = [gateway for gateway in GATEWAYS if gateway.name in found]
    stops: list[Gateway | None] = [*([None] if DIRECT in names else []), *gateways]
    samples: list[Sample] = []
    if OURS in found:
        samples, more = footprint()
        troubles += more
    facts = conditions(plan)
    with Load(ensure_load(HOME)) as load:
        for number in range(plan.rounds):
            turn = number % max(len(stops), 1)
            for gateway in stops[turn:] + stops[:turn]:
                say(f"round {number + 1}/{plan.rounds}: {gateway.name if gateway else DIRECT}")
                if gateway is None:
                    visit = visit_direct(load, plan, number)
                else:
                    visit = visit_gateway(gateway, found[gateway.name], load, plan, number)
                samples += visit.samples
                troubles += visit.troubles
    return Run(facts, tuple(samples), distinct(troubles))


def main() -> int:
    args = parser().parse_args()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # so that the processes started here are ended too
    if (os.cpu_count() or 1) > LOAD_CORE:
        os.sched_setaffinity(0, {LOAD_CORE})  # this process too keeps off the gateway's core
    if args.command == "soak":
        return soak(args.turnout, ensure_load(HOME), args.requests, say)
    run = compare(plan_of(args), chosen(args.only), args.turnout)
    judged = judge_all(Figures(run.samples))
    if args.json:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1))
    print(report(run, judged))
    return 0 if all_clear(judged, run.troubles) else 1


if __name__ == "__main__":
    sys.exit(main())
