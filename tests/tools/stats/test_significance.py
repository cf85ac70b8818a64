"""P-values, equality and the correction for several comparisons."""

import numpy as np
import pytest
from scipy import stats

from tests.tools.stats import noise
from tests.tools.stats.noise import series
from tools.stats.holm import holm
from tools.stats.interval import estimate, ratio
from tools.stats.significance import p_value


def test_the_p_value_is_that_of_students_t() -> None:
    values = [1.1, 1.2, 0.95, 1.3, 1.05]
    found = p_value(estimate(series("a", [values])))
    assert found == pytest.approx(stats.ttest_1samp(np.log(values), 0).pvalue)


def test_a_p_value_below_one_in_twenty_is_a_95_percent_interval_clear_of_the_threshold() -> None:
    for seed in range(50):
        found = ratio(*noise.pair(seed, [4, 4, 4], times=1.05))
        assert found.low is not None
        assert found.high is not None
        assert (p_value(found, 1.02) < 0.05) == (found.low > 1.02 or found.high < 1.02)


@pytest.mark.parametrize(
    ("values", "expected"), [([[3.0]], 1), ([[1.0, 1.0], [1.0, 1.0]], 1), ([[2.0, 2.0], [2.0, 2.0]], 0)]
)
def test_without_noise_a_p_value_is_none_or_all(values: list[list[float]], expected: float) -> None:
    assert p_value(estimate(series("a", values))) == expected


def test_holm_adjusts_as_in_the_book() -> None:
    """The first by 4, the next by 3, and so on; never below the one before, never above 1."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "e": 0.9})
    assert found == pytest.approx({"d": 0.025, "a": 0.04, "c": 0.09, "b": 0.09, "e": 0.9})
    assert holm({"a": 0.7, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}
