"""Experiments run for a check: as `sweetspot run` runs them, without its folders and its words."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.experiment import Experiment
from tools.local import Pinning, Programs, started
from tools.results import Trial, read_trials
from tools.run import run
from tools.serving import Place
from tools.wanted import Wanted, trials


@dataclass(slots=True)
class Notes:
    """A watcher that keeps why trials are void. A trial that fails ends the check."""

    voids: list[str] = field(default_factory=list)

    def begins(self, trial: Wanted) -> None:
        """Nothing to note."""

    def waits(self, trial: Wanted, why: str) -> None:
        """Nothing to note."""

    def ended(self, trial: Trial) -> None:
        """It is read from the folder."""

    def void(self, trial: Wanted, why: str) -> None:
        self.voids.append(why)

    def failed(self, trial: Wanted, why: str) -> None:
        raise AssertionError(f"{trial.described} failed: {why}")


def run_all(
    asked: Experiment, folder: Path, pinning: Pinning, *, despite_noise: bool = False
) -> tuple[Sequence[Trial], Sequence[str]]:
    """Runs the experiment. Returns its trials, and why others are void."""
    notes = Notes()
    run(asked, trials(asked), Place(folder, Programs(), pinning, despite_noise), notes)
    return read_trials(folder).trials, notes.voids


@contextmanager
def burning(pinning: Pinning) -> Iterator[None]:
    """A process of the same priority that computes without end on the service's processor."""
    with started("burner", [sys.executable, "-c", "while True: pass"], pinning.service) as process:
        yield
        assert not process.has_ended()
