"""When a comparison stops, and what it then reports."""

import numpy as np
import pytest
from scipy import special

from tests.tools.stats import noise
from tools.stats.interval import ratio
from tools.stats.looks import CONFIDENCE, LOOKS, PAIRS_A_START, decided
from tools.stats.nested_mean import moments
from tools.stats.series import Series
from tools.stats.verdict import RatioOutcome, verdict

SIZES = [PAIRS_A_START] * (LOOKS[-1] // PAIRS_A_START)


def taken(series: Series, pairs: int) -> Series:
    return Series(series.arm, {block: series.values[block] for block in sorted(series.values)[:pairs]})


def run(first: Series, second: Series) -> tuple[RatioOutcome, int]:
    """As a run that measures start after start."""
    for pairs in range(PAIRS_A_START, LOOKS[-1] + 1, PAIRS_A_START):
        so_far = taken(first, pairs), taken(second, pairs)
        if decided(pairs, *so_far):
            return verdict(ratio(*so_far, CONFIDENCE), "higher").outcome, pairs
    raise AssertionError("the last look ends a run")


@pytest.mark.parametrize(
    ("times", "outcome", "pairs"),
    [(2.0, "better", 32), (0.5, "worse", 32), (1.05, "better", 64), (1.0, "not distinguishable", 128)],
)
def test_a_run_stops_at_the_first_look_that_decides(times: float, outcome: str, pairs: int) -> None:
    """The first look with three starts is the one at 32 pairs."""
    assert run(*noise.pair(4, SIZES, times=times)) == (outcome, pairs)


def test_the_threshold_is_what_the_interval_has_to_be_clear_of() -> None:
    first, second = noise.pair(4, SIZES[:4], times=2.0)
    assert decided(32, first, second, 1.5)
    assert not decided(32, first, second, 2.0)


def test_a_look_needs_a_99_percent_interval() -> None:
    """At this threshold the 95 % interval would stop the run."""
    first, second = noise.pair(4, SIZES[:4], times=2.0)
    low_95, low_99 = (ratio(first, second, confidence).low for confidence in (0.95, CONFIDENCE))
    assert low_95 is not None
    assert low_99 is not None
    assert not decided(32, first, second, (low_95 + low_99) / 2)
    assert decided(32, first, second, low_99 - 0.001)


def test_between_looks_nothing_is_decided() -> None:
    first, second = noise.pair(4, SIZES[:5], times=2.0)
    assert decided(32, first, second)
    assert not decided(33, first, second)


def test_dropped_pairs_do_not_move_a_look() -> None:
    first, second = noise.pair(4, SIZES[:4], times=2.0)
    assert decided(32, first, taken(second, 30))


def test_the_whole_procedure_calls_few_equal_arms_different() -> None:
    """One run in 25 at most, in truth; 300 runs leave room for chance."""
    called = [run(*noise.pair(seed, SIZES, between_starts=0.02))[0] != "not distinguishable" for seed in range(300)]
    assert np.mean(called) <= 0.05


def test_looking_after_every_pair_would_call_many_equal_arms_different() -> None:
    """The reason for looks: 95 % intervals of one start, from the 8th pair to the last."""
    runs = noise.logs(1, 2000, [LOOKS[-1]])
    different = np.zeros(len(runs), dtype=bool)
    for pairs in range(8, LOOKS[-1] + 1):
        found = moments(runs[:, :pairs], [pairs])
        different |= np.abs(found.mean) > special.stdtrit(found.freedom, 0.975) * np.sqrt(found.variance)
    assert different.mean() == pytest.approx(0.33, abs=0.03)
