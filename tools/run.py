"""Runs an experiment: trial after trial, each kept as soon as it has ended.

Every trial has a fresh service, so that none inherits the memory, threads or caches of the one before. The trials of
one number of connections follow one another, model by model: what is compared is then measured within the same
minute, and a machine that gets slower meanwhile does so for every model.
Must not know what is shown on a terminal or in a report.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import yaml

from tools import local, measures
from tools.experiment import Experiment
from tools.local import Control, LocalError, Pinning, Process, Programs, started
from tools.results import Trial, write_trial

OPENING_TIMEOUT_S = 60.0
"""For the driver to start and to open its connections; it gives up sooner."""
GRACE_S = 30.0
"""For the driver, after measuring, to wait for its last calls and to write its result."""

Pair = tuple[str, int]
"""Model and connections: what names a trial."""


class Watcher(Protocol):
    """Who is told how the run goes."""

    def begins(self, model: str, connections: int) -> None:
        """A trial starts."""

    def ended(self, trial: Trial) -> None:
        """It has ended and is kept."""

    def failed(self, model: str, connections: int, why: str) -> None:
        """It has not; `why` is one line."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where trials run and are kept."""

    folder: Path
    programs: Programs
    pinning: Pinning | None


@dataclass(frozen=True, slots=True)
class _Service:
    process: Process
    address: str
    control: str


def trials(experiment: Experiment, models: Sequence[str]) -> list[Pair]:
    """All trials in the order in which they run."""
    return [(model, connections) for connections in experiment.connections for model in models]


def run(experiment: Experiment, wanted: Sequence[Pair], place: Place, watcher: Watcher) -> None:
    """Runs those trials. Whatever happens, every process that was started is stopped.

    A trial that fails is told to the watcher, and the next one runs. Raises LocalError without a backend, and
    BadResultsError where a trial cannot be kept.
    """
    pinning = place.pinning
    with TemporaryDirectory(prefix="sweetspot-") as scratch, local.running_on(pinning.others if pinning else ()):
        plan = Path(scratch, "plan.yaml")
        plan.write_text(yaml.safe_dump(dict(experiment.plan)), encoding="utf-8")
        with _serving("backend", _command(place, "backend", ()), ()) as backend:
            for model, connections in wanted:
                watcher.begins(model, connections)
                try:
                    trial, complaint = _trial(experiment, model, connections, place, plan=plan, backend=backend)
                except LocalError as error:
                    if backend.process.has_ended():
                        raise
                    watcher.failed(model, connections, str(error))
                    continue
                if backend.process.has_ended():
                    raise LocalError("the backend ended")
                write_trial(place.folder, trial)
                if measures.rate_rps(trial):
                    watcher.ended(trial)
                else:
                    watcher.failed(model, connections, f"no call was answered OK; {complaint}")


def _trial(
    experiment: Experiment, model: str, connections: int, place: Place, *, plan: Path, backend: _Service
) -> tuple[Trial, str]:
    """One trial, and what the first calls that failed were told."""
    options = [("backend", backend.address), *experiment.service_options.items()]
    cpus = place.pinning.service if place.pinning else ()
    out = plan.with_name("result.json")
    with _serving(model, _command(place, model, options), cpus) as service, Control(service.control) as control:
        # Opens the channel, so that the snapshot at the mark is not late.
        control.snapshot()
        load = [*place.programs.driver, "--target", service.address, "--connections", str(connections)]
        load += ["--plan", str(plan), "--out", str(out), *_trace_file(place, "driver"), *_flags(experiment)]
        with started("driver", load) as driver:
            driver.expect("measuring", experiment.warmup_s + OPENING_TIMEOUT_S)
            before = control.snapshot()
            driver.expect("measured", experiment.duration_s + GRACE_S)
            after = control.snapshot()
            said = driver.finish(experiment.timeout_s + GRACE_S)
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    complaint = "; ".join(line.strip() for line in said if line.startswith("  first "))
    return Trial(model, connections, result, before, after), complaint


@contextmanager
def _serving(name: str, command: Sequence[str], cpus: Collection[int]) -> Iterator[_Service]:
    """A service that listens. A LocalError inside of the block is put down to the service where that has ended."""
    with started(name, command, cpus) as process:
        address = process.expect("listening on ", local.START_TIMEOUT_S)
        control = process.expect("control on ", local.START_TIMEOUT_S)
        try:
            yield _Service(process, address, control)
        except LocalError as error:
            if process.has_ended(local.DYING_S):
                raise LocalError(process.last_words()) from error
            raise


def _command(place: Place, name: str, options: Iterable[tuple[str, str | float]]) -> list[str]:
    flags = [f"--{option.replace('_', '-')}={value}" for option, value in options]
    return [*place.programs.services, name, "--port=0", *flags, *_trace_file(place, name)]


def _flags(experiment: Experiment) -> list[str]:
    """The driver's flags for the load."""
    flags = {
        "--streams": experiment.streams,
        "--rate": experiment.rate_rps,
        "--arrival": experiment.arrival,
        "--warmup": experiment.warmup_s,
        "--duration": experiment.duration_s,
        "--timeout": experiment.timeout_s,
        "--trace-ratio": experiment.trace_ratio,
    }
    return [text for flag, value in flags.items() if value is not None for text in (flag, str(value))]


def _trace_file(place: Place, name: str) -> list[str]:
    return ["--trace-file", str(place.folder / "traces" / f"{name}.jsonl")]
