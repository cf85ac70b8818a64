"""The verdict of each claim of a run, derived from what is in its folder. Must not know how anything is shown."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import exp, inf, log
from pathlib import Path

from tools.claims import evidence, reading, registered
from tools.claims.claim import Claim, Statistic
from tools.claims.counting import COUNTINGS
from tools.claims.decision import Interval, Verdict, decide, interval
from tools.claims.evidence import Evidence
from tools.claims.registered import Registered, Run
from tools.claims.sample import Source
from tools.results import read_json

RUNS, COUNTS, MISSING = "runs", "counts", "missing.json"
FLOOR = "aa"
"""The experiment that compares a model with itself."""
FLOOR_STATISTIC = Statistic(measure="rate_rps", ratio=("first", "second"))


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim of a run."""

    claim: Claim
    registered: Registered
    source: Source
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Claims:
    """A run of claims."""

    folder: Path
    run: Run
    judged: tuple[Judged, ...]
    """In the order of their ids."""
    floor: Interval | None
    """The ratio of one model to itself; None where it was not measured in enough rounds."""


def read(folder: Path, only: Collection[str] | None = None) -> Claims:
    """Derives every verdict anew, or only those of claims with these ids. Raises BadResultsError, BadClaimError."""
    run = registered.read(folder)
    there = reading.claims(folder / reading.STATEMENTS.name, folder / reading.EXPERIMENTS.name)
    every = {name: claim for name, claim in there.items() if only is None or name in only}
    of_run = floor(folder)
    missing = not_here(folder)
    sources = {name: source(folder, name) for name in dict.fromkeys(claim.experiment for claim in every.values())}
    judged = tuple(
        Judged(claim, run.claims[name], sources[claim.experiment], judge(claim, sources[claim.experiment], of_run, why))
        for name, claim in every.items()
        for why in [missing.get(name, "")]
    )
    return Claims(folder, run, judged, of_run)


def source(folder: Path, name: str) -> Evidence:
    """What a run has of that experiment, or counting."""
    if name in COUNTINGS:
        return evidence.of_counts(folder / COUNTS, name)
    return evidence.of_trials(folder / RUNS / name)


def judge(claim: Claim, found: Source, floor: Interval | None, missing: str = "") -> Verdict:
    """The verdict of one claim. `missing` is what the machine lacks for it."""
    if missing:
        return Verdict("not here", why=missing)
    verdict = decide(claim, found)
    arms = [leaf.arm for clause in claim.clauses for leaf in clause.statistic.leaves]
    if verdict.word == "void" and (why := found.void(arms)):
        return replace(verdict, why=f"{verdict.why}: {why}")
    if verdict.word in ("holds", "does not hold") and (why := _too_coarse(claim, floor)):
        return Verdict("void", verdict.figures, verdict.rounds, why=why)
    return verdict


def _too_coarse(claim: Claim, floor: Interval | None) -> str:
    """Where a model differs from itself by more than half of the distance between 1 and the claim."""
    if floor is None or claim.experiment in COUNTINGS or claim.statistic.form != "ratio":
        return ""
    bounds = [end for end in (claim.holds_if.at_least, claim.holds_if.at_most) if end is not None and end > 0]
    apart = max(abs(log(floor.low)), abs(log(floor.high))) if floor.low > 0 else inf
    if floor.low <= 1 <= floor.high and all(apart <= abs(log(end)) / 2 or end == 1 for end in bounds):
        return ""
    by = f"up to {100 * (exp(apart) - 1):.0f} %" if apart < inf else "any amount"
    return f"one model beside itself differed by {by}: repeat it on a quiet machine"


def floor(folder: Path) -> Interval | None:
    found = source(folder, FLOOR)
    return interval(FLOOR_STATISTIC, found, found.rounds, 0.99) if found.rounds else None


def not_here(folder: Path) -> Mapping[str, str]:
    """Claim -> what the machine lacked for it when it was to run."""
    path = folder / MISSING
    return dict(read_json(path)) if path.exists() else {}


def latest(results: Path) -> dict[str, tuple[Judged, str]]:
    """Claim -> how the last run in that folder with a verdict on it judged it, and the day of that run."""
    found: dict[str, tuple[Judged, str]] = {}
    for path in sorted(results.glob(f"*/{registered.NAME}")):
        claims = read(path.parent)
        found |= {each.claim.claim: (each, claims.run.began[:10]) for each in claims.judged}
    return found


def last(results: Path, name: str) -> Claims | None:
    """The last run in that folder which has the claim of that id, with that claim alone. Raises as `read` does."""
    for path in sorted(results.glob(f"*/{registered.NAME}"), reverse=True):
        if name in registered.read(path.parent).claims:
            return read(path.parent, [name])
    return None
