"""Where arms are started, loaded and read: the interface of a target, and this machine as one.

tools/cluster/run.py has the other target, a cluster.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from tools import arms, environment, local
from tools.experiment import Experiment
from tools.local import Pinning, Programs
from tools.run import TrialWatcher, run
from tools.scale.local import local_deployer
from tools.scale.run import Deployer
from tools.serving import LocalSetup
from tools.trial_specs import TrialSpec


class Target(Protocol):
    """Where arms are started, loaded and read: this machine, or a cluster."""

    @property
    def despite_noise(self) -> bool:
        """Whether trials are results in spite of what only a noisy machine did to them."""

    @property
    def alternates(self) -> bool:
        """Whether slices of arms follow one another within a second, so that pairs of slices can be compared."""

    def of_run(self, stem: str, when: str) -> "Target":
        """The same for another run. If it needs a name, the name consists of these."""

    def models(self) -> Collection[str]:
        """The models that can be measured on this target."""

    def check(self, asked: Experiment) -> None:
        """Raises PlainError, which names what the experiment asks for and this target does not have."""

    def describe(self) -> dict[str, Any]:
        """What a reader needs to question a number, or to measure it again."""

    def begin_run(self, folder: Path) -> None:
        """A new run begins; the folder has what is asked for."""

    def resume_grid(self, folder: Path) -> None:
        """A grid continues. More or fewer of its cells may be stored elsewhere than in the folder."""

    def measure_all(self, asked: Experiment, wanted: Sequence[TrialSpec], folder: Path, watcher: TrialWatcher) -> None:
        """Runs those trials and stores them in the folder."""

    def deployer(self, folder: Path, notify: Callable[[str], None]) -> AbstractContextManager[Deployer]:
        """Deploys the cells of a grid, inside of the block. `notify` gets a line for what a cell waits for."""


class ThisMachine:
    """Trials as processes, side by side."""

    alternates = True

    def __init__(self, programs: Programs, pinning: Pinning | None, *, despite_noise: bool = False) -> None:
        self._programs = programs
        self._pinning = pinning
        self.despite_noise = despite_noise
        self._interpreters: dict[str, Any] = {}
        """Arm -> what `check` found of its interpreter, if it has one of its own."""

    def of_run(self, stem: str, when: str) -> "ThisMachine":
        del stem, when  # the folder is all that has a name
        return self

    def models(self) -> Collection[str]:
        return self._programs.models()

    def check(self, asked: Experiment) -> None:
        self._interpreters = arms.check(asked, self._programs)

    def describe(self) -> dict[str, Any]:
        found = environment.describe(self._pinning, local.allow_open_files())
        return {**found, "arms": self._interpreters} if self._interpreters else found

    def begin_run(self, folder: Path) -> None:
        """Does nothing: the folder has all of it."""

    def resume_grid(self, folder: Path) -> None:
        """Does nothing: the folder has all of it."""

    def measure_all(self, asked: Experiment, wanted: Sequence[TrialSpec], folder: Path, watcher: TrialWatcher) -> None:
        traced = asked.trace_ratio > 0
        run(asked, wanted, LocalSetup(folder, self._programs, self._pinning, self.despite_noise, traced), watcher)

    def deployer(self, folder: Path, notify: Callable[[str], None]) -> AbstractContextManager[Deployer]:
        del notify  # nothing waits here
        return local_deployer(LocalSetup(folder, self._programs, self._pinning))
