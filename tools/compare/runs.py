"""Two runs, arm by arm and point by point. They are not paired in time, unless both refer to an arm that is the same.

Machines that others use change their speed by some 30 % within hours. Two runs by themselves cannot show that change.
"""

from dataclasses import dataclass

from tools.compare.figures import BETTER, ArmFigure, Figures
from tools.standings import FEWER_CLIENTS
from tools.stats.estimate import Estimate
from tools.stats.line import SEPARATOR, interval, runs_basis, word
from tools.stats.unpaired_ratio import unpaired_ratio
from tools.stats.verdict import OF_COSTS, OF_RATES, Verdict, verdict
from tools.units import share

NOT_PAIRED = "not paired in time: differences below 30 % may be the machine's"


@dataclass(frozen=True, slots=True)
class FigureComparison:
    """One measure of one arm at one point, in two runs."""

    figure: ArmFigure
    """Of the second run, or of the first where that has none."""
    ratio: Estimate | None = None
    """Second / first."""
    verdict: Verdict | None = None
    basis: str = ""
    """What the ratio is of."""
    why: str = ""
    """Why there is no ratio; empty where there is one."""

    def worse_by(self, tolerance: float) -> bool:
        """Whether the second is worse, and its interval clear of that share: 0.05 is 5 %."""
        if self.ratio is None or self.ratio.low is None or self.ratio.high is None:
            return False
        if BETTER[self.figure.measure] == "higher":
            return self.ratio.high < 1 - tolerance
        return self.ratio.low > 1 + tolerance

    def __str__(self) -> str:
        """As `reactor at 100   rate 1.15 [1.12, 1.18]   faster   12 and 12 blocks, 3 and 3 starts   not paired ...`."""
        if self.ratio is None or self.verdict is None:
            return SEPARATOR.join((self.figure.described, self.figure.measure, f"not compared: {self.why}"))
        measured = f"{self.figure.measure} {interval(self.ratio)}"
        return SEPARATOR.join((self.figure.described, measured, word(self.verdict), self.basis))


def compare(first: Figures, second: Figures) -> list[FigureComparison]:
    """Every figure that one of the two has."""
    before = {(one.arm, one.point, one.measure): one for one in first.figures}
    paired = NOT_PAIRED if first.reference is None else f"relative to {first.reference}, paired in time"
    found = []
    for one in second.figures:
        other = before.pop((one.arm, one.point, one.measure), None)
        found.append(
            FigureComparison(one, why="only in the second") if other is None else _compared(other, one, paired)
        )
    return [*found, *(FigureComparison(one, why="only in the first") for one in before.values())]


def _compared(first: ArmFigure, second: ArmFigure, paired: str) -> FigureComparison:
    if first.estimate is None or second.estimate is None:
        whys = [f"{one.why} in the {which}" for which, one in (("first", first), ("second", second)) if one.why]
        return FigureComparison(second, why="; ".join(whys))
    served = first.served_share or 1.0, second.served_share or 1.0
    if abs(served[0] - served[1]) > FEWER_CLIENTS:
        return FigureComparison(second, why=f"{share(served[0])} of its clients were served, then {share(served[1])}")
    found = unpaired_ratio(second.estimate, first.estimate)
    words = OF_RATES if second.measure == "rate" else OF_COSTS
    return FigureComparison(
        second,
        found,
        verdict(found, BETTER[second.measure], words=words),
        SEPARATOR.join((runs_basis(first.estimate, second.estimate), paired)),
    )
