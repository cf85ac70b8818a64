"""A run of claims as one file that can be committed: the values of every operand, and no verdict.

A reader derives the verdicts again, by the rule and the claims as they were. Must not know how anything is shown.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tools.claims import claims_run, judged_run
from tools.claims.claim import Claim, Operand
from tools.claims.claims_run import ClaimsRun, RegisteredClaim
from tools.claims.description import label
from tools.claims.floor import Floors
from tools.claims.judged_run import JudgedClaim, JudgedRun
from tools.claims.sample import SampleReading
from tools.results import BadResultsError, read_json, write_whole
from tools.units import count

VERSION = 1
PATH = Path(__file__).parent.parent.parent / "docs" / "claims.json"
"""The run that the README shows."""

AxisReading = tuple[float, SampleReading]
"""A value of the axis, and the reading at it."""


class PublishedClaim(Struct, frozen=True, kw_only=True):
    """A claim with its values, as a SampleSource has them."""

    claim: Claim
    registered: RegisteredClaim
    rounds: int
    missing: str
    """What was not here; empty where all was."""
    reasons: str
    """Why trials are void."""
    readings: Mapping[str, tuple[SampleReading | None, ...]]
    """Operand -> its value in each round."""
    places: Mapping[str, tuple[tuple[AxisReading, ...] | None, ...]]
    """Operand with `over` -> its values along the axis in each round."""

    def reading(self, operand: Operand, number: int) -> SampleReading | None:
        """As SampleSource has it."""
        return self.readings[_key(operand)][number - 1]

    def along(self, operand: Operand, number: int) -> Sequence[AxisReading] | None:
        """As SampleSource has it."""
        return self.places[_key(operand)][number - 1]

    def void(self, _arms: Sequence[str]) -> str:
        """As Evidence has it."""
        return self.reasons


class PublishedRun(Struct, frozen=True, kw_only=True):
    """The whole run."""

    version: int
    began: str
    """ISO 8601, UTC."""
    despite_noise: bool
    environment: Mapping[str, Any]
    """As environment.json of one of its experiments."""
    floors: Floors
    claims: tuple[PublishedClaim, ...]


def write(path: Path, found: JudgedRun) -> None:
    """Raises BadResultsError."""
    environments = sorted((found.folder / judged_run.RUNS).glob("*/environment.json"))
    content = PublishedRun(
        version=VERSION,
        began=found.run.began,
        despite_noise=found.run.despite_noise,
        environment=read_json(environments[0]) if environments else {},
        floors=found.floors,
        claims=tuple(_published(each) for each in found.judged),
    )
    write_whole(path, msgspec.json.format(msgspec.json.encode(content), indent=1).decode() + "\n")


def read(path: Path = PATH) -> tuple[PublishedRun, JudgedRun]:
    """The file, and its claims with their verdicts derived anew. Raises BadResultsError."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=PublishedRun)
    except OSError as error:
        raise BadResultsError(f"{path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise BadResultsError(f"{path}: {error}") from error
    if found.version != VERSION:
        raise BadResultsError(f"{path}: written by another version ({found.version}, not {VERSION}): export it again")
    for each in found.claims:
        _check(each, path)
    judgements = tuple(
        JudgedClaim(each.claim, each.registered, each, judged_run.judge(each.claim, each, found.floors, each.missing))
        for each in found.claims
    )
    claims = {each.claim.claim: each.registered for each in found.claims}
    run = ClaimsRun(version=claims_run.VERSION, began=found.began, despite_noise=found.despite_noise, claims=claims)
    return found, JudgedRun(path, run, judgements, found.floors)


def _check(published: PublishedClaim, path: Path) -> None:
    """Raises BadResultsError where an operand has not a value in each round, or None in its place."""
    for operand in _operands(published.claim):
        values = (published.places if operand.over else published.readings).get(_key(operand), ())
        if len(values) != published.rounds:
            what = f"the {count(published.rounds)} values of {label(operand)}"
            raise BadResultsError(f"{path}: {published.claim.claim} lacks {what}")


def _published(each: JudgedClaim) -> PublishedClaim:
    source, readings, places = each.source, {}, {}
    numbers = range(1, source.rounds + 1)
    for operand in _operands(each.claim):
        if operand.over:
            along = [source.along(operand, number) for number in numbers]
            places[_key(operand)] = tuple(None if one is None else tuple(one) for one in along)
        else:
            readings[_key(operand)] = tuple(source.reading(operand, number) for number in numbers)
    return PublishedClaim(
        claim=each.claim,
        registered=each.registered,
        rounds=source.rounds,
        missing=each.verdict.why if each.verdict.word == "not here" else "",
        reasons=source.void(each.claim.arms),
        readings=readings,
        places=places,
    )


def _operands(claim: Claim) -> Sequence[Operand]:
    """Each that has a value of its own, the cases of events among them."""
    found = []
    for clause in claim.clauses:
        for leaf in clause.statistic.leaves:
            found.append(leaf)
            if leaf.per:
                found.append(leaf.cases)
    return found


def _key(operand: Operand) -> str:
    return msgspec.json.encode(operand, order="sorted").decode()
