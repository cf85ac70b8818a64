"""Shares of calls, clients or trials, with their intervals."""

from dataclasses import dataclass

from scipy.stats import binomtest

from tools.units import count, share


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole`, with the interval of the share that it was drawn from."""

    part: int
    whole: int
    low: float
    high: float

    def __str__(self) -> str:
        """As `3 of 1,000 (0.062 % to 0.874 %)`, `0 of 1,000 (below 0.299 %)`."""
        if self.part == 0:
            ends = f"below {share(self.high)}"
        elif self.part == self.whole:
            ends = f"above {share(self.low)}"
        else:
            ends = f"{share(self.low)} to {share(self.high)}"
        return f"{count(self.part)} of {count(self.whole)} ({ends})"


def share_of(part: int, whole: int, confidence: float = 0.95) -> Share:
    """The exact interval (Clopper and Pearson, Biometrika 26, 1934). Raises ValueError unless 0 <= part <= whole > 0.

    None, or all, have a one-sided interval: 0 of n is below 3 / n (Hanley and Lippman-Hand, JAMA 249, 1983).
    """
    if not (0 <= part <= whole and whole > 0):
        raise ValueError(f"{part} of {whole} is no share")
    side = {0: "less", whole: "greater"}.get(part, "two-sided")
    ends = binomtest(part, whole, alternative=side).proportion_ci(confidence, method="exact")
    return Share(part, whole, float(ends.low), float(ends.high))
