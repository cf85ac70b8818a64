"""The `sweetspot` command: reads what is asked, has it done, and says what came of it.

Exit status: 0; 1 when a trial failed; 2 for what a person can put right, in one line on stderr; 130 when interrupted.
Must not know how any of it is done.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from tools import environment, experiment, local, report, styles
from tools.experiment import BadExperimentError, Experiment
from tools.local import LocalError, Pinning, Programs
from tools.results import BadResultsError, read_trials, write_whole
from tools.run import run, trials
from tools.scale import page
from tools.scale.cells import cells
from tools.scale.local import local_ground, pinning_over
from tools.scale.results import FOLDER as CELLS
from tools.scale.results import is_scale, read_cells
from tools.scale.run import run as run_cells
from tools.scale.terminal import ScaleProgress
from tools.scale.terminal import show as show_cells
from tools.terminal import RunProgress, show
from tools.trial import Place

FAILED, REFUSED, INTERRUPTED = 1, 2, 130


class _Refused(Exception):
    """What keeps a command from being done, in one line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"{self.prog}: {message} (--help shows every flag)\n")


def main(arguments: Sequence[str] | None = None, programs: Programs = Programs()) -> int:  # noqa: B008  (it is frozen)
    """Runs the command line. Returns the exit status."""
    args = _parser().parse_args(arguments)
    console = Console(highlight=False)
    try:
        if args.command == "report":
            return _report(args.folder, console)
        if args.command == "styles":
            return _styles(console, programs, as_json=args.json)
        return _run(args, console, programs)
    except (_Refused, BadExperimentError, BadResultsError, LocalError) as error:
        print(f"sweetspot: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("sweetspot: interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> _Parser:
    parser = _Parser(prog="sweetspot", description="Every server concurrency model behind one gRPC workload.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="run an experiment on this machine and report on it", allow_abbrev=False)
    running.add_argument(
        "experiment",
        nargs="?",
        help=f"{', '.join(experiment.names())}, or the path of a YAML file",
        metavar="EXPERIMENT",
    )
    running.add_argument("--models", type=_names, metavar="A,B", help="only these models")
    running.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="where to keep it (results)"
    )
    running.add_argument("--resume", type=Path, metavar="DIR", help="go on with an interrupted run: do what is missing")
    reporting = commands.add_parser("report", help="write the report of a results folder again", allow_abbrev=False)
    reporting.add_argument("folder", type=Path, metavar="DIR", help="as results/default-20260131T120000Z")
    costing = commands.add_parser("styles", help="tell what each style of a handler costs", allow_abbrev=False)
    costing.add_argument("--json", action="store_true", help="all figures, as JSON")
    return parser


def _names(text: str) -> list[str]:
    return [name.strip().replace("-", "_") for name in text.split(",")]


def _report(folder: Path, console: Console) -> int:
    if is_scale(folder):
        path = page.write(folder)
        show_cells(console, read_cells(folder), experiment.read(folder / "experiment.yaml"), path)
    else:
        path = report.write(folder)
        show(console, read_trials(folder).trials, path)
    return 0


def _styles(console: Console, programs: Programs, *, as_json: bool) -> int:
    costs = styles.measure(programs)
    if as_json:
        print(json.dumps(costs, indent=1))
    else:
        styles.show(console, costs)
    return 0


def _run(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    if (args.experiment is None) == (args.resume is None):
        raise _Refused("say either which EXPERIMENT to run or which folder to --resume")
    asked, folder = _asked(args)
    models = _choose(args.models or asked.models, programs)
    pinning = (pinning_over if asked.scale else Pinning.over)(os.sched_getaffinity(0))
    described = environment.describe(pinning, local.allow_open_files())
    if args.resume is None:
        asked = asked.of(models)
    _prepare(folder, asked, described)
    if asked.scale is not None:
        return _run_scale(asked, models, Place(folder, programs, pinning), console)
    kept = {(trial.model, trial.connections) for trial in read_trials(folder).trials}
    wanted = [pair for pair in trials(asked, models) if pair not in kept]
    console.print(f"{asked.title}\n{len(wanted)} trials, kept in {folder}", markup=False, soft_wrap=True)
    with RunProgress(console, len(wanted)) as progress:
        interrupted = _to_its_end(lambda: run(asked, wanted, Place(folder, programs, pinning), progress))
    found = read_trials(folder).trials
    show(console, found, report.write(folder))
    missing = len(set(wanted) - {(trial.model, trial.connections) for trial in found})
    return _status(_Tally("trials", len(found), len(wanted), missing, len(progress.failures)), folder, interrupted)


def _run_scale(asked: Experiment, models: Sequence[str], place: Place, console: Console) -> int:
    folder = place.folder
    kept = read_cells(folder).cells
    wanted = [cell for cell in cells(asked, models) if cell not in kept]
    console.print(f"{asked.title}\n{len(wanted)} cells, kept in {folder}", markup=False, soft_wrap=True)
    with ScaleProgress(console, len(wanted)) as progress:

        def search() -> None:
            with local_ground(place) as ground:
                run_cells(asked, wanted, ground, folder, progress)

        interrupted = _to_its_end(search)
    found = read_cells(folder)
    show_cells(console, found, asked, page.write(folder))
    missing = len(set(wanted) - found.cells)
    tally = _Tally("cells", len(found.cells), len(wanted), missing, len(progress.failures))
    return _status(tally, folder, interrupted)


def _to_its_end(work: Callable[[], None]) -> bool:
    """Does it; whether it was interrupted."""
    try:
        with _interruptible():
            work()
    except KeyboardInterrupt:
        return True
    return False


@dataclass(frozen=True, slots=True)
class _Tally:
    """What came of a run."""

    things: str
    """Trials, or cells."""
    found: int
    wanted: int
    missing: int
    failed: int


def _status(tally: _Tally, folder: Path, interrupted: bool) -> int:
    """The exit status, and on stderr what is missing and how to get it."""
    again = f"; to run the {tally.missing} missing: {_resume_command(folder)}" if tally.missing else ""
    if interrupted:
        print(f"sweetspot: interrupted; {tally.found} finished {tally.things} are kept{again}", file=sys.stderr)
        return INTERRUPTED
    if tally.failed:
        print(f"sweetspot: {tally.failed} of {tally.wanted} {tally.things} failed{again}", file=sys.stderr)
        return FAILED
    return 0


def _asked(args: argparse.Namespace) -> tuple[Experiment, Path]:
    """The experiment, and the folder that keeps it."""
    if args.resume is not None:
        return experiment.read(args.resume / "experiment.yaml"), args.resume
    path = experiment.find(args.experiment)
    return experiment.read(path), args.results / f"{path.stem}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def _choose(asked: Sequence[str] | None, programs: Programs) -> list[str]:
    """The models to run, each once."""
    known = programs.models()
    unknown = [model for model in asked or () if model not in known]
    if unknown:
        raise _Refused(f"unknown model {unknown[0]!r}; there are {', '.join(known)}")
    return list(dict.fromkeys(asked or known))


def _prepare(folder: Path, asked: Experiment, described: dict[str, object]) -> None:
    """Makes the results folder, or finds out that a resumed one can be written to."""
    write_whole(folder / "experiment.yaml", asked.to_yaml())
    for name in (CELLS if asked.scale is not None else "trials", "traces"):
        (folder / name).mkdir(exist_ok=True)
    path = folder / "environment.json"
    text = json.dumps(described, indent=1) + "\n"
    if not path.exists():
        write_whole(path, text)
    elif path.read_text(encoding="utf-8") != text:
        print(
            f"sweetspot: the machine or the code is not as {path} says: old trials may not compare with new ones",
            file=sys.stderr,
        )


def _resume_command(folder: Path) -> str:
    """As it can be pasted: `make` calls what is in .venv, which need not be on the path."""
    command = "sweetspot" if shutil.which("sweetspot") else str(Path(sys.executable).with_name("sweetspot"))
    return shlex.join([command, "run", "--resume", str(folder)])


@contextmanager
def _interruptible() -> Iterator[None]:
    """The first signal to end is a KeyboardInterrupt; further ones do not disturb the stopping of what was started."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in local.ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in local.ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
