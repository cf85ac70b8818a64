"""`sweetspot map`: which model serves most, by CPU time and wait of a call and by connections, on this machine."""

import argparse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tools import bundle, rounds
from tools.commands.grid_view import show_map
from tools.commands.page import write_page
from tools.commands.results_folder import prepare
from tools.commands.run_end import RunTally, exit_status, to_its_end
from tools.commands.start_time import trial_s
from tools.commands.targets import chosen, this_machine
from tools.experiment import Experiment, cpu_time
from tools.local import Programs
from tools.lock import locked
from tools.maps import map_file
from tools.maps.map_file import Map
from tools.maps.question import Question, experiment_of
from tools.progress import Progress
from tools.results import read_trials
from tools.rounds import RoundCost
from tools.size.grid import MODELS
from tools.target import Target
from tools.terminal import RunProgress
from tools.trial_specs import TrialSpec, still_to_make
from tools.units import count, rest


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Continues the newest map with this question, or begins one. Status 1 where a trial failed."""
    target = this_machine(programs, despite_noise=False)
    models = chosen(args.models, MODELS, target)
    question = Question(tuple(models), tuple(args.cpu_ms), tuple(args.wait_ms), tuple(args.connections))
    results, described = args.results or Path("results"), target.describe()
    known = None if args.again else map_file.newest(results, described, question)
    if known is None:
        here = rounds.measure(programs)[cpu_time.PYTHON]
        folder = results / f"{map_file.STEM}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        made = Map(question=question, environment=described, rounds=here)
    else:
        folder, made = known
    runs = {kind.key: _in_rounds(experiment_of(question, kind), made.rounds) for kind in question.kinds}
    with locked(folder):
        map_file.write(folder, made)
        return _measure(folder, made, runs, target, console)


def _measure(folder: Path, made: Map, runs: Mapping[str, Experiment], target: Target, console: Console) -> int:
    """What is missing. The exit status."""
    wanted = {key: _missing(asked, folder / key) for key, asked in runs.items()}
    every = sum(map(len, wanted.values()))
    takes_s = sum(trial_s(runs[key], target) * len(trials) for key, trials in wanted.items())
    console.print(f"{count(every)} trials, about {rest(takes_s)}; map: {folder}", markup=False, soft_wrap=True)
    with Progress(console, every, takes_s / max(1, every)) as bar:
        progress = RunProgress(bar)

        def measure() -> None:
            for key, trials in wanted.items():
                if trials:
                    bar.note(runs[key].title)
                    _run(runs[key], trials, folder / key, target, progress)

        interrupted = to_its_end(measure)
    show_map(folder, made, console)
    missing = sum(not each.id.again for key, asked in runs.items() for each in _missing(asked, folder / key))
    tally = RunTally("trials", every - missing, every, missing, len(progress.failures), progress.voids)
    return exit_status(tally, "sweetspot map, with the same flags", interrupted)


def _run(asked: Experiment, wanted: Sequence[TrialSpec], folder: Path, target: Target, progress: RunProgress) -> None:
    """One kind of call: a run of its own."""
    target.check(asked)
    folder.mkdir(exist_ok=True)
    prepare(folder, asked, target, target.describe(), None)
    try:
        target.measure_all(asked, wanted, folder, progress)
    finally:
        bundle.close(folder, asked.seed)
        write_page(folder)


def _in_rounds(asked: Experiment, here: RoundCost) -> Experiment:
    return cpu_time.in_rounds(asked, lambda _engine, cpu_us: here.of(cpu_us / 1000))


def _missing(asked: Experiment, folder: Path) -> list[TrialSpec]:
    stored_trials = read_trials(folder).trials if folder.is_dir() else ()
    return still_to_make(asked, {trial.id for trial in stored_trials}, twice=True)
