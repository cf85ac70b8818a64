"""Geometric means and ratios with their intervals, over starts and blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from tools.stats.estimate import Estimate
from tools.stats.nested_mean import Floats, Moments, moments
from tools.stats.series import BlockId, Series

CONFIDENCE = 0.95


def estimate(series: Series, confidence: float = CONFIDENCE) -> Estimate:
    """The geometric mean of an arm's values. Raises ValueError where there is no value."""
    if not series.values:
        raise ValueError(f"{series.arm}: there is no value to estimate from")
    return _estimate({block: float(np.log(value)) for block, value in series.values.items()}, confidence)


def ratio(first: Series, second: Series, confidence: float = CONFIDENCE) -> Estimate:
    """The ratio first / second, from the log ratio within each block.

    The machine changes its speed from block to block; within a block that cancels out. A block that lacks one of the
    values is dropped, and counted. Raises ValueError where there is no block with both.
    """
    both = first.values.keys() & second.values.keys()
    if not both:
        raise ValueError(f"{first.arm} / {second.arm}: there is no block with a value of both")
    logs = {block: float(np.log(first.values[block] / second.values[block])) for block in both}
    return _estimate(logs, confidence, dropped=len(first.values.keys() ^ second.values.keys()))


def with_confidence(found: Estimate, confidence: float) -> Estimate:
    """The same estimate with another interval."""
    if found.error is None:
        return replace(found, confidence=confidence)
    reach = float(special.stdtrit(found.freedom, (1 + confidence) / 2)) * found.error
    low, high = (found.value * float(np.exp(by)) for by in (-reach, reach))
    return replace(found, low=low, high=high, confidence=confidence)


def _estimate(logs: Mapping[BlockId, float], confidence: float, dropped: int = 0) -> Estimate:
    blocks = sorted(logs)
    values: Floats = np.array([logs[block] for block in blocks])
    sizes = np.unique([block.round for block in blocks], return_counts=True)[1].tolist()
    if len(values) == 1:
        return Estimate(float(np.exp(values[0])), None, None, confidence, 1, 1, None, 0, dropped)
    return of_moments(moments(values, sizes), sizes, confidence, dropped)


def of_moments(found: Moments, sizes: Sequence[int], confidence: float = CONFIDENCE, dropped: int = 0) -> Estimate:
    """From the moments of one data set of logarithms, with `sizes` blocks of each start."""
    mean, error, freedom = float(found.mean), float(np.sqrt(found.variance)), float(found.freedom)
    reach = float(special.stdtrit(freedom, (1 + confidence) / 2)) * error
    value, low, high = (float(np.exp(mean + by)) for by in (0, -reach, reach))
    return Estimate(value, low, high, confidence, len(sizes), sum(sizes), error, freedom, dropped)
