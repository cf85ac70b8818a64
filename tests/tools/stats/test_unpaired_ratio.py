"""The ratio of two runs at different times."""

import numpy as np
import pytest

from tests.tools.stats.noise import logs, series
from tools.stats.interval import estimate
from tools.stats.unpaired_ratio import unpaired_ratio


def values(seed: int, sizes: list[int], spread: float, between: float = 0.0, times: float = 1.0) -> list[list[float]]:
    """Of one run whose log values have that standard deviation."""
    drawn = iter(times * np.exp(spread * logs(seed, 1, sizes, between_starts=between)[0]))
    return [[float(next(drawn)) for _ in range(size)] for size in sizes]


def test_the_ratio_is_the_first_by_the_second_and_turned_around_its_inverse() -> None:
    one, other = (estimate(series("reactor", values)) for values in ([[2, 4], [4, 8]], [[1, 1], [2, 2]]))
    found, back = unpaired_ratio(one, other), unpaired_ratio(other, one)
    assert found.value == pytest.approx(2**1.5)
    assert back.high is not None
    assert (back.value, found.low) == pytest.approx((1 / found.value, 1 / back.high))


@pytest.mark.parametrize(
    ("sizes", "spreads", "between"),
    [
        (([8] * 3, [8] * 3), (0.1, 0.1), 0.0),
        (([4] * 8, [4] * 4), (0.05, 0.2), 0.0),
        (([1] * 3, [1] * 3), (0.1, 0.1), 0.0),
        (([8] * 5, [8] * 5), (0.1, 0.1), 1.0),
    ],
    ids=["alike", "unlike", "one block a start", "starts differ"],
)
def test_a_95_percent_interval_contains_the_true_ratio_in_95_of_100_runs(
    sizes: tuple[list[int], list[int]], spreads: tuple[float, float], between: float
) -> None:
    runs, covered = 1_000, 0
    for seed in range(runs):
        first, second = (
            estimate(series("reactor", values(2 * seed + which, sizes[which], spreads[which], between, times)))
            for which, times in ((0, 1.2), (1, 1.0))
        )
        found = unpaired_ratio(first, second)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 1.2 <= found.high
    # Four standard errors of a share of 1,000 runs are 2.8 points; few starts make an interval wider than it need be.
    assert 0.92 <= covered / runs <= 0.995


def test_a_run_of_one_value_gives_a_ratio_without_an_interval() -> None:
    found = unpaired_ratio(estimate(series("a", [[3]])), estimate(series("a", [[1, 2], [2, 1]])))
    assert (found.low, found.high, found.error, found.starts) == (None, None, None, 1)


def test_runs_without_noise_have_an_interval_without_width() -> None:
    found = unpaired_ratio(estimate(series("a", [[3, 3], [3, 3]])), estimate(series("a", [[2, 2], [2, 2]])))
    assert (found.low, found.value, found.high) == pytest.approx((1.5, 1.5, 1.5))
