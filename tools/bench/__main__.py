"""`python -m tools.bench`: runs the experiments of the bench, then prints the tables of docs/performance.md.

Exit status 0 means that everything was measured, whether the goals were reached or not. 1 means that something was
not measured. 2 means an error that a person can fix, with one line on stderr. 130 means that the bench was
interrupted; what was measured until then is stored. Must not know how any of it is done.
"""

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from tools import cli, experiment
from tools.bench import experiments, goals, markdown, overload, profiling
from tools.bench.bounds import Overload
from tools.clients.programs import PROGRAMS
from tools.experiment import BadExperimentError, Experiment, Point
from tools.local import LocalError, Programs, running_on
from tools.parser import Parser
from tools.plain_text import print_what_can_be_shown
from tools.results import BadResultsError, Trial, read_trials, write_whole
from tools.scratch import scratch_folder
from tools.status import FAILED, INTERRUPTED, REFUSED

Number = TypeVar("Number", int, float)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit status."""
    print_what_can_be_shown()
    args = _parser().parse_args(arguments)
    # SIGTERM has the effect of Ctrl-C: what was measured until then is stored, and no server remains.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False)
    try:
        if args.profile is not None:
            service_cpu, client_cpu = _processors()
            with scratch_folder() as scratch, running_on([client_cpu]):
                name = args.profile.replace("-", "_")
                console.print(profiling.profile(name, args.at, args.duration, service_cpu, scratch))
            return 0
        starts = Programs().starts()
        statuses = [] if args.overload else [_run_experiments(args, starts, console)]
        if not args.goals and not {REFUSED, INTERRUPTED} & set(statuses):
            statuses.append(_overload(args.results, starts, console))
    except (LocalError, BadResultsError, BadExperimentError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return INTERRUPTED
    return max(statuses)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m tools.bench", description="Measures the models and compares them by ratios.", allow_abbrev=False
    )
    parser.add_argument(
        "--rounds",
        type=_within(int, 1, 20),
        default=3,
        metavar="N",
        help="number of rounds; figures are their medians (3)",
    )
    parser.add_argument(
        "--duration", type=_within(float, 0.5, 60), default=1.0, metavar="S", help="seconds of each measurement (1)"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="parent folder of the results (results)"
    )
    parser.add_argument(
        "--despite-noise", action="store_true", help="show what a busy machine measured, as `sweetspot run` does"
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--goals", action="store_true", help="measure only what has a required ratio")
    only.add_argument("--overload", action="store_true", help="measure only overload, at four times the capacity")
    parser.add_argument(
        "--profile", metavar="MODEL", help="measure nothing; profile the CPU time of this model, or of the `driver`"
    )
    parser.add_argument("--at", type=_load, default=_load("10x10"), metavar="CxS", help="load of the profile (10x10)")
    return parser


def _within(kind: Callable[[str], Number], least: Number, most: Number) -> Callable[[str], Number]:
    def number(text: str) -> Number:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not within {least} to {most}")
        return value

    return number


def _load(text: str) -> Point:
    found = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,2})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not CONNECTIONSxSTREAMS, such as 10x10")
    return Point(name=text, connections=int(found[1]), streams=int(found[2]))


def _processors() -> tuple[int, int]:
    """One for the service, one for what loads it. Raises LocalError."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise LocalError("a benchmark needs two CPUs, one each for service and client; this process may use one")
    return allowed[0], allowed[1]


def _run_experiments(args: argparse.Namespace, starts: Sequence[Sequence[str]], console: Console) -> int:
    """Runs each experiment as `sweetspot run` does. Returns the exit status."""
    only = goals.arms() if args.goals else None
    wanted: dict[str, Experiment] = experiments.experiments(
        starts, rounds=args.rounds, duration_s=args.duration, only=only
    )
    PROGRAMS["h2load"].program_path()
    wanted[goals.CLIENTS], missing = experiments.with_installed(experiment.read(experiment.path_of(goals.CLIENTS)))
    for why in missing:
        console.print(f"not measured: {why}", markup=False, soft_wrap=True)
    measured: dict[str, Sequence[Trial]] = {}
    status = 0
    with scratch_folder() as scratch:
        for name, each in wanted.items():
            path = scratch / f"{name}.yaml"
            path.write_text(each.to_yaml(), encoding="utf-8")
            more = ["--despite-noise"] if args.despite_noise else []
            ended = cli.main(["run", str(path), "--results", str(args.results), *more])
            status = max(status, ended)
            if ended in {REFUSED, INTERRUPTED}:
                return ended
            measured[name] = read_trials(max(args.results.glob(f"{name}-*"))).trials
    lines = markdown.goals(goals.results(measured))
    lines += ["", markdown.idle(goals.idle_kib(measured[experiments.IDLE])), ""]
    if not args.goals:
        lines += markdown.rates(starts, [*measured[experiments.ECHO], *measured[experiments.BUSY]])
    console.print("\n".join(lines), markup=False, soft_wrap=True)
    return status


def _overload(results: Path, starts: Sequence[Sequence[str]], console: Console) -> int:
    """Overloads each model once. Stores all that was measured after each. Returns the exit status."""
    service_cpu, client_cpu = _processors()
    path = results / f"bench-overload-{datetime.now(UTC):%Y%m%dT%H%M%SZ}" / "overload.json"
    found: list[Overload] = []
    status = 0
    write_whole(path, "[]\n")  # before anything is measured: a folder that cannot be written to is found out now
    with scratch_folder() as scratch, running_on([client_cpu]):
        try:
            for start in starts:
                status = max(status, _overload_one(start, service_cpu, scratch, found, console))
                write_whole(path, json.dumps([asdict(each) for each in found], indent=1) + "\n")
        except KeyboardInterrupt:
            print(f"bench: interrupted; the finished measurements are in {path}", file=sys.stderr)
            status = INTERRUPTED
    console.print("\n".join(["", *markdown.when_full(found), "", str(path)]), markup=False, soft_wrap=True)
    return status


def _overload_one(start: Sequence[str], cpu: int, scratch: Path, found: list[Overload], console: Console) -> int:
    """Adds what was measured to `found`. Returns the exit status."""
    label = f"overload, {' '.join(start)}"
    try:
        found.append(overload.measure(start, cpu, scratch))
    except LocalError as error:
        console.print(f"not measured: {label}: {error}", markup=False, soft_wrap=True)
        return FAILED
    share = f"{found[-1].served_share:.0%} of {found[-1].capacity_rps:,.0f} calls/s still served"
    console.print(f"{label}: {share}", markup=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
