"""When a comparison may stop before its last pair.

A run that looks after every pair, from the 8th to the 128th, with 95 % intervals calls 33 % of equal arms different.
Looks with 99 % intervals and eight pairs a start do so for 4 % at most; docs/measuring.md has the simulated table.
"""

from tools.stats.interval import ratio
from tools.stats.series import Series

LOOKS = (8, 16, 32, 64, 128)
"""Pairs at which a run may look; the last one ends it."""
CONFIDENCE = 0.99
"""Of the intervals at a look, and of the verdict in a run that looks."""
PAIRS_A_START = 8
"""More starts with fewer pairs each cost little, and show what differs from start to start."""


def decided(pairs: int, first: Series, second: Series, threshold: float = 1.0) -> bool:
    """Whether to stop after that many pairs, dropped ones included: the interval does not contain the threshold.

    False between looks, and with too few starts for a verdict that is not provisional. True at the last look.
    """
    if pairs >= LOOKS[-1]:
        return True
    if pairs not in LOOKS:
        return False
    found = ratio(first, second, CONFIDENCE)
    if found.provisional or found.low is None or found.high is None:
        return False
    return found.low > threshold or found.high < threshold
