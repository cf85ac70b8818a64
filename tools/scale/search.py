"""The search for the highest rate that still meets an objective: pure, except for the trials that it asks for.

    doubling    start, 2 start, 4 start ...  until a rate misses (or, if the first misses, halving until one meets)
                from a rate that a like service met, the steps begin small: 1.1, 1.1^2, 1.1^4 ... up to 2 (galloping)
    bisection   the geometric middle of the highest met and the lowest missed, until they are close enough

A rate that misses is tried once more before it counts: other processes can make a service miss that would have met,
and seldom the reverse. The rate where it ends is between `met_rps` and `missed_rps`: that is the interval, and the
search is not more precise. A service that meets the objective again at a higher rate than a missed one is misjudged.

Must not know how a rate is tried, nor what the objective is.
"""

from collections.abc import Callable
from dataclasses import dataclass

DOUBLING = 2.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a search goes."""

    start_rps: float
    """What is tried first."""
    lowest_rps: float
    """Nothing below is tried: a trial could have too few calls to be judged."""
    highest_rps: float
    """Nothing above is tried."""
    within: float
    """Met and missed are close enough at this ratio; above 1."""
    trials: int
    """The most trials."""
    step: float = DOUBLING
    """Of the first two rates; above 1. Each further step is the square of the one before, up to DOUBLING."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The rates between which the objective stops being met."""

    met_rps: float | None
    """Highest rate that met it; None where none did."""
    missed_rps: float | None
    """Lowest rate that missed it, twice; None where none did."""
    trials: int


def highest_rate(meets: Callable[[float], bool], bounds: Bounds) -> SearchResult:
    """Searches; `meets` makes a trial at a rate (calls a second) and judges it."""
    met: float | None = None
    missed: float | None = None
    left, step = bounds.trials, bounds.step

    def judge(rate_rps: float) -> bool | None:
        """None where the trials are used up before a miss is confirmed."""
        nonlocal left
        for _ in range(2):
            if left == 0:
                return None
            left -= 1
            if meets(rate_rps):
                return True
        return False

    rate = min(max(bounds.start_rps, bounds.lowest_rps), bounds.highest_rps)
    while (verdict := judge(rate)) is not None:
        if verdict:
            met = rate
        else:
            missed = rate
        following = _next(met, missed, bounds, step)
        if following is None:
            break
        rate, step = following, min(step * step, DOUBLING)
    return SearchResult(met, missed, bounds.trials - left)


def _next(met: float | None, missed: float | None, bounds: Bounds, step: float) -> float | None:
    """The next rate to try; None where there is nothing to be learned any more."""
    if missed is None:
        assert met is not None
        return None if met >= bounds.highest_rps else min(step * met, bounds.highest_rps)
    if met is None:
        return None if missed <= bounds.lowest_rps else max(missed / step, bounds.lowest_rps)
    return None if missed <= met * bounds.within else (met * missed) ** 0.5
