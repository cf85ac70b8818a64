"""The notes from top to bottom, with the verdicts on each line. Must not know HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.claims import notes
from tools.claims.judged_run import JudgedClaim, JudgedRun
from tools.claims.notes import SourceLine


@dataclass(frozen=True, slots=True)
class NoteLine:
    """One line."""

    name: str
    line: SourceLine
    judged: Sequence[JudgedClaim]
    """The claims of this run that are about it."""


def lines(claims: JudgedRun) -> list[NoteLine]:
    """Every line, in the order of the notes."""
    return [
        NoteLine(name, line, [each for each in claims.judged if name in each.claim.lines])
        for name, line in notes.read().items()
    ]
