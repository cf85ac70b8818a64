"""Two runs of claims: which verdicts are the same, and which are not. Must not know how a verdict is derived."""

from dataclasses import dataclass
from typing import Literal

from tools.claims.claim import Word
from tools.claims.judged import Claims

What = Literal["held", "moved", "regressed", "now decided", "undecided", "new", "gone"]
"""`held`: the same word. `moved`: it holds in one run only. `regressed`: the second run does not decide it.
`undecided`: neither run does, each for a reason of its own."""
DECIDED: tuple[Word, ...] = ("holds", "does not hold")


@dataclass(frozen=True, slots=True)
class Compared:
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


def compare(old: Claims, new: Claims) -> list[Compared]:
    """A row for each claim of either run, in the order of the ids."""
    before = {each.claim.claim: each for each in old.judged}
    after = {each.claim.claim: each for each in new.judged}
    every = sorted((before | after).values(), key=lambda each: each.claim.order)
    rows = []
    for name in (each.claim.claim for each in every):
        first = before[name].verdict.word if name in before else None
        second = after[name].verdict.word if name in after else None
        rows.append(Compared(name, _what(first, second), first, second))
    return rows


def _what(old: Word | None, new: Word | None) -> What:
    if old is None or new is None:
        return "gone" if old else "new"
    if old == new:
        return "held"
    if old in DECIDED:
        return "moved" if new in DECIDED else "regressed"
    return "now decided" if new in DECIDED else "undecided"
