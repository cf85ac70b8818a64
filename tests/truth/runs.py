"""Experiments run for a check: as `sweetspot run` runs them, without its folders and its output."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.experiment import Experiment
from tools.local import Pinning, Programs, started
from tools.results import Trial, read_trials
from tools.run import run
from tools.serving import LocalService, LocalSetup, listening, starting
from tools.trial_specs import TrialSpec, trials

PROGRAMS = Programs()


@dataclass(slots=True)
class Notes:
    """A watcher that stores why trials are void. A trial that fails ends the check."""

    voids: list[str] = field(default_factory=list)

    def begins(self, trial: TrialSpec) -> None:
        """Nothing to note."""

    def waits(self, trial: TrialSpec, why: str) -> None:
        """Nothing to note."""

    def ended(self, trial: Trial) -> None:
        """It is read from the folder."""

    def repeats(self, trial: TrialSpec, why: str) -> None:
        """Nothing to note."""

    def void(self, trial: TrialSpec, why: str) -> None:
        self.voids.append(why)

    def failed(self, trial: TrialSpec, why: str) -> None:
        raise AssertionError(f"{trial.described} failed: {why}")


def run_all(
    asked: Experiment,
    folder: Path,
    pinning: Pinning,
    *,
    despite_noise: bool = False,
    programs: Programs = PROGRAMS,
) -> tuple[Sequence[Trial], Sequence[str]]:
    """Runs the experiment. Returns its trials, and why others are void."""
    notes = Notes()
    run(asked, trials(asked), LocalSetup(folder, programs, pinning, despite_noise), notes)
    return read_trials(folder).trials, notes.voids


@contextmanager
def serving(pinning: Pinning, scratch: Path) -> Iterator[LocalService]:
    """A reactor on the service's processor."""
    setup = LocalSetup(scratch, PROGRAMS, pinning, traced=False)
    with starting(setup, "reactor", cpus=pinning.service) as process:
        yield listening(process)


_BURN = """
import sys, time
duty = float(sys.argv[1])
while True:
    until = time.process_time() + 0.01 * duty
    while time.process_time() < until:
        pass
    time.sleep(0.01 * (1 - duty))
"""


@contextmanager
def burning(pinning: Pinning, duty: float = 1.0) -> Iterator[None]:
    """A process of the same priority that uses that share of the service's processor, if it gets it."""
    with started("burner", [sys.executable, "-c", _BURN, str(duty)], pinning.service) as process:
        yield
        assert not process.has_ended()
