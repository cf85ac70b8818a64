"""Runs the experiments of claims, each in a results folder of its own. Must not know claims, nor what the target is."""

from collections.abc import Sequence
from pathlib import Path

from tools import bundle
from tools.claims.decision import FEWEST
from tools.claims.progress import ClaimsProgress
from tools.commands.page import write_page
from tools.commands.results_folder import prepare
from tools.experiment import BadExperimentError, Experiment
from tools.results import write_whole
from tools.status import PlainError
from tools.target import Target
from tools.trial_specs import TrialSpec


class TargetRunner:
    """Measures on one target."""

    def __init__(self, target: Target, notes: ClaimsProgress, began: str) -> None:
        """`began`: when the run of claims began, ISO 8601; its experiments are named by it."""
        self._target = target
        self._notes = notes
        self._when = began.replace("-", "").replace(":", "")

    @property
    def alternates(self) -> bool:
        """As ExperimentRunner has it."""
        return self._target.alternates

    def lacks(self, asked: Experiment) -> str:
        """As ExperimentRunner has it."""
        try:
            self._target.check(asked)
        except (PlainError, BadExperimentError) as error:
            return str(error)
        return ""

    def measure(self, asked: Experiment, wanted: Sequence[TrialSpec], folder: Path) -> None:
        """As ExperimentRunner has it."""
        target = self._target.of_run(folder.name, self._when)
        target.check(asked)
        (folder / bundle.NAME).unlink(missing_ok=True)  # it is closed anew, with further rounds
        write_whole(folder / "experiment.yaml", asked.to_yaml())
        prepare(folder, asked, target, target.describe(), None)
        self._notes.measures(folder.name, sum(each.id.round > FEWEST for each in wanted))
        target.measure_all(asked, wanted, folder, self._notes)
        bundle.close(folder, asked.seed)
        write_page(folder)
