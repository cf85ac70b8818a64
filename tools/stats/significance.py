"""Whether a ratio differs from a threshold, and whether it is as good as equal."""

from math import log

from scipy import special

from tools.stats.estimate import Estimate


def p_value(ratio: Estimate, threshold: float = 1.0) -> float:
    """How likely a difference of this size or more is without a true one: Student's t, two-sided.

    1 for one sample, which shows no difference.
    """
    return min(1.0, 2 * _tail(abs(log(ratio.value / threshold)), ratio))


def equal_within(ratio: Estimate, margin: float, level: float = 0.05) -> bool:
    """Whether the true ratio is shown to lie between 1 / (1 + margin) and 1 + margin.

    Two one-sided tests at that level (Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987). A ratio that is
    "not distinguishable" from 1 is not shown to be equal: the interval may be too wide for either.
    """
    return ratio.error is not None and _tail(log(1 + margin) - abs(log(ratio.value)), ratio) <= level


def _tail(distance: float, ratio: Estimate) -> float:
    """The probability of a deviation above a distance on the log scale."""
    if not ratio.error:  # one sample, or samples without any noise
        return 0.0 if ratio.error == 0 and distance > 0 else 0.5
    return float(special.stdtr(ratio.freedom, -distance / ratio.error))
