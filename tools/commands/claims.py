"""`sweetspot claims`: measures what the claims of the notes ask, and shows the verdict on each."""

import argparse
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tools import bundle, junit
from tools.claims import judged, page, reading, registered, running, table
from tools.claims.chosen import choose
from tools.claims.compared import compare
from tools.claims.decision import FEWEST, LOOKS
from tools.claims.progress import ClaimsProgress
from tools.commands import registering
from tools.commands.ending import to_its_end
from tools.commands.page import write_page
from tools.commands.prepared import prepare
from tools.experiment import BadExperimentError, Experiment
from tools.local import Pinning, Programs
from tools.lock import locked
from tools.progress import Progress
from tools.results import write_whole
from tools.status import FAILED, INTERRUPTED, PlainError
from tools.venue import ThisMachine, Venue
from tools.wanted import Wanted

FEW, MANY_ROUNDS = 10, 5
"""More claims than that have so many rounds at most: the core is to end within 10 minutes, and all within 75."""


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Status 1 where a verdict of the baseline is lost, 130 where a signal came."""
    if args.check or args.register:
        return registering.execute(args, console)
    every = reading.claims()
    baseline = judged.read(args.baseline) if args.baseline is not None else None
    results: Path = args.results or Path("results")
    if args.list:
        table.show_list(console, every, judged.latest(results))
        return 0
    if args.resume is None:
        folder = results / f"claims-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        chosen = choose(every, args.claims)
    else:
        folder, run = args.resume, registered.read(args.resume)
        if problems := registered.edited(folder, run):
            raise PlainError(f"{problems[0]}: restore the file, or begin another run")
        chosen = [every[name] for name in run.claims]
    rounds = args.rounds or (MANY_ROUNDS if len(chosen) > FEW else max(LOOKS))
    with locked(folder):
        if args.resume is None:
            registered.register(folder, chosen, [judged.FLOOR])
        parts, each_s = running.expected(chosen, rounds)
        console.print(f"{len(chosen)} claims, kept in {folder}", markup=False, soft_wrap=True)
        with Progress(console, parts, each_s) as bar:
            notes = ClaimsProgress(bar)
            bench = _Bench(_venue(programs, despite_noise=args.despite_noise), notes)
            if args.resume is None:
                running.find_missing(folder, chosen, bench, programs, in_cluster=False)
            interrupted = to_its_end(
                lambda: running.run(folder, chosen, bench=bench, notes=notes, programs=programs, rounds=rounds)
            )
        found = judged.read(folder)
        table.show(console, found)
        if args.junit is not None:
            junit.write(args.junit, "claims", table.cases(found))
        path = page.write(folder)
    lost = baseline is not None and table.show_compared(console, compare(baseline, found))
    # Unwrapped, so that it can be copied.
    console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    return INTERRUPTED if interrupted else FAILED if lost else 0


def _venue(programs: Programs, *, despite_noise: bool) -> Venue:
    return ThisMachine(programs, Pinning.over(os.sched_getaffinity(0)), despite_noise=despite_noise)


class _Bench:
    """Runs experiments at a venue, each in a results folder of its own."""

    def __init__(self, venue: Venue, notes: ClaimsProgress) -> None:
        self._venue = venue
        self._notes = notes

    def lacks(self, asked: Experiment) -> str:
        try:
            self._venue.check(asked)
        except (PlainError, BadExperimentError) as error:
            return str(error)
        return ""

    def measure(self, asked: Experiment, wanted: Sequence[Wanted], folder: Path) -> None:
        self._venue.check(asked)
        (folder / bundle.NAME).unlink(missing_ok=True)  # it is closed anew, with further rounds
        write_whole(folder / "experiment.yaml", asked.to_yaml())
        prepare(folder, asked, self._venue, self._venue.describe(), None)
        self._notes.measures(folder.name, sum(each.id.round > FEWEST for each in wanted))
        self._venue.measure_all(asked, wanted, folder, self._notes)
        bundle.close(folder, asked.seed)
        write_page(folder)
