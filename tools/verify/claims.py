"""Verifies a folder of claims: the measurements, each verdict, and that no file that decides one was edited.

No verdict is stored: each is derived from the trials and countings, so that only those can be wrong. Must not know how
anything is measured.
"""

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from tools import bundle, experiment, verify
from tools.claims import claims_run, judged_run, page, reading
from tools.claims.claims_run import ClaimsRun
from tools.claims.page import claims_page
from tools.claims.reading import BadClaimError
from tools.experiment import Arm, BadExperimentError, Experiment
from tools.status import PlainError


def is_claims(folder: Path) -> bool:
    """Whether a run of claims made that folder."""
    return (folder / claims_run.NAME).exists()


def verify_claims(folder: Path) -> tuple[str, list[str]]:
    """Checks a results folder of claims, with the parameters and the result of tools.verify.verify.

    Raises BadResultsError if the folder of an experiment is not closed: its bundle.json must list every file.
    """
    run = claims_run.read(folder)
    runs = sorted(path.parent for path in (folder / judged_run.RUNS).glob("*/trials"))
    measured = [line for path in runs for line in _measured(path)]
    problems = [*measured, *_counted(folder / judged_run.COUNTS), *_copies(folder, run)]
    if not problems:
        problems += _page(folder)
    what = f"{verify.counted(len(run.claims), 'claim')} in {verify.counted(len(runs), 'experiment')}"
    return what, problems


def _measured(folder: Path) -> Iterator[str]:
    """Of one experiment."""
    where = f"{judged_run.RUNS}/{folder.name}"
    _, problems = verify.verify(folder)
    yield from (f"{where}/{line}" for line in problems)
    registered_as = folder.parent.parent / reading.EXPERIMENTS.name / f"{folder.name}.yaml"
    try:
        if not _is_part(experiment.read(folder / "experiment.yaml"), experiment.read(registered_as)):
            yield f"{where}/experiment.yaml differs from {reading.EXPERIMENTS.name}/{registered_as.name}"
    except BadExperimentError as error:
        yield str(error).removeprefix(f"{folder.parent.parent}/")


def _is_part(made: Experiment, asked: Experiment) -> bool:
    """Whether it is the same with fewer arms, or another number of rounds. Each machine has its own interpreters."""
    arms = {name: _anywhere(arm) for name, arm in asked.arms.items()}
    return replace(made, arms={}, rounds=1) == replace(asked, arms={}, rounds=1) and all(
        _anywhere(arm) == arms.get(name) for name, arm in made.arms.items()
    )


def _anywhere(arm: Arm) -> Arm:
    return replace(arm, python=arm.python and "python")


def _counted(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        yield from (f"{folder.name}/{line}" for line in bundle.changes(folder, bundle.read(folder)))


def _copies(folder: Path, run: ClaimsRun) -> Iterator[str]:
    """Those of the claims, and of what they ask for."""
    there = {path.stem for path in (folder / reading.STATEMENTS.name).glob("*.yaml")}
    for name in sorted(there | run.claims.keys()):
        where = f"{reading.STATEMENTS.name}/{name}.yaml"
        if name not in there:
            yield f"{where} is missing"
        elif name not in run.claims:
            yield f"{where} is extra: {claims_run.NAME} does not name it"
    if there == run.claims.keys():
        try:
            yield from claims_run.edited_copies(folder, run)
        except BadClaimError as error:
            yield str(error).removeprefix(f"{folder}/")


def _page(folder: Path) -> Iterator[str]:
    """Whether every verdict can be derived from what is there, and the page shows these."""
    path = folder / page.NAME
    again = f"sweetspot claims --resume {folder}"
    try:
        rendered = claims_page.render(judged_run.read(folder)).encode(errors="surrogateescape")
    except PlainError as error:
        yield str(error).removeprefix(f"{folder}/")
        return
    if not path.exists():
        yield f"{page.NAME} is missing: {again}"
    elif path.read_bytes() != rendered:
        yield f"{page.NAME} is not what `{again}` makes of the other files"
