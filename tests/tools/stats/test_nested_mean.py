"""The mean over starts and blocks: against textbook formulas, and how often its interval contains the truth."""

import numpy as np
import pytest
from scipy import special, stats

from tests.tools.stats import noise
from tools.stats.nested_mean import moments

RUNS = 4_000


def test_one_start_is_students_t() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    found = moments(values, [4])
    assert (found.mean, found.variance, found.freedom) == pytest.approx((3.75, stats.sem(values) ** 2, 3))


def test_one_block_a_start_is_students_t() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    found = moments(values, [1, 1, 1, 1])
    assert (found.mean, found.variance, found.freedom) == pytest.approx((3.75, stats.sem(values) ** 2, 3))


def test_equal_starts_that_differ_are_students_t_over_their_means() -> None:
    values = np.array([1.0, 1.1, 5.0, 5.1, 9.0, 9.3])
    found = moments(values, [2, 2, 2])
    assert (found.variance, found.freedom) == pytest.approx((stats.sem([1.05, 5.05, 9.15]) ** 2, 2))


def test_starts_that_do_not_differ_count_every_block() -> None:
    """Their means are equal, so the moment estimator of the variance between them would be below 0."""
    found = moments(np.array([1.0, 3.0, 1.0, 3.0, 1.0, 3.0]), [2, 2, 2])
    assert (found.variance, found.freedom) == pytest.approx((2 / 6, 3))


def test_equal_values_have_no_variance() -> None:
    for sizes in ([4], [2, 2], [1, 1, 1, 1]):
        found = moments(np.ones(4), sizes)
        assert found.variance == 0
        assert found.freedom > 0


def test_a_further_axis_holds_further_data_sets() -> None:
    values = noise.logs(1, 2, [3, 5])
    both = moments(values, [3, 5])
    for index in (0, 1):
        alone = moments(values[index], [3, 5])
        assert (alone.mean, alone.variance) == pytest.approx((both.mean[index], both.variance[index]))
        assert alone.freedom == pytest.approx(both.freedom[index])


@pytest.mark.parametrize(
    ("sizes", "between_starts", "least"),
    [
        ([64], 0.0, 0.94),
        ([21, 21, 22], 0.0, 0.96),
        ([21, 21, 22], 0.3, 0.92),  # the worst for 3 starts: some runs show no difference between starts
        ([21, 21, 22], 1.0, 0.94),
        ([2, 3, 3], 0.3, 0.94),
        ([4, 8, 16, 2], 0.3, 0.93),
        ([8] * 8, 0.0, 0.96),
        ([8] * 8, 0.3, 0.95),
        ([8] * 8, 1.0, 0.94),
    ],
)
@pytest.mark.parametrize("shape", [noise.normal, noise.heavy_tails, noise.spikes])
def test_95_of_100_intervals_contain_the_truth(
    sizes: list[int], between_starts: float, least: float, shape: noise.Noise
) -> None:
    values = noise.logs(7, RUNS, sizes, noise=shape, between_starts=between_starts)
    found = moments(values, sizes)
    covered = np.mean(np.abs(found.mean) <= special.stdtrit(found.freedom, 0.975) * np.sqrt(found.variance))
    assert least <= covered <= 0.99


def test_pooled_blocks_would_not_contain_the_truth() -> None:
    """The reason for the model: blocks of one start share what that start has of its own."""
    values = noise.logs(7, RUNS, [21, 21, 22], between_starts=0.5)
    reach = stats.t.ppf(0.975, 63) * stats.sem(values, axis=1)
    assert np.mean(np.abs(values.mean(axis=1)) <= reach) < 0.7
