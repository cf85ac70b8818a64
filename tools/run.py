"""Runs an experiment: trial after trial, each kept as soon as it has ended.

Every trial has a fresh service, so that none inherits the memory, threads or caches of the one before. The trials of
one number of connections follow one another, model by model: what is compared is then measured within the same
minute, and a machine that gets slower meanwhile does so for every model.
Must not know what is shown on a terminal or in a report.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tools import local
from tools.experiment import Experiment
from tools.local import LocalError
from tools.results import Trial, write_trial, write_void
from tools.scratch import scratch_folder
from tools.trial import BusyMachineError, Place, Service, measure, serving

Pair = tuple[str, int]
"""Model and connections: what names a trial."""


class Watcher(Protocol):
    """Who is told how the run goes."""

    def begins(self, model: str, connections: int) -> None:
        """A trial starts."""

    def waits(self, model: str, connections: int, why: str) -> None:
        """It cannot go on yet; `why` is one line."""

    def ended(self, trial: Trial) -> None:
        """It has ended and is kept. That a service answered nothing is a result too."""

    def void(self, model: str, connections: int, why: str) -> None:
        """The machine kept it from being made, which is kept in its place; `why` is one line."""

    def failed(self, model: str, connections: int, why: str) -> None:
        """It could not be made; `why` is one line."""


def trials(experiment: Experiment, models: Sequence[str]) -> list[Pair]:
    """All trials in the order in which they run."""
    return [(model, connections) for connections in experiment.connections for model in models]


def run(experiment: Experiment, wanted: Sequence[Pair], place: Place, watcher: Watcher) -> None:
    """Runs those trials. Whatever happens, every process that was started is stopped.

    A trial that fails is told to the watcher, and the next one runs. Raises LocalError without a backend, and
    BadResultsError where a trial cannot be kept.
    """
    pinning = place.pinning
    with (
        scratch_folder() as scratch,
        local.running_on(pinning.others if pinning else ()),
        serving(place, "backend") as backend,
    ):
        for model, connections in wanted:
            watcher.begins(model, connections)
            try:
                trial = _trial(experiment, model, connections, place, backend=backend, scratch=scratch)
            except LocalError as error:
                if backend.process.has_ended():
                    raise
                if isinstance(error, BusyMachineError):
                    write_void(place.folder, model, connections, str(error))
                    watcher.void(model, connections, str(error))
                    continue
                watcher.failed(model, connections, str(error))
                continue
            if backend.process.has_ended():
                raise LocalError("the backend ended")
            write_trial(place.folder, trial)
            watcher.ended(trial)


def _trial(
    experiment: Experiment, model: str, connections: int, place: Place, *, backend: Service, scratch: Path
) -> Trial:
    options = [("backend", backend.address), *experiment.service_options.items()]
    cpus = place.pinning.service if place.pinning else ()
    with serving(place, model, options, cpus=cpus) as service:
        return measure(experiment, model, connections, [service], place=place, scratch=scratch)
