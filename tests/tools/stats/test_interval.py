"""Estimates and ratios of an arm's values."""

import numpy as np
import pytest

from tests.tools.stats import noise
from tests.tools.stats.noise import series
from tools.stats.interval import estimate, ratio
from tools.stats.series import BlockId, Series


def test_the_value_is_the_geometric_mean() -> None:
    found = estimate(series("reactor", [[1, 10], [10, 100]]))
    assert found.value == pytest.approx(10)
    assert (found.starts, found.samples) == (2, 4)


def test_one_sample_has_no_interval() -> None:
    found = estimate(series("reactor", [[3]]))
    assert found.value == pytest.approx(3)
    assert [found.low, found.high, found.smallest_difference] == [None, None, None]


@pytest.mark.parametrize(("starts", "provisional"), [(1, True), (2, True), (3, False)])
def test_less_than_three_starts_are_provisional(starts: int, provisional: bool) -> None:
    assert estimate(series("reactor", [[1, 2]] * starts)).provisional is provisional


def test_equal_values_have_an_interval_without_width() -> None:
    found = estimate(series("reactor", [[7, 7], [7, 7], [7, 7]]))
    assert (found.low, found.value, found.high) == pytest.approx((7, 7, 7))


def test_more_confidence_is_a_wider_interval() -> None:
    values = series("reactor", [[1, 2], [2, 3], [2, 2]])
    usual, strict = estimate(values), estimate(values, 0.99)
    assert usual.low is not None
    assert strict.low is not None
    assert strict.low < usual.low
    assert (usual.confidence, strict.confidence) == (0.95, 0.99)


def test_a_ratio_cancels_what_both_arms_see_of_the_machine() -> None:
    """The machine's speed varies by 25 %, each arm by 5 %: a pair's log ratio has sd 0.07."""
    first, second = noise.pair(1, [8] * 8, times=1.1)
    paired = ratio(first, second)
    assert paired.smallest_difference == pytest.approx(2 * 0.07 / 8, rel=0.4)
    assert paired.value == pytest.approx(1.1, rel=0.03)
    alone = estimate(first).smallest_difference
    assert alone is not None
    assert paired.smallest_difference is not None
    assert alone > 2 * paired.smallest_difference


def test_a_ratio_turned_around_is_its_inverse() -> None:
    first, second = noise.pair(1, [3, 4, 5], between_starts=0.1)
    forth, back = ratio(first, second), ratio(second, first)
    assert back.low is not None
    assert (back.value, back.low) == pytest.approx((1 / forth.value, 1 / (forth.high or 0)))


def test_a_block_without_one_of_the_values_is_dropped_and_counted() -> None:
    first, second = series("a", [[2, 2, 2], [2, 2]]), series("b", [[1, 1], [1, 1, 1]])
    found = ratio(first, second)
    assert found.value == pytest.approx(2)
    assert (found.samples, found.starts, found.dropped) == (4, 2, 2)


def test_a_start_may_lack_all_of_its_blocks() -> None:
    first = Series("a", {BlockId(0, 0): 1.0, BlockId(2, 0): 2.0, BlockId(2, 1): 2.0})
    found = ratio(first, Series("b", {BlockId(0, 0): 1.0, BlockId(1, 0): 1.0, BlockId(2, 0): 2.0}))
    assert (found.starts, found.samples, found.dropped) == (2, 2, 2)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf")])
def test_a_value_without_a_logarithm_is_rejected_by_name(bad: float) -> None:
    with pytest.raises(ValueError, match=rf"^reactor, round 1, block 2: {bad} is not .* leave it out$"):
        series("reactor", [[1], [1, 1, bad]])


def test_no_value_is_rejected_by_name() -> None:
    with pytest.raises(ValueError, match=r"^reactor: there is no value"):
        estimate(Series("reactor", {}))
    with pytest.raises(ValueError, match=r"^a / b: there is no block"):
        ratio(series("a", [[1]]), Series("b", {BlockId(1, 0): 1.0}))


def test_intervals_of_ratios_contain_the_true_ratio() -> None:
    found = [ratio(*noise.pair(seed, [8] * 4, between_starts=0.03, times=1.2)) for seed in range(500)]
    covered = np.mean([(one.low or 0) <= 1.2 <= (one.high or 0) for one in found])
    assert 0.92 <= covered <= 0.99
