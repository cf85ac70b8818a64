"""Whether a ratio differs from a threshold."""

from math import log

from scipy import special

from tools.stats.estimate import Estimate


def p_value(ratio: Estimate, threshold: float = 1.0) -> float:
    """How likely a difference of this size or more is without a true one: Student's t, two-sided.

    1 for one sample, which shows no difference.
    """
    distance = abs(log(ratio.value / threshold))
    if not ratio.error:  # one sample, or samples without any noise
        return 0.0 if ratio.error == 0 and distance > 0 else 1.0
    return 2 * float(special.stdtr(ratio.freedom, -distance / ratio.error))
