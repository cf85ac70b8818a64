"""Measures and counts what claims ask, experiment by experiment, until each claim is decided or the last look is made.

Must not know what is shown, nor where trials run.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from tools.claims import evidence, floor, here, judged, reading
from tools.claims.claim import Claim
from tools.claims.counting import COUNTINGS
from tools.claims.decision import FEWEST, LOOKS, Verdict, decide
from tools.claims.judged import COUNTS, MISSING, RUNS
from tools.experiment import Experiment
from tools.local import LocalError, Programs
from tools.results import Found, read_trials, write_whole
from tools.wanted import Wanted, trials

OPEN = ("not distinguishable", "void")
"""Words that further rounds may change."""


class Bench(Protocol):
    """Where experiments run."""

    @property
    def alternates(self) -> bool:
        """Whether slices of arms follow one another within a second; else a model is not compared with itself."""

    def lacks(self, asked: Experiment) -> str:
        """What of the experiment cannot be had there, in one line; empty where all can."""

    def measure(self, asked: Experiment, wanted: Sequence[Wanted], folder: Path) -> None:
        """Makes those trials, and keeps them in the folder, which has the experiment's name. What fails is void."""


class Notes(Protocol):
    """Who is notified of how it goes."""

    def counts(self, name: str, number: int) -> None:
        """That round of a counting begins."""

    def counted(self) -> None:
        """It has ended."""

    def counting_failed(self, name: str, why: str) -> None:
        """It could not be made."""

    def decided(self, claim: Claim, verdict: Verdict) -> None:
        """Nothing more is measured for that claim."""


def run(folder: Path, chosen: Sequence[Claim], *, bench: Bench, notes: Notes, programs: Programs, rounds: int) -> None:
    """Goes on with what the folder has, to so many rounds at most. Raises LocalError, BadResultsError."""
    missing = dict(judged.not_here(folder))
    asked = reading.asked(floor.EXPERIMENT, folder / reading.EXPERIMENTS.name)
    if asked is not None and bench.alternates:
        _rounds(folder, floor.EXPERIMENT, asked, min(rounds, FEWEST), bench)
    pair = judged.floors(folder)
    for name, claims in reading.of_experiment({claim.claim: claim for claim in chosen}):
        possible = [claim for claim in claims if claim.claim not in missing]
        if possible:
            grow = (
                _counter(folder, name, notes, programs)
                if name in COUNTINGS
                else _measurer(folder, name, bench, possible)
            )
            _until_decided(folder, name, possible, grow, rounds)
        found = judged.source(folder, name)
        for claim in claims:
            notes.decided(claim, judged.judge(claim, found, pair, missing.get(claim.claim, "")))


def find_missing(folder: Path, chosen: Sequence[Claim], bench: Bench, programs: Programs, *, in_cluster: bool) -> None:
    """Keeps what is not here of what those claims need. Raises BadResultsError."""
    found = {claim.claim: here.missing(claim, programs, in_cluster=in_cluster) for claim in chosen}
    for name, claims in reading.of_experiment({each.claim: each for each in chosen if not found[each.claim]}):
        asked = reading.asked(name, folder / reading.EXPERIMENTS.name)
        if asked is None or not bench.lacks(_with_arms_of(claims, asked)):
            continue
        found |= {claim.claim: bench.lacks(_with_arms_of([claim], asked)) for claim in claims}
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
    needed, asked = _arms_of(claims), here.with_interpreters(asked)
    return replace(asked, arms={name: arm for name, arm in asked.arms.items() if name in needed})


def _arms_of(claims: Sequence[Claim]) -> set[str]:
    return {arm for claim in claims for arm in claim.arms}


def _until_decided(folder: Path, name: str, claims: Sequence[Claim], grown: Callable[[int], bool], rounds: int) -> None:
    for look in [each for each in LOOKS if each <= rounds] or [rounds]:
        found = judged.source(folder, name)
        if found.rounds and all(decide(claim, found).word not in OPEN for claim in claims):
            return
        if not grown(look):
            return


def _measurer(folder: Path, name: str, bench: Bench, claims: Sequence[Claim]) -> Callable[[int], bool]:
    def grown(rounds: int) -> bool:
        asked = reading.asked(name, folder / reading.EXPERIMENTS.name)
        if asked is not None:
            _rounds(folder, name, _with_arms_of(claims, asked), rounds, bench)
        return True

    return grown


def _rounds(folder: Path, name: str, asked: Experiment, rounds: int, bench: Bench) -> None:
    """Makes those of the first so many rounds that are not whole.

    What is compared is measured in one round. So a round that was interrupted is made again with all arms, and a trial
    that is void stays void: a look has seen it.
    """
    asked = replace(asked, rounds=rounds)
    target = folder / RUNS / name
    found = read_trials(target) if target.is_dir() else Found((), ())
    made = {trial.id for trial in found.trials} | {trial for trial, _ in found.void}
    lacking = {each.id.round for each in trials(asked) if each.id not in made}
    if wanted := [each for each in trials(asked) if each.id.round in lacking]:
        bench.measure(asked, wanted, target)


def _counter(folder: Path, name: str, notes: Notes, programs: Programs) -> Callable[[int], bool]:
    counting = COUNTINGS[name]

    def grown(rounds: int) -> bool:
        """Whether all could be made."""
        made = evidence.of_counts(folder / COUNTS, name).made
        for number in range(made + 1, (rounds if counting.rounds else 1) + 1):
            notes.counts(name, number)
            try:
                evidence.keep_counts(folder / COUNTS, name, number, counting.count(programs))
            except LocalError as error:
                evidence.keep_failure(folder / COUNTS, name, number, str(error))
                notes.counting_failed(name, str(error))
                return False
            notes.counted()
        return True

    return grown
