"""`sweetspot size`: how many pods of which model serve a rate within an objective."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tools.calibrate import calibration
from tools.commands.grid import run_grid
from tools.commands.prepared import prepare
from tools.experiment import Experiment, Search
from tools.experiment.cpu_time import PYTHON
from tools.knee import slo
from tools.local import Programs
from tools.lock import locked
from tools.rounds import calibrated, measure
from tools.scale.local import pinning_over
from tools.scale.results import Kept
from tools.size.asked import MODELS, asked
from tools.size.need import Need
from tools.status import PlainError
from tools.venue import ThisMachine


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Status 1 where a search failed, 130 where a signal came. Raises PlainError."""
    need = Need(args.cpu_ms, args.wait_ms, args.connections, args.rate, slo.read(args.slo), args.spare)
    venue = ThisMachine(programs, pinning_over(os.sched_getaffinity(0)))
    known_models = venue.models()
    models = list(dict.fromkeys(args.models or MODELS))
    if unknown := [model for model in models if model not in known_models]:
        raise PlainError(f"unknown model {unknown[0]!r}; the models are {', '.join(known_models)}")
    described = venue.describe()
    results = args.results or Path("results")
    known = calibration.find(results, described)
    before = measure(programs)[PYTHON]
    question = asked(
        need,
        before.of(need.cpu_ms),
        models,
        args.pod_cpus,
        starts=args.starts,
        highest_rps=known[1].ceiling_rps if known else Search().highest_rps,
    )
    venue.check(question)
    console.print(question.title, markup=False, soft_wrap=True)

    def show(console: Console, kept: Kept, _asked: Experiment, report: Path) -> None:
        from tools.size import terminal  # noqa: PLC0415  (scipy)
        from tools.size.shapes import shapes  # noqa: PLC0415

        terminal.show(console, need, models, shapes(need, kept.searched), kept.left_out)
        console.print(calibrated(need.cpu_ms, before, measure(programs)[PYTHON]), markup=False)
        console.print(str(report), markup=False, highlight=False, soft_wrap=True)

    folder = results / f"size-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with locked(folder):
        prepare(folder, question, venue, described, known[1] if known else None)
        return run_grid(question, folder, venue, console, show)
