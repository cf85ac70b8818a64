"""Simulated measurements, of which the true values are known."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tools.stats.series import BlockId, Series

Floats = NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, int]], Floats]


def normal(dice: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Log ratios of blocks, with a standard deviation of about 1."""
    return dice.normal(size=shape)


def heavy_tails(dice: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Student's t with 3 degrees of freedom."""
    return np.asarray(dice.standard_t(3, size=shape) / np.sqrt(3))


def spikes(dice: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """One block in twenty is disturbed, by ten times the usual."""
    return dice.normal(size=shape) * np.where(dice.random(shape) < 0.05, 4, 0.4)


def drift(dice: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Successive blocks correlate, by 0.3: part of the drift does not cancel out within a block."""
    steps = dice.normal(size=shape)
    for block in range(1, shape[1]):
        steps[:, block] = 0.3 * steps[:, block - 1] + np.sqrt(1 - 0.3**2) * steps[:, block]
    return steps


def logs(seed: int, runs: int, sizes: Sequence[int], *, noise: Noise = normal, between_starts: float = 0) -> Floats:
    """The log ratios of so many A/A runs: the true mean is 0. Units are the standard deviation of a block."""
    dice = np.random.default_rng(seed)
    starts = dice.normal(0, between_starts, (runs, len(sizes)))
    return noise(dice, (runs, sum(sizes))) + np.repeat(starts, sizes, axis=1)


def series(arm: str, values: Sequence[Sequence[float]]) -> Series:
    """The values of each start, in the order of its blocks."""
    return Series(arm, {BlockId(i, j): value for i, start in enumerate(values) for j, value in enumerate(start)})


def pair(seed: int, sizes: Sequence[int], *, between_starts: float = 0.0, times: float = 1.0) -> tuple[Series, Series]:
    """Two arms on one machine whose speed wanders by a quarter; the first has `times` the rate of the second."""
    dice = np.random.default_rng(seed)
    values: tuple[dict[BlockId, float], dict[BlockId, float]] = ({}, {})
    for start, size in enumerate(sizes):
        own = dice.normal(0, between_starts, 2)
        for block in range(size):
            machine = dice.normal(0, 0.25)
            for arm in (0, 1):
                rate = np.exp(machine + own[arm] + dice.normal(0, 0.05)) * (times if arm == 0 else 1)
                values[arm][BlockId(start, block)] = float(1000 * rate)
    return Series("first", values[0]), Series("second", values[1])
