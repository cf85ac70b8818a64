"""Measures and counts what claims ask, experiment by experiment, until each claim is decided or the last look is made.

Must not know what is shown, nor where trials run.
"""

import json
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from tools.claims import availability, evidence, floor, judged_run, reading
from tools.claims.claim import Claim
from tools.claims.counting import COUNTINGS
from tools.claims.decision import FEWEST, LOOKS, ClaimVerdict, decide
from tools.claims.judged_run import COUNTS, MISSING, RUNS
from tools.experiment import Experiment
from tools.local import LocalError, Programs
from tools.results import StoredTrials, read_trials, write_whole
from tools.trial_specs import TrialSpec, trials

OPEN = ("not distinguishable", "void")
"""Words that further rounds may change."""
WORTH = 3
"""Rounds end early if this many times the rounds of the last look are not expected to decide.

A claim that 8 rounds decide is given up if three readings show twice its standard deviation: 1.5 % (exp(-4.2)).
"""


class ExperimentRunner(Protocol):
    """Runs the experiments of claims."""

    @property
    def alternates(self) -> bool:
        """Whether slices of arms follow one another within a second. If not, no model is compared with itself."""

    def lacks(self, asked: Experiment) -> str:
        """What the experiment needs and the target does not have, in one line; empty if it has all."""

    def measure(self, asked: Experiment, wanted: Sequence[TrialSpec], folder: Path) -> None:
        """Makes those trials and stores them in the folder, which has the experiment's name. A failed trial is void."""


class Notes(Protocol):
    """Is notified of the progress."""

    def counts(self, name: str, number: int) -> None:
        """That round of a counting begins."""

    def counted(self) -> None:
        """It has ended."""

    def counting_failed(self, name: str, why: str) -> None:
        """It could not be made."""

    def decided(self, claim: Claim, verdict: ClaimVerdict) -> None:
        """Nothing more is measured for that claim."""


def run(
    folder: Path,
    chosen: Sequence[Claim],
    *,
    runner: ExperimentRunner,
    notes: Notes,
    programs: Programs,
    rounds: int,
    within_s: float = inf,
) -> None:
    """Continues with what the folder has, up to `rounds` rounds. Raises LocalError, BadResultsError.

    All experiments reach a look before one of them continues to the next look, so the first look is complete if time is
    short. Later looks begin only if they are expected to end within `within_s`.
    """
    deadline_s = time.monotonic() + within_s
    missing = judged_run.not_here(folder)
    asked = reading.asked(floor.EXPERIMENT, folder / reading.EXPERIMENTS.name)
    if asked is not None and runner.alternates:
        _rounds(folder, floor.EXPERIMENT, asked, min(rounds, FEWEST), runner)
    pair = judged_run.floors(folder)

    def conclude(claims: Sequence[Claim], name: str) -> None:
        found = judged_run.source(folder, name)
        for claim in claims:
            notes.decided(claim, judged_run.judge(claim, found, pair, missing.get(claim.claim, "")))

    pending: dict[str, tuple[list[Claim], Callable[[int], bool]]] = {}
    for name, claims in reading.of_experiment({claim.claim: claim for claim in chosen}):
        conclude([claim for claim in claims if claim.claim in missing], name)
        if possible := [claim for claim in claims if claim.claim not in missing]:
            is_counted = name in COUNTINGS
            grown = _counter(folder, name, notes, programs) if is_counted else _measurer(folder, name, runner, possible)
            pending[name] = possible, grown
    looks = [look for look in LOOKS if look <= rounds] or [rounds]
    for made, look in pairwise((0, *looks)):
        for name, (claims, grown) in list(pending.items()):
            if made and not _fits(claims, look - made, deadline_s):
                continue
            if _is_settled(folder, name, claims) or not grown(look) or _is_settled(folder, name, claims):
                conclude(claims, name)
                del pending[name]
    for name, (claims, _) in pending.items():
        conclude(claims, name)


def _fits(claims: Sequence[Claim], further: int, deadline_s: float) -> bool:
    """Whether that many further rounds are expected to end in time."""
    return time.monotonic() + further * max(claim.cost_s for claim in claims) <= deadline_s


def store_missing(
    folder: Path, chosen: Sequence[Claim], runner: ExperimentRunner, programs: Programs, *, in_cluster: bool
) -> None:
    """Stores for each of those claims what it needs and what is not here. Raises BadResultsError."""
    found = {claim.claim: availability.missing(claim, programs, in_cluster=in_cluster) for claim in chosen}
    for name, claims in reading.of_experiment({each.claim: each for each in chosen if not found[each.claim]}):
        asked = reading.asked(name, folder / reading.EXPERIMENTS.name)
        if asked is None or not runner.lacks(_with_arms_of(claims, asked)):
            continue
        found |= {claim.claim: runner.lacks(_with_arms_of([claim], asked)) for claim in claims}
    lacking = {name: why for name, why in found.items() if why}
    write_whole(folder / MISSING, json.dumps(lacking, indent=1) + "\n")


def expected(chosen: Sequence[Claim], rounds: int) -> tuple[int, float]:
    """The trials and countings up to the first look, and what each is expected to take, in seconds."""
    parts, total_s = 0, 0.0
    for name, claims in reading.of_experiment({claim.claim: claim for claim in chosen}):
        asked = reading.asked(name)
        each = 1 if asked is None else len(_arms_of(claims)) * len(asked.points)
        looked = 1 if asked is None and not COUNTINGS[name].rounds else min(rounds, FEWEST)
        parts += each * looked
        total_s += max(claim.cost_s for claim in claims) * looked
    return parts, total_s / max(parts, 1)


def _with_arms_of(claims: Sequence[Claim], asked: Experiment) -> Experiment:
    """The experiment with the arms that those claims need."""
    needed, asked = _arms_of(claims), availability.with_interpreters(asked)
    return replace(asked, arms={name: arm for name, arm in asked.arms.items() if name in needed})


def _arms_of(claims: Sequence[Claim]) -> set[str]:
    return {arm for claim in claims for arm in claim.arms}


def _is_settled(folder: Path, name: str, claims: Sequence[Claim]) -> bool:
    """Whether no further round is worth its time: each claim is decided, or needs more rounds than are worth it."""
    found = judged_run.source(folder, name)
    return bool(found.rounds) and not any(_is_open(decide(claim, found)) for claim in claims)


def _is_open(verdict: ClaimVerdict) -> bool:
    if verdict.word == "not distinguishable" and verdict.more_rounds is not None:
        return verdict.rounds + verdict.more_rounds <= WORTH * max(LOOKS)
    return verdict.word in OPEN


def _measurer(folder: Path, name: str, runner: ExperimentRunner, claims: Sequence[Claim]) -> Callable[[int], bool]:
    def grown(rounds: int) -> bool:
        asked = reading.asked(name, folder / reading.EXPERIMENTS.name)
        if asked is not None:
            _rounds(folder, name, _with_arms_of(claims, asked), rounds, runner)
        return True

    return grown


def _rounds(folder: Path, name: str, asked: Experiment, rounds: int, runner: ExperimentRunner) -> None:
    """Makes those of the first `rounds` rounds that are not complete.

    Arms are compared within one round, so an interrupted round is made again with all arms. A void trial stays void,
    because a look has used it. So does a failed one.
    """
    asked = replace(asked, rounds=rounds)
    results = folder / RUNS / name
    found = read_trials(results) if results.is_dir() else StoredTrials((), ())
    made = {trial.id for trial in found.trials} | {trial for trial, _ in found.without_result}
    lacking = {each.id.round for each in trials(asked) if each.id not in made}
    if wanted := [each for each in trials(asked) if each.id.round in lacking]:
        runner.measure(asked, wanted, results)


def _counter(folder: Path, name: str, notes: Notes, programs: Programs) -> Callable[[int], bool]:
    counting = COUNTINGS[name]

    def grown(rounds: int) -> bool:
        """Whether all could be made."""
        made = evidence.of_counts(folder / COUNTS, name).made
        for number in range(made + 1, (rounds if counting.rounds else 1) + 1):
            notes.counts(name, number)
            try:
                evidence.save_counts(folder / COUNTS, name, number, counting.count(programs))
            except LocalError as error:
                evidence.save_failure(folder / COUNTS, name, number, str(error))
                notes.counting_failed(name, str(error))
                return False
            notes.counted()
        return True

    return grown
