"""How far a figure lies from its threshold, the same for every claim. Must not know how it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from math import copysign, inf, log, log1p, sqrt

from tools.claims.claim import Threshold
from tools.claims.decision import Interval


@dataclass(frozen=True, slots=True)
class Margin:
    """Distances from the threshold: above 0 where the claim holds, below 0 where it does not.

    log 2 is twice the threshold, or half of it where the claim asks at most so much.
    """

    low: float
    """-inf where the interval has no end there, or ends at 0 or less."""
    value: float
    high: float


def margin(figure: Interval, bound: Threshold) -> Margin:
    """Of a figure with its interval."""
    distance = _distance(bound, figure)
    low, value, high = distance(figure.low), distance(figure.value), distance(figure.high)
    middle = sqrt(bound.low * bound.high) if 0 < bound.low <= bound.high < inf else (bound.low + bound.high) / 2
    farthest = distance(middle) if figure.low < middle < figure.high and bound.within else -inf
    return Margin(min(low, high), value, max(low, high, farthest))


def of_value(value: float, bound: Threshold) -> float:
    """The distance of one value."""
    return margin(Interval(value, value, value, 0), bound).value


def _distance(bound: Threshold, figure: Interval) -> Callable[[float], float]:
    """From the nearest end of the bound."""
    ends = [(end, sign) for end, sign in ((bound.low, 1), (bound.high, -1)) if abs(end) < inf]
    if figure.value > 0 and all(end > 0 for end, _ in ends):
        return lambda value: min(sign * (log(value / end) if value > 0 else -inf) for end, sign in ends)
    # Not a matter of times: a difference, as a share of the threshold, or of the figure where the threshold is 0.
    known = [abs(each) for each in (figure.value, figure.low, figure.high) if abs(each) < inf]
    unit = max(abs(end) for end, _ in ends) or max(known) or 1.0
    return lambda value: min(_shortened(sign * (value - end) / unit) for end, sign in ends)


def _shortened(share: float) -> float:
    """So that a difference of one whole unit is drawn where twice the threshold is."""
    return copysign(log1p(abs(share)), share)
