"""`sweetspot run`: runs an experiment, or continues one, and reports on it."""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from tools import bundle, experiment
from tools.calibrate import calibration
from tools.calibrate.calibration import Calibration
from tools.commands.cpu_rounds import in_rounds
from tools.commands.grid import run_grid
from tools.commands.grid_view import show_of
from tools.commands.page import arms_of, write_page
from tools.commands.results_folder import prepare
from tools.commands.run_end import RunTally, exit_status, resume_command, to_its_end
from tools.commands.start_time import trial_s
from tools.commands.targets import check_flags, cluster, this_machine
from tools.experiment import BadExperimentError, Experiment, cpu_time
from tools.local import Programs
from tools.lock import locked
from tools.progress import Progress
from tools.results import read_trials
from tools.status import VOID, PlainError
from tools.target import Target
from tools.terminal import RunProgress
from tools.trial_specs import still_to_make
from tools.units import count


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Status 1 where a trial failed, 42 with --strict where one is void, 130 where a signal came."""
    if (args.experiment is None) == (args.resume is None):
        raise PlainError("give either an EXPERIMENT to run or a folder to --resume")
    check_flags(args)
    path, folder = _paths(args)
    asked = experiment.read(path)
    console.print(asked.title, markup=False, soft_wrap=True)
    target = _target(args, asked, folder, programs)
    asked = _choose(asked, args.models, target)
    if args.cluster and cpu_time.is_asked(asked):
        raise PlainError(f"{path}: cpu_us is measured on this machine, and a cluster has others: set rounds")
    asked = in_rounds(asked, console, programs)
    try:
        target.check(asked)
    except BadExperimentError as error:
        raise BadExperimentError(f"{path}: {error}") from error
    described = target.describe()
    known = calibration.newest(folder.parent, described)
    if known is not None:
        _check_rates(asked, *known)
    with locked(folder):
        prepare(folder, asked, target, described, known[1] if known else None)
        if asked.scale is not None:
            return run_grid(asked, folder, target, console, show_of(folder), strict=args.strict)
        return _run_trials(args, asked, folder, target, console)


def _run_trials(args: argparse.Namespace, asked: Experiment, folder: Path, target: Target, console: Console) -> int:
    stored = {trial.id for trial in read_trials(folder).trials}
    wanted = still_to_make(asked, stored, twice=target.alternates)
    console.print(f"{len(wanted)} trials; results: {folder}", markup=False, soft_wrap=True)
    with Progress(console, len(wanted), trial_s(asked, target)) as bar:
        progress = RunProgress(bar)
        interrupted = to_its_end(lambda: target.measure_all(asked, wanted, folder, progress))
    bundle.close(folder, asked.seed)
    from tools.headline import excludes_1  # noqa: PLC0415  (scipy)
    from tools.terminal_result import show  # noqa: PLC0415

    found = read_trials(folder)
    if asked.until is not None:
        from tools.early_stop import decided  # noqa: PLC0415  (scipy)

        if decided(asked, found.trials):
            last = max(trial.id.round for trial in found.trials)
            wanted = [each for each in wanted if each.id.round <= last]
            console.print(f"Every point is decided after {last} of {asked.rounds} rounds.", markup=False)
    show(console, found, write_page(folder), arms_of(folder))
    missing = len({each.id for each in wanted if not each.id.again} - {trial.id for trial in found.trials})
    tally = RunTally("trials", len(found.trials), len(wanted), missing, len(progress.failures), progress.voids)
    status = exit_status(tally, resume_command(folder), interrupted)
    return VOID if args.strict and not status and (progress.voids or excludes_1(found)) else status


def _paths(args: argparse.Namespace) -> tuple[Path, Path]:
    """The file of the experiment, and the folder of the run."""
    if args.resume is not None:
        return args.resume / "experiment.yaml", args.resume
    path = experiment.path_of(args.experiment)
    when = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    name = f"{path.stem}-{when}"
    if args.cluster:
        from tools.cluster.run import run_name  # noqa: PLC0415

        name = run_name(path.stem, when)
    return path, (args.results or Path("results")) / name


def _target(args: argparse.Namespace, asked: Experiment, folder: Path, programs: Programs) -> Target:
    """The target of a run. A resumed run continues on the target where it began."""
    described: dict[str, Any] = {}
    if args.resume is not None and (path := folder / "environment.json").exists():
        described = json.loads(path.read_text(encoding="utf-8"))
    if "cluster" in described:
        from tools.commands.clusters import cluster_of  # noqa: PLC0415  (kubernetes)

        return cluster_of(folder, programs, despite_noise=args.despite_noise)
    if not args.cluster:
        return this_machine(programs, despite_noise=args.despite_noise, for_grid=asked.scale is not None)
    balanced = {} if asked.scale is None else {"balance": "per-connection"}
    return cluster(args, folder.name, programs, **balanced)


def _choose(asked: Experiment, models: Sequence[str] | None, target: Target) -> Experiment:
    """The experiment with the arms to run: those that were named, else its own, else every model there is.

    Raises PlainError for an arm whose model is not there.
    """
    known = target.models()
    chosen = asked.of(list(dict.fromkeys(models or list(asked.arms) or known)))
    for name, arm in chosen.arms.items():
        if arm.server is None and arm.model not in known:
            where = "" if name == arm.model else f" of arm {name}"
            raise PlainError(f"unknown model {arm.model!r}{where}; the models are {', '.join(known)}")
    return chosen


def _check_rates(asked: Experiment, where: Path, known: Calibration) -> None:
    """Raises PlainError for a rate that the driver cannot send on this machine."""
    for rate_rps in asked.load.rate_rps or ():
        if rate_rps > known.ceiling_rps:
            raise PlainError(
                f"rate_rps: {count(rate_rps)} calls/s is more than the driver can send on this machine, "
                f"{count(round(known.ceiling_rps))} ({where / calibration.NAME}): set a lower rate or calibrate again"
            )
