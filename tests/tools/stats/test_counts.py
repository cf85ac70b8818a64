"""Shares and their intervals."""

import pytest
from scipy import stats

from tools.stats.counts import share_of


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 1000, "0 of 1,000 (below 0.299 %)"),
        (3, 1000, "3 of 1,000 (0.0619 % to 0.874 %)"),
        (1000, 1000, "1,000 of 1,000 (above 99.7 %)"),
        (20, 40, "20 of 40 (33.8 % to 66.2 %)"),
    ],
)
def test_a_share_has_the_exact_interval(part: int, whole: int, text: str) -> None:
    assert str(share_of(part, whole)) == text


def test_none_of_n_is_below_three_in_n() -> None:
    for whole in (30, 1000, 100_000):
        assert share_of(0, whole).high == pytest.approx(3 / whole, rel=0.06)


def test_the_true_share_is_at_least_as_often_inside_as_the_interval_states() -> None:
    for truth in (0.02, 0.5):
        inside = [part for part in range(41) if (found := share_of(part, 40)).low <= truth <= found.high]
        assert stats.binom.pmf(inside, 40, truth).sum() >= 0.95


@pytest.mark.parametrize(("part", "whole"), [(1, 0), (-1, 5), (6, 5), (0, 0)])
def test_what_is_no_share_is_rejected(part: int, whole: int) -> None:
    with pytest.raises(ValueError, match=f"^{part} of {whole} is no share$"):
        share_of(part, whole)
