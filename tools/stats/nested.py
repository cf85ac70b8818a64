"""The mean of blocks nested in starts, with its variance.

    x[start, block] = mean + s[start] + e[start, block]

The moment estimator of a one-way layout with random effects, balanced or not: the variance between starts is what the
mean squares differ by, and never below 0 (Searle, Casella and McCulloch, Variance Components, 1992, section 3.6).
Degrees of freedom after Satterthwaite, Biometrics Bulletin 2, 1946.

Arrays hold blocks on their last axis: `sizes[0]` blocks of the first start, then those of the next. Axes before it
hold further data sets. There are at least two blocks.
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
    """The variance between starts is that of each data set."""
    between, within = _mean_squares(values, sizes)
    layout = _Layout.of(sizes)
    starts, blocks = layout.starts - 1, layout.total - layout.starts
    of_starts = np.maximum(0, (between - within) / layout.per_start)
    variance = layout.share * of_starts + within / layout.total
    weight = layout.share / layout.per_start
    parts = (weight * between) ** 2 / max(starts, 1) + ((1 / layout.total - weight) * within) ** 2 / max(blocks, 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # what is not finite is of the other branch
        freedom = np.where(of_starts > 0, variance**2 / parts, blocks or starts)
    return Moments(values.mean(axis=-1), variance, freedom)


def pooled_moments(values: Floats, sizes: Sequence[int], freedom: int) -> Moments:
    """The variance between starts is the mean of all data sets along the second last axis.

    For the differences of several arms: three starts of one pair of arms are too few to estimate it from, those of ten
    arms are not. The variance within a start is that of each data set. `freedom` is that of the pooled variance, 0 for
    one start; the smaller one of both variances counts.
    """
    between, within = _mean_squares(values, sizes)
    layout = _Layout.of(sizes)
    of_starts = np.maximum(0, ((between - within) / layout.per_start).mean(axis=-1, keepdims=True))
    mean = values.mean(axis=-1)
    least = min(each for each in (freedom, layout.total - layout.starts) if each)
    return Moments(mean, layout.share * of_starts + within / layout.total, np.full_like(mean, least))


@dataclass(frozen=True, slots=True)
class _Layout:
    total: int
    starts: int
    share: float
    """The weight of the variance of a start in that of the mean."""
    per_start: float
    """E[mean square between] = variance of a block + per_start x variance of a start."""

    @classmethod
    def of(cls, sizes: Sequence[int]) -> "_Layout":
        total, starts = sum(sizes), len(sizes)
        share = sum(size**2 for size in sizes) / total**2
        return cls(total, starts, share, total * (1 - share) / (starts - 1) if starts > 1 else total)


def _mean_squares(values: Floats, sizes: Sequence[int]) -> tuple[Floats, Floats]:
    """Between starts, and within them; 0 where there is one start, or one block a start."""
    n = np.asarray(sizes)
    means = np.add.reduceat(values, np.cumsum(n) - n, axis=-1) / n
    spread = (n * (means - values.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    within = ((values - np.repeat(means, n, axis=-1)) ** 2).sum(axis=-1) / max(values.shape[-1] - len(n), 1)
    return spread / max(len(n) - 1, 1), within
