"""`sweetspot claims`: measures what the claims of the notes ask, and shows the verdict on each."""

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tools import junit
from tools.claims import claims_run, floor, judged_run, page, reading, running, table
from tools.claims.comparison import compare
from tools.claims.decision import LOOKS
from tools.claims.progress import ClaimsProgress
from tools.claims.selection import choose
from tools.commands import registering
from tools.commands.claim_runner import TargetRunner
from tools.commands.run_end import to_its_end
from tools.commands.start_time import JOB_S
from tools.commands.targets import check_flags, cluster, this_machine
from tools.local import Programs
from tools.lock import locked
from tools.progress import Progress
from tools.results import read_json
from tools.status import FAILED, INTERRUPTED, PlainError
from tools.target import Target

FEW, MINUTES_OF_FEW, MINUTES = 20, 9.8, 70.0
"""Minutes within which a later look must end to be begun. The core ends within 10 minutes, and all claims within 75."""


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Returns status 1 if a verdict of the baseline is lost, 130 after a signal."""
    if args.check or args.register:
        return registering.execute(args, console)
    check_flags(args)
    every = reading.claims()
    baseline = judged_run.read(args.baseline) if args.baseline is not None else None
    results: Path = args.results or Path("results")
    if args.list:
        last, unreadable = judged_run.latest(results)
        table.show_list(console, every, last)
        if unreadable:
            print(f"sweetspot: skipped, because it cannot be read: {'; '.join(unreadable)}", file=sys.stderr)
        return 0
    if args.resume is None:
        folder = results / f"claims-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        chosen = choose(every, args.claims)
    else:
        folder, run = args.resume, claims_run.read(args.resume)
        if problems := claims_run.edited(folder, run):
            raise PlainError(f"{problems[0]}: restore the file or start another run")
        chosen = [every[name] for name in run.claims]
    rounds = args.rounds or max(LOOKS)
    within_s = 60 * (args.minutes or (MINUTES if len(chosen) > FEW else MINUTES_OF_FEW))
    target = _target(args, programs)
    with locked(folder):
        if args.resume is None:
            claims_run.register(folder, chosen, [floor.EXPERIMENT], despite_noise=args.despite_noise)
        parts, each_s = running.expected(chosen, rounds)
        console.print(f"{len(chosen)} claims; results: {folder}", markup=False, soft_wrap=True)
        with Progress(console, parts, each_s + (0 if target.alternates else JOB_S)) as bar:
            notes = ClaimsProgress(bar)
            runner = TargetRunner(target, notes, claims_run.read(folder).began)

            def measure() -> None:
                if not (folder / judged_run.MISSING).exists():
                    running.store_missing(folder, chosen, runner, programs, in_cluster=not runner.alternates)
                running.run(
                    folder, chosen, runner=runner, notes=notes, programs=programs, rounds=rounds, within_s=within_s
                )

            interrupted = to_its_end(measure)
        found = judged_run.read(folder)
        table.show(console, found)
        if args.junit is not None:
            junit.write(args.junit, "claims", table.cases(found))
        path = page.write(folder)
    lost = baseline is not None and table.show_compared(console, compare(baseline, found))
    # Unwrapped, so that it can be copied.
    console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    return INTERRUPTED if interrupted else FAILED if lost else 0


def _target(args: argparse.Namespace, programs: Programs) -> Target:
    """The place of a run. A resumed run continues where its experiments were measured. Raises PlainError.

    Trials are stored with what a noisy machine did to them: it is known for each figure whether that matters.
    """
    if args.resume is None:
        if args.cluster:
            found = replace(cluster(args, "claims", programs, exactly=True), despite_noise=True)
            found.models()  # without any, no claim can be decided there
            return found
        return this_machine(programs, despite_noise=True)
    for path in sorted((args.resume / judged_run.RUNS).glob("*/environment.json")):
        if "cluster" not in read_json(path):
            return this_machine(programs, despite_noise=True)
        from tools.commands.clusters import cluster_of  # noqa: PLC0415  (kubernetes)

        return replace(cluster_of(path.parent, programs, despite_noise=True), exactly=True)
    raise PlainError(f"{args.resume}: holds no measurement: start another run")
