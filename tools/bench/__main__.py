"""`python -m tools.bench`: measures, prints tables and goals, stores all figures.

Exit status 0 means that everything was measured, whether the goals were reached or not. 1 means that something was
not measured. 2 means an error that a person can fix, with one line on stderr. 130 means that the bench was
interrupted; what was measured until then is stored. Must not know how any of it is done.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from tools import environment
from tools.bench import bounds, markdown, overload, profiling, record, rounds, servers, tables
from tools.bench.generators import Timing
from tools.bench.goals import BUSY, IDLE_CONNECTIONS, ClosedLoop, subjects
from tools.bench.record import BenchRecord
from tools.bench.rounds import Bench
from tools.local import LocalError, Pinning, Programs, allow_open_files, running_on
from tools.parser import Parser
from tools.plain import print_what_can_be_shown
from tools.progress import Progress
from tools.results import BadResultsError
from tools.scratch import scratch_folder
from tools.status import FAILED, INTERRUPTED, REFUSED

Number = TypeVar("Number", int, float)

WARMUP_S = 0.6
STARTING_S = 1.0
"""Time for a server and a load generator to start and to end."""
OTHER_OPEN_FILES = 64
"""Besides the idle connections: pipes, listeners, the interpreter's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit status."""
    print_what_can_be_shown()
    args = _parser().parse_args(arguments)
    console = Console(highlight=False)
    # SIGTERM has the effect of Ctrl-C: what was measured until then is stored, and no server remains.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server_cpu, generator_cpu = _processors()
        servers.h2load()
        with scratch_folder() as scratch, running_on([generator_cpu]):
            if args.profile is not None:
                name = args.profile.replace("-", "_")
                console.print(profiling.profile(name, args.at, args.duration, server_cpu, scratch))
                return 0
            servers.nghttpd()
            return _bench(args, (server_cpu, generator_cpu), scratch, console)
    except (LocalError, BadResultsError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return INTERRUPTED


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
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--goals", action="store_true", help="measure only what has a required ratio")
    only.add_argument("--overload", action="store_true", help="measure only overload, at four times the capacity")
    parser.add_argument(
        "--profile", metavar="MODEL", help="measure nothing; profile the CPU time of this model, or of the `driver`"
    )
    parser.add_argument("--at", type=_load, default=BUSY, metavar="CxS", help=f"load of the profile ({BUSY})")
    return parser


def _within(kind: Callable[[str], Number], least: Number, most: Number) -> Callable[[str], Number]:
    def number(text: str) -> Number:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not within {least} to {most}")
        return value

    return number


def _load(text: str) -> ClosedLoop:
    found = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,2})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not CONNECTIONSxSTREAMS, such as {BUSY}")
    return ClosedLoop(int(found[1]), int(found[2]))


def _processors() -> tuple[int, int]:
    """One for the server, one for the load generator. Raises LocalError."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise LocalError("a benchmark needs two CPUs, one each for server and load generator; this process may use one")
    return allowed[0], allowed[1]


def _programs() -> dict[str, str]:
    paths = (servers.h2load(), servers.nghttpd())
    return {
        Path(path).name: subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        for path in paths
    }


def _bench(args: argparse.Namespace, cpus: tuple[int, int], scratch: Path, console: Console) -> int:
    server_cpu, generator_cpu = cpus
    open_files = allow_open_files()
    if open_files < IDLE_CONNECTIONS + OTHER_OPEN_FILES:
        raise LocalError(
            f"{IDLE_CONNECTIONS:,} idle connections need more than {open_files:,} open files: raise ulimit -Hn"
        )
    starts = [] if args.goals else Programs().starts()
    measured = [] if args.overload else subjects(starts)
    now = datetime.now(UTC)
    folder = args.results / f"bench-{now:%Y%m%dT%H%M%SZ}"
    asked = {"rounds": args.rounds, "warmup_s": WARMUP_S, "duration_s": args.duration}
    asked |= {"payload_bytes": len(servers.REQUEST.payload), "server_cpu": server_cpu, "generator_cpu": generator_cpu}
    asked |= {"overload_plan": overload.plan(), "overload_factor": bounds.FACTOR}
    described = environment.describe(Pinning([server_cpu], [generator_cpu]), open_files) | {"programs": _programs()}
    kept = BenchRecord(f"{now:%Y-%m-%dT%H:%M:%SZ}", asked, described)
    # Before anything is measured: a folder that cannot be written to is found out now.
    path = record.write(folder, kept)

    def notify(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    notify(f"{len(measured)} subjects, {args.rounds} rounds, {len(starts)} overload tests; results: {path}")
    interrupted = False
    timing = Timing(WARMUP_S, args.duration)
    parts = (1 + args.rounds * len(measured) if measured else 0) + len(starts)
    try:
        with Progress(console, parts, timing.warmup_s + timing.duration_s + STARTING_S) as bar:
            rounds.run(
                Bench(args.rounds, measured, starts, timing, server_cpu, scratch, folder, bar.ended),
                kept,
            )
    except KeyboardInterrupt:
        interrupted = True
    if starts:
        notify("\n".join(["", *markdown.when_full(kept.overloads), ""]))
    if measured:
        notify("\n".join([*markdown.rates(starts, kept.measurements), ""]))
        tables.show(console, kept.results(), kept.measurements, kept.idle)
    if interrupted:
        print(f"bench: interrupted; the finished measurements are in {path}", file=sys.stderr)
        return INTERRUPTED
    if kept.failures:
        print(f"bench: {len(kept.failures)} could not be measured; the first: {kept.failures[0]}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
