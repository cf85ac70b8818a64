"""What a person sees while claims are measured: each verdict as it falls. Must not know how anything is measured."""

from tools.claims.claim import Claim
from tools.claims.decision import FEWEST, ClaimVerdict
from tools.claims.table import line
from tools.progress import Progress
from tools.results import Trial
from tools.trial_specs import TrialSpec


class ClaimsProgress:
    """Watches trials, and is notified of countings and verdicts."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._experiment = ""

    def measures(self, experiment: str, further: int) -> None:
        """Trials of that experiment follow; `further` is the number of those after the first look."""
        self._experiment = experiment
        self._bar.more(further)

    def begins(self, trial: TrialSpec) -> None:
        """As TrialWatcher has it."""
        self._bar.at_hand(f"{self._experiment}, round {trial.id.round}: {trial.described}")

    def waits(self, trial: TrialSpec, why: str) -> None:
        """As TrialWatcher has it."""
        self._bar.note(f"{self._experiment}: {trial.described} {why}")

    def ended(self, trial: Trial) -> None:
        """As TrialWatcher has it."""
        del trial
        self._bar.part_ended()

    def repeats(self, trial: TrialSpec, why: str) -> None:
        """As Watcher has it."""
        self._bar.more(1)  # it ends a second time
        self._bar.note(f"{self._experiment}: {trial.described} is void: {why}; repeating it once")

    def void(self, trial: TrialSpec, why: str) -> None:
        """As TrialWatcher has it."""
        self._bar.part_ended()
        self._bar.note(f"      {self._experiment}, round {trial.id.round}: {trial.described}: void: {why}")

    def failed(self, trial: TrialSpec, why: str) -> None:
        """As TrialWatcher has it."""
        self._bar.part_ended()
        self._bar.note(f"      {self._experiment}, round {trial.id.round}: {trial.described} failed: {why}")

    def counts(self, name: str, number: int) -> None:
        """As Notes has it."""
        self._bar.at_hand(f"counting {name}")
        self._bar.more(1 if number > FEWEST else 0)

    def counted(self) -> None:
        """As Notes has it."""
        self._bar.part_ended()

    def counting_failed(self, name: str, why: str) -> None:
        """As Notes has it."""
        self._bar.note(f"      {name} could not be counted: {why}")

    def decided(self, claim: Claim, verdict: ClaimVerdict) -> None:
        """As Notes has it."""
        self._bar.note(line(claim, verdict))
