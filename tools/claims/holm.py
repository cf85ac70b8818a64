"""Which words stay where all claims of a run may err together as often as one may alone.

Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure (Scandinavian Journal of Statistics 6, 1979).
Must not know how an interval is made.
"""

from bisect import bisect_left
from collections.abc import Sequence

from tools.claims.claim import DECIDED
from tools.claims.decision import decide
from tools.claims.judged_run import JudgedClaim

TESTED = (*DECIDED, "not distinguishable")
"""Words of claims that a run tested."""


def lost(judged: Sequence[JudgedClaim]) -> list[str]:
    """The ids of measured claims whose word would be `not distinguishable`, those nearest to their threshold last."""
    tested = [each for each in judged if each.claim.kind == "measured" and each.verdict.word in TESTED]
    strength = {each.claim.claim: _stays_until(each, len(tested)) for each in tested if each.verdict.word in DECIDED}
    strongest_first = sorted(strength, key=lambda name: -strength[name])
    for place, name in enumerate(strongest_first):
        if strength[name] < len(tested) - place:
            return strongest_first[place:]
    return []


def _stays_until(each: JudgedClaim, most: int) -> int:
    """The largest number, up to `most`, by which its error can be divided so that the word stays."""
    divisors = range(1, most + 1)
    return bisect_left(divisors, True, key=lambda by: decide(each.claim, each.source, by).word != each.verdict.word)
