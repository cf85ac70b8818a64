"""Which of several arms is the best, and which ones may be."""

import numpy as np
import pytest

from tests.tools.stats.noise import series
from tools.stats.best import best_group
from tools.stats.series import BlockId, Series
from tools.stats.verdict import Better

RATES = {"reactor": 1.0, "seda": 0.99, "thread_pool": 0.8, "iterative": 0.3}


def measured(rates: dict[str, float], seed: int = 1, starts: int = 3, blocks: int = 8) -> list[Series]:
    """The machine's speed varies by a quarter from block to block, an arm's by 5 %."""
    dice = np.random.default_rng(seed)
    machine = dice.normal(0, 0.25, (starts, blocks))
    return [
        series(arm, (rate * np.exp(machine + dice.normal(0, 0.05, (starts, blocks)))).tolist())
        for arm, rate in rates.items()
    ]


@pytest.mark.parametrize(("better", "power"), [("higher", 1), ("lower", -1)])
def test_the_best_arm_and_those_that_cannot_be_told_from_it(better: Better, power: int) -> None:
    found = best_group(measured({arm: rate**power for arm, rate in RATES.items()}), better)
    assert {found.best, *found.not_distinguishable} == {"reactor", "seda"}
    assert found.worse == ("thread_pool", "iterative")
    assert found.others[-1].ratio is not None
    assert (found.others[-1].ratio.starts, found.others[-1].ratio.samples) == (3, 24)


def test_equal_arms_stay_together() -> None:
    """The best of 17 equal arms has had the most luck: without a correction it differs from the last."""
    groups = [best_group(measured(dict.fromkeys("abcdefghijklmnopq", 1.0), seed), "higher") for seed in range(60)]
    assert sum(bool(group.worse) for group in groups) <= 4


def test_three_starts_are_enough_for_many_arms() -> None:
    """As all arms show how starts differ; three starts of one pair would have to differ by 30 standard errors."""
    assert best_group(measured(dict.fromkeys("abcdefghi", 1.0) | {"slow": 0.8}), "higher").worse == ("slow",)


def test_a_block_that_one_arm_lacks_does_not_count() -> None:
    """Alone in a fast block, an arm would look fast."""
    first, second = measured({"a": 1.0, "b": 1.3})
    fast = Series("a", {**first.values, BlockId(2, 8): 1000.0})
    found = best_group([fast, second], "higher")
    assert (found.best, found.worse) == ("b", ("a",))


@pytest.mark.parametrize(
    ("values", "worse"),
    [
        ([[[2.0]], [[1.0]]], ()),
        ([[[2.0, 2.0]], [[1.0, 1.0]]], ("a1",)),
        ([[[2.0], [2.0]], [[1.0], [1.0]]], ("a1",)),
        ([[[2.0, 2.0]], [[2.0, 2.0]]], ()),
        ([[[2.0, 2.0]]], ()),
    ],
)
def test_few_values(values: list[list[list[float]]], worse: tuple[str, ...]) -> None:
    found = best_group([series(f"a{i}", arm) for i, arm in enumerate(values)], "higher")
    assert (found.best, found.worse) == ("a0", worse)


def test_a_noisy_arm_among_quiet_ones_is_not_worse_by_chance() -> None:
    """The mean of all pairs has too little of its noise: alone, it called 30 % of such groups different."""
    dice = np.random.default_rng(3)
    scales = [0.01] * 16 + [0.1]
    groups = [
        best_group(
            [series(f"a{i}", np.exp(dice.normal(0, scale, (3, 1))).tolist()) for i, scale in enumerate(scales)],
            "higher",
        )
        for _ in range(60)
    ]
    assert sum(bool(group.worse) for group in groups) <= 7


@pytest.mark.parametrize(("better", "best"), [("higher", "a"), ("lower", "c")])
def test_a_void_round_of_each_arm_leaves_the_pairs_of_the_others(better: Better, best: str) -> None:
    arms = {"a": (5000, (1, 2)), "b": (505, (0, 2)), "c": (50, (0, 1))}
    found = best_group(
        [Series(arm, {BlockId(start, 0): rate for start in starts}) for arm, (rate, starts) in arms.items()], better
    )
    assert found.best == best
    assert set(found.worse) == set("abc") - {best}


@pytest.mark.parametrize(("slow", "worse"), [(0.6, ()), (0.4, ("b",))])
def test_arms_without_a_common_block_differ_where_there_is_no_doubt(slow: float, worse: tuple[str, ...]) -> None:
    first = Series("a", {BlockId(0, 0): 1.0, BlockId(1, 0): 1.1})
    second = Series("b", {BlockId(2, 0): slow, BlockId(3, 0): slow})
    found = best_group([second, first], "higher")
    assert (found.best, found.worse) == ("a", worse)
    assert ("unpaired" in found.others[0].verdict.word) is bool(worse)
