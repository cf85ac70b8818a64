"""Runs an experiment: trial after trial, each kept as soon as it has ended.

Every trial has a fresh service, so that none inherits the memory, threads or caches of the one before.
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
from tools.wanted import Wanted


class Watcher(Protocol):
    """Who is told how the run goes."""

    def begins(self, trial: Wanted) -> None:
        """A trial starts."""

    def waits(self, trial: Wanted, why: str) -> None:
        """It cannot go on yet; `why` is one line."""

    def ended(self, trial: Trial) -> None:
        """It has ended and is kept. That a service answered nothing is a result too."""

    def void(self, trial: Wanted, why: str) -> None:
        """The machine kept it from being made, which is kept in its place; `why` is one line."""

    def failed(self, trial: Wanted, why: str) -> None:
        """It could not be made; `why` is one line."""


def run(experiment: Experiment, wanted: Sequence[Wanted], place: Place, watcher: Watcher) -> None:
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
        for each in wanted:
            watcher.begins(each)
            try:
                trial = _trial(experiment, each, place, backend=backend, scratch=scratch)
            except LocalError as error:
                if backend.process.has_ended():
                    raise
                if isinstance(error, BusyMachineError):
                    write_void(place.folder, each.id, str(error))
                    watcher.void(each, str(error))
                    continue
                watcher.failed(each, str(error))
                continue
            if backend.process.has_ended():
                raise LocalError("the backend ended")
            write_trial(place.folder, trial)
            watcher.ended(trial)


def _trial(experiment: Experiment, wanted: Wanted, place: Place, *, backend: Service, scratch: Path) -> Trial:
    options = [("backend", backend.address), *experiment.options(wanted.id.arm).items()]
    cpus = place.pinning.service if place.pinning else ()
    with serving(place, wanted.arm.model, options, cpus=cpus) as service:
        return measure(experiment, wanted, [service], place=place, scratch=scratch)
