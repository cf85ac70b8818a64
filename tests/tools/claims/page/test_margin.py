"""How far a figure lies from its threshold: right of it where the claim holds, whatever the claim asks."""

from math import inf, log

import pytest

from tools.claims.claim import Threshold
from tools.claims.decision import Interval
from tools.claims.page.margin import Margin, margin

TWICE = log(2)
CASES = [
    (Interval(10, 5, 20, 3), Threshold(at_least=5), Margin(0, TWICE, 2 * TWICE)),
    (Interval(10, 5, 20, 3), Threshold(at_most=20), Margin(0, TWICE, 2 * TWICE)),
    (Interval(10, 5, inf, 3), Threshold(at_least=20), Margin(-2 * TWICE, -TWICE, inf)),
    # A value of a slope whose interval ends below 0 has no place for that end on a scale of factors.
    (Interval(10, -5, 20, 3), Threshold(at_least=5), Margin(-inf, TWICE, 2 * TWICE)),
    # The nearest end counts; in the middle of a range both are equally far.
    (Interval(1, 0.5, 2, 3), Threshold(within=(0.5, 2)), Margin(0, TWICE, TWICE)),
    (Interval(4, 2, 8, 3), Threshold(within=(0.5, 2)), Margin(-2 * TWICE, -TWICE, 0)),
    (Interval(1, 1, 1, 1), Threshold(within=(1, 1)), Margin(0, 0, 0)),
    # Where a factor makes no sense: one unit of the figure or the threshold is as far as twice the threshold.
    (Interval(0, 0, 0, 1), Threshold(at_most=0), Margin(0, 0, 0)),
    (Interval(3, 3, 3, 1), Threshold(at_most=0), Margin(-TWICE, -TWICE, -TWICE)),
    (Interval(0, 0, 5, 3), Threshold(at_most=5), Margin(0, TWICE, TWICE)),
    (Interval(-2, -4, 0, 3), Threshold(at_least=-4), Margin(0, log(1.5), TWICE)),
]


@pytest.mark.parametrize(("figure", "bound", "expected"), CASES)
def test_the_claims_side_is_above_0(figure: Interval, bound: Threshold, expected: Margin) -> None:
    found = margin(figure, bound)
    assert (found.low, found.value, found.high) == pytest.approx((expected.low, expected.value, expected.high))
