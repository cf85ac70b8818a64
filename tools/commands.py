"""What each `sweetspot` command does: has it done, and says what came of it. Must not know how any of it is done.

What one command alone needs, and what is needed only after a run, is imported there: libraries for pages and for fits
need 2 s, and a person waits for the first word.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console

from tools import experiment, local, report
from tools.experiment import Experiment
from tools.local import Pinning, Programs
from tools.lock import locked
from tools.named import RELEASE
from tools.progress import Progress
from tools.results import read_trials, write_whole
from tools.scale.cells import cells
from tools.scale.local import pinning_over
from tools.scale.results import FOLDER as CELLS
from tools.scale.results import is_scale, read_cells
from tools.scale.run import run as run_cells
from tools.scale.terminal import ScaleProgress
from tools.scale.terminal import show as show_cells
from tools.status import FAILED, INTERRUPTED, REFUSED, VOID, PlainError
from tools.terminal import RunProgress, show, show_kept, show_traces
from tools.venue import ThisMachine, Venue
from tools.wanted import trials

if TYPE_CHECKING:
    from tools.cluster.run import Cluster

_OF_LOAD = ("shards", "balance", "driver_cpu", "driver_memory", "keep_pods")
_OF_CLUSTER = ("namespace", "release", *_OF_LOAD)
"""What `run` has use for with --cluster alone; None where it is not given, as the fields of Cluster have defaults."""


STARTING_S = 1.5
"""For a service and a driver to start and to end: what a trial is expected to take besides its own time."""


class _Refused(PlainError):
    """What keeps a command from being done, in one line."""


def run(args: argparse.Namespace, programs: Programs | None) -> int:
    """Does what the command line asks. Returns the exit status; raises KeyboardInterrupt."""
    console = Console(highlight=False)
    try:
        return _COMMANDS[args.command](args, console, programs or Programs())
    except PlainError as error:
        print(f"sweetspot: {error}", file=sys.stderr)
        return REFUSED


def _report(args: argparse.Namespace, console: Console, _programs: Programs) -> int:
    unreadable = _show_report(args.folder, console)
    for why in unreadable:
        print(f"sweetspot: {why}", file=sys.stderr)
    return FAILED if unreadable else 0


def _show_report(folder: Path, console: Console) -> Sequence[str]:
    """Writes a folder's report, and shows in the terminal what is in it; a line for each part not read."""
    path = _write_page(folder)
    if is_scale(folder):
        kept = read_cells(folder)
        show_cells(console, kept, experiment.read(folder / "experiment.yaml"), path)
        return kept.problems
    found = read_trials(folder)
    show(console, found.trials, path)
    return found.problems


def _write_page(folder: Path) -> Path:
    if is_scale(folder):
        from tools.scale import page  # noqa: PLC0415  (scipy)

        return page.write(folder)
    return report.write(folder)


def _styles(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    from tools import styles  # noqa: PLC0415

    costs = styles.measure(programs)
    if args.json:
        print(json.dumps(costs, indent=1))
    else:
        styles.show(console, costs)
    return 0


def _stages(args: argparse.Namespace, console: Console, _programs: Programs) -> int:
    from tools import stages  # noqa: PLC0415

    if args.doing == "set":
        stages.steer(args.address, args.stage, stages.settings(args.settings))
    stages.show(console, stages.read(args.address))
    return 0


def _results(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    from tools.cluster.api import Api  # noqa: PLC0415
    from tools.cluster.overview import overview  # noqa: PLC0415
    from tools.cluster.run import find, pull  # noqa: PLC0415

    api, release = Api.connect(args.namespace), args.release or RELEASE
    kept = overview(api, release)
    if args.doing == "list":
        show_kept(console, kept)
        return 0
    if args.run == "latest" and not kept:
        raise _Refused(f"no run of release {release} in namespace {api.namespace}; try: helm list --all-namespaces")
    found = find(api, kept[-1].run if args.run == "latest" else args.run)
    folder = args.results / found.run
    with locked(folder):
        problems = [f"void: {why}" for why in pull(api, found, folder, programs, release)]
        problems += _show_report(folder, console)
    for why in problems:
        print(f"sweetspot: {why}", file=sys.stderr)
    return FAILED if problems else 0


def _traces(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    from tools import traces  # noqa: PLC0415
    from tools.cluster import jaeger  # noqa: PLC0415

    folder = Path(args.run) if Path(args.run).is_dir() else Path("results") / args.run
    trials = read_trials(folder).trials
    cluster = _cluster_of(folder, programs)
    release = cluster.release
    service = jaeger.service(release)
    console.print(
        f"{traces.port_forward(release.api.namespace, service)}   # then the links work",
        markup=False,
        soft_wrap=True,
    )
    short = False
    for trial in trials:
        stored, there = jaeger.count_spans(release, trial, cluster.run)
        tally = traces.tallies(trial, stored)
        missing = list(traces.shortfalls(trial, tally, len(there)))
        show_traces(console, trial, tally, missing, traces.Jaeger(args.jaeger.rstrip("/"), cluster.run))
        short = short or bool(missing)
    return FAILED if short else 0


def _cluster_of(folder: Path, programs: Programs) -> "Cluster":
    from tools.cluster.run import Cluster  # noqa: PLC0415

    path = folder / "environment.json"
    described = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "cluster" not in described:
        raise _Refused(f"{folder}: not a run in a cluster; its spans are in traces/, and the report shows some")
    return Cluster.resumed(described["cluster"], programs)


def _run(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    if (args.experiment is None) == (args.resume is None):
        raise _Refused("say either which EXPERIMENT to run or which folder to --resume")
    _check_flags(args)
    asked, folder = _asked(args)
    console.print(asked.title, markup=False, soft_wrap=True)
    venue = _venue(args, asked, folder, programs)
    asked = _choose(asked, args.models, venue)
    described = venue.describe()
    with locked(folder):
        _prepare(folder, asked, venue, described)
        if asked.scale is not None:
            return _run_scale(asked, folder, venue, console)
        return _run_trials(args, asked, folder, venue, console)


def _run_trials(args: argparse.Namespace, asked: Experiment, folder: Path, venue: Venue, console: Console) -> int:
    kept = {trial.id for trial in read_trials(folder).trials}
    wanted = [each for each in trials(asked) if each.id not in kept]
    console.print(f"{len(wanted)} trials, kept in {folder}", markup=False, soft_wrap=True)
    with Progress(console, len(wanted), asked.warmup_s + asked.duration_s + STARTING_S) as bar:
        progress = RunProgress(bar)
        interrupted = _to_its_end(lambda: venue.measure_all(asked, wanted, folder, progress))
    found = read_trials(folder).trials
    show(console, found, _write_page(folder))
    missing = len({each.id for each in wanted} - {trial.id for trial in found})
    tally = _Tally("trials", len(found), len(wanted), missing, len(progress.failures), progress.voids)
    status = _status(tally, folder, interrupted)
    return VOID if args.strict and progress.voids and not status else status


def _check_flags(args: argparse.Namespace) -> None:
    """Raises _Refused for one that would change nothing."""
    idle: tuple[str, ...]
    if args.resume is not None:
        idle, why = ("results", "cluster", *_OF_CLUSTER), "with --resume: a run goes on as and where it began"
    elif not args.cluster:
        idle, why = _OF_CLUSTER, "without --cluster"
    else:
        return
    for name in idle:
        if getattr(args, name) is not None:
            raise _Refused(f"--{name.replace('_', '-')} has no effect {why}")


def _venue(args: argparse.Namespace, asked: Experiment, folder: Path, programs: Programs) -> Venue:
    """A run goes on where it began."""
    described: dict[str, Any] = {}
    if args.resume is not None and (path := folder / "environment.json").exists():
        described = json.loads(path.read_text(encoding="utf-8"))
    if "cluster" in described:
        return _cluster_of(folder, programs)
    if not args.cluster:
        return ThisMachine(
            programs,
            (pinning_over if asked.scale else Pinning.over)(os.sched_getaffinity(0)),
            despite_noise=args.despite_noise,
        )
    from tools.cluster.api import Api  # noqa: PLC0415
    from tools.cluster.release import Release  # noqa: PLC0415
    from tools.cluster.run import Cluster  # noqa: PLC0415

    settings = {name: getattr(args, name) for name in _OF_LOAD if getattr(args, name) is not None}
    if asked.scale is not None:
        settings.setdefault("balance", "per-connection")
    release = Release(Api.connect(args.namespace), args.release or RELEASE)
    return Cluster(release, run=folder.name, programs=programs, **settings)


def _run_scale(asked: Experiment, folder: Path, venue: Venue, console: Console) -> int:
    venue.rejoin(folder)
    kept = read_cells(folder).cells
    wanted = [cell for cell in cells(asked, asked.models) if cell not in kept]
    console.print(f"{len(wanted)} cells, kept in {folder}", markup=False, soft_wrap=True)
    with Progress(console, len(wanted), _cell_s(asked)) as bar:
        progress = ScaleProgress(bar)

        def search() -> None:
            with venue.ground(folder) as ground:
                run_cells(asked, wanted, ground, folder, progress)

        interrupted = _to_its_end(search)
    found = read_cells(folder)
    show_cells(console, found, asked, _write_page(folder))
    missing = len(set(wanted) - found.cells)
    tally = _Tally("cells", len(found.cells), len(wanted), missing, len(progress.failures))
    return _status(tally, folder, interrupted)


def _cell_s(asked: Experiment) -> float:
    """How long a search is expected to take: as many trials as it may have."""
    trials = asked.scale.search.trials if asked.scale else 1
    return trials * (asked.warmup_s + asked.duration_s + STARTING_S)


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
    void: int = 0
    """Those that a check rejects (tools/checks.py)."""


def _status(tally: _Tally, folder: Path, interrupted: bool) -> int:
    """The exit status, and on stderr what is missing and how to get it."""
    again = f"; to run the {tally.missing} missing: {_resume_command(folder)}" if tally.missing else ""
    if interrupted:
        print(f"sweetspot: interrupted; {tally.found} finished {tally.things} are kept{again}", file=sys.stderr)
        return INTERRUPTED
    of_all = f"of {tally.wanted} {tally.things}"
    lacks = [f"{tally.failed} {of_all} failed"] if tally.failed else []
    if tally.void:
        verb = "is" if tally.void == 1 else "are"
        lacks.append(f"{tally.void} {of_all} {verb} void")
    if lacks:
        print(f"sweetspot: {'; '.join(lacks)}{again}", file=sys.stderr)
    # A busy machine is no fault of the command: what it could do it has done.
    return FAILED if tally.failed else 0


def _asked(args: argparse.Namespace) -> tuple[Experiment, Path]:
    """The experiment, and the folder that keeps it."""
    if args.resume is not None:
        return experiment.read(args.resume / "experiment.yaml"), args.resume
    path = experiment.find(args.experiment)
    when = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    name = f"{path.stem}-{when}"
    if args.cluster:
        from tools.cluster.run import run_name  # noqa: PLC0415

        name = run_name(path.stem, when)
    return experiment.read(path), (args.results or Path("results")) / name


def _choose(asked: Experiment, models: Sequence[str] | None, venue: Venue) -> Experiment:
    """The experiment with the arms to run: those that were named, else its own, else every model there is.

    Raises _Refused for an arm whose model is not there.
    """
    known = venue.models()
    chosen = asked.of(list(dict.fromkeys(models or list(asked.arms) or known)))
    for name, arm in chosen.arms.items():
        if arm.model not in known:
            where = "" if name == arm.model else f" of arm {name}"
            raise _Refused(f"unknown model {arm.model!r}{where}; there are {', '.join(known)}")
    return chosen


def _prepare(folder: Path, asked: Experiment, venue: Venue, described: Mapping[str, Any]) -> None:
    """Makes the results folder. Of a run that goes on it warns where the machine or the code is another one."""
    text = json.dumps(described, indent=1) + "\n"
    path = folder / "environment.json"
    if not (folder / "experiment.yaml").exists():
        write_whole(folder / "experiment.yaml", asked.to_yaml())
    for name in (CELLS if asked.scale is not None else "trials", "traces"):
        (folder / name).mkdir(exist_ok=True)
    if not path.exists():
        write_whole(path, text)
        venue.keep(folder)
    elif path.read_text(encoding="utf-8") != text:
        print(
            f"sweetspot: the machine or the code is not as {path} says: old trials may not compare with new ones",
            file=sys.stderr,
        )


def _resume_command(folder: Path) -> str:
    """As it can be pasted: `make` calls what is in .venv, which need not be on the path."""
    command = "sweetspot" if shutil.which("sweetspot") else str(Path(sys.executable).with_name("sweetspot"))
    return shlex.join([command, "run", "--resume", str(folder)])


_COMMANDS = {
    "run": _run,
    "report": _report,
    "results": _results,
    "styles": _styles,
    "stages": _stages,
    "traces": _traces,
}


@contextmanager
def _interruptible() -> Iterator[None]:
    """The first signal to end is a KeyboardInterrupt; further ones do not disturb the stopping of what was started."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in local.ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        local.INTERRUPTED.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in local.ENDING_SIGNALS}
    try:
        yield
    finally:
        local.INTERRUPTED.clear()
        for number, handler in before.items():
            signal.signal(number, handler)
