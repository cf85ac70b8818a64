"""Trials as JUnit testcases: a void one is skipped with its reason, and one that is missing is an error."""

from collections.abc import Iterator
from pathlib import Path

from tools import bundle, experiment, junit, measures
from tools.experiment import BadExperimentError
from tools.junit import Case
from tools.results import BadResultsError, StoredTrials, Trial
from tools.trial_specs import trials
from tools.units import count, duration


def write(path: Path, folder: Path, found: StoredTrials) -> None:
    """Raises BadResultsError."""
    junit.write(path, bundle.name(folder), list(_cases(folder, found)))


def _cases(folder: Path, found: StoredTrials) -> Iterator[Case]:
    try:
        asked = experiment.read(folder / "experiment.yaml")
    except BadExperimentError as error:
        raise BadResultsError(str(error)) from error
    made, void, failed = {trial.id: trial for trial in found.trials}, dict(found.void), dict(found.failed)
    for id_ in sorted({*made, *void, *failed, *(wanted.id for wanted in trials(asked))}):
        where = (f"{id_.arm}.{id_.point}", f"round {id_.round}")
        if id_ in made:
            yield Case(*where, "passed", _figures(made[id_]), made[id_].result["got"]["duration_s"])
        elif id_ in void:
            yield Case(*where, "skipped", f"void: {void[id_]}")
        elif id_ in failed:
            yield Case(*where, "error", f"failed: {failed[id_]}")
        else:
            yield Case(*where, "error", "no trial: run it with sweetspot run --resume")


def _figures(trial: Trial) -> str:
    parts = [f"{count(round(measures.rate_rps(trial)))} calls/s"]
    if (p99 := measures.latency(trial, "p99")) is not None:
        parts.append(f"p99 {'more than ' if p99.is_bound else ''}{duration(p99.ns)}")
    if failed := measures.failures(trial):
        parts.append(", ".join(f"{count(number)} {reason}" for reason, number in failed.items()))
    return "; ".join(parts)
