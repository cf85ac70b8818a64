"""The ratio of two estimates that do not share blocks: two runs at different times.

Welch's test on the log scale: variances add up, with degrees of freedom after Satterthwaite (Welch, Biometrika 34,
1947). The interval covers the noise that each run shows in itself. It does not cover what changed between them.
"""

from math import exp, log

from scipy import special

from tools.stats.estimate import Estimate
from tools.stats.interval import CONFIDENCE


def unpaired_ratio(first: Estimate, second: Estimate, confidence: float = CONFIDENCE) -> Estimate:
    """The ratio first / second. It has no interval where one of the two has none; the smaller numbers count."""
    value = first.value / second.value
    starts, samples = min(first.starts, second.starts), min(first.samples, second.samples)
    dropped = first.dropped + second.dropped
    if first.error is None or second.error is None:
        return Estimate(value, None, None, confidence, starts, samples, None, 0, dropped)
    error = (first.error**2 + second.error**2) ** 0.5
    parts = sum(each.error**4 / each.freedom for each in (first, second) if each.error)
    freedom = error**4 / parts if parts else first.freedom + second.freedom
    reach = float(special.stdtrit(freedom, (1 + confidence) / 2)) * error
    low, high = (exp(log(value) + by) for by in (-reach, reach))
    return Estimate(value, low, high, confidence, starts, samples, error, freedom, dropped)
