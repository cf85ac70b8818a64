"""What is decided from an interval, and the words for it."""

import math

import pytest

from tools.stats.estimate import Estimate
from tools.stats.line import line
from tools.stats.verdict import GENERAL, OF_RATES, Better, RatioOutcome, verdict


def of(value: float, low: float | None, high: float | None, *, starts: int = 3, dropped: int = 0) -> Estimate:
    return Estimate(value, low, high, 0.95, starts, 64, 0.01, 10, dropped)


@pytest.mark.parametrize(
    ("low", "high", "better", "threshold", "outcome"),
    [
        (1.12, 1.18, "higher", 1.0, "better"),
        (1.12, 1.18, "lower", 1.0, "worse"),
        (0.85, 0.95, "higher", 1.0, "worse"),
        (0.85, 0.95, "lower", 1.0, "better"),
        (0.95, 1.05, "higher", 1.0, "not distinguishable"),
        (0.95, 1.05, "lower", 1.0, "not distinguishable"),
        (1.12, 1.18, "higher", 1.15, "not distinguishable"),
        (1.12, 1.18, "higher", 1.2, "worse"),
        (1.0, 1.2, "higher", 1.0, "not distinguishable"),
        (0.8, 1.0, "higher", 1.0, "not distinguishable"),
        (None, None, "higher", 1.0, "not distinguishable"),
    ],
)
def test_an_interval_on_one_side_of_the_threshold_decides(
    low: float | None, high: float | None, better: Better, threshold: float, outcome: RatioOutcome
) -> None:
    value = (low * high) ** 0.5 if low and high else 1.5
    for words in (GENERAL, OF_RATES):
        found = verdict(of(value, low, high), better, threshold, words)
        assert found.outcome == outcome
        assert found.word == words.get(outcome, "not distinguishable")


def test_what_a_run_could_have_found_comes_from_its_width() -> None:
    found = verdict(of(1.02, 1.02 / 1.04, 1.02 * 1.04), "higher")
    assert found.smallest_difference == pytest.approx(0.04)
    assert found.pairs_needed == pytest.approx(64 * (math.log(1.04) / math.log(1.02)) ** 2, abs=1)


@pytest.mark.parametrize(("value", "low", "high"), [(1, 0.9, 1 / 0.9), (1.5, None, None)])
def test_no_number_of_pairs_tells_no_difference(value: float, low: float | None, high: float | None) -> None:
    assert verdict(of(value, low, high), "higher").pairs_needed is None


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (of(1.15, 1.12, 1.18), "rate 1.15 [1.12, 1.18]   faster   64 pairs, 3 starts, 31 s"),
        (of(0.5, 0.4, 0.625), "rate 0.500 [0.400, 0.625]   slower   64 pairs, 3 starts, 31 s"),
        (of(1200, 1000, 1440), "rate 1,200 [1,000, 1,440]   faster   64 pairs, 3 starts, 31 s"),
        (
            of(1.01, 0.98, 1.041),
            "rate 1.01 [0.980, 1.04]   not distinguishable (a difference of 3.07 % would show)   "
            "64 pairs, 3 starts, 31 s",
        ),
        (
            of(1.15, 1.12, 1.18, starts=1, dropped=2),
            "rate 1.15 [1.12, 1.18]   faster   64 pairs (2 dropped), 1 start (provisional), 31 s",
        ),
        (of(1.15, None, None), "rate 1.15 [no interval]   not distinguishable   64 pairs, 3 starts, 31 s"),
    ],
)
def test_a_comparison_is_one_line(ratio: Estimate, text: str) -> None:
    found = line("reactor", "thread_pool", "rate", ratio, verdict(ratio, "higher", words=OF_RATES), duration_s=30.6)
    assert found == f"reactor / thread_pool   {text}"
