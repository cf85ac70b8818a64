"""The mean of blocks nested in starts, with its variance.

    x[start, block] = mean + s[start] + e[start, block]

This is the moment estimator of a one-way layout with random effects, balanced or not. The variance between starts
follows from the difference of the mean squares, and is never below 0 (Searle, Casella and McCulloch, Variance
Components, 1992, section 3.6). Degrees of freedom are those of Satterthwaite, Biometrics Bulletin 2, 1946.

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
    of_starts = _of_starts(between, within, layout)
    variance = layout.share * of_starts + within / layout.total
    weight = layout.share / layout.per_start
    parts = (weight * between) ** 2 / max(starts, 1) + ((1 / layout.total - weight) * within) ** 2 / max(blocks, 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # what is not finite is of the other branch
        freedom = np.where(of_starts > 0, variance**2 / parts, blocks or starts)
    return Moments(values.mean(axis=-1), variance, freedom)


def pooled_moments(pairs: Sequence[tuple[Floats, Sequence[int]]], freedom: int) -> list[Moments]:
    """The variance between starts is that of a pair or the mean of all pairs, whichever is larger.

    For the differences of several arms, each with its sizes: three starts of one pair are too few to estimate that
    variance from, those of all pairs are not. A pair with a noisy arm has more than the mean. The variance within a
    start is that of each pair.

    `freedom` is that of the mean where all arms have the same noise. Unequal noise leaves less, after Satterthwaite.
    """
    parts = [(values, _Layout.of(sizes), *_mean_squares(values, sizes)) for values, sizes in pairs]
    several = [(between, within, layout) for _, layout, between, within in parts if layout.starts > 1]
    pooled, shared = np.zeros(()), np.zeros(())
    if several:
        noise = np.stack([between / layout.per_start for between, _, layout in several])
        with np.errstate(divide="ignore", invalid="ignore"):  # no noise at all
            shared = np.nan_to_num(freedom * noise.mean(axis=0) ** 2 / (noise**2).mean(axis=0), nan=freedom)
        pooled = np.mean([_of_starts(*one) for one in several], axis=0)
    found = []
    for values, layout, between, within in parts:
        own = _of_starts(between, within, layout) if layout.starts > 1 else pooled
        variance = layout.share * np.maximum(own, pooled) + within / layout.total
        blocks = layout.total - layout.starts
        least = np.maximum(layout.starts - 1, shared)
        least = np.where(least > 0, np.minimum(least, blocks or np.inf), blocks)
        found.append(Moments(values.mean(axis=-1), variance, np.broadcast_to(least, variance.shape)))
    return found


def _of_starts(between: Floats, within: Floats, layout: "_Layout") -> Floats:
    return np.asarray(np.maximum(0, (between - within) / layout.per_start))


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
    """Between starts, and within them; 0 if there is one start, or one block in each start."""
    n = np.asarray(sizes)
    means = np.add.reduceat(values, np.cumsum(n) - n, axis=-1) / n
    spread = (n * (means - values.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    within = ((values - np.repeat(means, n, axis=-1)) ** 2).sum(axis=-1) / max(values.shape[-1] - len(n), 1)
    return spread / max(len(n) - 1, 1), within
