"""A traced call that shows a claim: of a trial made for it. Must not know how it is drawn."""

import os

from msgspec.structs import replace

from tools.claims import here, reading
from tools.claims.claim import Claim, Operand
from tools.claims.reading import matches
from tools.claims.slowest import Slowest, slowest
from tools.experiment import Experiment
from tools.local import Pinning, Programs
from tools.results import Trial, read_trials
from tools.scratch import scratch_folder
from tools.status import PlainError
from tools.venue import ThisMachine
from tools.wanted import Wanted, trials

LONGEST_S = 4.0
"""Of such a trial."""


def arm(claim: Claim) -> str:
    """The one that shows it: the first of the primary statistic."""
    return _operand(claim).arm


def make(claim: Claim, programs: Programs) -> Slowest:
    """Makes one short trial in which every call is traced. Raises PlainError where there is none to make."""
    whole = reading.asked(claim.experiment)
    if whole is None:
        raise PlainError(f"{claim.claim} is counted: no call of a load shows it")
    operand = _operand(claim)
    asked = _traced(whole, operand.arm)
    venue = ThisMachine(programs, Pinning.over(os.sched_getaffinity(0)), despite_noise=True)
    venue.check(asked)
    # Along an axis the last place shows the most.
    wanted = [each for each in trials(asked) if matches(operand.at, each.point.values)][-1]
    watcher = _Watcher()
    with scratch_folder() as folder:
        for name in ("trials", "traces"):
            (folder / name).mkdir()
        venue.measure_all(asked, [wanted], folder, watcher)
        found = next((slowest(folder, trial, operand.of) for trial in read_trials(folder).trials), None)
    if found is None:
        raise PlainError(f"{claim.claim}: the trial left no traced call: {watcher.why or 'none has all of its spans'}")
    return found


def _operand(claim: Claim) -> Operand:
    return next(claim.statistic.leaves)


def _traced(whole: Experiment, name: str) -> Experiment:
    asked = here.with_interpreters(whole)
    return replace(
        asked,
        arms={name: asked.arms[name]},
        rounds=1,
        blocks=1,
        duration_s=min(asked.duration_s, LONGEST_S),
        trace_ratio=1.0,
    )


class _Watcher:
    """Remembers why there is no trial."""

    def __init__(self) -> None:
        self.why = ""

    def begins(self, trial: Wanted) -> None:
        """As tools.run.Watcher has it."""

    def waits(self, trial: Wanted, why: str) -> None:
        """As tools.run.Watcher has it."""

    def ended(self, trial: Trial) -> None:
        """As tools.run.Watcher has it."""

    def void(self, trial: Wanted, why: str) -> None:
        """As tools.run.Watcher has it."""
        del trial
        self.why = why

    def failed(self, trial: Wanted, why: str) -> None:
        """As tools.run.Watcher has it."""
        del trial
        self.why = why
