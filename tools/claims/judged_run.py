"""The verdict of each claim of a run, derived from what is in its folder. Must not know how anything is shown."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from tools.claims import claims_run, evidence, floor, reading
from tools.claims.claim import DECIDED, Claim
from tools.claims.claims_run import ClaimsRun, RegisteredClaim
from tools.claims.counting import COUNTINGS
from tools.claims.decision import ClaimVerdict, Interval, decide
from tools.claims.evidence import Evidence
from tools.claims.floor import Floors
from tools.claims.sample import SampleSource
from tools.results import BadResultsError, read_json
from tools.status import PlainError

RUNS, COUNTS, MISSING = "runs", "counts", "missing.json"


@dataclass(frozen=True, slots=True)
class JudgedClaim:
    """A claim of a run."""

    claim: Claim
    registered: RegisteredClaim
    source: SampleSource
    verdict: ClaimVerdict


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """A run of claims."""

    folder: Path
    run: ClaimsRun
    judged: tuple[JudgedClaim, ...]
    """In the order of their ids."""
    floors: Floors

    @property
    def floor(self) -> Interval | None:
        """The ratio of the rates of one model to itself; None where it was not measured."""
        return self.floors.get("rate")


def read(folder: Path, only: Collection[str] | None = None) -> JudgedRun:
    """Derives every verdict anew, or only those of claims with these ids. Raises BadResultsError, BadClaimError."""
    run = claims_run.read(folder)
    there = reading.claims(folder / reading.STATEMENTS.name, folder / reading.EXPERIMENTS.name)
    for name in sorted(there.keys() ^ run.claims.keys()):
        problem = f"is extra: {claims_run.NAME} does not name it" if name in there else "is missing: restore it"
        raise BadResultsError(f"{folder / reading.STATEMENTS.name / name}.yaml {problem}")
    every = {name: claim for name, claim in there.items() if only is None or name in only}
    of_run = floors(folder)
    missing = not_here(folder)
    sources = {name: source(folder, name) for name in dict.fromkeys(claim.experiment for claim in every.values())}
    judged = tuple(
        JudgedClaim(
            claim, run.claims[name], sources[claim.experiment], judge(claim, sources[claim.experiment], of_run, why)
        )
        for name, claim in every.items()
        for why in [missing.get(name, "")]
    )
    return JudgedRun(folder, run, judged, of_run)


def source(folder: Path, name: str) -> Evidence:
    """What a run has of that experiment, or counting."""
    if name in COUNTINGS:
        return evidence.of_counts(folder / COUNTS, name)
    return evidence.of_trials(folder / RUNS / name, despite_noise=claims_run.read(folder).despite_noise)


def judge(claim: Claim, found: SampleSource, pair: Floors, missing: str = "") -> ClaimVerdict:
    """The verdict of one claim. `missing` is what the machine lacks for it."""
    if missing:
        return ClaimVerdict("not here", why=missing)
    verdict = decide(claim, found)
    if why := found.void(claim.arms):
        if verdict.word == "void":
            return replace(verdict, why=f"{verdict.why}: {why}")
        if verdict.figures == (None,):  # it ended before the first look
            return ClaimVerdict("void", verdict.figures, verdict.rounds, why=why)
    if verdict.word in ("holds", "does not hold") and (why := floor.too_coarse(claim, pair)):
        return ClaimVerdict("void", verdict.figures, verdict.rounds, why=why)
    return verdict


def floors(folder: Path) -> Floors:
    """Of the pair that the run has measured; empty where it has none."""
    return floor.floors(evidence.of_trials(folder / RUNS / floor.EXPERIMENT, despite_noise=True).found.trials)


def not_here(folder: Path) -> Mapping[str, str]:
    """Claim -> what the machine lacked for it when it was to run."""
    path = folder / MISSING
    try:
        return msgspec.convert(read_json(path), dict[str, str]) if path.exists() else {}
    except msgspec.ValidationError as error:
        raise BadResultsError(f"{path}: {error}") from error


def latest(results: Path) -> tuple[dict[str, tuple[JudgedClaim, str]], list[str]]:
    """Claim -> how the last run in that folder that decided it judged it, and the day of that run.

    Of a claim that none decided, it is the last run that has it. Beside it why runs cannot be read, a line each.
    """
    found: dict[str, tuple[JudgedClaim, str]] = {}
    unreadable = []
    for path in sorted(results.glob(f"*/{claims_run.NAME}"), reverse=True):
        try:
            run = claims_run.read(path.parent)
            if open_ := {name for name in run.claims if name not in found or not _decided(found[name][0])}:
                for each in read(path.parent, open_).judged:
                    if each.claim.claim not in found or _decided(each):
                        found[each.claim.claim] = (each, run.began[:10])
        except PlainError as error:
            unreadable.append(str(error))
    return found, unreadable


def _decided(each: JudgedClaim) -> bool:
    return each.verdict.word in DECIDED


def last(results: Path, name: str) -> JudgedRun | None:
    """The last run in that folder which has the claim of that id, with only that claim. Raises as `read` does."""
    for path in sorted(results.glob(f"*/{claims_run.NAME}"), reverse=True):
        if name in claims_run.read(path.parent).claims:
            return read(path.parent, [name])
    return None
