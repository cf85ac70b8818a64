"""Traced calls that show a claim: of trials made for it. Must not know how they are drawn."""

import os
from collections.abc import Mapping, Sequence
from itertools import islice

from msgspec.structs import replace

from tools.claims import availability, reading
from tools.claims.claim import Claim, Operand
from tools.claims.reading import matches
from tools.claims.slowest_call import SlowestCall, slowest
from tools.experiment import Experiment
from tools.local import Pinning, Programs
from tools.results import Trial, read_trials
from tools.scratch import scratch_folder
from tools.status import PlainError
from tools.target import ThisMachine
from tools.trial_specs import TrialSpec, trials

LONGEST_S = 4.0
"""Of such a trial."""
ARMS = 2
"""Shown at most: what a claim compares. Each takes a trial."""


def make(claim: Claim, programs: Programs) -> Mapping[str, SlowestCall]:
    """Arm -> its slowest call, of the arms that the primary statistic compares. Each call of its trial is traced.

    Raises PlainError where no arm has a call to show.
    """
    whole = reading.asked(claim.experiment)
    if whole is None:
        raise PlainError(f"{claim.claim} is counted: no call of a load shows it")
    operands = _compared(claim)
    asked = _traced(whole, list(operands))
    target = ThisMachine(programs, Pinning.over(os.sched_getaffinity(0)), despite_noise=True)
    target.check(asked)
    every = trials(asked)
    # Along an axis the last place shows the most.
    wanted = [[each for each in every if _is_of(each, operand)][-1] for operand in operands.values()]
    watcher = _FailureWatcher()
    with scratch_folder() as folder:
        for name in ("trials", "traces"):
            (folder / name).mkdir()
        target.measure_all(asked, wanted, folder, watcher)
        made = {trial.id.arm: slowest(folder, trial, operands[trial.id.arm].of) for trial in read_trials(folder).trials}
    found = {arm: call for arm in operands if (call := made.get(arm)) is not None}
    if not found:
        raise PlainError(f"{claim.claim}: no trial has a traced call: {watcher.why or 'none has all of its spans'}")
    return found


def _compared(claim: Claim) -> dict[str, Operand]:
    """The first arms of the statistic, each with its first operand."""
    found: dict[str, Operand] = {}
    for leaf in claim.statistic.leaves:
        found.setdefault(leaf.arm, leaf)
    return dict(islice(found.items(), ARMS))


def _is_of(trial: TrialSpec, operand: Operand) -> bool:
    return trial.id.arm == operand.arm and matches(operand.at, trial.point.values)


def _traced(whole: Experiment, names: Sequence[str]) -> Experiment:
    asked = availability.with_interpreters(whole)
    return replace(
        asked,
        arms={name: asked.arms[name] for name in names},
        rounds=1,
        blocks=1,
        duration_s=min(asked.duration_s, LONGEST_S),
        trace_ratio=1.0,
    )


class _FailureWatcher:
    """Remembers why there is no trial."""

    def __init__(self) -> None:
        self.why = ""

    def begins(self, trial: TrialSpec) -> None:
        """As tools.run.Watcher has it."""

    def waits(self, trial: TrialSpec, why: str) -> None:
        """As tools.run.Watcher has it."""

    def ended(self, trial: Trial) -> None:
        """As tools.run.Watcher has it."""

    def repeats(self, trial: TrialSpec, why: str) -> None:
        """As tools.run.Watcher has it."""

    def void(self, trial: TrialSpec, why: str) -> None:
        """As tools.run.Watcher has it."""
        del trial
        self.why = why

    def failed(self, trial: TrialSpec, why: str) -> None:
        """As tools.run.Watcher has it."""
        del trial
        self.why = why
