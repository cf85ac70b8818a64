"""Two runs of claims: which verdicts are the same, and which are not. Must not know how a verdict is derived."""

from dataclasses import dataclass
from typing import Literal

from tools.claims.claim import DECIDED, Word
from tools.claims.judged_run import JudgedClaim, JudgedRun

What = Literal["held", "moved", "regressed", "now decided", "undecided", "asked otherwise", "new", "gone"]
"""`held`: the same word. `moved`: it holds in one run only. `regressed`: the second run does not decide it.
`undecided`: neither run does, each for a reason of its own. `asked otherwise`: the files of the claim differ."""


@dataclass(frozen=True, slots=True)
class ClaimComparison:
    """One claim in two runs."""

    claim: str
    """Its id."""
    what: What
    old: Word | None
    """None: the first run does not have the claim."""
    new: Word | None
    """None: the second run does not have it."""

    @property
    def lost(self) -> bool:
        """Whether a verdict of the first run is a verdict no more: the other one, or none."""
        return self.what in ("moved", "regressed")


def compare(old: JudgedRun, new: JudgedRun) -> list[ClaimComparison]:
    """A row for each claim of either run, in the order of the ids."""
    before = {each.claim.claim: each for each in old.judged}
    after = {each.claim.claim: each for each in new.judged}
    every = sorted((before | after).values(), key=lambda each: each.claim.order)
    rows = []
    for name in (each.claim.claim for each in every):
        first, second = before.get(name), after.get(name)
        rows.append(ClaimComparison(name, _what(first, second), _word(first), _word(second)))
    return rows


def _word(of: JudgedClaim | None) -> Word | None:
    return None if of is None else of.verdict.word


def _what(old: JudgedClaim | None, new: JudgedClaim | None) -> What:
    if old is None or new is None:
        return "gone" if old else "new"
    if old.registered.sha256 != new.registered.sha256:
        return "asked otherwise"
    first, second = old.verdict.word, new.verdict.word
    if first == second:
        return "held"
    if first in DECIDED:
        return "moved" if second in DECIDED else "regressed"
    return "now decided" if second in DECIDED else "undecided"
