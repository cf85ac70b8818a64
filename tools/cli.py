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
from typing import Any, NoReturn

from rich.console import Console

from tools import experiment, local, report, stages, styles, traces
from tools.cluster import jaeger
from tools.cluster.api import Api, ClusterError
from tools.cluster.overview import overview
from tools.cluster.release import Release
from tools.cluster.run import Cluster, pull, run_name
from tools.experiment import BadExperimentError, Experiment
from tools.local import LocalError, Pinning, Programs
from tools.progress import Progress
from tools.results import BadResultsError, read_trials, write_whole
from tools.run import trials
from tools.scale import page
from tools.scale.cells import cells
from tools.scale.local import pinning_over
from tools.scale.results import FOLDER as CELLS
from tools.scale.results import is_scale, read_cells
from tools.scale.run import run as run_cells
from tools.scale.terminal import ScaleProgress
from tools.scale.terminal import show as show_cells
from tools.terminal import RunProgress, show, show_kept, show_traces
from tools.venue import ThisMachine, Venue

FAILED, REFUSED, INTERRUPTED = 1, 2, 130
BALANCES = ("cluster-ip", "headless", "per-connection")
MAX_SHARDS = 100
RELEASE = "sweetspot"
_OF_LOAD = ("shards", "balance", "driver_cpu", "driver_memory", "keep_pods")
_OF_CLUSTER = ("namespace", "release", *_OF_LOAD)
"""What `run` has use for with --cluster alone; None where it is not given, as the fields of Cluster have defaults."""
_EXACT: dict[str, Any] = {"allow_abbrev": False}


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
        return _COMMANDS[args.command](args, console, programs)
    except (_Refused, BadExperimentError, BadResultsError, ClusterError, LocalError, stages.StagesError) as error:
        print(f"sweetspot: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("sweetspot: interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> _Parser:
    parser = _Parser(prog="sweetspot", description="Every server concurrency model behind one gRPC workload.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="run an experiment, here or in a cluster, and report on it", **_EXACT)
    running.add_argument(
        "experiment",
        nargs="?",
        help=f"{', '.join(experiment.names())}, or the path of a YAML file",
        metavar="EXPERIMENT",
    )
    running.add_argument("--models", type=_names, metavar="A,B", help="only these models")
    running.add_argument("--results", type=Path, metavar="DIR", help="where to keep it (results)")
    running.add_argument("--resume", type=Path, metavar="DIR", help="go on with an interrupted run: do what is missing")
    running.add_argument(
        "--cluster", action="store_true", default=None, help="in the cluster of the current kubectl context"
    )
    clustered = running.add_argument_group("with --cluster")
    _of_release(clustered)
    clustered.add_argument("--shards", type=_shards, metavar="N", help="driver pods that share the load (1)")
    clustered.add_argument(
        "--balance", choices=BALANCES, help="how calls find pods (cluster-ip; in a `scale`: per-connection)"
    )
    clustered.add_argument("--driver-cpu", metavar="CPU", help="of each driver pod (500m)")
    clustered.add_argument("--driver-memory", metavar="MEM", help="of each driver pod (512Mi)")
    clustered.add_argument(
        "--keep-pods", action="store_true", default=None, help="do not start services anew for each trial"
    )
    reporting = commands.add_parser("report", help="write the report of a results folder again", **_EXACT)
    reporting.add_argument("folder", type=Path, metavar="DIR", help="as results/default-20260131T120000Z")
    kept = commands.add_parser("results", help="results that are kept in a cluster: list or pull them", **_EXACT)
    doing = kept.add_subparsers(dest="doing", required=True, metavar="list|pull")
    _of_release(doing.add_parser("list", help="the runs there are", **_EXACT))
    pulling = doing.add_parser("pull", help="make a run's results folder here, with its report", **_EXACT)
    _of_release(pulling)
    pulling.add_argument("run", metavar="RUN", help="as `list` says, or latest")
    pulling.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="where to put it (results)"
    )
    tracing = commands.add_parser("traces", help="links to a cluster run's traces, and whether all are there", **_EXACT)
    tracing.add_argument("run", metavar="RUN", help="a results folder, or its name under results/")
    tracing.add_argument(
        "--jaeger", default="http://localhost:16686", metavar="URL", help="as your browser gets at it (localhost:16686)"
    )
    costing = commands.add_parser("styles", help="tell what each style of a handler costs", **_EXACT)
    costing.add_argument("--json", action="store_true", help="all figures, as JSON")
    steering = commands.add_parser("stages", help="show and steer the stages of a service that runs", **_EXACT)
    steps = steering.add_subparsers(dest="doing", required=True, metavar="show|set")
    showing = steps.add_parser("show", help="each stage's queue, work and settings", **_EXACT)
    setting = steps.add_parser("set", help="tell a stage how to serve from now on", **_EXACT)
    for each in (showing, setting):
        each.add_argument("address", metavar="ADDRESS", help="HOST:PORT of its control port")
    setting.add_argument("stage", metavar="STAGE", help="as `show` names it")
    setting.add_argument("settings", nargs="+", metavar="KEY=VALUE", help=", ".join(stages.KEYS))
    return parser


def _of_release(parser: Any) -> None:
    parser.add_argument("--namespace", "-n", metavar="N", help="(that of the kubectl context)")
    parser.add_argument("--release", metavar="R", help=f"of the chart ({RELEASE})")


def _shards(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MAX_SHARDS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number within 1 to {MAX_SHARDS}")
    return int(text)


def _names(text: str) -> list[str]:
    return [name.strip().replace("-", "_") for name in text.split(",")]


def _report(args: argparse.Namespace, console: Console, _programs: Programs) -> int:
    _show_report(args.folder, console)
    return 0


def _show_report(folder: Path, console: Console) -> None:
    """Writes a folder's report, and says in the terminal what is in it."""
    if is_scale(folder):
        path = page.write(folder)
        show_cells(console, read_cells(folder), experiment.read(folder / "experiment.yaml"), path)
    else:
        path = report.write(folder)
        show(console, read_trials(folder).trials, path)


def _styles(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    costs = styles.measure(programs)
    if args.json:
        print(json.dumps(costs, indent=1))
    else:
        styles.show(console, costs)
    return 0


def _stages(args: argparse.Namespace, console: Console, _programs: Programs) -> int:
    if args.doing == "set":
        stages.tell(args.address, args.stage, stages.settings(args.settings))
    stages.show(console, stages.read(args.address))
    return 0


def _results(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    api = Api.connect(args.namespace)
    kept = overview(api, args.release or RELEASE)
    if args.doing == "list":
        show_kept(console, kept)
        return 0
    name = kept[-1].run if args.run == "latest" and kept else args.run
    folder = args.results / name
    void = pull(api, name, folder, programs)
    _show_report(folder, console)
    for why in void:
        print(f"sweetspot: void: {why}", file=sys.stderr)
    return FAILED if void else 0


def _traces(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    folder = Path(args.run) if Path(args.run).is_dir() else Path("results") / args.run
    trials = read_trials(folder).trials
    release = _cluster_of(folder, programs).release
    service = jaeger.service(release)
    console.print(
        f"kubectl port-forward -n {release.api.namespace} service/{service} 16686   # then the links work",
        markup=False,
        soft_wrap=True,
    )
    short = False
    for trial in trials:
        result = trial.result
        ids = {call["trace_id"] for call in result["traces"]}
        lasted_s = result["asked"]["warmup_s"] + result["asked"]["duration_s"]
        stored, there = jaeger.count_spans(release, result["started_at"], lasted_s, ids)
        tally = traces.tallies(trial, stored)
        missing = list(traces.shortfalls(trial, tally, len(there)))
        show_traces(console, trial, tally, missing, args.jaeger.rstrip("/"))
        short = short or bool(missing)
    return FAILED if short else 0


def _cluster_of(folder: Path, programs: Programs) -> Cluster:
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
    venue = _venue(args, asked, folder, programs)
    models = _choose(args.models or asked.models, venue)
    if args.resume is None:
        asked = asked.of(models)
    _prepare(folder, asked, venue)
    if asked.scale is not None:
        return _run_scale(asked, models, folder, venue, console)
    kept = {(trial.model, trial.connections) for trial in read_trials(folder).trials}
    wanted = [pair for pair in trials(asked, models) if pair not in kept]
    console.print(f"{asked.title}\n{len(wanted)} trials, kept in {folder}", markup=False, soft_wrap=True)
    with Progress(console, len(wanted)) as bar:
        progress = RunProgress(bar)
        interrupted = _to_its_end(lambda: venue.measure_all(asked, wanted, folder, progress))
    found = read_trials(folder).trials
    show(console, found, report.write(folder))
    missing = len(set(wanted) - {(trial.model, trial.connections) for trial in found})
    return _status(_Tally("trials", len(found), len(wanted), missing, len(progress.failures)), folder, interrupted)


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
        return Cluster.resumed(described["cluster"], programs)
    if not args.cluster:
        return ThisMachine(programs, (pinning_over if asked.scale else Pinning.over)(os.sched_getaffinity(0)))
    settings = {name: getattr(args, name) for name in _OF_LOAD if getattr(args, name) is not None}
    if asked.scale is not None:
        settings.setdefault("balance", "per-connection")
    release = Release(Api.connect(args.namespace), args.release or RELEASE)
    return Cluster(release, run=folder.name, programs=programs, **settings)


def _run_scale(asked: Experiment, models: Sequence[str], folder: Path, venue: Venue, console: Console) -> int:
    venue.rejoin(folder)
    kept = read_cells(folder).cells
    wanted = [cell for cell in cells(asked, models) if cell not in kept]
    console.print(f"{asked.title}\n{len(wanted)} cells, kept in {folder}", markup=False, soft_wrap=True)
    with Progress(console, len(wanted)) as bar:
        progress = ScaleProgress(bar)

        def search() -> None:
            with venue.ground(folder) as ground:
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
    when = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    name = run_name(path.stem, when) if args.cluster else f"{path.stem}-{when}"
    return experiment.read(path), (args.results or Path("results")) / name


def _choose(asked: Sequence[str] | None, venue: Venue) -> list[str]:
    """The models to run, each once."""
    known = venue.models()
    unknown = [model for model in asked or () if model not in known]
    if unknown:
        raise _Refused(f"unknown model {unknown[0]!r}; there are {', '.join(known)}")
    return list(dict.fromkeys(asked or known))


def _prepare(folder: Path, asked: Experiment, venue: Venue) -> None:
    """Makes the results folder, or finds out that a resumed one can be written to."""
    text = json.dumps(venue.describe(), indent=1) + "\n"
    write_whole(folder / "experiment.yaml", asked.to_yaml())
    for name in (CELLS if asked.scale is not None else "trials", "traces"):
        (folder / name).mkdir(exist_ok=True)
    path = folder / "environment.json"
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
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in local.ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
