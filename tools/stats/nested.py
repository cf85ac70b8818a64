"""The mean of blocks nested in starts, with its variance.

    x[start, block] = mean + s[start] + e[start, block]

The moment estimator of a one-way layout with random effects, balanced or not: the variance between starts is what the
mean squares differ by, and never below 0 (Searle, Casella and McCulloch, Variance Components, 1992, section 3.6).
Degrees of freedom after Satterthwaite, Biometrics Bulletin 2, 1946.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """One entry for each data set."""

    mean: Floats
    variance: Floats
    """Of the mean."""
    freedom: Floats


def moments(values: Floats, sizes: Sequence[int]) -> Moments:
    """The mean over the last axis, which holds `sizes[0]` blocks of the first start, then those of the next.

    Any axes before the last one hold further data sets. There are at least two values.
    """
    n = np.asarray(sizes, dtype=np.float64)
    total, starts = float(n.sum()), len(n)
    means = np.add.reduceat(values, np.cumsum(n, dtype=np.intp) - np.asarray(sizes), axis=-1) / n
    mean: Floats = values.mean(axis=-1)
    within = ((values - np.repeat(means, sizes, axis=-1)) ** 2).sum(axis=-1) / max(total - starts, 1)
    if starts == 1:
        return Moments(mean, within / total, np.full_like(mean, total - 1))
    between = (n * (means - mean[..., None]) ** 2).sum(axis=-1) / (starts - 1)
    # E[between] = variance of a block + per_start * variance of a start; share is the weight of a start in the mean.
    share = float((n**2).sum()) / total**2
    per_start = total * (1 - share) / (starts - 1)
    of_starts = np.maximum(0, (between - within) / per_start)
    variance = share * of_starts + within / total
    parts = (share / per_start * between) ** 2 / (starts - 1)
    parts += ((1 / total - share / per_start) * within) ** 2 / max(total - starts, 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # what is not finite is of the other branch
        freedom = np.where(of_starts > 0, variance**2 / parts, total - starts or starts - 1)
    return Moments(mean, variance, freedom)
