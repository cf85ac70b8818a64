"""Verifies a results folder: no file differs from what the run left, and every number follows from the raw data.

Must not know how a trial is made.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tools import bundle, checks, experiment
from tools.experiment import BadExperimentError, Experiment
from tools.report import page
from tools.results import BadResultsError, Trial, read_trial, read_trials, trial_path
from tools.scale.results import FOLDER, is_scale, read_cells
from tools.scale.void import why_void
from tools.size import page as grid_page
from tools.units import count
from tools.verify import parts, sums, trials


def verify(folder: Path) -> tuple[str, list[str]]:
    """What was verified, as `27 trials`, and a line for each problem, which begins with the file.

    The page is compared only where there is no other problem: it shows what the other files hold. Raises
    BadResultsError where the folder is no closed bundle.
    """
    closed = bundle.read(folder)
    what, numbers = _cells(folder) if is_scale(folder) else _trials(folder)
    problems = [*bundle.changes(folder, closed), *numbers]
    return what, problems or list(wrong_page(folder))


def _trials(folder: Path) -> tuple[str, list[str]]:
    problems: list[str] = []
    asked = _asked(folder, problems)
    paths = [path for name in ("trials", "again") for path in sorted((folder / name).glob("*.json"))]
    made: list[Trial] = []
    for path in paths:
        where = f"{path.parent.name}/{path.name}"
        try:
            trial = read_trial(path)
        except BadResultsError as error:
            problems.append(str(error).replace(str(path), where))
            continue
        if path.stem != str(trial.id):
            problems.append(f"{where}: holds the trial {trial.id}")
        problems += (f"{where}: {line}" for line in _wrong(trial))
        if asked is not None:
            problems += (f"{where}: {line}" for line in trials.wrong(trial, asked))
        made.append(trial)
    stored = read_trials(folder)
    without = [f"{len(ids)} {word}" for word, ids in (("void", stored.void), ("failed", stored.failed)) if ids]
    return ", ".join([counted(len(paths), "trial"), *without]), [
        *problems,
        *_void(made, compares_clients=asked is not None and asked.compares_clients),
    ]


def _void(made: Sequence[Trial], *, compares_clients: bool) -> Iterator[str]:
    """A line for each trial that is void by the checks of its run, and is stored as a result."""
    for one in checks.judged_by_block(made, compares_clients=compares_clients):
        if one.why:
            yield f"{trial_path(Path(), one.trial.id)}: is stored as a result, and is void: {one.why}"


def _asked(folder: Path, problems: list[str]) -> Experiment | None:
    path = folder / "experiment.yaml"
    try:
        return experiment.read(path)
    except BadExperimentError as error:
        problems.append(str(error).replace(str(path), path.name))
        return None


def _cells(folder: Path) -> tuple[str, list[str]]:
    stored = read_cells(folder)
    problems = list(stored.problems)
    for one in stored.searched:
        for number, each in enumerate(one.tries):
            problems += (f"{FOLDER}/{one.cell.key}.json: tries[{number}]: {line}" for line in _wrong(each.trial))
    void, failed = sum(bool(why_void(one)) for one in stored.searched), len(stored.failed)
    without = [f"{count(number)} {word}" for word, number in (("void", void), ("failed", failed)) if number]
    return ", ".join([counted(len(stored.cells), "cell"), *without]), problems


def _wrong(trial: Trial) -> Iterator[str]:
    try:
        yield from sums.wrong(trial.result)
        yield from parts.wrong(trial.result)
    except (KeyError, TypeError, IndexError) as error:
        yield f"is not a whole result: {type(error).__name__}: {error}"


def wrong_page(folder: Path) -> Iterator[str]:
    """A line if the report is not what the other files give. Raises BadResultsError."""
    path = folder / bundle.PAGE
    if not path.exists():
        yield f"{bundle.PAGE} is missing: sweetspot report {folder}"
    elif path.read_bytes() != _rendered(folder):
        yield f"{bundle.PAGE} is not what `sweetspot report {folder}` makes of the other files"


def _rendered(folder: Path) -> bytes:
    text = grid_page.render(folder) if is_scale(folder) else page.render(folder)
    # As tools/atomic_file.py writes it.
    return text.encode(errors="surrogateescape")


def counted(number: int, noun: str) -> str:
    """As `1 trial`, `27 trials`."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
