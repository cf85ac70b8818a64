"""The verdict of each claim of a run, derived from what is in its folder. Must not know how anything is shown."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tools.claims import evidence, floor, reading, registered
from tools.claims.claim import Claim
from tools.claims.counting import COUNTINGS
from tools.claims.decision import Interval, Verdict, decide
from tools.claims.evidence import Evidence
from tools.claims.floor import Floors
from tools.claims.registered import Registered, Run
from tools.claims.sample import Source
from tools.results import read_json

RUNS, COUNTS, MISSING = "runs", "counts", "missing.json"


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
    floors: Floors

    @property
    def floor(self) -> Interval | None:
        """The ratio of the rates of one model to itself; None where it was not measured."""
        return self.floors.get("rate")


def read(folder: Path, only: Collection[str] | None = None) -> Claims:
    """Derives every verdict anew, or only those of claims with these ids. Raises BadResultsError, BadClaimError."""
    run = registered.read(folder)
    there = reading.claims(folder / reading.STATEMENTS.name, folder / reading.EXPERIMENTS.name)
    every = {name: claim for name, claim in there.items() if only is None or name in only}
    of_run = floors(folder)
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


def judge(claim: Claim, found: Source, pair: Floors, missing: str = "") -> Verdict:
    """The verdict of one claim. `missing` is what the machine lacks for it."""
    if missing:
        return Verdict("not here", why=missing)
    verdict = decide(claim, found)
    arms = [leaf.arm for clause in claim.clauses for leaf in clause.statistic.leaves]
    if why := found.void(arms):
        if verdict.word == "void":
            return replace(verdict, why=f"{verdict.why}: {why}")
        if verdict.figures == (None,):  # it ended before the first look
            return Verdict("void", verdict.figures, verdict.rounds, why=why)
    if verdict.word in ("holds", "does not hold") and (why := floor.too_coarse(claim, pair)):
        return Verdict("void", verdict.figures, verdict.rounds, why=why)
    return verdict


def floors(folder: Path) -> Floors:
    """Of the pair that the run has measured; empty where it has none."""
    return floor.floors(evidence.of_trials(folder / RUNS / floor.EXPERIMENT).found.trials)


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
