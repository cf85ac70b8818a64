"""`sweetspot knee`: the highest rate at which a model meets an objective, with an interval over starts."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tools import experiment
from tools.calibrate import calibration
from tools.commands.cpu_rounds import in_rounds
from tools.commands.grid import run_grid
from tools.commands.results_folder import prepare
from tools.commands.targets import this_machine
from tools.experiment import Experiment, Search
from tools.knee import slo
from tools.knee.grid import asked
from tools.local import Programs
from tools.lock import locked
from tools.scale.results import StoredCells
from tools.scale.void import why_void
from tools.status import PlainError


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Status 1 where a start failed, 130 where a signal came. Raises PlainError."""
    objective = slo.read(args.slo)
    target = this_machine(programs, despite_noise=args.despite_noise, for_grid=True)
    known_models = target.models()
    if args.model not in known_models:
        raise PlainError(f"unknown model {args.model!r}; the models are {', '.join(known_models)}")
    described = target.describe()
    results = args.results or Path("results")
    known = calibration.newest(results, described)
    question = asked(
        in_rounds(experiment.read(experiment.path_of(args.plan)), console, programs),
        args.plan,
        args.model,
        objective,
        connections=args.connections,
        starts=args.starts,
        highest_rps=known[1].ceiling_rps if known else Search().highest_rps,
    )
    target.check(question)
    console.print(question.title, markup=False, soft_wrap=True)

    def show(console: Console, stored: StoredCells, _asked: Experiment, report: Path) -> None:
        from tools.knee.result import line  # noqa: PLC0415  (scipy)

        console.print()
        for one in stored.searched:
            if why := why_void(one):
                console.print(f"{one.cell.plan}: {why}", markup=False, soft_wrap=True)
        text = line(args.model, stored.searched, objective)
        console.print(text, style="bold", markup=False, soft_wrap=True)
        console.print(str(report), markup=False, highlight=False, soft_wrap=True)

    folder = results / f"knee-{args.model}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with locked(folder):
        prepare(folder, question, target, described, known[1] if known else None)
        return run_grid(question, folder, target, console, show)
